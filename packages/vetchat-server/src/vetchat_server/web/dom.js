/** The few things that every view needs from the document. Text gets in as text only, never as markup. */

/** An element with attributes (false and undefined: left out) and either a text or child nodes. */
export function element(tag, attributes = {}, ...content) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== undefined) node.setAttribute(name, value);
  }
  if (typeof content[0] === "string") node.textContent = content[0];
  else node.append(...content);
  return node;
}

/** The part of a pane that carries this `data-testid`: the names for tests are the names in the code too. */
export function part(root, name) {
  const found = root.querySelector(`[data-testid="${name}"]`);
  if (!found) throw new Error(`index.html has no part called ${name}`);
  return found;
}

/**
 * Makes the children of `parent` match `items`, by `item.id`: what stays keeps its element, its place and its focus,
 * so that nothing flickers and nothing is read aloud twice.
 */
export function reconcile(parent, items, create, update) {
  const focused = document.activeElement;
  const wanted = new Set(items.map(({ id }) => id));
  const present = new Map();
  for (const node of [...parent.children]) {
    if (wanted.has(node.dataset.id)) present.set(node.dataset.id, node);
    else node.remove();
  }
  let place = parent.firstElementChild;
  for (const item of items) {
    const node = present.get(item.id) ?? create(item);
    node.dataset.id = item.id;
    update(node, item);
    if (node === place) place = place.nextElementSibling;
    else parent.insertBefore(node, place);
  }
  if (focused !== document.activeElement && parent.contains(focused)) focused.focus();
}
