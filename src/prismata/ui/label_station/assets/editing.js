// Edits that people make with keys and pointer, said as changes of the store.

/** @typedef {import("./store.js").LabelStore} LabelStore */
/** @typedef {import("./store.js").LabelEvent} LabelEvent */
/** @typedef {import("./frames.js").FrameTable} FrameTable */
/** @typedef {import("./lag.js").ReactionLag} ReactionLag */
/** @typedef {{rate: number, lag_ms: number, raw_start_us: number, raw_end_us: number | null}} Live */

/**
 * The whole state of a new event.
 *
 * @param {string} eventType
 * @param {string} kind
 * @param {number} startUs
 * @param {number} endUs
 */
export function newState(eventType, kind, startUs, endUs) {
  return {
    start_us: startUs,
    end_us: kind === "point" ? startUs : endUs,
    event_type: eventType,
    kind,
    review_state: "none",
    attributes: {},
  };
}

export class Editing {
  /**
   * @param {LabelStore} store
   * @param {FrameTable} frames
   * @param {ReactionLag} lag
   */
  constructor(store, frames, lag) {
    this.store = store;
    this.frames = frames;
    this.lag = lag;
    /** Marks made while the video played, for learning from how they are corrected.
     * @type {Map<string, Live>} */
    this.live = new Map();
  }

  /**
   * Store a mark; returns its id.
   *
   * @param {{event_type: string, kind: string, start_us: number, end_us: number, live: Live | null}} mark
   */
  add(mark) {
    this.begin();
    const id = this.store.create(newState(mark.event_type, mark.kind, mark.start_us, mark.end_us));
    if (mark.live) this.live.set(id, mark.live);
    return id;
  }

  /** Whoever edits a new video has begun with it; that is no step of its own to undo. */
  begin() {
    if (this.store.sheet.status === "new") this.store.setSheet({ status: "in_progress" }, { undoable: false });
  }

  /**
   * Change an event and learn from it, if it was marked live. Returns whether anything changed.
   *
   * @param {string} id
   * @param {Record<string, unknown>} changes
   */
  change(id, changes) {
    const before = this.store.get(id);
    if (!before) return false;
    const after = { ...before, ...changes };
    if (after.kind === "segment" && Number(after.end_us) <= Number(after.start_us)) return false;
    this.begin();
    this.store.update(id, changes);
    const live = this.live.get(id);
    if (live) {
      if (typeof changes.start_us === "number") this.lag.learn(live.raw_start_us, changes.start_us, live.rate);
      if (typeof changes.end_us === "number" && live.raw_end_us !== null && after.kind === "segment") {
        this.lag.learn(live.raw_end_us, changes.end_us, live.rate);
      }
    }
    return true;
  }

  /**
   * Move one edge by frames; a point has one edge. Returns where it is now, null if it cannot go there.
   *
   * @param {string} id
   * @param {"start" | "end"} edge
   * @param {number} steps
   */
  nudge(id, edge, steps) {
    const event = this.store.get(id);
    if (!event) return null;
    const key = event.kind === "point" || edge === "start" ? "start_us" : "end_us";
    const moved = this.shifted(event[key], steps, key === "end_us");
    const changes = event.kind === "point" ? { start_us: moved, end_us: moved } : { [key]: moved };
    return moved !== event[key] && this.change(id, changes) ? moved : null;
  }

  /**
   * @param {number} us a frame's start, or for ends the end of the last frame
   * @param {number} steps
   * @param {boolean} isEnd
   */
  shifted(us, steps, isEnd) {
    const { frames } = this;
    // As a number of edges from the start, 0 … count; the last is the end of the video.
    const at = us >= frames.durationUs ? frames.count : frames.indexAt(us);
    const next = Math.min(isEnd ? frames.count : frames.count - 1, Math.max(0, at + steps));
    return next >= frames.count ? frames.durationUs : frames.startUs(next);
  }

  /** @param {string} id */
  mergeWithNext(id) {
    const event = this.store.get(id);
    if (!event) return null;
    const next = this.store
      .list()
      .find((other) => other.event_type === event.event_type && other.id !== id && other.start_us >= event.start_us && other.kind === event.kind);
    if (!next) return null;
    this.store.merge(id, next.id);
    return id;
  }

  /**
   * The event after or before an instant or the selected event, in order of time.
   *
   * @param {string | null} id
   * @param {number} us
   * @param {1 | -1} step
   */
  neighbour(id, us, step) {
    const events = this.store.list();
    const at = id ? events.findIndex((event) => event.id === id) : -1;
    if (at >= 0) return events[at + step] ?? null;
    if (step > 0) return events.find((event) => event.start_us > us) ?? null;
    return events.findLast((event) => event.start_us < us) ?? null;
  }
}
