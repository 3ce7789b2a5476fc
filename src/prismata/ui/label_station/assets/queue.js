// The queue in the browser's storage: one key an operation, written before anything is sent and removed
// when the catalog has it. Any tab of the same person finds there what another one left.

/** @typedef {import("./operations.js").Operation} Operation */
/** @typedef {import("./operations.js").Fields} Fields */
/** @typedef {{at: number, operation: Operation, whole: Fields | null}} Queued */
/** @typedef {Pick<Storage, "length" | "key" | "getItem" | "setItem" | "removeItem">} KeyStorage */

const OPERATIONS = "prismata.op";
const CONFLICTS = "prismata.conflict";
const STEPS = "prismata.undo";

/** A folder of keys in the storage, for one person, video and domain. */
export class Shelf {
  /**
   * @param {KeyStorage | null} storage null where the browser forbids it
   * @param {string} kind
   * @param {{user: string, video: string, domain: string}} whose
   */
  constructor(storage, kind, { user, video, domain }) {
    this.storage = storage;
    this.prefix = `${kind}/${[user, video, domain].map(encodeURIComponent).join("/")}/`;
  }

  /**
   * @param {string} name
   * @param {unknown} value
   * @returns {boolean} whether it is stored now
   */
  put(name, value) {
    const text = JSON.stringify(value);
    for (let attempt = 0; attempt < 3; attempt++) {
      try {
        if (!this.storage) return false;
        this.storage.setItem(this.prefix + name, text);
        return true;
      } catch {
        // Full or forbidden. What can be undone gives way to what is not stored anywhere else.
        if (!this.dropSteps(attempt === 0)) return false;
      }
    }
    return false;
  }

  /** @param {string} name */
  remove(name) {
    try {
      this.storage?.removeItem(this.prefix + name);
    } catch {
      // Then it is sent once more, and answered as the first time.
    }
  }

  /**
   * All that lies there, by name; what cannot be read is left lying.
   *
   * @returns {{name: string, value: any}[]}
   */
  all() {
    const found = [];
    for (const key of keysOf(this.storage, this.prefix)) {
      try {
        const text = this.storage?.getItem(key);
        if (text) found.push({ name: key.slice(this.prefix.length), value: JSON.parse(text) });
      } catch {
        continue;
      }
    }
    return found.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** @param {boolean} othersFirst leave those of this video, if there are others */
  dropSteps(othersFirst) {
    const own = this.prefix.slice(this.prefix.indexOf("/"));
    const steps = keysOf(this.storage, STEPS + "/");
    const others = steps.filter((key) => !key.startsWith(STEPS + own));
    const dropped = othersFirst && others.length ? others : steps;
    for (const key of dropped) this.storage?.removeItem(key);
    return dropped.length > 0;
  }
}

/** Where undo steps lie, and what gives way first when the storage is full.
 * @param {KeyStorage | null} storage
 * @param {{user: string, video: string, domain: string}} whose */
export function stepShelf(storage, whose) {
  return new Shelf(storage, STEPS, whose);
}

/** Where the versions lie that lost against somebody else's, until one is chosen.
 * @param {KeyStorage | null} storage
 * @param {{user: string, video: string, domain: string}} whose */
export function conflictShelf(storage, whose) {
  return new Shelf(storage, CONFLICTS, whose);
}

/** Operations that the server has not answered yet. */
export class OperationQueue {
  /**
   * @param {KeyStorage | null} storage
   * @param {{user: string, video: string, domain: string}} whose
   * @param {() => number} now
   */
  constructor(storage, whose, now) {
    this.shelf = new Shelf(storage, OPERATIONS, whose);
    this.now = now;
    this.lastAt = 0;
    /** Operations that only this tab's memory holds. @type {Map<string, Queued>} */
    this.unstored = new Map();
  }

  /**
   * @param {Operation} operation
   * @param {Fields | null} whole the event as it was seen, which an update alone does not tell
   */
  put(operation, whole) {
    // When it was made tells the order between tabs; a clock that goes back must not.
    this.lastAt = Math.max(this.lastAt, this.now());
    this.store({ at: this.lastAt, operation, whole });
  }

  /** @param {Queued} queued */
  store(queued) {
    const { operation } = queued;
    if (this.shelf.put(nameOf(operation), queued)) this.unstored.delete(operation.id);
    else this.unstored.set(operation.id, queued);
    return !this.unstored.has(operation.id);
  }

  /** @param {Operation} operation */
  remove(operation) {
    this.shelf.remove(nameOf(operation));
    this.unstored.delete(operation.id);
  }

  /** Try again to store what did not fit. */
  retry() {
    for (const queued of [...this.unstored.values()]) if (!this.store(queued)) return;
  }

  /**
   * What any tab left there, in the order in which it was made.
   *
   * @param {number} [olderThanMs] leave what is younger to the tab that made it
   * @returns {Queued[]}
   */
  left(olderThanMs = 0) {
    const until = this.now() - olderThanMs;
    return this.shelf
      .all()
      .map(({ value }) => /** @type {Queued} */ (value))
      .filter(({ at, operation }) => operation?.id && (olderThanMs === 0 || at <= until))
      .sort((a, b) => a.at - b.at || (a.operation.client === b.operation.client ? a.operation.seq - b.operation.seq : 0));
  }
}

/** @param {Operation} operation */
function nameOf({ client, seq }) {
  return `${client}/${String(seq).padStart(10, "0")}`;
}

/**
 * @param {KeyStorage | null} storage
 * @param {string} prefix
 */
function keysOf(storage, prefix) {
  const keys = [];
  try {
    for (let index = 0; index < (storage?.length ?? 0); index++) {
      const key = storage?.key(index);
      if (key?.startsWith(prefix)) keys.push(key);
    }
  } catch {
    return keys;
  }
  return keys;
}
