/** The open conversation: who is there, what was said, and the place to write. */

import { Composer } from "./composer.js";
import { element, part, reconcile } from "./dom.js";
import { entriesOf, createEntry, updateEntry } from "./messages.js";
import { petOf } from "./people.js";
import { timeOf } from "./times.js";

const NEAR_PX = 120; // this close to an end of the scroller counts as being there

export class Thread {
  #pane;
  #chat;
  #composer;
  #scroller;
  #conversation;
  #newestSeen;
  #isAtEnd = true;

  /** What the buttons of an unconfirmed message do; the focus must not vanish with them. */
  #actions = {
    retry: (sent) => {
      this.#part("message-input").focus();
      this.#chat.sendAgain(this.#conversation, sent);
    },
    discard: (sent) => {
      this.#part("message-input").focus();
      this.#chat.discard(this.#conversation, sent);
    },
  };

  /** `place.close()` is called when the person goes back to the list, `place.alert(sentence)` when something fails. */
  constructor(pane, chat, place) {
    this.#pane = pane;
    this.#chat = chat;
    this.#composer = new Composer(pane, chat, { alert: place.alert, sent: () => (this.#isAtEnd = true) });
    this.#scroller = this.#part("scroller");
    this.#part("back").addEventListener("click", () => place.close());
    this.#part("leave").addEventListener("click", () => chat.leave(this.#conversation));
    this.#part("join").addEventListener("click", () => chat.join(this.#conversation));
    this.#part("load-older").addEventListener("click", () => chat.loadOlder(this.#conversation));
    this.#part("jump-to-newest").addEventListener("click", () => this.#goToEnd());
    this.#scroller.addEventListener("scroll", () => this.#scrolled());
    // Also tells that a hidden pane came into view.
    new ResizeObserver(() => this.#isAtEnd && this.#goToEnd()).observe(this.#scroller);
  }

  /** To the text field; on a touch screen, where that would bring up the keyboard, to the title. */
  focus() {
    if (matchMedia("(pointer: fine)").matches) this.#part("message-input").focus();
    else this.#part("thread-title").focus();
  }

  draw(conversation) {
    if (conversation !== this.#conversation) {
      this.#conversation = conversation;
      this.#isAtEnd = true;
      this.#newestSeen = undefined;
      this.#part("messages").replaceChildren();
    }
    this.#drawHead(conversation);
    this.#keepingPlace(() => this.#drawMessages(conversation));
    this.#composer.draw(conversation);
    this.#fill();
  }

  #part(name) {
    return part(this.#pane, name);
  }

  #drawHead(conversation) {
    const { isJoined, isBusy } = conversation;
    const { name, about } = petOf(conversation.pet);
    this.#part("thread-title").textContent = about ? `${name} · ${about}` : name;
    this.#scroller.setAttribute("aria-label", `Messages about ${name}`);
    const others = conversation.othersThan(this.#chat.person.id).map((id) => ({ id }));
    reconcile(this.#part("others"), others, createOther, (node, { id }) => updateOther(node, id, conversation));
    this.#part("leave").hidden = !isJoined;
    this.#part("join").hidden = isJoined;
    this.#part("left-note").hidden = isJoined;
    for (const name of ["leave", "join", "load-older"]) {
      this.#part(name).disabled = isBusy || this.#chat.connection.state !== "open";
    }
  }

  #drawMessages(conversation) {
    const { timeline, isJoined, isBusy } = conversation;
    this.#part("load-older").hidden = !isJoined || (timeline.hasStart && !timeline.isStale);
    this.#part("load-older").textContent = isBusy ? "Loading…" : "Earlier messages";
    this.#part("history-edge").hidden = !timeline.hasStart;
    this.#part("history-edge").textContent =
      timeline.messages.length > 0 ? "The beginning of this conversation" : "No message yet. Say hello!";
    const entries = entriesOf(conversation, this.#chat.person.id);
    reconcile(this.#part("messages"), entries, (entry) => createEntry(entry, this.#actions), updateEntry);
  }

  /** Changes the messages while what the person is reading stays where it is on the screen. */
  #keepingPlace(change) {
    // By the end of a message: the line of its day and its sender's name may move up to an older one.
    const messages = [...this.#part("messages").querySelectorAll(".message")];
    const anchor = messages.find((node) => endOf(node) > this.#scroller.scrollTop);
    const before = anchor && endOf(anchor);
    change();
    const newest = this.#conversation.timeline.messages.at(-1)?.id;
    if (this.#isAtEnd) this.#goToEnd();
    else if (anchor?.isConnected) this.#scroller.scrollTop += endOf(anchor) - before;
    if (this.#isAtEnd) this.#newestSeen = newest;
    this.#part("jump-to-newest").hidden = newest === this.#newestSeen;
  }

  #goToEnd() {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#isAtEnd = true;
  }

  #scrolled() {
    if (!this.#conversation) return;
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    this.#isAtEnd = scrollHeight - clientHeight - scrollTop < NEAR_PX;
    if (this.#isAtEnd) {
      this.#newestSeen = this.#conversation.timeline.messages.at(-1)?.id;
      this.#part("jump-to-newest").hidden = true;
    }
    this.#fill();
  }

  /** Loads the page above when the person has come near it, or when there is room to see it. */
  #fill() {
    const { clientHeight, scrollTop } = this.#scroller;
    if (clientHeight === 0 || scrollTop >= NEAR_PX || this.#chat.connection.state !== "open") return;
    // After a failure only a press of the button asks again.
    if (!this.#conversation.isHistoryFailing) this.#chat.loadOlder(this.#conversation);
  }
}

const endOf = (node) => node.offsetTop + node.offsetHeight;

function createOther() {
  return element(
    "li",
    { class: "other", "data-testid": "other" },
    element("span", { class: "dot", "aria-hidden": "true" }),
    element("span", { class: "other-name" }),
    element("span", { class: "other-presence", "data-testid": "presence" }),
  );
}

function updateOther(node, id, conversation) {
  const { presence, text } = presenceOf(conversation.presence.get(id));
  node.dataset.presence = presence;
  node.querySelector(".other-name").textContent = conversation.nameOf(id);
  node.querySelector(".other-presence").textContent = text;
}

/** Nobody tells a base connection who was there before it: until somebody moves, that is unknown. */
function presenceOf(seen) {
  if (!seen) return { presence: "unknown", text: "may be away" };
  if (seen.isHere) return { presence: "here", text: "here now" };
  return { presence: "away", text: `left at ${timeOf(seen.since)}` };
}
