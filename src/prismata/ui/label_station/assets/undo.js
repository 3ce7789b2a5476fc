// Undo and redo: steps of operations, kept in the browser's storage so that they survive a reload.

import { inverse } from "./operations.js";
import { stepShelf } from "./queue.js";

/** @typedef {import("./operations.js").Operation} Operation */
/** @typedef {import("./operations.js").Edit} Edit */
/** @typedef {import("./queue.js").KeyStorage} KeyStorage */
/** @typedef {{name: string, title: string, operations: Operation[], at: number}} Step */
/** @typedef {"undo" | "redo"} Direction */

/** @type {Record<string, string>} */
const FIELD_TITLES = {
  start_us: "move of the start",
  end_us: "move of the end",
  event_type: "change of the type",
  kind: "change of the kind",
  review_state: "decision",
  "attributes.note": "note of the label",
  status: "status of the video",
  assignee: "assignee of the video",
  note: "note of the video",
};

const MOST_STEPS = 500;
const GROWS_FOR_MS = 1000;

/**
 * What an edit is called where it can be undone.
 *
 * @param {Edit} edit
 */
export function titleOf({ kind, after }) {
  if (kind === "create") return "new label";
  if (kind === "delete") return "deletion of a label";
  if (kind === "cover") return "change of the coverage";
  const [first, second] = Object.keys(after ?? {}).sort();
  if (first === "end_us" && second === "start_us") return "move of a label";
  return FIELD_TITLES[first] ?? `change of ${first.replace("attributes.", "")}`;
}

export class UndoStacks {
  /**
   * @param {KeyStorage | null} storage
   * @param {{user: string, video: string, domain: string}} whose
   * @param {() => number} now
   */
  constructor(storage, whose, now) {
    this.shelf = stepShelf(storage, whose);
    this.now = now;
    /** @type {Record<Direction, Step[]>} */
    this.stacks = { undo: [], redo: [] };
    this.count = 0;
    for (const { name, value } of this.shelf.all()) {
      const direction = name.startsWith("redo") ? "redo" : "undo";
      if (Array.isArray(value?.operations)) this.stacks[direction].push({ ...value, name });
    }
  }

  /**
   * Remember an edit; what was undone before can then not be redone any more.
   *
   * @param {string} title
   * @param {Operation[]} operations
   */
  push(title, operations) {
    if (!operations.length) return;
    while (this.stacks.redo.length) this.drop("redo", this.stacks.redo.length - 1);
    if (!this.grow(operations)) this.add("undo", title, operations);
  }

  /** What one step back or forward does. @param {Direction} direction */
  title(direction) {
    return this.stacks[direction].at(-1)?.title ?? "";
  }

  /**
   * Take the last step off its stack.
   *
   * @param {Direction} direction
   * @returns {{title: string, edits: Edit[]} | null} what has to be done now
   */
  take(direction) {
    const stack = this.stacks[direction];
    const step = stack.at(-1);
    if (!step) return null;
    this.drop(direction, stack.length - 1);
    return { title: step.title, edits: [...step.operations].reverse().map(inverse) };
  }

  /**
   * Put on a stack what takes back the step that was just taken from the other one.
   *
   * @param {Direction} direction
   * @param {string} title
   * @param {Operation[]} operations
   */
  add(direction, title, operations) {
    const at = this.now();
    const name = `${direction}/${String(at).padStart(15, "0")}-${String(this.count++).padStart(6, "0")}-${operations[0].client}`;
    const step = { name, title, operations, at };
    this.stacks[direction].push(step);
    this.shelf.put(name, { title, operations, at });
    while (this.stacks[direction].length > MOST_STEPS) this.drop(direction, 0);
  }

  /**
   * An operation came to nothing, so it cannot be taken back.
   *
   * @param {string} operationId
   * @returns {string} title of the step that it belonged to; empty if there is none
   */
  forget(operationId) {
    for (const direction of /** @type {const} */ (["undo", "redo"])) {
      const index = this.stacks[direction].findIndex((step) => step.operations.some(({ id }) => id === operationId));
      if (index < 0) continue;
      const step = this.stacks[direction][index];
      step.operations = step.operations.filter(({ id }) => id !== operationId);
      if (step.operations.length) this.shelf.put(step.name, step);
      else this.drop(direction, index);
      return step.title;
    }
    return "";
  }

  /**
   * Let the last step take in one more nudge of the same fields of the same event.
   *
   * @param {Operation[]} operations
   */
  grow([operation, ...more]) {
    const step = this.stacks.undo.at(-1);
    const last = step?.operations[0];
    if (!step || !last || more.length || step.operations.length > 1) return false;
    const fits =
      operation.kind === "update" &&
      last.kind === "update" &&
      last.event_id === operation.event_id &&
      last.client === operation.client &&
      this.now() - step.at <= GROWS_FOR_MS &&
      Object.keys(last.after ?? {}).sort().join() === Object.keys(operation.after ?? {}).sort().join();
    if (!fits) return false;
    step.operations = [{ ...operation, before: last.before }];
    step.at = this.now();
    this.shelf.put(step.name, { title: step.title, operations: step.operations, at: step.at });
    return true;
  }

  /**
   * @param {Direction} direction
   * @param {number} index
   */
  drop(direction, index) {
    const [step] = this.stacks[direction].splice(index, 1);
    this.shelf.remove(step.name);
  }
}
