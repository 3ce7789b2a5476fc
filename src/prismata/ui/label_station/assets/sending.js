// Sending what is pending and asking for what others did: one request at a time, again and again until
// it is answered.

import { ApiError } from "./api.js";

/** @typedef {import("./operations.js").Operation} Operation */
/** @typedef {import("./ledger.js").Change} Change */
/** @typedef {import("./ledger.js").Loaded} Loaded */
/** @typedef {{id: string, status: "applied" | "conflict" | "refused", message: string, current: Record<string, any> | null}} Result */
/** @typedef {{seq: number, changes?: Change[], results?: Result[], reload?: boolean}} Answer */
/** @typedef {{set: (fn: () => void, ms: number) => any, clear: (handle: any) => void}} Schedule */
/** @typedef {"" | "offline" | "expired" | "gone"} Trouble */

const BATCH = 200;
const COALESCE_MS = 20;
const POLL_MS = 1500;
const POLL_HIDDEN_MS = 10_000;
const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 10_000;
const LOAD_TIMEOUT_MS = 60_000;
/** Browsers refuse more than 64 KiB in requests that outlive their page. */
const FLUSH_BYTES = 60_000;

export class Sender {
  /**
   * @param {{api: import("./api.js").Api, schedule: Schedule, isHidden: () => boolean, seq: () => number,
   *   pending: () => Operation[], onLoad: (loaded: Loaded) => void, onAnswer: (answer: Answer) => void, onTrouble: () => void}} parts
   *   `onTrouble` is called when `trouble` or `message` have changed
   */
  constructor(parts) {
    this.parts = parts;
    this.path = `/api/labels/${encodeURIComponent(parts.api.video)}/${encodeURIComponent(parts.api.domain)}`;
    /** @type {Trouble} */
    this.trouble = "";
    this.message = "";
    this.isLoaded = false;
    this.isSending = false;
    this.isClosed = false;
    this.failures = 0;
    this.batch = BATCH;
    /** @type {AbortController | null} */
    this.poll = null;
    /** @type {any} */
    this.timer = null;
    this.isPlanned = false;
    /** The last answer said nothing of what was sent. */
    this.isIgnored = false;
    this.turn = Promise.resolve();
    this.onRenewed = () => this.wake();
    parts.api.addEventListener("renewed", this.onRenewed);
    /** Resolved once the labels are there; refused if they never will be. @type {Promise<void>} */
    this.loaded = new Promise((resolve, reject) => {
      this.resolveLoaded = resolve;
      this.rejectLoaded = reject;
    });
    this.loaded.catch(() => {});
  }

  /** Something is pending: send it soon, together with what comes in the next moment. */
  soon() {
    if (this.trouble || !this.isLoaded) return;
    // Asking for news can wait, an edit cannot.
    this.poll?.abort();
    if (this.isSending || this.isPlanned) return;
    this.plan(COALESCE_MS);
    this.isPlanned = true;
  }

  /** Try at once, whatever went wrong before. */
  wake() {
    if (this.isClosed || this.trouble === "gone") return;
    this.failures = 0;
    this.plan(0);
  }

  /** @param {number} ms */
  plan(ms) {
    if (this.isClosed) return;
    this.isPlanned = false;
    this.parts.schedule.clear(this.timer);
    this.timer = this.parts.schedule.set(() => void this.go(), ms);
  }

  /** Load, send or ask, then plan the next time. */
  async go() {
    // Whoever is sending now plans the next time.
    if (this.isSending || this.isClosed) return;
    this.isPlanned = false;
    try {
      await this.exclusive(() => this.once().catch((error) => this.failed(error)));
    } finally {
      this.planNext();
    }
  }

  planNext() {
    if (this.isClosed || this.trouble === "gone") return;
    if (this.failures) this.plan(this.delay());
    else if (this.parts.pending().length && !this.isIgnored) this.plan(0);
    else this.plan(this.parts.isHidden() ? POLL_HIDDEN_MS : POLL_MS);
  }

  /**
   * Run something while nothing else is sent.
   *
   * @template T
   * @param {() => Promise<T>} work
   * @returns {Promise<T>}
   */
  exclusive(work) {
    const done = this.turn.then(async () => {
      this.isSending = true;
      try {
        return await work();
      } finally {
        this.isSending = false;
      }
    });
    this.turn = done.then(
      () => {},
      () => {},
    );
    return done;
  }

