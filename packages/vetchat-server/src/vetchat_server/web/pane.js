/** One person's part of the page: who they are, how the connection is, their conversations, and the open one. */

import { Chat } from "./chat.js";
import { ConversationList } from "./conversation-list.js";
import { element, part } from "./dom.js";
import { NewConversationForm } from "./new-conversation-form.js";
import { initials, ROLES } from "./people.js";
import { Thread } from "./thread.js";

const NAMES = { client: "owner", provider: "vet" };
const STATES = { connecting: "connecting…", open: "connected", lost: "not connected" };
const WELCOMES = {
  client: ["Talk to your vet", "Choose a conversation, or start a new one about one of your pets."],
  provider: ["Talk to pet owners", "Choose a conversation. To be invited to one, give your id to a pet owner."],
};
const EMPTY_LISTS = {
  client: "None yet. Start one with New.",
  provider: "No invitation yet. A pet owner invites you by your id.",
};

export class Pane {
  #onChange;
  #isPlanned = false;
  #isCreating = false;

  /** `onChange()` is called whenever the title or the number of unread things may have changed. */
  constructor(person, onChange) {
    this.#onChange = onChange;
    this.name = NAMES[person.role];
    this.element = document.getElementById("pane").content.cloneNode(true).firstElementChild;
    this.element.dataset.testid = `pane-${this.name}`;
    this.element.dataset.role = person.role;
    this.chat = new Chat(person, {
      changed: () => this.changed(),
      alert: (sentence) => this.#alert(sentence),
      announce: (sentence) => this.part("announcer").replaceChildren(element("span", {}, sentence)),
      isWatching: () => !document.hidden && this.element.offsetParent !== null,
    });
    this.list = new ConversationList(this.element, (id) => this.#open(id));
    this.thread = new Thread(this.element, this.chat, {
      close: () => this.#open(null),
      alert: (sentence) => this.#alert(sentence),
    });
    this.form = new NewConversationForm(this.element, this.chat, { close: () => this.#create(false) });
    this.#fillIn();
    this.#listen();
  }

  part(name) {
    return part(this.element, name);
  }

  get title() {
    return `${this.chat.person.name}, ${ROLES[this.chat.person.role].title.toLowerCase()}`;
  }

  get unread() {
    return this.chat.unread;
  }

  start() {
    this.chat.connection.connect();
    this.changed();
  }

  /** The pane may have come into view. */
  seen() {
    this.chat.markRead();
  }

  /** Draws once for all the changes of a moment. */
  changed() {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    queueMicrotask(() => {
      this.#isPlanned = false;
      this.#draw();
    });
  }

  #fillIn() {
    const { role, id } = this.chat.person;
    const [title, text] = WELCOMES[role];
    this.part("person-role").textContent = ROLES[role].title;
    this.part("person-id").textContent = id;
    this.part("welcome-title").textContent = title;
    this.part("welcome-text").textContent = text;
    this.part("new-conversation").hidden = role !== "client";
    this.part("identity").hidden = role !== "provider";
    this.part("list-empty").textContent = EMPTY_LISTS[role];
  }

  #listen() {
    this.part("new-conversation").addEventListener("click", () => this.#create(true));
    this.part("reconnect-now").addEventListener("click", () => this.chat.connection.retryNow());
    this.part("copy-id").addEventListener("click", () => this.#copyId());
    this.part("edit-name").addEventListener("click", () => this.#editName(true));
    this.part("name-input").addEventListener("keydown", ({ key }) => key === "Escape" && this.#editName(false));
    // What went wrong before is over once the person sends the next thing.
    this.element.addEventListener("submit", () => this.part("alerts").replaceChildren(), { capture: true });
    this.part("name-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const name = this.part("name-input").value.trim();
      if (name && name !== this.chat.person.name) this.chat.rename(name);
      this.#editName(false);
    });
  }

  #open(id) {
    this.#isCreating = false;
    const from = this.chat.openId;
    this.chat.show(id);
    this.#draw();
    if (id) this.thread.focus();
    else this.list.focus(from);
  }

  #create(isCreating) {
    this.#isCreating = isCreating;
    this.#draw();
    if (isCreating) this.form.begin();
    else this.part("new-conversation").focus();
  }

  #editName(isEditing) {
    this.part("name-row").hidden = isEditing;
    this.part("name-form").hidden = !isEditing;
    if (isEditing) {
      this.part("name-input").value = this.chat.person.name;
      this.part("name-input").select();
    } else {
      this.part("edit-name").focus();
    }
    this.changed();
  }

  async #copyId() {
    try {
      await navigator.clipboard.writeText(this.chat.person.id);
      this.part("copy-id").textContent = "Copied";
      setTimeout(() => (this.part("copy-id").textContent = "Copy"), 2_000);
    } catch {
      getSelection().selectAllChildren(this.part("person-id"));
      this.#alert("This browser does not let the page copy. The id is selected: copy it with the keyboard.");
    }
  }

  #alert(sentence) {
    const dismiss = element("button", { class: "quiet-button", type: "button", "data-testid": "dismiss" }, "Dismiss");
    const alert = element("div", { class: "alert", "data-testid": "alert" }, element("p", {}, sentence), dismiss);
    dismiss.addEventListener("click", () => alert.remove());
    this.part("alerts").replaceChildren(alert);
  }

  #draw() {
    const { chat } = this;
    const { state } = chat.connection;
    const shown = this.#isCreating ? "form" : chat.open ? "thread" : "welcome";
    this.element.setAttribute("aria-label", this.title);
    this.part("person-name").textContent = chat.person.name;
    this.part("person-avatar").textContent = initials(chat.person.name);
    this.part("connection").textContent = STATES[state];
    this.part("connection").dataset.state = state;
    if (state !== "connecting") this.part("offline").hidden = state === "open";
    this.part("reconnect-now").disabled = state !== "lost";
    this.part("pane-body").dataset.shows = shown;
    this.part("welcome").hidden = shown !== "welcome";
    this.part("new-form").hidden = shown !== "form";
    this.part("thread").hidden = shown !== "thread";
    this.part("list-empty").hidden = !chat.isListed || chat.conversations.length > 0;
    this.list.draw(chat, this.#isCreating);
    if (shown === "thread") this.thread.draw(chat.open);
    this.#onChange();
  }
}
