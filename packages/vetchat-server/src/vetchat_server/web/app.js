/** The demonstration page: the owner's pane, the vet's, or both side by side, each with a connection of its own. */

import { element, part } from "./dom.js";
import { Pane } from "./pane.js";
import { personFor } from "./people.js";
import { isLasting } from "./storage.js";

const VIEWS = {
  both: ["client", "provider"],
  owner: ["client"],
  vet: ["provider"],
};

const asked = new URLSearchParams(location.search).get("as");
const view = Object.hasOwn(VIEWS, asked ?? "") ? asked : "both";
const panes = VIEWS[view].map((role) => new Pane(personFor(role), changed));

/** On a narrow screen one of two panes is shown, and the tabs choose. */
const tabs = panes.map((pane) => {
  const attributes = { type: "button", class: "pane-tab", "data-name": pane.name, "data-testid": `tab-${pane.name}` };
  const tab = element("button", attributes);
  tab.addEventListener("click", () => choose(pane));
  return tab;
});

function choose(chosen) {
  panes.forEach((pane, place) => {
    pane.element.classList.toggle("is-chosen", pane === chosen);
    tabs[place].setAttribute("aria-pressed", pane === chosen);
  });
  chosen.seen();
}

function changed() {
  panes.forEach(({ chat, unread }, place) => {
    tabs[place].textContent = unread ? `${chat.person.name} (${unread})` : chat.person.name;
  });
  const unread = panes.reduce((sum, pane) => sum + pane.unread, 0);
  const title = panes.length === 1 ? `${panes[0].title} · VetChat` : "VetChat";
  document.title = unread ? `(${unread}) ${title}` : title;
}

document.body.dataset.view = view;
part(document, `view-${view}`).setAttribute("aria-current", "page");
part(document, "panes").append(...panes.map((pane) => pane.element));
part(document, "pane-tabs").append(...tabs);
if (!isLasting) {
  part(document, "footnote").textContent += " This browser keeps nothing for the page, so a reload makes new people.";
}
choose(panes[0]);
document.addEventListener("visibilitychange", () => panes.forEach((pane) => pane.seen()));
window.addEventListener("storage", () => panes.forEach((pane) => pane.changed()));
for (const pane of panes) pane.start();
