// Keys that are held and tapped become events. While the video plays, times come from the frame on
// screen at the key, less the reaction lag; while it stands still, from the verified frame.

/** @typedef {import("./frames.js").FrameTable} FrameTable */
/** @typedef {import("./lag.js").ReactionLag} ReactionLag */
/** @typedef {{name: string, kind: string}} MarkedType */
/**
 * @typedef {{playing: boolean, rate: number, frame: number | null, shown: number | null, frames: FrameTable | null,
 *   shownAt: (at: number) => number | null, whenExact: () => Promise<number | null>}} MarkedPlayer  what marking needs of an `ExactPlayer`
 */
/**
 * An instant that somebody marked. `startUs` is where an event starts that starts here, `endUs` where
 * one ends that ends here; `rawUs` is what was on screen, null if the picture stood still.
 *
 * @typedef {{startUs: number, endUs: number, rawUs: number | null, rate: number, lagMs: number}} Instant
 */
/** @typedef {{event_type: string, from: Instant, pressedAt: number, isDown: boolean, isLocked: boolean}} Hold */

/** A shorter press is a tap: it opens a segment that the next press closes. */
export const TAP_MS = 220;

/**
 * Emits `mark` {event_type, kind, start_us, end_us, live} and `open` {holds}.
 * `live` is null for marks on a still picture, else {rate, lag_ms, raw_start_us, raw_end_us}; a raw
 * time is null where that edge was marked on a still picture, or at another speed.
 */
export class Marking extends EventTarget {
  /** @param {{player: MarkedPlayer, lag: ReactionLag, eventTypes: MarkedType[], frames?: FrameTable}} parts */
  constructor({ player, lag, eventTypes, frames }) {
    super();
    this.player = player;
    this.lag = lag;
    this.kinds = new Map(eventTypes.map((type) => [type.name, type.kind]));
    this.ownFrames = frames ?? null;
    /** At most one of a type. @type {Map<string, Hold>} */
    this.holds = new Map();
    /** Types whose key was pressed while the frame on screen was being verified. @type {Set<string>} */
    this.pending = new Set();
  }

  /**
   * A class key went down; repeats of a held key must not come here.
   *
   * @param {string} type
   * @param {{shift?: boolean, at?: number}} [how] `shift`: keep the segment open until the next press;
   *   `at`: when the key was pressed, as `event.timeStamp`
   */
  keyDown(type, { shift = false, at = performance.now() } = {}) {
    const kind = this.kinds.get(type);
    if (kind === undefined || this.holds.get(type)?.isDown) return;
    const instant = this.instantAt(at);
    if (instant) this.press(type, kind, instant, shift, at);
    else if (!this.pending.has(type)) void this.pressWhenExact(type, kind, shift, at);
  }

  /** @param {string} type @param {{at?: number}} [when] */
  keyUp(type, { at = performance.now() } = {}) {
    const hold = this.holds.get(type);
    if (!hold?.isDown) return;
    hold.isDown = false;
    const isStill = hold.from.rawUs === null;
    if (hold.isLocked || isStill || at - hold.pressedAt < TAP_MS) {
      this.tellOpen();
      return;
    }
    const instant = this.instantAt(at);
    if (instant) this.finish(hold, instant);
    else void this.finishWhenExact(hold);
  }

  /** The page is left or loses the keyboard: finish what is open, at what is on screen. */
  releaseAll() {
    for (const hold of [...this.holds.values()]) {
      const frame = this.player.frame ?? this.player.shown;
      const instant = this.instantAt(performance.now()) ?? (frame === null ? hold.from : this.stillInstant(frame));
      this.finish(hold, instant);
    }
  }

  /** @param {string} type @param {string} kind @param {Instant} instant @param {boolean} shift @param {number} at */
  press(type, kind, instant, shift, at) {
    if (kind === "point") {
      this.emitMark(type, kind, instant, instant);
      return;
    }
    const open = this.holds.get(type);
    if (open) {
      this.finish(open, instant);
      return;
    }
    this.holds.set(type, { event_type: type, from: instant, pressedAt: at, isDown: true, isLocked: shift });
    this.tellOpen();
  }

