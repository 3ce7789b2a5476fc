// The labels of one video in one domain, as the station reads and edits them.
//
// An edit is drawn at once, written to the browser's storage before anything is sent, sent in batches,
// and removed from the storage when the catalog has it. How, is in synced.js.

import { cut } from "./coverage.js";
import { difference, isSame, newId, ownFields } from "./operations.js";
import { SyncedLabels } from "./synced.js";
import { titleOf } from "./undo.js";

/** @typedef {import("./operations.js").Edit} Edit */
/** @typedef {import("./operations.js").EventState} EventState */
/** @typedef {import("./operations.js").LabelEvent} LabelEvent */
/** @typedef {import("./coverage.js").Span} Span */
/** @typedef {import("./ledger.js").Change} Change */
/** @typedef {import("./synced.js").Status} Status */

export class LabelStore extends SyncedLabels {
  // --- what is shown

  /** Events by start. A list never changes; after an edit there is another one. */
  list() {
    return this.ledger.list();
  }

  /** @param {string} id */
  get(id) {
    return this.ledger.view.get(id);
  }

  /** @returns {readonly Span[]} */
  get coverage() {
    return this.ledger.coverage;
  }

  get sheet() {
    return this.ledger.sheet;
  }

  get conflicts() {
    return this.lost.list(
      (id) => this.ledger.base.get(id) ?? null,
      (id) => this.ledger.base.get(id)?.author ?? this.ledger.authors.get(id) ?? "",
    );
  }

  // --- edits

  /**
   * @param {Record<string, any>} state
   * @returns {string} the new event's id
   */
  create(state) {
    const id = newId();
    this.edit({ kind: "create", event_id: id, before: null, after: ownFields(state) });
    return id;
  }

  /**
   * @param {string} id
   * @param {Record<string, any>} changes fields, one attribute as `attributes.NAME`, null: without it
   */
  update(id, changes) {
    const event = this.get(id);
    if (!event) return this.refuse("This label is gone: somebody deleted it. Nothing was changed.");
    const { before, after } = difference(event, changes);
    if (Object.keys(after).length) this.edit({ kind: "update", event_id: id, before, after });
  }

  /** @param {string} id */
  remove(id) {
    const event = this.get(id);
    if (event) this.edit({ kind: "delete", event_id: id, before: ownFields(event), after: null });
  }

  /**
   * @param {number} startUs
   * @param {number} endUs
   * @param {import("./coverage.js").CoverageState | null} state null: never seen
   * @param {{undoable?: boolean}} [options]
   */
  cover(startUs, endUs, state, options) {
    this.paint(startUs, endUs, state ? [[startUs, endUs, state]] : [], options);
  }

  /**
   * Make the coverage of a stretch exactly `spans`.
   *
   * @param {number} startUs
   * @param {number} endUs
   * @param {readonly Span[]} spans
   * @param {{undoable?: boolean}} [options]
   */
  paint(startUs, endUs, spans, { undoable = true } = {}) {
    const [start_us, end_us] = [Math.max(0, Math.round(startUs)), Math.round(endUs)];
    if (end_us <= start_us) return;
    const whole = spans.map(([start, end, state]) => /** @type {Span} */ ([Math.round(start), Math.round(end), state]));
    const before = cut(this.coverage, start_us, end_us);
    const after = cut(whole, start_us, end_us);
    if (isSame(before, after)) return;
    const states = { before: { start_us, end_us, spans: before }, after: { start_us, end_us, spans: after } };
    this.edit({ kind: "cover", event_id: "", ...states }, { undoable });
  }

  /**
   * @param {Partial<import("./ledger.js").Sheet>} changes
   * @param {{undoable?: boolean}} [options]
   */
  setSheet(changes, options) {
    const { before, after } = difference(this.sheet, changes);
    if (Object.keys(after).length) this.edit({ kind: "sheet", event_id: "", before, after }, options);
  }

