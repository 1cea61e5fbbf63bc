/** The conversations of one person, newest first, with what was said last. */

import { element, part, reconcile } from "./dom.js";
import { petOf } from "./people.js";
import { briefly } from "./times.js";

const PREVIEW = 120; // characters; the style cuts to one line anyway

export class ConversationList {
  #list;
  #choose;

  /** `choose(id)` is called for the conversation that the person picks. */
  constructor(pane, choose) {
    this.#list = part(pane, "conversation-list");
    this.#choose = choose;
  }

  draw(chat, isCreating) {
    reconcile(
      this.#list,
      chat.conversations,
      (conversation) => this.#create(conversation),
      (node, conversation) => update(node, conversation, chat, !isCreating && conversation === chat.open),
    );
  }

  focus(id) {
    this.#list.querySelector(`[data-id="${id}"] button`)?.focus();
  }

  #create({ id, pet }) {
    const { name, hue } = petOf(pet);
    const button = element(
      "button",
      { class: "conversation", type: "button", "data-testid": "conversation" },
      element("span", { class: `avatar hue-${hue}`, "aria-hidden": "true" }, name[0]),
      element("span", { class: "conversation-name", "data-testid": "conversation-name" }, name),
      element("time", { "data-testid": "conversation-time" }),
      element("span", { class: "conversation-others" }),
      element("span", { class: "last-message", "data-testid": "last-message", dir: "auto" }),
      element("span", { class: "badge", "data-testid": "badge" }),
    );
    button.addEventListener("click", () => this.#choose(id));
    return element("li", {}, button);
  }
}

function update(node, conversation, chat, isOpen) {
  const find = (name) => node.querySelector(name);
  const { unread, isNewInvitation, lastMessage, lastTime } = conversation;
  const others = conversation.othersThan(chat.person.id).map((id) => conversation.nameOf(id));
  find("button").setAttribute("aria-current", isOpen);
  find("time").textContent = briefly(lastTime);
  find("time").dateTime = new Date(lastTime).toISOString();
  find(".conversation-others").textContent = others.join(", ") || "Nobody invited yet";
  find(".last-message").textContent = lastMessage.slice(0, PREVIEW) || "No message yet";
  find(".last-message").classList.toggle("is-empty", lastMessage === "");
  find(".badge").textContent = isNewInvitation ? "New" : unread ? `${unread}` : "";
  find(".badge").hidden = !isNewInvitation && unread === 0;
}
