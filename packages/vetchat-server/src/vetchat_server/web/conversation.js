/** One conversation as one of its participants knows it; `Chat` changes it, the views read it. */

import { nameOf } from "./people.js";
import { Timeline } from "./timeline.js";

export class Conversation {
  timeline = new Timeline();

  /** User id → `{isHere, since}`; who is absent has not been seen since the connection began. */
  presence = new Map();

  /** Quiet lines between the messages: `{id, text, timestamp}`. */
  notes = [];

  /** What this person wrote and no `message_sent` has confirmed: `{id, text, state, reason}`. */
  outgoing = [];

  /** Whether this connection is subscribed; every new connection is (S5.1). */
  isJoined = true;

  /** A page of history, a leave or a join is on its way: another one has to wait. */
  isBusy = false;

  /** The last request for history has not been answered well. */
  isHistoryFailing = false;

  isNewInvitation = false;
  unread = 0;

  /** From an entry of `conversations` or the announcement of a new one (S4.1, S4.12). */
  constructor({ id, providers, client, pet, last_message, last_updated_timestamp }) {
    Object.assign(this, { id, providers, client, pet });
    this.lastMessage = last_message;
    this.lastTime = last_updated_timestamp;
  }

  /** The ids of the other participants. */
  othersThan(userId) {
    return [this.client, ...this.providers].filter((id) => id !== userId);
  }

  nameOf(userId) {
    return nameOf(userId, userId === this.client ? "client" : "provider");
  }

  /** A message that has just been sent; returns whether it was new here. */
  heard(message) {
    if (!this.timeline.append(message)) return false;
    this.#updateLast(message);
    this.#confirm(message);
    this.presence.set(message.sender_id, { isHere: true, since: message.timestamp });
    return true;
  }

  /** Somebody joined or left (R5.4, R5.7). */
  heardPresence({ user_id, timestamp, reason }, isHere) {
    this.presence.set(user_id, { isHere, since: timestamp });
    const what = isHere ? "joined" : reason === "disconnected" ? "went offline" : "left";
    this.addNote(`${this.nameOf(user_id)} ${what}`, timestamp);
  }

  /** The newest page of history: what was missed may hold messages that were thought unconfirmed. */
  caughtUp(page, userId) {
    const missed = this.timeline.addNewest(page);
    for (const message of missed) if (message.sender_id === userId) this.#confirm(message);
    const newest = this.timeline.messages.at(-1);
    if (newest) this.#updateLast(newest);
  }

  /** The server's list entry; it may be older than a live message that overtook it. */
  listed({ last_message, last_updated_timestamp }) {
    if (last_updated_timestamp <= this.lastTime) return;
    this.lastMessage = last_message;
    this.lastTime = last_updated_timestamp;
    this.unread ||= 1;
  }

  /** Nothing is heard from here on, and who comes or goes is not told any more. */
  interrupt() {
    this.timeline.interrupt();
    this.presence.clear();
  }

  addNote(text, timestamp = this.lastTime) {
    this.notes.push({ id: `note-${this.notes.length}`, text, timestamp });
  }

  drop(outgoing) {
    this.outgoing = this.outgoing.filter((other) => other !== outgoing);
  }

  #updateLast({ content, timestamp }) {
    if (timestamp < this.lastTime) return;
    this.lastMessage = content;
    this.lastTime = timestamp;
  }

  #confirm({ content }) {
    const place = this.outgoing.findIndex(({ state, text }) => state === "unconfirmed" && text === content);
    if (place >= 0) this.outgoing.splice(place, 1);
  }
}

/** Newest first, ties by id, as the server lists them (R4.2). */
export function newestFirst(one, other) {
  return other.lastTime - one.lastTime || (one.id < other.id ? -1 : 1);
}
