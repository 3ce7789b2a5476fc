// Requests to our own routes: with permissions, a time limit, and errors that say what to do next.

/**
 * @typedef {"expired" | "offline" | "refused"} ErrorKind
 *   expired: the permission is old; offline: no answer now, ask again; refused: asking again is no use
 * @typedef {"labels" | "video" | "annotator"} Scope
 * @typedef {object} Request
 * @property {Scope} [as] which permission to show; by default the one for labels
 * @property {string} [method]
 * @property {unknown} [body] is sent as JSON
 * @property {number} [timeoutMs]
 * @property {boolean} [keepalive] the request outlives the page; its body has at most 64 KiB
 * @property {AbortSignal} [signal] gives up early
 */

const TIMEOUT_MS = 15_000;
const ASK_AGAIN_MS = 15_000;
/** Answers of a server that is there but cannot now. */
const NOT_NOW = new Set([408, 425, 429]);

export class ApiError extends Error {
  /**
   * @param {ErrorKind} kind
   * @param {string} message one sentence
   * @param {number} status of the answer; 0 if there was none
   */
  constructor(kind, message, status) {
    super(message);
    this.name = "ApiError";
    this.kind = kind;
    this.status = status;
  }
}

/** Emits `renewed` when there are new permissions. */
export class Api extends EventTarget {
  /**
   * @param {{base: string, videoToken: string, labelsToken: string, annotatorToken: string, user: string, video: string, domain: string, onExpired: () => void, fetch?: typeof fetch, now?: () => number}} options
   *   `onExpired` asks the page for new permissions: once, and again where they are still refused a while later
   */
  constructor({ base, videoToken, labelsToken, annotatorToken, user, video, domain, onExpired, fetch, now }) {
    super();
    this.base = base;
    this.user = user;
    this.video = video;
    this.domain = domain;
    this.onExpired = onExpired;
    this.fetch = fetch ?? globalThis.fetch.bind(globalThis);
    this.now = now ?? Date.now;
    /** @type {Record<Scope, string>} */
    this.tokens = { labels: labelsToken, video: videoToken, annotator: annotatorToken };
    this.askedAt = -Infinity;
  }

  /** @param {Partial<Record<Scope, string>>} tokens */
  renew(tokens) {
    this.tokens = { ...this.tokens, ...tokens };
    this.askedAt = -Infinity;
    this.dispatchEvent(new Event("renewed"));
  }

  /**
   * What a route answers, read as JSON.
   *
   * @param {string} path
   * @param {Request} [request]
   * @returns {Promise<any>}
   * @throws {ApiError}
   */
  async json(path, request = {}) {
    return this.ask(path, request, (answer) => answer.json());
  }

  /**
   * What a route answers, as bytes.
   *
   * @param {string} path
   * @param {Request} [request]
   * @returns {Promise<Uint8Array<ArrayBuffer>>}
   * @throws {ApiError}
   */
  async bytes(path, request = {}) {
    return this.ask(path, request, async (answer) => new Uint8Array(await answer.arrayBuffer()));
  }

  /**
   * @template T
   * @param {string} path
   * @param {Request} request
   * @param {(answer: Response) => Promise<T>} read
   * @returns {Promise<T>}
   */
  async ask(path, { as = "labels", method = "GET", body, timeoutMs = TIMEOUT_MS, keepalive, signal }, read) {
    const token = this.tokens[as];
    /** @type {Record<string, string>} */
    const headers = { "x-prismata-token": token, "x-prismata-user": encodeURIComponent(this.user) };
    if (body !== undefined) headers["content-type"] = "application/json";
    const stop = new AbortController();
    const giveUp = () => stop.abort();
    const timer = setTimeout(giveUp, timeoutMs);
    signal?.addEventListener("abort", giveUp);
    try {
      const answer = await this.fetch(this.base + path, {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        cache: "no-store",
        keepalive,
        signal: stop.signal,
      });
      if (answer.ok) return await read(answer);
      throw await this.errorOf(answer, as, token);
    } catch (error) {
      if (error instanceof ApiError) throw error;
      // A fetch that fails, a body that breaks off, or nothing within the time.
      throw new ApiError("offline", "The server cannot be reached; what you do is kept in this browser.", 0);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", giveUp);
    }
  }

  /**
   * @param {Response} answer
   * @param {Scope} as
   * @param {string} token the one that was shown
   */
  async errorOf(answer, as, token) {
    const { status } = answer;
    const told = await answer.json().catch(() => null);
    const message = typeof told?.error === "string" ? told.error : `The server answered ${status} without a reason.`;
    if (status === 403) {
      // Where it was renewed meanwhile, the old one says nothing about the new one.
      if (token === this.tokens[as]) this.askForNew();
      return new ApiError("expired", message, status);
    }
    return new ApiError(status >= 500 || NOT_NOW.has(status) ? "offline" : "refused", message, status);
  }

  askForNew() {
    if (this.now() - this.askedAt < ASK_AGAIN_MS) return;
    this.askedAt = this.now();
    this.onExpired();
  }
}
