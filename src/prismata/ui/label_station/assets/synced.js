// Labels and their way to the catalog and back: what is shown, what is pending, what others did.

import { Conflicts } from "./conflicts.js";
import { Ledger } from "./ledger.js";
import { newId, ownFields } from "./operations.js";
import { OperationQueue, conflictShelf } from "./queue.js";
import { Sender } from "./sending.js";
import { UndoStacks } from "./undo.js";

/** @typedef {import("./operations.js").Operation} Operation */
/** @typedef {import("./operations.js").Edit} Edit */
/** @typedef {import("./sending.js").Answer} Answer */
/** @typedef {import("./sending.js").Result} Result */
/** @typedef {"saved" | "saving" | "offline" | "expired" | "full" | "gone"} SaveState */
/** @typedef {{pending: number, state: SaveState, since: number, message: string}} Status */

/** What a tab that still lives will send itself is left to it for so long. */
const LEFT_ALONE_MS = 15_000;
const LOOK_FOR_LEFT_MS = 20_000;
const LINGER_MS = 30_000;

/** @type {import("./sending.js").Schedule} */
const TIMERS = { set: (fn, ms) => setTimeout(fn, ms), clear: (handle) => clearTimeout(handle) };

/**
 * Emits `change` {ids: Set | null}, `coverage`, `sheet`, `status`, `conflict` and `refused` {message, operation}.
 */
export class SyncedLabels extends EventTarget {
  /**
   * @param {{api: import("./api.js").Api, storage: import("./queue.js").KeyStorage | null, user: string, video: string, domain: string,
   *   clientId?: string, now?: () => number, schedule?: import("./sending.js").Schedule, page?: Window | null}} options
   */
  constructor({ api, storage, user, video, domain, clientId = newId(16), now = Date.now, schedule = TIMERS, page = globalThis.window ?? null }) {
    super();
    const whose = { user, video, domain };
    this.api = api;
    this.whose = whose;
    this.client = clientId;
    this.seq = 0;
    this.now = now;
    this.schedule = schedule;
    this.page = page;
    this.ledger = new Ledger();
    this.queue = new OperationQueue(storage, whose, now);
    this.steps = new UndoStacks(storage, whose, now);
    this.lost = new Conflicts(conflictShelf(storage, whose));
    this.sender = new Sender({
      api,
      schedule,
      isHidden: () => page?.document.visibilityState === "hidden",
      seq: () => this.ledger.seq,
      pending: () => [...this.ledger.pending.values()],
      onLoad: (loaded) => {
        this.ledger.load(loaded);
        this.changed.all = true;
        this.announce();
      },
      onAnswer: (answer) => this.onAnswer(answer),
      onTrouble: () => this.tellStatus(),
    });
    /** @type {Status} */
    this.status = { pending: 0, state: "saved", since: now(), message: "" };
    /** Not told yet. */
    this.changed = nothing();
    /** What the view does not show yet. */
    this.stale = { ids: /** @type {Set<string>} */ (new Set()), coverage: false, sheet: false };
    /** The transaction that is open. @type {Operation[] | null} */
    this.group = null;
    /** Events whose creation was refused. @type {Set<string>} */
    this.neverMade = new Set();
    /** @type {(() => void)[]} */
    this.closers = [];
  }

  /** Load the labels, take over what any tab left behind, and go on sending until `close`. */
  async open() {
    this.adopt(0);
    this.listen();
    this.sender.wake();
    await this.sender.loaded;
  }

  /** @param {Edit} edit */
  enqueue({ kind, event_id, before, after, undoes = null }) {
    const operation = { id: newId(), client: this.client, seq: this.seq++, kind, event_id, before, after, undoes };
    const event = kind === "update" ? this.ledger.view.get(event_id) : undefined;
    const whole = event ? ownFields(event) : null;
    this.queue.put(operation, whole);
    this.ledger.add(operation, whole);
    this.refold([operation]);
    this.sender.soon();
    return operation;
  }

  /**
   * Take over what tabs left behind.
   *
   * @param {number} olderThanMs
   */
  adopt(olderThanMs) {
    const left = this.queue.left(olderThanMs).filter(({ operation }) => !this.ledger.pending.has(operation.id));
    if (!left.length) return;
    for (const { operation, whole } of left) {
      if (operation.client === this.client) this.seq = Math.max(this.seq, operation.seq + 1);
      this.ledger.add(operation, whole);
    }
    this.refold(left.map(({ operation }) => operation));
    this.announce();
    this.sender.soon();
  }

  /** @param {Answer} answer */
  onAnswer({ changes = [], results = [] }) {
    const { ledger } = this;
    for (const change of changes) {
      if (!ledger.take(change)) continue;
      this.touched(change);
      // The log has it: it was applied, even where the answer to it was lost.
      const own = ledger.pending.get(change.op);
      if (own) this.settle(own);
    }
    for (const result of results) {
      const operation = ledger.pending.get(result.id);
      if (operation) this.onResult(operation, result);
    }
    this.refold([]);
    if (this.lost.settle([...this.changed.ids], (id) => ledger.base.get(id) ?? null)) this.changed.conflicts = true;
    this.announce();
  }

