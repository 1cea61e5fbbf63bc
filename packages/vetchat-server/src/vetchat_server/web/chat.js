/**
 * One person's side of the chat: their conversations, what they do in them and what they hear. No DOM here.
 *
 * The view is told `changed()`, `alert(sentence)` for what went wrong, and `announce(sentence)` for what somebody who
 * does not see the page should hear; it answers whether the person `isWatching()`.
 */

import { Connection, NotConnected, Refused, Unanswered } from "./connection.js";
import { Conversation, newestFirst } from "./conversation.js";
import { learnName, petOf, randomUuid, rename } from "./people.js";
import { read, write } from "./storage.js";

const PAGE = 20;
const CATCH_UP = 100; // the longest page there is (R4.17)

export class Chat {
  #view;
  #conversations = new Map();
  #early = []; // who came or went in conversations that are not listed yet

  /** The id of the open conversation, null for none; a reload opens it again. */
  openId;

  /** Whether the list of conversations has come at least once. */
  isListed = false;

  constructor(person, view) {
    this.person = person;
    this.#view = view;
    this.openId = read("visit", `open.${person.role}`, null);
    this.connection = new Connection(person, {
      opened: () => this.#attempt(() => this.#load()),
      lost: () => this.#interrupt(),
      heard: (event, params) => this.#heard(event, params),
      complained: (sentence) => view.alert(sentence),
    });
  }

