// Which stretch of the video is shown where: time to pixels and back, zoom, pan, ticks. Pure.

/** @typedef {import("../frames.js").FrameTable} FrameTable */

/** Frames wider than this are drawn one by one. */
export const FRAME_TICK_PX = 6;
const FEWEST_FRAMES = 6;

export class View {
  /**
   * @param {number} durationUs how long the video is
   * @param {number} frameCount how many frames it has; decides how close one can look
   */
  constructor(durationUs, frameCount) {
    this.durationUs = Math.max(1, durationUs);
    const frameUs = this.durationUs / Math.max(1, frameCount);
    this.minSpanUs = Math.min(this.durationUs, FEWEST_FRAMES * frameUs);
    this.startUs = 0;
    this.endUs = this.durationUs;
    /** Left edge of the plot, in CSS pixels. */
    this.left = 0;
    /** Width of the plot, in CSS pixels. */
    this.width = 1;
  }

  get spanUs() {
    return this.endUs - this.startUs;
  }

  get usPerPx() {
    return this.spanUs / this.width;
  }

  /**
   * @param {number} left
   * @param {number} width
   */
  place(left, width) {
    this.left = left;
    this.width = Math.max(1, width);
  }

  /** @param {number} us */
  xOf(us) {
    return this.left + ((us - this.startUs) / this.spanUs) * this.width;
  }

  /** @param {number} x */
  usOf(x) {
    return this.startUs + ((x - this.left) / this.width) * this.spanUs;
  }

  /**
   * Show `[startUs, endUs)`, or as much of it as there is; returns whether anything moved.
   *
   * @param {number} startUs
   * @param {number} endUs
   */
  show(startUs, endUs) {
    const span = Math.min(this.durationUs, Math.max(this.minSpanUs, endUs - startUs));
    // What is too short is widened around its middle.
    const middle = (startUs + endUs) / 2;
    const start = Math.min(this.durationUs - span, Math.max(0, middle - span / 2));
    const moved = start !== this.startUs || start + span !== this.endUs;
    this.startUs = start;
    this.endUs = start + span;
    return moved;
  }

  /**
   * Zoom; `anchorUs` stays where it is.
   *
   * @param {number} factor above 1 = closer
   * @param {number} [anchorUs] by default the middle
   */
  zoomBy(factor, anchorUs = (this.startUs + this.endUs) / 2) {
    const span = Math.min(this.durationUs, Math.max(this.minSpanUs, this.spanUs / factor));
    const start = anchorUs - ((anchorUs - this.startUs) / this.spanUs) * span;
    return this.show(start, start + span);
  }

  /** @param {number} us later = positive */
  panByUs(us) {
    const start = Math.min(this.durationUs - this.spanUs, Math.max(0, this.startUs + us));
    return this.show(start, start + this.spanUs);
  }

  /**
   * Say whether frames are wide enough to be drawn and told apart.
   *
   * @param {FrameTable} frames
   */
  showsFrames(frames) {
    return (this.durationUs / Math.max(1, frames.count)) / this.usPerPx > FRAME_TICK_PX;
  }
}

/** Distances between labelled ticks, in microseconds. */
const STEPS_US = [
  1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 2e6, 5e6, 1e7, 1.5e7, 3e7, 6e7, 1.2e8, 3e8, 6e8, 9e8, 1.8e9, 3.6e9, 7.2e9,
  1.44e10, 3.6e10,
];

/**
 * The smallest round distance that leaves labels `roomPx` pixels.
 *
 * @param {number} usPerPx
 * @param {number} roomPx
 */
export function tickStepUs(usPerPx, roomPx) {
  return STEPS_US.find((step) => step / usPerPx >= roomPx) ?? STEPS_US[STEPS_US.length - 1];
}

/**
 * Time as a tick says it: only as many decimals as its distance needs.
 *
 * @param {number} us
 * @param {number} stepUs
 */
export function tickLabel(us, stepUs) {
  const decimals = stepUs >= 1e6 ? 0 : stepUs >= 1e5 ? 1 : stepUs >= 1e4 ? 2 : 3;
  const unit = 10 ** (6 - decimals);
  const whole = Math.round(us / unit);
  const perSecond = 10 ** decimals;
  const seconds = Math.floor(whole / perSecond);
  const fraction = decimals ? `.${String(whole % perSecond).padStart(decimals, "0")}` : "";
  const rest = `${String(seconds % 60).padStart(2, "0")}${fraction}`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}:${rest}`;
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${rest}`;
}

/**
 * The frame under a time, as its first microsecond: where points lie and where one seeks.
 *
 * @param {FrameTable} frames
 * @param {number} us
 */
export function frameStart(frames, us) {
  return frames.startUs(frames.indexAt(us));
}
