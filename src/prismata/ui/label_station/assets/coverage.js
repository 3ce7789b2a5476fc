// Coverage: which stretches somebody looked at, and the recorder of what was really watched.
// The algebra is that of core/coverage.py: half-open stretches, sorted, disjoint, equal neighbours joined.

/** @typedef {"watched" | "skipped"} CoverageState */
/** @typedef {[start_us: number, end_us: number, state: CoverageState]} Span */

/**
 * The coverage in which `[startUs, endUs)` holds exactly `inside`.
 *
 * @param {readonly Span[]} spans
 * @param {number} startUs
 * @param {number} endUs
 * @param {readonly Span[]} inside parts beyond the stretch are cut off; none makes it unseen
 * @returns {Span[]}
 */
export function paint(spans, startUs, endUs, inside) {
  /** @type {Span[]} */
  const kept = [];
  for (const [start, end, state] of spans) {
    if (start < startUs) kept.push([start, Math.min(end, startUs), state]);
    if (end > endUs) kept.push([Math.max(start, endUs), end, state]);
  }
  return union([...kept, ...cut(inside, startUs, endUs)]);
}

/**
 * The part of the coverage inside `[startUs, endUs)`.
 *
 * @param {readonly Span[]} spans
 * @param {number} startUs
 * @param {number} endUs
 * @returns {Span[]}
 */
export function cut(spans, startUs, endUs) {
  /** @type {Span[]} */
  const inside = [];
  for (const [start, end, state] of spans) {
    if (start < endUs && end > startUs) inside.push([Math.max(start, startUs), Math.min(end, endUs), state]);
  }
  return union(inside);
}

/**
 * Sort and join; where two contradict, the one that starts first holds as far as it reaches.
 *
 * @param {readonly Span[]} spans
 * @returns {Span[]}
 */
export function union(spans) {
  /** @type {Span[]} */
  const joined = [];
  for (const [start, end, state] of [...spans].sort((a, b) => a[0] - b[0] || a[1] - b[1])) {
    const last = joined.at(-1);
    if (last && start <= last[1] && state === last[2]) last[1] = Math.max(last[1], end);
    else {
      const from = last ? Math.max(start, last[1]) : start;
      if (from < end) joined.push([from, end, state]);
    }
  }
  return joined;
}

/**
 * The stretches of `[startUs, endUs)` of which the coverage says nothing, as spans of one state.
 *
 * @param {readonly Span[]} spans sorted and disjoint
 * @param {number} startUs
 * @param {number} endUs
 * @param {CoverageState} state
 * @returns {Span[]}
 */
export function gaps(spans, startUs, endUs, state) {
  /** @type {Span[]} */
  const open = [];
  let at = startUs;
  for (const [start, end] of cut(spans, startUs, endUs)) {
    if (start > at) open.push([at, start, state]);
    at = end;
  }
  if (at < endUs) open.push([at, endUs, state]);
  return open;
}

/**
 * Which part of a video is covered, 0 … 1.
 *
 * @param {readonly Span[]} spans
 * @param {number} durationUs
 * @param {CoverageState} [state] by default both
 */
export function share(spans, durationUs, state) {
  if (durationUs <= 0) return 0;
  let covered = 0;
  for (const [start, end, told] of cut(spans, 0, durationUs)) if (!state || told === state) covered += end - start;
  return covered / durationUs;
}

const FASTEST = 4;
const LONGEST_GAP_US = 500_000;
const PAINT_EVERY_MS = 3000;

/**
 * Paints as watched what was really shown, where nothing was known; nobody can undo having seen it.
 *
 * A stretch counts from a shown frame to the next one in the video, or while playing to one at most
 * half a second of wall time on: a seek is no watching. Faster than four times nobody sees anything.
 */
export class WatchRecorder {
  /**
   * @param {{player: EventTarget & {rate?: number}, store: {coverage: readonly Span[], paint: (startUs: number, endUs: number, spans: Span[], options: {undoable: boolean}) => unknown}, frames: {endUs: (index: number) => number, indexAt: (us: number) => number}, now?: () => number}} parts
   */
  constructor({ player, store, frames, now = () => performance.now() }) {
    this.player = player;
    this.store = store;
    this.frames = frames;
    this.now = now;
    /** @type {Span[]} */
    this.seen = [];
    /** @type {{us: number, index: number} | null} */
    this.last = null;
    this.paintedAt = now();
    this.onFrame = (/** @type {Event} */ event) => this.record(/** @type {CustomEvent} */ (event).detail);
    this.onState = (/** @type {Event} */ event) => {
      if (!(/** @type {CustomEvent} */ (event).detail.playing)) this.flush();
    };
    player.addEventListener("frame", this.onFrame);
    player.addEventListener("state", this.onState);
  }

  /** @param {{us: number, playing: boolean}} shown */
  record({ us, playing }) {
    const rate = Math.abs(this.player.rate ?? 1);
    const index = this.frames.indexAt(us);
    const from = this.last;
    this.last = { us, index };
    if (from === null || (playing && rate > FASTEST)) return;
    const isStep = Math.abs(index - from.index) <= 1;
    // While it plays a browser may leave out frames that it has no time to draw.
    const isPlayed = playing && Math.abs(us - from.us) <= LONGEST_GAP_US * rate;
    if (!isStep && !isPlayed) return;
    const span = /** @type {Span} */ ([Math.min(from.us, us), this.frames.endUs(Math.max(index, from.index)), "watched"]);
    this.seen = union([...this.seen, span]);
    if (this.now() - this.paintedAt >= PAINT_EVERY_MS) this.flush();
  }

  /** Paint what was seen since the last time. */
  flush() {
    this.paintedAt = this.now();
    const seen = this.seen;
    this.seen = [];
    for (const [start, end] of seen) {
      const known = cut(this.store.coverage, start, end);
      const unknown = gaps(known, start, end, "watched");
      if (!unknown.length) continue;
      const [from, to] = [unknown[0][0], unknown[unknown.length - 1][1]];
      this.store.paint(from, to, union([...cut(known, from, to), ...unknown]), { undoable: false });
    }
  }

  close() {
    this.flush();
    this.player.removeEventListener("frame", this.onFrame);
    this.player.removeEventListener("state", this.onState);
  }
}
