// How long after a moment a person presses the key; learned from how they correct their own marks.

export const DEFAULT_LAG_MS = 250;
/** So many corrections are needed before they say more than the default. */
export const ENOUGH = 5;
const KEPT = 60;
/** A larger correction is not reaction time but another opinion. */
const OUTLIER_MS = 1500;

/** Emits `change` whenever something that should be stored changed. */
export class ReactionLag extends EventTarget {
  constructor() {
    super();
    /** Milliseconds of wall time, oldest first. @type {{ms: number, rawUs: number | null}[]} */
    this.samples = [];
    this.isEnabled = true;
  }

  get enabled() {
    return this.isEnabled;
  }

  set enabled(on) {
    if (on === this.isEnabled) return;
    this.isEnabled = on;
    this.tell();
  }

  /** How many corrections it rests on. */
  get count() {
    return this.samples.length;
  }

  get isLearned() {
    return this.samples.length >= ENOUGH;
  }

  /** The lag in milliseconds of wall time, whether it is applied or not. */
  get ms() {
    return this.isLearned ? median(this.samples.map((sample) => sample.ms)) : DEFAULT_LAG_MS;
  }

  /** What is taken off a live mark now, in milliseconds of wall time. */
  get appliedMs() {
    return this.isEnabled ? this.ms : 0;
  }

  /**
   * What is taken off a mark that was made at a speed, in microseconds of video time.
   *
   * @param {number} rate
   */
  offsetUs(rate) {
    return Math.round(this.appliedMs * 1000 * rate);
  }

  /**
   * Learn from a live mark that its maker corrected. Correcting the same mark further replaces what
   * was learned from it: an edge that is moved frame by frame is one correction.
   *
   * @param {number | null} rawUs what was on screen at the key, before anything was taken off; null: unknown
   * @param {number} correctedUs where the person put it
   * @param {number} rate the speed at that time
   * @returns {boolean} whether something was learned
   */
  learn(rawUs, correctedUs, rate) {
    if (rawUs === null || !Number.isFinite(rawUs) || !Number.isFinite(correctedUs) || !(rate > 0)) return false;
    const ms = (rawUs - correctedUs) / 1000 / rate;
    const rest = this.samples.filter((sample) => sample.rawUs !== rawUs);
    const isSample = Math.abs(ms) <= OUTLIER_MS;
    if (!isSample && rest.length === this.samples.length) return false;
    this.samples = isSample ? [...rest, { ms, rawUs }].slice(-KEPT) : rest;
    this.tell();
    return isSample;
  }

  forget() {
    this.samples = [];
    this.tell();
  }

  tell() {
    this.dispatchEvent(new CustomEvent("change"));
  }

  toJSON() {
    return { enabled: this.isEnabled, samples: this.samples.map((sample) => Math.round(sample.ms)) };
  }

  /** Take over what was stored; what makes no sense is left out. @param {unknown} stored */
  fromJSON(stored) {
    const { enabled, samples } = /** @type {{enabled?: unknown, samples?: unknown}} */ (stored ?? {});
    if (typeof enabled === "boolean") this.isEnabled = enabled;
    const numbers = Array.isArray(samples) ? samples : [];
    this.samples = numbers
      .filter((ms) => typeof ms === "number" && Math.abs(ms) <= OUTLIER_MS)
      .slice(-KEPT)
      .map((ms) => ({ ms, rawUs: null }));
  }
}

/** @param {number[]} numbers at least one */
function median(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}