  /** @param {string} type @param {string} kind @param {boolean} shift @param {number} at */
  async pressWhenExact(type, kind, shift, at) {
    this.pending.add(type);
    const frame = await this.player.whenExact();
    this.pending.delete(type);
    const instant = frame === null ? this.instantAt(at) : this.stillInstant(frame);
    if (!instant) return;
    this.press(type, kind, instant, shift, at);
    const hold = this.holds.get(type);
    // The key may be up again by now; on a still picture that changes nothing.
    if (hold) hold.isDown = false;
  }

  /** @param {Hold} hold */
  async finishWhenExact(hold) {
    const frame = await this.player.whenExact();
    if (this.holds.get(hold.event_type) !== hold) return;
    const seen = frame ?? this.player.shown;
    this.finish(hold, seen === null ? hold.from : this.stillInstant(seen));
  }

  /**
   * What a key means at a time of the page; null if the picture stands still and is not verified yet.
   *
   * @param {number} at
   * @returns {Instant | null}
   */
  instantAt(at) {
    const { player, lag } = this;
    if (player.frame !== null) return this.stillInstant(player.frame);
    if (!player.playing || player.rate < 0) return null;
    const frame = player.shownAt(at);
    if (frame === null) return null;
    const rawUs = this.frames.startUs(frame);
    const meantUs = this.frames.nearestEdge(Math.max(0, rawUs - lag.offsetUs(player.rate)));
    return { startUs: meantUs, endUs: meantUs, rawUs, rate: player.rate, lagMs: lag.appliedMs };
  }

  /** @param {number} frame @returns {Instant} */
  stillInstant(frame) {
    return { startUs: this.frames.startUs(frame), endUs: this.frames.endUs(frame), rawUs: null, rate: 1, lagMs: 0 };
  }

  get frames() {
    const frames = this.ownFrames ?? this.player.frames;
    if (!frames) throw new Error("There is no video open, so there is nothing to mark.");
    return frames;
  }

  /** @param {Hold} hold @param {Instant} to */
  finish(hold, to) {
    this.holds.delete(hold.event_type);
    this.emitMark(hold.event_type, "segment", hold.from, to);
    this.tellOpen();
  }

  /** @param {string} type @param {string} kind @param {Instant} from @param {Instant} to */
  emitMark(type, kind, from, to) {
    const detail = { event_type: type, kind, ...this.span(kind, from, to), live: liveOf(kind, from, to) };
    this.dispatchEvent(new CustomEvent("mark", { detail }));
  }

  /** @param {string} kind @param {Instant} from @param {Instant} to */
  span(kind, from, to) {
    const { frames } = this;
    // The end of the last frame is an edge, but nothing starts there.
    const [first, last] = from.startUs <= to.startUs ? [from, to] : [to, from];
    const start = frames.startUs(frames.indexAt(first.startUs));
    if (kind === "point") return { start_us: start, end_us: start };
    return { start_us: start, end_us: Math.max(last.endUs, frames.endUs(frames.indexAt(start))) };
  }

  /** What is open, for drawing. */
  get openHolds() {
    return [...this.holds.values()].map((hold) => ({
      event_type: hold.event_type,
      start_us: hold.from.startUs,
      locked: hold.isLocked || !hold.isDown,
    }));
  }

  tellOpen() {
    this.dispatchEvent(new CustomEvent("open", { detail: { holds: this.openHolds } }));
  }
}

/** @param {string} kind @param {Instant} from @param {Instant} to */
function liveOf(kind, from, to) {
  const isSwapped = from.startUs > to.startUs;
  const [first, last] = isSwapped ? [to, from] : [from, to];
  if (first.rawUs === null && last.rawUs === null) return null;
  if (kind === "point") return { rate: first.rate, lag_ms: first.lagMs, raw_start_us: first.rawUs, raw_end_us: null };
  const told = last.rawUs === null ? first : last;
  const isSameSpeed = first.rate === told.rate;
  return {
    rate: told.rate,
    lag_ms: told.lagMs,
    raw_start_us: isSameSpeed ? first.rawUs : null,
    raw_end_us: last.rawUs,
  };
}
