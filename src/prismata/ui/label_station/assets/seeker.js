// Seeks that are verified: a frame counts as shown when the browser has told that it put this frame
// on the screen after the seek, and not before. Measured: docs/adr/0014-the-label-station.md.

/** @typedef {import("./frames.js").FrameTable} FrameTable */
/** @typedef {{frame: number, at: number}} Shown  a frame, and when the browser handed it to the screen (performance.now) */
/** @typedef {{frame: number | null, exact: boolean}} Landing */

/** Where in the time of the frame to aim, attempt by attempt, if it was not hit in the middle. */
const ATTEMPTS = 4;
/** Browsers round `performance.now()` to a millisecond. */
const CLOCK_SLACK_MS = 1.5;
/** So long may a finished seek tell nothing before it is asked once more. */
const SILENCE_MS = 300;
/** So often it is asked; then the player says that it cannot verify. */
const MAX_SILENCES = 20;
/** Asked again, aim a little further: a seek to where the video stands already shows nothing new. */
const AIMS = [0, 0.05, -0.05, 0.1, -0.1];
const REMEMBERED = 64;

export class FrameSeeker {
  /**
   * @param {HTMLVideoElement} video
   * @param {{shown: (shown: Shown) => void, landed: (landing: Landing) => void}} tell `shown` for each
   *   frame that the browser shows, `landed` when a seek is over
   */
  constructor(video, tell) {
    this.video = video;
    this.tell = tell;
    /** @type {FrameTable | null} */
    this.frames = null;
    /** Media time of the first frame, in microseconds; null before it was shown. @type {number | null} */
    this.zeroUs = null;
    /** What was shown lately, oldest first. @type {Shown[]} */
    this.history = [];
    /** The frame that is to be shown after the one that is being sought. @type {number | null} */
    this.wish = null;
    /** The frame that is being sought. @type {number | null} */
    this.target = null;
    /** @type {((landing: Landing) => void)[]} */
    this.waiting = [];
    /** @type {(() => void) | null} */
    this.wake = null;
    this.generation = 0;
    this.openedAt = 0;
    this.listen = () => {
      this.handle = this.video.requestVideoFrameCallback((_now, told) => this.onFrame(told));
    };
    this.awaken = () => this.wake?.();
    video.addEventListener("seeked", this.awaken);
    video.addEventListener("error", this.awaken);
    document.addEventListener("visibilitychange", this.awaken);
  }

  /** Begin anew with a file; what was sought before is given up. @param {FrameTable} frames */
  open(frames) {
    this.reset();
    this.frames = frames;
    this.openedAt = performance.now() - CLOCK_SLACK_MS;
    this.listen();
  }

  /**
   * Wait for the first picture after opening; it is the first frame, whatever time the browser gives
   * it: some count from 0, some do not.
   *
   * @returns {Promise<Shown | null>} null if none is shown
   */
  begin() {
    return this.look(() => (this.video.currentTime = 0), this.openedAt);
  }

  /** Give up whatever is being sought; who waits is told that nothing is certain. */
  reset() {
    this.generation++;
    if (this.handle !== undefined) this.video.cancelVideoFrameCallback(this.handle);
    this.zeroUs = null;
    this.history = [];
    this.wish = this.target = null;
    this.wake?.();
    this.settle({ frame: null, exact: false });
  }

  close() {
    this.reset();
    this.video.removeEventListener("seeked", this.awaken);
    this.video.removeEventListener("error", this.awaken);
    document.removeEventListener("visibilitychange", this.awaken);
  }

  /** @param {VideoFrameCallbackMetadata} told */
  onFrame(told) {
    this.listen();
    // A picture of the file that was shown before says nothing about this one.
    if (!this.frames || told.presentationTime < this.openedAt) return;
    this.zeroUs ??= told.mediaTime * 1e6;
    const shown = { frame: this.frames.indexTold(told.mediaTime * 1e6 - this.zeroUs), at: told.presentationTime };
    this.history.push(shown);
    if (this.history.length > REMEMBERED) this.history.shift();
    this.wake?.();
    this.tell.shown(shown);
  }

