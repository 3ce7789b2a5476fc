// Verdicts on their way to the server: kept in the browser until it has them, sent in order.

import { ApiError } from "../api.js";

/**
 * @typedef {{id: string, run: string, event_type: string, start_us: number, end_us: number, decision: string,
 *   reason: string, doubt: number, corrected?: object, found?: object[], seen?: [number, number][]}} Verdict
 * @typedef {{getItem: (key: string) => string | null, setItem: (key: string, value: string) => void}} Storage
 * @typedef {{set: (fn: () => void, ms: number) => any, clear: (handle: any) => void}} Schedule
 */

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
/** @type {Schedule} */
const TIMERS = { set: (fn, ms) => setTimeout(fn, ms), clear: (handle) => clearTimeout(handle) };

/** Emits `change` when what is on its way changed, and `refused` {verdict, message}. */
export class Outbox extends EventTarget {
  /**
   * @param {{api: {json: (path: string, request?: any) => Promise<any>}, path: string, storage: Storage, key: string, schedule?: Schedule}} options
   *   `key` names the place in the storage: one for each person and domain
   */
  constructor({ api, path, storage, key, schedule = TIMERS }) {
    super();
    this.api = api;
    this.path = path;
    this.storage = storage;
    this.key = key;
    this.schedule = schedule;
    /** @type {Verdict[]} */
    this.waiting = read(storage, key);
    this.isSending = false;
    this.isOffline = false;
    this.waitMs = FIRST_WAIT_MS;
    /** @type {any} */
    this.timer = null;
  }

  get count() {
    return this.waiting.length;
  }

  /** @param {Verdict} verdict */
  add(verdict) {
    this.waiting.push(verdict);
    this.keep();
    void this.send();
  }

  /**
   * Take a verdict back before it was sent.
   *
   * @param {string} id
   * @returns {boolean} false: it is on its way or arrived, and has to be undone there
   */
  takeBack(id) {
    const at = this.waiting.findIndex((verdict) => verdict.id === id);
    if (at < 0 || (at === 0 && this.isSending)) return false;
    this.waiting.splice(at, 1);
    this.keep();
    return true;
  }

  /** @returns {Promise<void>} when everything is sent, or the server cannot be reached */
  async send() {
    if (this.isSending) return;
    this.isSending = true;
    this.schedule.clear(this.timer);
    try {
      while (this.waiting.length) {
        const verdict = this.waiting[0];
        try {
          await this.api.json(this.path, { method: "POST", body: verdict });
        } catch (error) {
          const isRefused = error instanceof ApiError && error.kind === "refused";
          if (!isRefused) return this.later();
          this.dispatchEvent(new CustomEvent("refused", { detail: { verdict, message: /** @type {Error} */ (error).message } }));
        }
        this.isOffline = false;
        this.waitMs = FIRST_WAIT_MS;
        this.waiting.shift();
        this.keep();
      }
    } finally {
      this.isSending = false;
    }
    this.dispatchEvent(new Event("change"));
  }

  later() {
    this.isOffline = true;
    this.timer = this.schedule.set(() => void this.send(), this.waitMs);
    this.waitMs = Math.min(LONGEST_WAIT_MS, this.waitMs * 2);
    this.dispatchEvent(new Event("change"));
  }

  keep() {
    try {
      this.storage.setItem(this.key, JSON.stringify(this.waiting));
    } catch {
      // Full or forbidden: it is still sent, only a closed page would lose what is on its way.
    }
    this.dispatchEvent(new Event("change"));
  }

  close() {
    this.schedule.clear(this.timer);
  }
}

/** @param {Storage} storage @param {string} key @returns {Verdict[]} */
function read(storage, key) {
  try {
    const stored = JSON.parse(storage.getItem(key) ?? "[]");
    return Array.isArray(stored) ? stored : [];
  } catch {
    return [];
  }
}