  get conversations() {
    return [...this.#conversations.values()].sort(newestFirst);
  }

  /** The open conversation, undefined for none. */
  get open() {
    return this.#conversations.get(this.openId);
  }

  /** How many things wait to be seen. */
  get unread() {
    return this.conversations.reduce((sum, { unread, isNewInvitation }) => sum + unread + Number(isNewInvitation), 0);
  }

  /** Shows a conversation (null: none) and loads what is missing of it, unless the person has left it. */
  async show(id) {
    this.openId = id;
    write("visit", `open.${this.person.role}`, id ?? undefined);
    this.markRead();
    if (this.open?.isJoined) await this.#refresh(this.open);
  }

  /** The open conversation may have come before the person's eyes. */
  markRead() {
    if (this.open && this.#view.isWatching()) {
      this.open.unread = 0;
      this.open.isNewInvitation = false;
    }
    this.#view.changed();
  }

  /** Connects anew under another name (R1.3). */
  rename(name) {
    this.person = rename(this.person, name);
    this.connection.comeBackAs(this.person);
    this.#view.changed();
  }

  /** Creates a conversation and shows it; returns whether that worked (S4.11, S4.12). */
  async create(petId, providers) {
    const created = await this.#attempt(() => this.#ask("new_conversation", { pet_id: petId, providers }));
    if (created) await this.show(created.id);
    return created !== undefined;
  }

  /** Sends a message; until `message_sent` confirms it, it is among the conversation's outgoing ones (R4.7). */
  async send(conversation, content) {
    const outgoing = { id: randomUuid(), text: content, state: "refused" };
    conversation.outgoing.push(outgoing);
    await this.sendAgain(conversation, outgoing);
  }

  /** Only a person may decide to send an unconfirmed message again: the first one may have been stored. */
  sendAgain(conversation, outgoing) {
    return this.#attempt(async () => {
      const before = outgoing.state;
      outgoing.state = "sending";
      this.#view.changed();
      try {
        await this.#ask("message", { conversation_id: conversation.id, content: outgoing.text });
        conversation.drop(outgoing);
      } catch (error) {
        outgoing.state = error instanceof Unanswered ? "unconfirmed" : error instanceof Refused ? "refused" : before;
        throw error;
      }
    });
  }

  /** Gives up a message that is not confirmed. */
  discard(conversation, outgoing) {
    conversation.drop(outgoing);
    this.#view.changed();
  }

  /** Loads one more page. Asking would join again (S4.18), so one who has left does not ask. */
  async loadOlder(conversation) {
    const { timeline, isJoined } = conversation;
    if (!isJoined) return;
    if (timeline.isStale) return this.#refresh(conversation);
    if (timeline.hasStart) return;
    await this.#exclusively(conversation, async () => {
      timeline.addOlder(await this.#history(conversation, timeline.olderPage(PAGE), PAGE));
    });
  }

  /** Unsubscribes: the others are told, and this connection hears nothing more of it (S4.21, R4.24). */
  async leave(conversation) {
    await this.#exclusively(conversation, async () => {
      await this.#ask("unsubscribe_conversation", { conversation_id: conversation.id });
      conversation.isJoined = false;
      conversation.interrupt();
      conversation.addNote("You left");
    });
  }

  /** Subscribes again and loads what was missed meanwhile (S4.20). */
  async join(conversation) {
    await this.#exclusively(conversation, async () => {
      await this.#ask("subscribe_conversation", { conversation_id: conversation.id });
      this.#rejoined(conversation);
    });
    if (conversation.isJoined) await this.#refresh(conversation);
  }

  /** Every connection starts subscribed to everything (S5.1): it listens before it looks, so nothing falls between. */
  async #load() {
    for (const conversation of this.#conversations.values()) conversation.isJoined = true;
    this.#view.changed();
    for (const entry of await this.#ask("conversations", {})) this.#heardOf(entry).listed(entry);
    this.isListed = true;
    for (const [event, params] of this.#early.splice(0)) this.#heardPresence(event, params);
    this.markRead();
    if (this.open) await this.#refresh(this.open);
  }

  async #refresh(conversation) {
    const { timeline } = conversation;
    if (!timeline.isStale || this.connection.state !== "open") return;
    await this.#exclusively(conversation, async () => {
      const limit = timeline.messages.length > 0 ? CATCH_UP : PAGE;
      conversation.caughtUp(await this.#history(conversation, 0, limit), this.person.id);
    });
  }

  async #history(conversation, page, limit) {
    conversation.isHistoryFailing = true;
    const answer = await this.#ask("conversation_history", { conversation_id: conversation.id, page, limit });
    conversation.isHistoryFailing = false;
    return answer;
  }

  #rejoined(conversation) {
    conversation.isJoined = true;
    conversation.addNote("You joined again");
  }

  #ask(event, params) {
    return this.connection.request(event, params);
  }

  /** Runs an action and tells the person what went wrong; undefined then. A lost connection is told by its own sign. */
  async #attempt(action) {
    try {
      return await action();
    } catch (error) {
      if (error instanceof Refused || error instanceof NotConnected) this.#view.alert(error.message);
      else if (!(error instanceof Unanswered)) throw error;
    } finally {
      this.#view.changed();
    }
  }

  async #exclusively(conversation, action) {
    if (conversation.isBusy) return;
    conversation.isBusy = true;
    this.#view.changed();
    await this.#attempt(action);
    conversation.isBusy = false;
    this.#view.changed();
  }

  #interrupt() {
    for (const conversation of this.#conversations.values()) conversation.interrupt();
    this.#view.changed();
  }

  #heard(event, params) {
    if (event === "message_sent") this.#heardMessage(params);
    else if (event === "conversation_created") this.#heardOf(params);
    else if (event === "new_conversation_invitation") this.#heardInvitation(params);
    else if (event === "user_joined" || event === "user_left") this.#heardPresence(event, params);
    this.#view.changed();
  }

  #heardMessage(message) {
    const conversation = this.#conversations.get(message.conversation_id);
    if (!conversation?.heard(message)) return;
    if (message.sender_id !== this.person.id) {
      this.#view.announce(`${conversation.nameOf(message.sender_id)}: ${message.content}`);
      if (conversation !== this.open || !this.#view.isWatching()) conversation.unread += 1;
    }
    if (!conversation.isJoined) {
      this.#rejoined(conversation); // sending joins (S4.6)
      this.#refresh(conversation);
    }
  }

  #heardOf(entry) {
    if (!this.#conversations.has(entry.id)) this.#conversations.set(entry.id, new Conversation(entry));
    return this.#conversations.get(entry.id);
  }

  #heardInvitation(entry) {
    const conversation = this.#heardOf(entry);
    conversation.isNewInvitation = true;
    this.#view.announce(`${conversation.nameOf(entry.client)} invites you to talk about ${petOf(entry.pet).name}.`);
  }

  #heardPresence(event, params) {
    learnName(params.user_id, params.display_name);
    const conversation = this.#conversations.get(params.conversation_id);
    if (conversation) conversation.heardPresence(params, event === "user_joined");
    else if (!this.isListed) this.#early.push([event, params]);
  }
}