  /** The frame that was shown last. @returns {Shown | null} */
  get last() {
    return this.history.at(-1) ?? null;
  }

  /**
   * The frame that was on screen at a time of the page, for keys that were pressed a moment ago.
   *
   * @param {number} at as `performance.now()`
   */
  shownAt(at) {
    return this.history.findLast((shown) => shown.at <= at) ?? this.history[0] ?? null;
  }

  get isSeeking() {
    return this.target !== null;
  }

  /** The frame that will be shown when everything asked for is done. */
  get goal() {
    return this.wish ?? this.target;
  }

  /**
   * Show a frame and verify it. If another one is asked for meanwhile, both get what was shown last.
   *
   * @param {number} frame
   * @returns {Promise<Landing>}
   */
  seek(frame) {
    this.wish = frame;
    const landing = this.settled();
    if (this.target === null) void this.run(this.generation);
    return landing;
  }

  /** @returns {Promise<Landing>} what is shown when everything asked for is done */
  settled() {
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  /** @param {number} generation */
  async run(generation) {
    /** @type {Landing} */
    let landing = { frame: null, exact: false };
    while (this.wish !== null) {
      this.target = this.wish;
      this.wish = null;
      landing = await this.approach(this.target);
      if (generation !== this.generation) return;
      if (this.wish === null) this.target = null;
      this.tell.landed(landing);
    }
    this.settle(landing);
  }

  /** @param {Landing} landing */
  settle(landing) {
    for (const resolve of this.waiting.splice(0)) resolve(landing);
  }

  /**
   * @param {number} frame
   * @returns {Promise<Landing>}
   */
  async approach(frame) {
    const { frames } = this;
    let landed = null;
    let share = 0.5;
    for (let attempt = 0; attempt < ATTEMPTS && frames; attempt++) {
      const lengthUs = frames.endUs(frame) - frames.startUs(frame);
      const shown = await this.show(frames.startUs(frame) + share * lengthUs, lengthUs);
      landed = shown?.frame ?? null;
      if (landed === null || landed === frame) break;
      if (this.wish !== null) break;
      share = landed < frame ? 0.75 : 0.25;
    }
    return { frame: landed, exact: landed === frame };
  }

  /**
   * Seek to a time and wait until a picture was shown because of it.
   *
   * @param {number} us
   * @param {number} lengthUs how long the frame stays that is wanted
   * @returns {Promise<Shown | null>} null if the browser shows none, or another file was opened
   */
  show(us, lengthUs) {
    const seek = (/** @type {number} */ again) => {
      const aim = us + AIMS[again % AIMS.length] * lengthUs;
      this.video.currentTime = (aim + (this.zeroUs ?? 0)) / 1e6;
    };
    const askedAt = performance.now() - CLOCK_SLACK_MS;
    seek(0);
    return this.look(seek, askedAt);
  }

  /**
   * Wait for a picture that was shown after a time of the page.
   *
   * @param {(again: number) => void} ask asks once more if the browser tells nothing
   * @param {number} askedAt
   * @returns {Promise<Shown | null>}
   */
  look(ask, askedAt) {
    const { video, generation } = this;
    let silences = 0;
    return new Promise((resolve) => {
      const done = (/** @type {Shown | null} */ shown) => {
        clearInterval(timer);
        this.wake = null;
        resolve(shown);
      };
      const check = () => {
        const { last } = this;
        if (generation !== this.generation || video.error) done(null);
        else if (!video.seeking && last && last.at >= askedAt) done(last);
      };
      const timer = setInterval(() => {
        check();
        // A hidden page is never painted, and what is still loading has nothing to show yet.
        const loading = video.seeking || video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA;
        if (this.wake !== check || loading || document.hidden) return;
        silences++;
        if (silences > MAX_SILENCES) done(null);
        else ask(silences);
      }, SILENCE_MS);
      this.wake = check;
      check();
    });
  }
}
