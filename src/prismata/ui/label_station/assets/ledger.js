// The labels as they are shown: what the server said, and on top of it the edits that it has not
// answered yet. Each event is folded by itself, so an edit costs the same among 100,000 as among ten.

import { paint, union } from "./coverage.js";
import { foldEvent, mergeState, ownFields } from "./operations.js";

/** @typedef {import("./operations.js").Operation} Operation */
/** @typedef {import("./operations.js").LabelEvent} LabelEvent */
/** @typedef {import("./coverage.js").Span} Span */
/** @typedef {{status: string, assignee: string, note: string}} Sheet */
/**
 * @typedef {{seq: number, op: string, client: string, author: string, kind: string, event_id: string,
 *   before: Record<string, any> | null, after: Record<string, any> | null, at: string}} Change
 * @typedef {{seq: number, fields: string[], rows: any[][], coverage: Span[], sheet: Sheet}} Loaded
 */

/** From so many events on, sorting anew is cheaper than moving one by one. */
const MANY = 400;

export class Ledger {
  constructor() {
    this.seq = 0;
    /** @type {Map<string, LabelEvent>} */
    this.base = new Map();
    /** In the order in which they are sent. @type {Map<string, Operation>} */
    this.pending = new Map();
    /** Events as their author saw them, by operation. @type {Map<string, Record<string, any> | null>} */
    this.wholes = new Map();
    /** @type {Map<string, Set<Operation>>} */
    this.byEvent = new Map();
    /** @type {Map<string, LabelEvent>} */
    this.view = new Map();
    /** @type {LabelEvent[]} */
    this.sorted = [];
    this.handedOut = false;
    /** @type {Span[]} */
    this.baseCoverage = [];
    /** @type {Sheet} */
    this.baseSheet = { status: "new", assignee: "", note: "" };
    /** Who changed or deleted an event last. @type {Map<string, string>} */
    this.authors = new Map();
    this.coverage = this.baseCoverage;
    this.sheet = this.baseSheet;
  }

  /** Sorted by start; a list that was handed out never changes. */
  list() {
    this.handedOut = true;
    return this.sorted;
  }

  /** @param {Loaded} told everything, as the server has it */
  load(told) {
    this.seq = told.seq;
    const at = new Map(told.fields.map((name, index) => [name, index]));
    this.base = new Map();
    for (const row of told.rows) {
      /** @type {Record<string, any>} */
      const event = {};
      for (const [name, index] of at) event[name] = row[index];
      this.base.set(event.id, /** @type {LabelEvent} */ (event));
    }
    this.baseCoverage = union(told.coverage);
    this.baseSheet = told.sheet;
    this.refoldAll();
  }

  /** Whether a change is the next that is not known yet; if so it becomes part of the base.
   * @param {Change} change */
  take(change) {
    if (change.seq <= this.seq) return false;
    this.seq = change.seq;
    const { kind, event_id, after } = change;
    if (kind === "cover") {
      if (after) this.baseCoverage = paint(this.baseCoverage, after.start_us, after.end_us, after.spans);
    } else if (kind === "sheet") {
      this.baseSheet = { ...this.baseSheet, ...after };
    } else {
      this.authors.set(event_id, change.author);
      if (after) this.base.set(event_id, /** @type {LabelEvent} */ ({ ...after, id: event_id }));
      else this.base.delete(event_id);
    }
    return true;
  }

  /**
   * @param {Operation} operation is sent after those that are pending already
   * @param {Record<string, any> | null} whole the event as its author saw it
   */
  add(operation, whole) {
    if (this.pending.has(operation.id)) return;
    this.pending.set(operation.id, operation);
    this.wholes.set(operation.id, whole);
    if (!operation.event_id) return;
    const queued = this.byEvent.get(operation.event_id) ?? new Set();
    this.byEvent.set(operation.event_id, queued.add(operation));
  }

  /** @param {string} operationId is pending no more, whatever became of it */
  settle(operationId) {
    const operation = this.pending.get(operationId);
    if (!operation) return;
    this.pending.delete(operationId);
    this.wholes.delete(operationId);
    const queued = this.byEvent.get(operation.event_id);
    queued?.delete(operation);
    if (queued?.size === 0) this.byEvent.delete(operation.event_id);
  }

  /**
   * Bring the view of some events up to date.
   *
   * @param {Iterable<string>} ids
   * @returns {Set<string>} those that look different now
   */
  refold(ids) {
    /** @type {Map<string, LabelEvent | null>} */
    const changed = new Map();
    for (const id of ids) {
      if (!id || changed.has(id)) continue;
      const now = this.folded(id);
      if (now !== (this.view.get(id) ?? null)) changed.set(id, now);
    }
    if (changed.size > MANY) {
      for (const [id, now] of changed) now ? this.view.set(id, now) : this.view.delete(id);
      this.sortAll();
    } else {
      for (const [id, now] of changed) this.place(id, now);
    }
    return new Set(changed.keys());
  }

  refoldAll() {
    this.view = new Map(this.base);
    for (const id of this.byEvent.keys()) {
      const now = this.folded(id);
      now ? this.view.set(id, now) : this.view.delete(id);
    }
    this.sortAll();
    this.refoldCoverage();
    this.refoldSheet();
  }

  refoldCoverage() {
    this.coverage = this.baseCoverage;
    for (const { kind, after } of this.pending.values()) {
      if (kind === "cover" && after) this.coverage = paint(this.coverage, after.start_us, after.end_us, after.spans);
    }
  }

  refoldSheet() {
    this.sheet = this.baseSheet;
    for (const { kind, before, after } of this.pending.values()) {
      if (kind === "sheet" && before && after) this.sheet = { ...this.sheet, ...mergeState(this.sheet, before, after).changes };
    }
  }

  /** @param {string} id */
  folded(id) {
    const base = this.base.get(id) ?? null;
    let event = base;
    for (const operation of this.byEvent.get(id) ?? []) event = foldEvent(event, operation);
    if (event && base && event !== base && event.start_us !== base.start_us) {
      // Only the server knows which frame lies at another time.
      event = { ...event, frame_index: null, source_pts: null };
    }
    return event;
  }

  /**
   * @param {string} id
   * @param {LabelEvent | null} now
   */
  place(id, now) {
    if (this.handedOut) this.sorted = this.sorted.slice();
    this.handedOut = false;
    const old = this.view.get(id);
    if (old) this.sorted.splice(placeOf(this.sorted, old), 1);
    if (now) {
      this.sorted.splice(placeOf(this.sorted, now), 0, now);
      this.view.set(id, now);
    } else this.view.delete(id);
  }

  sortAll() {
    this.sorted = [...this.view.values()].sort(order);
    this.handedOut = false;
  }

  /** What people decided, of everything the server has: to compare and to export. */
  snapshot() {
    const events = this.sorted.map((event) => ({ id: event.id, ...ownFields(event) }));
    return { seq: this.seq, events, coverage: this.coverage, sheet: this.sheet };
  }
}

/**
 * @param {LabelEvent} a
 * @param {LabelEvent} b
 */
function order(a, b) {
  return a.start_us - b.start_us || a.end_us - b.end_us || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}

/**
 * Where an event stands in a sorted list, or would.
 *
 * @param {readonly LabelEvent[]} sorted
 * @param {LabelEvent} event
 */
function placeOf(sorted, event) {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (order(sorted[middle], event) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
