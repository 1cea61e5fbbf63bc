/**
 * The messages of one conversation that are known here: each once, in the order of the history (R4.10).
 *
 * Two sources are woven into one list, by message id: pages of history, and live messages. What is known is always a
 * run without holes that ends at the newest message. After a time of not listening (the person left, or the connection
 * was lost) the run may have a hole at its end, so it is set aside until a page of history reaches back to it.
 */

const hasId = (messages, id) => messages.some((message) => message.id === id);

/** A run of history and the run known already, as one; the page is the older one where they do not overlap. */
function weave(page, known) {
  const first = page.findIndex((message) => hasId(known, message.id));
  if (first < 0) return [...page, ...known];
  const last = page.findLastIndex((message) => hasId(known, message.id));
  return [...page.slice(0, first), ...known, ...page.slice(last + 1)];
}

export class Timeline {
  #run = [];
  #aside = []; // what was known before the gap
  #isOpenEnded = true; // messages may be missing: nothing was loaded yet, or there is a gap

  /** Whether the very first message is among the known ones. */
  hasStart = false;

  /** Everything known, oldest first. */
  get messages() {
    return [...this.#aside, ...this.#run];
  }

  /** Whether the newest page of history must be loaded before anything else is true. */
  get isStale() {
    return this.#isOpenEnded;
  }

  /** A live message; returns whether it was new. */
  append(message) {
    if (hasId(this.#run, message.id)) return false;
    this.#run.push(message);
    return true;
  }

  /** From here on messages may be missed. */
  interrupt() {
    // A second interruption before the first was mended: the little heard in between comes again with the page.
    if (this.#isOpenEnded && this.#aside.length > 0) this.#run = [];
    else [this.#aside, this.#run] = [this.#run, []];
    this.#isOpenEnded = true;
  }

  /**
   * Takes the newest page (as it came: newest first) and mends the gap; what was known before is forgotten when the
   * page does not reach back to it. Returns what was written during the gap, empty where nobody can tell.
   */
  addNewest({ messages, has_more }) {
    const page = messages.toReversed();
    const before = this.#aside;
    const wasEmpty = this.hasStart && before.length === 0;
    this.#run = weave(page, this.#run);
    this.#aside = [];
    this.#isOpenEnded = false;
    const seam = before.findIndex((message) => hasId(page, message.id));
    if (seam < 0) {
      this.hasStart = !has_more;
      return wasEmpty ? this.messages : [];
    }
    const missed = this.#run.filter((message) => !hasId(before, message.id));
    this.#run = [...before.slice(0, seam), ...this.#run];
    this.hasStart ||= !has_more;
    return missed;
  }

  /** The number of the page that holds the next older messages. */
  olderPage(size) {
    return Math.floor(this.#run.length / size);
  }

  /** Takes an older page; messages that arrived since have shifted it, so part of it may be known. */
  addOlder({ messages, has_more }) {
    this.#run = weave(messages.toReversed(), this.#run);
    this.hasStart ||= !has_more;
  }
}