  /**
   * Make all edits of `fn` one step of undo.
   *
   * @template T
   * @param {string} title
   * @param {() => T} fn
   * @returns {T}
   */
  transaction(title, fn) {
    if (this.group) return fn();
    this.group = [];
    try {
      return fn();
    } finally {
      const operations = this.group;
      this.group = null;
      this.steps.push(title, operations);
      this.announce();
    }
  }

  /**
   * Cut a segment in two.
   *
   * @param {string} id
   * @param {number} us
   * @returns {string | null} id of the later half; null if the instant is not inside
   */
  split(id, us) {
    const event = this.get(id);
    const at = Math.round(us);
    if (!event || at <= event.start_us || at >= event.end_us) return null;
    return this.transaction("split of a label", () => {
      this.update(id, { end_us: at });
      return this.create({ ...event, start_us: at });
    });
  }

  /**
   * Let one event reach over another one, which vanishes; what only that one says is kept.
   *
   * @param {string} id
   * @param {string} otherId
   */
  merge(id, otherId) {
    const [event, other] = [this.get(id), this.get(otherId)];
    if (!event || !other || id === otherId) return;
    const start_us = Math.min(event.start_us, other.start_us);
    const end_us = event.kind === "point" ? start_us : Math.max(event.end_us, other.end_us);
    this.transaction("merging of labels", () => {
      this.update(id, { start_us, end_us, attributes: { ...other.attributes, ...event.attributes } });
      this.remove(otherId);
    });
  }

  // --- undo

  get canUndo() {
    return this.steps.stacks.undo.length > 0;
  }

  get canRedo() {
    return this.steps.stacks.redo.length > 0;
  }

  get undoTitle() {
    return this.steps.title("undo");
  }

  get redoTitle() {
    return this.steps.title("redo");
  }

  undo() {
    return this.step("undo", "redo");
  }

  redo() {
    return this.step("redo", "undo");
  }

  /**
   * @param {import("./undo.js").Direction} from
   * @param {import("./undo.js").Direction} to
   */
  step(from, to) {
    const step = this.steps.take(from);
    if (!step) return false;
    this.steps.add(to, step.title, step.edits.map((edit) => this.enqueue(edit)));
    this.announce();
    return true;
  }

  /**
   * Choose a version of an event that two people changed.
   *
   * @param {string} eventId
   * @param {"mine" | "theirs"} which
   */
  resolve(eventId, which) {
    const event = this.get(eventId) ?? null;
    const mine = this.lost.mine(eventId, event);
    if (!this.lost.remove(eventId)) return;
    this.changed.conflicts = true;
    this.transaction("choice of a version", () => {
      if (which === "theirs") return;
      if (!mine) this.remove(eventId);
      else if (event) this.update(eventId, mine);
      else this.edit({ kind: "create", event_id: eventId, before: null, after: mine });
    });
  }

  // --- the whole story

  /**
   * Changes, newest first.
   *
   * @param {number | null} before
   * @param {number} limit
   * @returns {Promise<Change[]>}
   */
  async history(before, limit) {
    const from = before === null ? "" : `before=${before}&`;
    return (await this.api.json(`${this.sender.path}/history?${from}limit=${limit}`)).entries;
  }

  /** Put everything back to what it was after a change. @param {number} seq */
  async restore(seq) {
    await this.sender.restore(seq, { id: newId(), client: this.client });
  }

  /** What the server does not have, for a file. */
  exportPending() {
    return { ...this.whose, operations: [...this.ledger.pending.values()] };
  }

  /**
   * @param {Edit} edit
   * @param {{undoable?: boolean}} [options]
   */
  edit(edit, { undoable = true } = {}) {
    const operation = this.enqueue(edit);
    if (!undoable) this.announce();
    else if (this.group) this.group.push(operation);
    else {
      this.steps.push(titleOf(edit), [operation]);
      this.announce();
    }
  }
}
