/** The owner starts a conversation: about which pet, with which vets. */

import { element, part } from "./dom.js";
import { idsIn, initials, personFor, PETS } from "./people.js";

const MOST_VETS = 32; // R4.13

export class NewConversationForm {
  #pane;
  #chat;
  #place;

  /** `place.close()` is called when the form is done with. */
  constructor(pane, chat, place) {
    this.#pane = pane;
    this.#chat = chat;
    this.#place = place;
    this.#part("pets").append(...PETS.map(petChoice));
    this.#part("cancel-new").addEventListener("click", () => place.close());
    this.#part("new-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
  }

  /** Fills in what is known: the vet of this browser may have got another name meanwhile. */
  begin() {
    const vet = personFor("provider");
    this.#part("known-vet").value = vet.id;
    this.#part("known-vet-name").textContent = vet.name;
    this.#part("known-vet-avatar").textContent = initials(vet.name);
    this.#complain("");
    this.#part("pets").querySelector(":checked").focus();
  }

  #part(name) {
    return part(this.#pane, name);
  }

  async #submit() {
    const vets = this.#vets();
    if (!vets) return;
    const button = this.#part("create-conversation");
    button.disabled = true;
    const isCreated = await this.#chat.create(this.#part("pets").querySelector(":checked").value, vets);
    button.disabled = false;
    if (!isCreated) return;
    this.#part("vet-ids").value = "";
    this.#place.close();
    this.#part("message-input").focus();
  }

  /** The ids of the vets to invite, or undefined after telling what is wrong with the text. */
  #vets() {
    const known = this.#part("known-vet");
    const { ids, strays } = idsIn(this.#part("vet-ids").value);
    const vets = [...new Set(known.checked ? [known.value, ...ids] : ids)];
    if (strays.length > 0) {
      return this.#complain("An id looks like 5b1f0c52-7a7e-4c3c-9a57-0d8f5a1c6e01. Something in the text is no id.");
    }
    if (vets.length > MOST_VETS) return this.#complain(`At most ${MOST_VETS} vets can be invited.`);
    this.#complain("");
    return vets;
  }

  #complain(sentence) {
    this.#part("vet-ids-error").textContent = sentence;
    this.#part("vet-ids").setAttribute("aria-invalid", sentence !== "");
  }
}

function petChoice({ id, name, about }, place) {
  return element(
    "label",
    { class: "choice" },
    element("input", { type: "radio", name: "pet", value: id, checked: place === 0, "data-testid": `pet-${name}` }),
    element("span", { class: `avatar small hue-${place}`, "aria-hidden": "true" }, name[0]),
    element("span", { class: "choice-text" }, element("strong", {}, name), element("small", {}, about)),
  );
}
