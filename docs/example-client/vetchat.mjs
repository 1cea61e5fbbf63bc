// A client of vetchat.v1 for browsers, and for Node 22 and newer: one file, nothing to install.

export class VetChat {
  #url;
  #token;
  #position; // {epoch, offset}: what has been handled; null until a reload is complete
  #reloading = null; // the position that will hold once a reload is complete
  #unanswered = new Map(); // ref -> {frame, resolve, reject}, in the order they were sent
  #socket;
  #ready = false; // welcomed, so that commands may go out
  #closed = false;
  #failures = 0;
  #welcomedAt = 0;
  #restartAfter = 0; // what `reconnect` told us to wait, in ms
  #heartbeat = 25_000;
  #watchdog;
  #refs = 0;

  /** Called with every event that is news, in order; each message comes exactly once. */
  onevent = () => {};
  /** Called when there is nothing to go on from: read the conversations and histories that you show. */
  onreload = async () => {};
  /** Called when coming back makes no sense, with the close code and the reason. */
  onend = () => {};

  /** `token` is a function that returns a token or a promise of one; `position` is one that `position` gave before. */
  constructor(url, { token = () => undefined, position = null } = {}) {
    this.#url = url;
    this.#token = token;
    this.#position = position;
  }

  /** Where to go on from; keep it after you have kept what the events said. */
  get position() {
    return this.#position;
  }

  connect() {
    const socket = (this.#socket = new WebSocket(this.#url, ["vetchat.v1"]));
    socket.onopen = () => this.#hello(socket);
    socket.onmessage = ({ data }) => socket === this.#socket && this.#hear(JSON.parse(data));
    socket.onclose = ({ code, reason }) => socket === this.#socket && this.#ended(code, reason);
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#watchdog);
    this.#socket?.close(1000);
  }

  /** Sends a command, again if need be, and resolves to the event that answers it; an `error` rejects. */
  ask(event, params = {}) {
    return new Promise((resolve, reject) => {
      const ref = String(++this.#refs);
      const frame = JSON.stringify({ event, params, ref });
      this.#unanswered.set(ref, { frame, resolve, reject });
      if (this.#ready) this.#socket.send(frame);
    });
  }

  send(conversation_id, content) {
    return this.ask("message", { conversation_id, content, client_message_id: crypto.randomUUID() });
  }

  create(pet_id, providers) {
    return this.ask("new_conversation", { pet_id, providers, client_conversation_id: crypto.randomUUID() });
  }

  // -- coming and going ---------------------------------------------------------------------------

  async #hello(socket) {
    this.#watch();
    try {
      const params = { token: await this.#token() }; // an undefined one is left out of the JSON
      if (this.#position) params.resume = this.#position;
      socket.send(JSON.stringify({ event: "hello", params }));
    } catch {
      socket.close(); // no token to be had now: come back with back-off
    }
  }

  async #welcomed({ epoch, offset, recovered, heartbeat_interval_ms }) {
    this.#ready = true;
    this.#welcomedAt = Date.now();
    this.#heartbeat = heartbeat_interval_ms;
    for (const { frame } of this.#unanswered.values()) this.#socket.send(frame);
    if (recovered) return;
    const socket = this.#socket;
    this.#position = null;
    this.#reloading = { epoch, offset };
    try {
      await this.onreload();
    } catch {
      return socket.close(); // half a reload is none: come back and begin again
    }
    if (socket !== this.#socket) return;
    this.#position = this.#reloading;
    this.#reloading = null;
  }

  #ended(code, reason) {
    this.#ready = false;
    this.#reloading = null; // a reload that was cut short leaves no position
    clearTimeout(this.#watchdog);
    if (this.#closed) return;
    const verdict = Math.floor(code / 100);
    if (verdict === 40 || code === 1009) return this.onend(code, reason); // 1009: the same frame would end it again
    if (Date.now() - this.#welcomedAt > 60_000) this.#failures = 0;
    const backOff = Math.random() * Math.min(30_000, 500 * 2 ** this.#failures++);
    const wait = code === 4200 ? this.#restartAfter : verdict === 42 ? 0 : backOff;
    setTimeout(() => this.#closed || this.connect(), wait);
  }

  /** After two silent intervals we ask for a sign of life; after a third one the line is given up. */
  #watch() {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => {
      if (this.#ready) this.ask("ping").catch(() => {}); // whatever comes back is a sign of life
      this.#watchdog = setTimeout(() => this.#giveUp(), this.#heartbeat);
    }, 2 * this.#heartbeat);
  }

  #giveUp() {
    const dead = this.#socket;
    this.#socket = null; // its own goodbye may take minutes
    dead.close();
    this.#ended(1006, "silence");
  }

  // -- hearing ------------------------------------------------------------------------------------

  #hear(frame) {
    this.#watch();
    const { event, params, ref, offset } = frame;
    if (event === "welcome") return this.#welcomed(params);
    if (event === "reconnect") this.#restartAfter = params.after_ms;
    if (event === "token_expiring") this.#refresh();
    // An answer that is a place in the log is news as well: nobody tells us a second time.
    if (ref === undefined || offset !== undefined) this.onevent(frame);
    if (offset !== undefined) this.#advance(offset);
    const asked = this.#unanswered.get(ref);
    if (asked === undefined) return;
    this.#unanswered.delete(ref);
    if (event === "error") asked.reject(Object.assign(new Error(params.message), { code: params.code }));
    else asked.resolve(frame);
  }

  #advance(offset) {
    if (this.#position) this.#position = { ...this.#position, offset };
    if (this.#reloading) this.#reloading.offset = Math.max(this.#reloading.offset, offset);
  }

  async #refresh() {
    const token = await this.#token();
    this.ask("refresh", { token }).catch(() => {}); // if it fails, the connection is closed with a code that says so
  }
}
