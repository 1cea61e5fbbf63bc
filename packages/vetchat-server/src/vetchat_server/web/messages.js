/** The entries of a thread and their elements: messages, days, quiet lines, and what is not confirmed yet. */

import { element } from "./dom.js";
import { dayKey, dayOf, timeOf } from "./times.js";

const FATES = {
  sending: "Sending…",
  unconfirmed: "Not confirmed — it may not have been sent.",
  refused: "Not sent.",
};

/** What to show, from top to bottom; every entry has a `kind` and an `id` that it keeps. */
export function entriesOf(conversation, userId) {
  const messages = conversation.timeline.messages.map((message) => {
    const isMine = message.sender_id === userId;
    return { kind: "message", ...message, isMine, sender: isMine ? "You" : conversation.nameOf(message.sender_id) };
  });
  const outgoing = conversation.outgoing.map((sent) => ({ kind: "outgoing", id: sent.id, sent }));
  return [...withDays(withNotes(messages, conversation.notes)), ...outgoing];
}

/** Each quiet line goes behind the messages that are not newer; the order of the messages is not touched (R4.10). */
function withNotes(messages, notes) {
  const waiting = notes.map((note) => ({ kind: "note", ...note }));
  waiting.sort((one, other) => one.timestamp - other.timestamp);
  const entries = [];
  for (const message of messages) {
    while (waiting.length > 0 && waiting[0].timestamp < message.timestamp) entries.push(waiting.shift());
    entries.push(message);
  }
  return [...entries, ...waiting];
}

/** A line where a day begins, and a mark on what follows a message of the same person. */
function withDays(entries) {
  const result = [];
  for (const entry of entries) {
    const previous = result.at(-1);
    const day = dayKey(entry.timestamp);
    if (previous?.day !== day) result.push({ kind: "day", id: day, timestamp: entry.timestamp });
    const isContinued = previous?.day === day && previous.kind === "message" && previous.sender_id === entry.sender_id;
    result.push({ ...entry, day, isContinued });
  }
  return result;
}

/** The element of an entry; `actions.retry(sent)` and `actions.discard(sent)` belong to unconfirmed messages. */
export function createEntry(entry, actions) {
  if (entry.kind === "message") return createMessage(entry);
  if (entry.kind === "outgoing") return createOutgoing(entry, actions);
  if (entry.kind === "note") return element("li", { class: "note", "data-testid": "note" }, entry.text);
  return element("li", { class: "day" }, element("span", {}, dayOf(entry.timestamp)));
}

/** Brings an element up to date with its entry. */
export function updateEntry(node, entry) {
  if (entry.kind === "message") {
    node.classList.toggle("is-continued", entry.isContinued);
    node.querySelector(".sender").textContent = entry.sender;
  } else if (entry.kind === "outgoing") {
    node.dataset.state = entry.sent.state;
    node.querySelector(".fate-text").textContent = FATES[entry.sent.state];
    node.querySelector(".fate-actions").hidden = entry.sent.state === "sending";
  }
}

function createMessage({ id, isMine, content, timestamp }) {
  const when = new Date(timestamp).toISOString();
  return element(
    "li",
    { class: isMine ? "message is-mine" : "message", "data-testid": "message", "data-message-id": id },
    element("span", { class: "sender", "data-testid": "message-sender" }),
    element(
      "div",
      { class: "bubble" },
      element("p", { class: "text", dir: "auto", "data-testid": "message-text" }, content),
      element("time", { datetime: when, "data-testid": "message-time" }, timeOf(timestamp)),
    ),
  );
}

function createOutgoing({ sent }, { retry, discard }) {
  const again = element("button", { class: "quiet-button", type: "button", "data-testid": "retry" }, "Send again");
  const drop = element("button", { class: "quiet-button", type: "button", "data-testid": "discard" }, "Discard");
  again.addEventListener("click", () => retry(sent));
  drop.addEventListener("click", () => discard(sent));
  return element(
    "li",
    { class: "message is-mine is-outgoing", "data-testid": "outgoing" },
    element("div", { class: "bubble" }, element("p", { class: "text", dir: "auto" }, sent.text)),
    element(
      "p",
      { class: "fate", role: "status" },
      element("span", { class: "fate-text" }),
      element("span", { class: "fate-actions" }, again, drop),
    ),
  );
}