  async once() {
    const { parts } = this;
    if (!this.isLoaded) await this.load();
    const operations = parts.pending().slice(0, this.batch);
    if (operations.length) await this.post(operations);
    else await this.ask();
    this.failures = 0;
    this.tell("", "");
  }

  async load() {
    const loaded = await this.parts.api.json(this.path, { timeoutMs: LOAD_TIMEOUT_MS });
    if (this.isClosed) return;
    this.parts.onLoad(loaded);
    this.isLoaded = true;
    this.resolveLoaded?.();
  }

  /** @param {Operation[]} operations */
  async post(operations) {
    const { api, seq, pending } = this.parts;
    try {
      await this.take(await api.json(`${this.path}/ops`, { method: "POST", body: { since: seq(), ops: operations } }));
      this.isIgnored = pending().includes(operations[0]);
      this.batch = Math.min(BATCH, this.batch * 2);
    } catch (error) {
      if (!isAboutTheBody(error)) throw error;
      // One of them is not understood, or they are too large together: find out which.
      if (operations.length > 1) this.batch = Math.ceil(operations.length / 2);
      else {
        const { id } = operations[0];
        const results = [{ id, status: /** @type {const} */ ("refused"), message: error.message, current: null }];
        if (!this.isClosed) this.parts.onAnswer({ seq: seq(), changes: [], results });
        this.batch = BATCH;
      }
    }
  }

  async ask() {
    const { api, seq } = this.parts;
    const poll = new AbortController();
    this.poll = poll;
    try {
      await this.take(await api.json(`${this.path}/changes?since=${seq()}`, { signal: poll.signal }));
    } catch (error) {
      if (!poll.signal.aborted) throw error;
    } finally {
      this.poll = null;
    }
  }

  /** @param {Answer} answer */
  async take(answer) {
    // Before the results count, the view must hold what they brought about.
    if (answer.reload) await this.load();
    if (!this.isClosed) this.parts.onAnswer(answer);
  }

  /**
   * Ask the server to go back to an earlier state.
   *
   * @param {number} toSeq
   * @param {{id: string, client: string}} as
   */
  restore(toSeq, as) {
    const { api, seq } = this.parts;
    return this.exclusive(async () => {
      // What was done before comes before.
      while (this.parts.pending().length || !this.isLoaded) {
        await this.once();
        if (this.isIgnored) throw new ApiError("offline", "The server does not take the edits before; go back once they are saved.", 0);
      }
      const body = { seq: toSeq, ...as, since: seq() };
      await this.take(await api.json(`${this.path}/restore`, { method: "POST", body }));
    }).finally(() => this.planNext());
  }

  /** The page goes away: send what fits into a request that outlives it; the storage holds the rest. */
  flush() {
    const { api, seq, pending } = this.parts;
    let size = 0;
    const operations = [];
    for (const operation of pending().slice(0, BATCH)) {
      size += JSON.stringify(operation).length * 3;
      if (size > FLUSH_BYTES) break;
      operations.push(operation);
    }
    if (!operations.length || this.trouble === "gone") return;
    const body = { since: seq(), ops: operations };
    api.json(`${this.path}/ops`, { method: "POST", body, keepalive: true }).catch(() => {
      // Nobody is left to hear of it; another tab or the next visit sends them again.
    });
  }

  /** @param {unknown} error */
  failed(error) {
    this.failures += 1;
    if (!(error instanceof ApiError)) throw error;
    if (error.kind !== "refused") this.tell(error.kind, error.message);
    else {
      this.tell("gone", error.message);
      this.rejectLoaded?.(error);
    }
  }

  /** How long to wait after a failure: longer each time, never at the same moment as everybody else. */
  delay() {
    const longest = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** (this.failures - 1));
    return longest * (0.5 + Math.random() / 2);
  }

  /**
   * @param {Trouble} trouble
   * @param {string} message
   */
  tell(trouble, message) {
    if (trouble === this.trouble && message === this.message) return;
    this.trouble = trouble;
    this.message = message;
    if (!this.isClosed) this.parts.onTrouble();
  }

  close() {
    this.isClosed = true;
    this.parts.schedule.clear(this.timer);
    this.poll?.abort();
    this.parts.api.removeEventListener("renewed", this.onRenewed);
  }
}

/**
 * Whether a request was refused for what it said, not for whom or what it is about.
 *
 * @param {unknown} error
 * @returns {error is ApiError}
 */
function isAboutTheBody(error) {
  return error instanceof ApiError && error.kind === "refused" && error.status !== 404 && error.status !== 410;
}
