/**
 * One WebSocket of the base dialect that comes back by itself.
 *
 * The base wire has no request ids: each command gets exactly one direct answer, in order, and broadcasts may fall
 * between the answers (R2.6). So the commands not answered yet wait in line, and a frame answers the first of them
 * or none. A command is never sent twice: whoever asked decides whether to ask again.
 */

const ANSWER_WITHIN_MS = 20_000;
const SHORTEST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;
const SETTLED_AFTER_MS = 5_000;

/** The server answered with an `error`: nothing was done (R4.7, S6.1). */
export class Refused extends Error {}

/** The connection ended before the answer came: nobody knows whether the command was carried out. */
export class Unanswered extends Error {}

/** There is no connection, so the command was not sent. */
export class NotConnected extends Error {}

const sameConversation = (asked, told) => told.conversation_id === asked.conversation_id;

/** For each command the event that answers it, and whether a frame of that event is the answer to this command. */
const ANSWERS = {
  conversations: ["conversations", () => true],
  conversation_history: ["conversation_history_response", () => true],
  subscribe_conversation: ["subscribed", sameConversation],
  unsubscribe_conversation: ["unsubscribed", sameConversation],
  // The same person may write or create in another tab: only an equal content tells the answer from that broadcast.
  message: [
    "message_sent",
    (asked, told, me) => sameConversation(asked, told) && told.sender_id === me && told.content === asked.content,
  ],
  new_conversation: [
    "conversation_created",
    (asked, told) => told.pet === asked.pet_id && told.providers.join() === asked.providers.join(),
  ],
};

export class Connection {
  #person;
  #listener;
  #socket;
  #waiting = []; // commands without an answer, oldest first
  #answerTimer;
  #pauseTimer;
  #failures = 0;
  #openedAt = Infinity;

  /** "connecting", "open" or "lost" (a next attempt is planned). */
  state = "connecting";

  /**
   * The listener's `opened()`, `lost()` and `heard(event, params)` are called as things happen, `heard` before the
   * command that the frame answers is resolved; `complained(message)` takes an `error` that answers no command.
   */
  constructor(person, listener) {
    this.#person = person;
    this.#listener = listener;
    window.addEventListener("online", () => this.retryNow());
  }

  /** Begins a connection (R1.3). An earlier one ends, and its unanswered commands with it. */
  connect() {
    this.#abandon();
    const { role, name, id } = this.#person;
    const url = new URL("/ws/", location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    url.search = new URLSearchParams({ role, name, user_id: id });
    this.state = "connecting";
    this.#socket = new WebSocket(url);
    this.#socket.onopen = () => this.#opened();
    this.#socket.onmessage = ({ data }) => this.#received(JSON.parse(data));
    this.#socket.onclose = () => this.#lost();
  }

  /** Ends the connection and comes back as this person, not before the end: else nobody is told of either (R5.5). */
  comeBackAs(person) {
    this.#person = person;
    if (this.state !== "open") return this.connect();
    this.state = "connecting";
    this.#socket.close();
  }

  /** Does not wait for the pause between two attempts to end. */
  retryNow() {
    if (this.state === "lost") this.connect();
  }

  /**
   * Sends a command and resolves with the params of its direct answer.
   * Rejects with `Refused`, `Unanswered` or `NotConnected`.
   */
  request(event, params) {
    if (this.state !== "open") return Promise.reject(new NotConnected("There is no connection right now."));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ event, params, resolve, reject });
      this.#socket.send(JSON.stringify({ sender_id: this.#person.id, event, params }));
      if (this.#waiting.length === 1) this.#watch();
    });
  }

  #opened() {
    this.state = "open";
    this.#openedAt = Date.now();
    this.#listener.opened();
  }

  #received({ event, params }) {
    if (event === "error") {
      const refused = this.#waiting.shift();
      this.#watch();
      if (refused) refused.reject(new Refused(params.message));
      else this.#listener.complained(params.message);
      return;
    }
    this.#listener.heard(event, params);
    const [first] = this.#waiting;
    if (!first) return;
    const [answer, answers] = ANSWERS[first.event];
    if (event !== answer || !answers(first.params, params, this.#person.id)) return;
    this.#waiting.shift();
    this.#watch();
    first.resolve(params);
  }

  /** A server that stops answering is as good as gone. */
  #watch() {
    clearTimeout(this.#answerTimer);
    if (this.#waiting.length > 0) this.#answerTimer = setTimeout(() => this.#lost(), ANSWER_WITHIN_MS);
  }

  #lost() {
    this.#abandon();
    if (Date.now() - this.#openedAt > SETTLED_AFTER_MS) this.#failures = 0;
    this.#openedAt = Infinity;
    const longest = Math.min(LONGEST_PAUSE_MS, SHORTEST_PAUSE_MS * 2 ** this.#failures++);
    this.#pauseTimer = setTimeout(() => this.connect(), longest * (0.5 + Math.random() / 2));
    this.state = "lost";
    this.#listener.lost();
  }

  #abandon() {
    clearTimeout(this.#pauseTimer);
    clearTimeout(this.#answerTimer);
    if (this.#socket) {
      this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
      this.#socket.close();
    }
    const unanswered = this.#waiting;
    this.#waiting = [];
    for (const { reject } of unanswered) reject(new Unanswered("The connection ended before the answer came."));
  }
}
