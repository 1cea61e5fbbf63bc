/** The place to write. A text typed leaves it only for the thread, and is kept as a draft until then. */

import { part } from "./dom.js";
import { read, write } from "./storage.js";

const LONGEST = 8_000; // Unicode code points (R4.8)
const COUNT_FROM = 7_500;

const number = new Intl.NumberFormat("en-GB");
const codePoints = (text) => Array.from(text).length;

export class Composer {
  #chat;
  #place;
  #input;
  #hint;
  #conversation;

  /** `place.sent()` is called when a message goes out, `place.alert(sentence)` when it cannot. */
  constructor(pane, chat, place) {
    this.#chat = chat;
    this.#place = place;
    this.#input = part(pane, "message-input");
    this.#hint = part(pane, "composer-hint");
    const composer = part(pane, "composer");
    this.#input.addEventListener("input", () => this.#edited());
    this.#input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      composer.requestSubmit();
    });
    composer.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
  }

  draw(conversation) {
    if (conversation !== this.#conversation) {
      this.#conversation = conversation;
      this.#input.value = read("visit", this.#draft, "");
    }
    this.#drawHint();
  }

  get #draft() {
    return `draft.${this.#chat.person.role}.${this.#conversation.id}`;
  }

  #edited() {
    write("visit", this.#draft, this.#input.value || undefined);
    this.#drawHint();
  }

  #drawHint() {
    const length = codePoints(this.#input.value);
    const isOffline = this.#chat.connection.state !== "open";
    this.#hint.classList.toggle("is-wrong", length > LONGEST);
    let hint = "Enter sends, Shift + Enter starts a new line.";
    if (isOffline) hint = "Not connected. What you write is kept.";
    if (length > COUNT_FROM) hint = `${number.format(length)} of ${number.format(LONGEST)} characters`;
    this.#hint.textContent = hint;
  }

  #send() {
    const text = this.#input.value;
    const length = codePoints(text);
    this.#input.focus();
    if (text.trim() === "") return;
    if (length > LONGEST) {
      this.#place.alert(
        `A message has at most ${number.format(LONGEST)} characters, this one has ${number.format(length)}. ` +
          "Nothing was sent and your text is kept.",
      );
    } else if (this.#chat.connection.state !== "open") {
      this.#place.alert("There is no connection right now. Nothing was sent and your text is kept.");
    } else {
      this.#input.value = "";
      this.#edited();
      this.#place.sent();
      this.#chat.send(this.#conversation, text);
    }
  }
}