  /**
   * @param {Operation} operation
   * @param {Result} result
   */
  onResult(operation, { status, message }) {
    const whole = this.ledger.wholes.get(operation.id) ?? null;
    this.settle(operation);
    if (status === "applied") return;
    const title = this.steps.forget(operation.id);
    const why = message.replace(/\.$/, "");
    const { event_id, kind, undoes } = operation;
    if (status === "refused") {
      if (kind === "create") this.neverMade.add(event_id);
      this.refuse(`${title ? `The ${title} was taken back: ` : ""}${why}.`, operation);
    } else if (!event_id) {
      this.refuse(`The ${title || "change"} was taken back: ${why}.`, operation);
    } else if (!this.neverMade.has(event_id)) {
      const theirs = this.ledger.base.get(event_id) ?? null;
      if (this.lost.add(operation, whole, theirs)) this.changed.conflicts = true;
      if (undoes) this.refuse(`The ${title || "change"} could not be taken back: ${why}.`, operation);
    }
  }

  /** @param {Operation} operation */
  settle(operation) {
    this.queue.remove(operation);
    this.ledger.settle(operation.id);
    this.touched(operation);
  }

  /** @param {{kind: string, event_id: string}} about */
  touched({ kind, event_id }) {
    if (kind === "cover") this.stale.coverage = true;
    else if (kind === "sheet") this.stale.sheet = true;
    else this.stale.ids.add(event_id);
  }

  /** Bring the view up to date. @param {Operation[]} operations that were added just now */
  refold(operations) {
    const { stale, changed, ledger } = this;
    for (const operation of operations) this.touched(operation);
    for (const id of ledger.refold(stale.ids)) changed.ids.add(id);
    if (stale.coverage) ledger.refoldCoverage();
    if (stale.sheet) ledger.refoldSheet();
    changed.coverage ||= stale.coverage;
    changed.sheet ||= stale.sheet;
    this.stale = { ids: new Set(), coverage: false, sheet: false };
  }

  // --- telling

  /** Tell the page what has changed since the last time. */
  announce() {
    if (this.group) return;
    const { all, ids, coverage, sheet, conflicts } = this.changed;
    this.changed = nothing();
    if (all || ids.size) this.tell("change", { ids: all ? null : ids });
    if (all || coverage) this.tell("coverage", {});
    if (all || sheet) this.tell("sheet", {});
    if (all || conflicts) this.tell("conflict", {});
    this.tellStatus();
  }

  /**
   * @param {string} message
   * @param {Operation | null} [operation]
   */
  refuse(message, operation = null) {
    this.tell("refused", { message, operation });
  }

  tellStatus() {
    const { trouble, message } = this.sender;
    const pending = this.ledger.pending.size;
    const isFull = this.queue.unstored.size > 0;
    /** @type {SaveState} */
    const state = trouble === "gone" ? "gone" : isFull ? "full" : trouble || (pending ? "saving" : "saved");
    const old = this.status;
    if (state === old.state && pending === old.pending && message === old.message) return;
    this.status = { pending, state, since: state === old.state ? old.since : this.now(), message };
    this.tell("status", this.status);
  }

  /**
   * @param {string} name
   * @param {object} detail
   */
  tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  // --- coming and going

  listen() {
    const { page, sender } = this;
    const look = () => {
      this.adopt(LEFT_ALONE_MS);
      this.queue.retry();
      this.tellStatus();
      again = this.schedule.set(look, LOOK_FOR_LEFT_MS);
    };
    let again = this.schedule.set(look, LOOK_FOR_LEFT_MS);
    this.closers.push(() => this.schedule.clear(again));
    if (!page) return;
    const wake = () => sender.wake();
    const flush = () => sender.flush();
    const seen = () => (page.document.visibilityState === "hidden" ? flush() : wake());
    const leave = (/** @type {Event} */ event) => {
      flush();
      // Only this tab's memory has them: let the browser ask first.
      if (this.queue.unstored.size) event.preventDefault();
    };
    for (const [target, name, heard] of /** @type {[EventTarget, string, (event: Event) => void][]} */ ([
      [page, "online", wake],
      [page, "focus", wake],
      [page, "pagehide", flush],
      [page, "beforeunload", leave],
      [page.document, "visibilitychange", seen],
    ])) {
      target.addEventListener(name, heard);
      this.closers.push(() => target.removeEventListener(name, heard));
    }
  }

  /** Stop polling and listening; what is pending is still sent, as far as that goes. */
  close() {
    for (const close of this.closers.splice(0)) close();
    const { sender } = this;
    if (!this.ledger.pending.size || sender.trouble) return sender.close();
    sender.wake();
    const handle = this.schedule.set(() => sender.close(), LINGER_MS);
    this.addEventListener("status", () => {
      if (this.ledger.pending.size && !sender.trouble) return;
      this.schedule.clear(handle);
      sender.close();
    });
  }
}

function nothing() {
  return { all: false, ids: /** @type {Set<string>} */ (new Set()), coverage: false, sheet: false, conflicts: false };
}
