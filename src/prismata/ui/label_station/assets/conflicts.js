// Edits that lost against somebody else's: both versions, until a person chooses one.

import { isSame, ownFields, withChanges } from "./operations.js";

/** @typedef {import("./operations.js").Operation} Operation */
/** @typedef {import("./operations.js").EventState} EventState */
/** @typedef {import("./operations.js").LabelEvent} LabelEvent */
/** @typedef {import("./operations.js").Fields} Fields */
/** @typedef {{event_id: string, mine: EventState | null, theirs: EventState | null, author: string}} Conflict */
/** @typedef {{event_id: string, is_gone: boolean, after: Fields, whole: Fields | null}} Lost what was wanted, over `whole` where there is no event any more */

export class Conflicts {
  /** @param {import("./queue.js").Shelf} shelf survives a reload */
  constructor(shelf) {
    this.shelf = shelf;
    /** @type {Map<string, Lost>} */
    this.lost = new Map();
    for (const { value } of shelf.all()) if (value?.event_id) this.lost.set(value.event_id, value);
  }

  /**
   * Keep what an operation wanted.
   *
   * @param {Operation} operation
   * @param {Fields | null} whole the event as its author saw it
   * @param {LabelEvent | null} theirs
   * @returns {boolean} false if there is nothing to choose
   */
  add({ kind, event_id, before, after }, whole, theirs) {
    const known = this.lost.get(event_id);
    /** @type {Lost} */
    const lost =
      kind === "delete"
        ? { event_id, is_gone: true, after: {}, whole: before }
        : { event_id, is_gone: false, after: { ...known?.after, ...after }, whole: known?.whole ?? (kind === "create" ? after : whole) };
    if (isSettled(mineOf(lost, theirs), theirs)) return false;
    this.lost.set(event_id, lost);
    this.shelf.put(event_id, lost);
    return true;
  }

  /**
   * @param {string} eventId
   * @param {LabelEvent | null} theirs
   */
  mine(eventId, theirs) {
    const lost = this.lost.get(eventId);
    return lost ? mineOf(lost, theirs) : undefined;
  }

  /** @param {string} eventId */
  remove(eventId) {
    this.shelf.remove(eventId);
    return this.lost.delete(eventId);
  }

  /**
   * Forget the conflicts in which both versions have become the same.
   *
   * @param {Iterable<string>} eventIds
   * @param {(id: string) => LabelEvent | null} theirsOf
   */
  settle(eventIds, theirsOf) {
    let any = false;
    for (const id of eventIds) {
      const lost = this.lost.get(id);
      if (lost && isSettled(mineOf(lost, theirsOf(id)), theirsOf(id))) any = this.remove(id) || any;
    }
    return any;
  }

  /**
   * @param {(id: string) => LabelEvent | null} theirsOf
   * @param {(id: string) => string} authorOf
   * @returns {Conflict[]}
   */
  list(theirsOf, authorOf) {
    return [...this.lost.values()].map((lost) => {
      const theirs = theirsOf(lost.event_id);
      return { event_id: lost.event_id, mine: mineOf(lost, theirs), theirs: theirs && ownFields(theirs), author: authorOf(lost.event_id) };
    });
  }
}

/**
 * What the event would be if the lost edit had won.
 *
 * @param {Lost} lost
 * @param {LabelEvent | null} theirs
 * @returns {EventState | null}
 */
function mineOf({ is_gone, after, whole }, theirs) {
  const from = theirs ?? whole;
  return is_gone || !from ? null : ownFields(withChanges(from, after));
}

/**
 * @param {EventState | null} mine
 * @param {EventState | null} theirs
 */
function isSettled(mine, theirs) {
  return mine === null || theirs === null ? mine === theirs : isSame(mine, ownFields(theirs));
}
