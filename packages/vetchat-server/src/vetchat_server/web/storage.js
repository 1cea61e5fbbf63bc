/**
 * What this browser remembers between visits: people, names, drafts.
 *
 * A browser may refuse storage altogether (blocked cookies). The page then works until it is closed, and says so.
 */

function usable(name) {
  try {
    const area = window[name];
    area.setItem("vetchat.probe", "1");
    area.removeItem("vetchat.probe");
    return area;
  } catch {
    return undefined; // told to the person through `isLasting`
  }
}

const substitute = new Map();
const areas = { visit: usable("sessionStorage"), browser: usable("localStorage") };

/** Whether a reload finds what was written. */
export const isLasting = areas.browser !== undefined && areas.visit !== undefined;

/**
 * One JSON value under a name of its own, in "browser" (shared by all tabs) or "visit" (this tab alone).
 * Unreadable text counts as absent.
 */
export function read(area, name, otherwise) {
  const key = `vetchat.${name}`;
  const text = areas[area] ? areas[area].getItem(key) : substitute.get(key);
  if (text === null || text === undefined) return otherwise;
  try {
    return JSON.parse(text);
  } catch {
    return otherwise;
  }
}

/** Writes the value; `undefined` forgets it. */
export function write(area, name, value) {
  const key = `vetchat.${name}`;
  const text = JSON.stringify(value);
  if (text === undefined) {
    areas[area]?.removeItem(key);
    substitute.delete(key);
  } else if (areas[area]) {
    areas[area].setItem(key, text);
  } else {
    substitute.set(key, text);
  }
}
