// The player: seek, step, speed, shuttle, loop. A frame is told as exact only when it is verified.

import { FrameSeeker } from "./seeker.js";
import { openVideo } from "./opening.js";
import { diagnose, isSameFile, unsure } from "./player_trouble.js";
import { goBackwards } from "./backwards.js";

/** @typedef {import("./frames.js").FrameTable} FrameTable */
/** @typedef {import("./seeker.js").Landing} Landing */
/** @typedef {import("./seeker.js").Shown} Shown */
/** @typedef {{url: string, frames: FrameTable, codec: string}} Source */

export const MIN_RATE = 0.25;
export const MAX_RATE = 8;
/** A file that stopped playing is opened again by itself, but not more often than this. */
const REOPEN_MS = 10_000;

/**
 * Events: `frame` {frame, us, exact, playing}, `state` {playing, rate, loop}, `ready`, and `trouble`
 * {sentence, kind: "unplayable" | "expired" | "inexact" | "network"}.
 */
export class ExactPlayer extends EventTarget {
  /** @param {HTMLVideoElement} video */
  constructor(video) {
    super();
    this.video = video;
    this.seeker = new FrameSeeker(video, {
      shown: (shown) => this.onShown(shown),
      landed: (landing) => this.onLanded(landing),
    });
    /** @type {Source | null} */
    this.source = null;
    /** What a person wants: stillness, or movement in a direction. @type {"still" | "forward" | "back"} */
    this.intent = "still";
    this.baseRate = 1;
    /** How much faster the shuttle runs: 1, 2, 4, 8. */
    this.shuttleSpeed = 1;
    /** @type {{first: number, last: number} | null} */
    this.span = null;
    /** @type {number | null} */
    this.verified = null;
    /** Where it was or is to be: a video that has to be opened again goes on there. */
    this.place = 0;
    this.isReady = false;
    this.loads = 0;
    this.backs = 0;
    this.reopenedAt = -Infinity;
    this.listeners = /** @type {const} */ ({
      error: () => void this.onError(),
      ended: () => this.onEnded(),
      // A browser pauses by itself: media keys, another tab with sound, saving power.
      pause: () => this.intent === "forward" && this.isReady && !video.ended && !video.seeking && void this.pause(),
    });
    for (const [name, listener] of Object.entries(this.listeners)) video.addEventListener(name, listener);
  }

  /**
   * Open a video. The same file at an address with a new permission goes on without a break; another
   * file of the same video (its proxy) goes on at the same frame.
   *
   * @param {{url: string, frames: FrameTable, codec: string, startFrame?: number | null}} source
   * @returns {Promise<void>} when its first frame is shown, or its trouble is told
   */
  async load({ url, frames, codec, startFrame }) {
    const before = this.source;
    this.source = { url, frames, codec };
    if (before && this.isReady && !this.video.error && before.frames.count === frames.count && isSameFile(before.url, url)) return;
    await this.open(startFrame ?? this.place);
  }

  /** @param {number} frame */
  async open(frame) {
    const { video, seeker, source } = this;
    if (!source) return;
    const load = ++this.loads;
    const goOn = this.intent === "forward";
    this.place = source.frames.clamp(frame);
    this.intent = "still";
    this.verified = null;
    this.isReady = false;
    seeker.reset();
    const opened = await openVideo(video, seeker, source, () => load === this.loads);
    if (load !== this.loads || video.error) return;
    if (opened.trouble) this.tellTrouble(opened.trouble);
    if (!opened.isShown) return;
    this.isReady = true;
    video.playbackRate = this.baseRate;
    await seeker.seek(this.place);
    if (load !== this.loads) return;
    this.dispatchEvent(new CustomEvent("ready"));
    this.tellState();
    if (goOn) await this.play();
  }

  /** The frame on screen if it is verified, null while the picture moves or nothing is certain. */
  get frame() {
    return this.seeker.isSeeking ? null : this.verified;
  }

  /** The frame on screen as the browser told last; while playing it is right to a frame or two. */
  get shown() {
    return this.frame ?? this.seeker.last?.frame ?? null;
  }

  /**
   * The frame that was on screen at a time of the page, null if none was.
   *
   * @param {number} at as `performance.now()` and the time stamps of events
   */
  shownAt(at) {
    return this.frame ?? this.seeker.shownAt(at)?.frame ?? null;
  }

  /** When the frame on screen starts, in microseconds. */
  get us() {
    return this.frames?.startUs(this.shown ?? 0) ?? 0;
  }

  get frames() {
    return this.source?.frames ?? null;
  }

  get playing() {
    return this.intent !== "still";
  }

  get paused() {
    return this.intent === "still";
  }

  /** The speed, negative while it runs backwards. */
  get rate() {
    if (this.intent === "back") return -this.shuttleSpeed;
    return this.intent === "forward" ? Math.min(MAX_RATE, this.baseRate * this.shuttleSpeed) : this.baseRate;
  }

  /**
   * Show a frame. While the video plays it goes on from there, and nothing is verified.
   *
   * @param {number} index beyond the ends: the first or last frame
   * @returns {Promise<Landing>}
   */
  async seekToFrame(index) {
    if (!Number.isFinite(index)) throw new RangeError(`A frame has a whole number, not ${index}.`);
    if (!this.frames || !this.isReady) return { frame: null, exact: false };
    const frame = this.frames.clamp(index);
    // Also if it is never reached, because the permission ran out: it is sought again after that.
    this.place = frame;
    if (this.intent === "back") this.halt();
    if (this.intent === "forward" && !this.seeker.isSeeking) return this.jump(frame);
    return this.seeker.seek(frame);
  }

  /** @param {number} us @returns {Promise<Landing>} */
  async seekToUs(us) {
    return this.seekToFrame(this.frames?.indexAt(us) ?? 0);
  }

  /** Step over frames; a video that plays stops first. @param {number} count @returns {Promise<Landing>} */
  async step(count) {
    if (this.playing) this.halt();
    return this.seekToFrame((this.seeker.goal ?? this.shown ?? 0) + count);
  }

  /** @returns {Promise<number | null>} the frame on screen once it is verified; null while playing */
  async whenExact() {
    if (!this.seeker.isSeeking) return this.frame;
    const { frame, exact } = await this.seeker.settled();
    return exact ? frame : null;
  }

  async play() {
    const { video, seeker } = this;
    if (!this.isReady || !this.frames || this.intent === "forward") return;
    this.backs++;
    this.intent = "forward";
    this.shuttleSpeed = 1;
    const { span } = this;
    const at = seeker.goal ?? this.shown ?? 0;
    if (span && (at < span.first || at >= span.last)) void seeker.seek(span.first);
    else if (!span && at >= this.frames.count - 1) void seeker.seek(0);
    this.tellState();
    if (seeker.isSeeking) await seeker.settled();
    if (this.intent !== "forward") return;
    this.verified = null;
    video.playbackRate = this.rate;
    try {
      await video.play();
    } catch {
      // The browser refused, or a pause came first: then nothing plays, and the state says so.
      if (this.intent === "forward" && video.paused) await this.pause();
    }
  }

  /** Stop and verify what is shown. @returns {Promise<Landing>} */
  async pause() {
    const moved = this.playing;
    this.halt();
    this.tellState();
    if (!moved) return { frame: this.frame, exact: this.frame !== null };
    return this.seekToFrame(this.seeker.goal ?? this.shown ?? 0);
  }

  async toggle() {
    await (this.playing ? this.pause() : this.play());
  }

  halt() {
    this.backs++;
    this.intent = "still";
    this.shuttleSpeed = 1;
    this.video.pause();
  }

  /** @param {number} rate 0.25 to 8; beyond, the nearest of them */
  setRate(rate) {
    if (!Number.isFinite(rate)) throw new RangeError(`A speed is a number from ${MIN_RATE} to ${MAX_RATE}, not ${rate}.`);
    this.baseRate = Math.min(MAX_RATE, Math.max(MIN_RATE, rate));
    this.shuttleSpeed = 1;
    this.video.playbackRate = this.baseRate;
    this.tellState();
  }

  /** Back, stop, forward; the same direction again doubles the speed. @param {-1 | 0 | 1} direction */
  async shuttle(direction) {
    const wanted = /** @type {const} */ ({ "-1": "back", 0: "still", 1: "forward" })[direction];
    if (wanted === "still") {
      await this.pause();
    } else if (this.intent === wanted) {
      const limit = wanted === "back" ? MAX_RATE : MAX_RATE / this.baseRate;
      if (this.shuttleSpeed * 2 <= limit) this.shuttleSpeed *= 2;
      if (wanted === "forward") this.video.playbackRate = this.rate;
      else void this.runBack();
      this.tellState();
    } else if (wanted === "forward") {
      await this.play();
    } else if (this.isReady) {
      this.halt();
      this.intent = "back";
      this.tellState();
      void this.runBack();
    }
  }

  async runBack() {
    const run = ++this.backs;
    await goBackwards(this, () => (run === this.backs ? this.shuttleSpeed : 0));
    if (run === this.backs) await this.pause();
  }

  /**
   * Keep to a stretch when it plays; a video that stands still goes on standing.
   *
   * @param {number} startUs
   * @param {number} endUs
   */
  keepTo(startUs, endUs) {
    if (!this.frames) return;
    const first = this.frames.indexAt(startUs);
    this.span = { first, last: Math.max(first, this.frames.indexAt(endUs - 1)) };
    this.tellState();
  }

  /** Play a stretch again and again, from its start. @param {number} startUs @param {number} endUs */
  async loop(startUs, endUs) {
    this.keepTo(startUs, endUs);
    if (!this.frames || !this.span) return;
    const { first } = this.span;
    if (this.intent === "forward") await this.jump(first);
    else {
      void this.seekToFrame(first);
      await this.play();
    }
  }

  unloop() {
    this.span = null;
    this.tellState();
  }

  close() {
    this.loads++;
    this.halt();
    this.source = null;
    this.isReady = false;
    for (const [name, listener] of Object.entries(this.listeners)) this.video.removeEventListener(name, listener);
    this.seeker.close();
    this.video.removeAttribute("src");
    this.video.load();
  }

  /** Go on playing from another frame. @param {number} frame @returns {Promise<Landing>} */
  jump(frame) {
    const { video, seeker, frames } = this;
    video.currentTime = ((seeker.zeroUs ?? 0) + (frames?.middleUs(frame) ?? 0)) / 1e6;
    return new Promise((resolve) => {
      video.addEventListener("seeked", () => resolve({ frame: this.shown, exact: false }), { once: true });
    });
  }

  /** @param {Shown} shown */
  onShown({ frame }) {
    if (!this.isReady) return;
    if (this.intent === "forward" && !this.video.paused) {
      this.tellFrame(frame, false);
      const { span, video } = this;
      if (span && !video.seeking && (frame > span.last || frame < span.first)) void this.jump(span.first);
    } else if (this.verified !== null && !this.seeker.isSeeking && frame !== this.verified) {
      // The browser changed the picture after it was verified: bring back what was asked for.
      const asked = this.verified;
      this.verified = null;
      void this.seeker.seek(asked);
    }
  }

  /** @param {Landing} landing */
  onLanded({ frame, exact }) {
    this.verified = exact ? frame : null;
    if (frame !== null) this.tellFrame(frame, exact);
    if (!exact && !this.seeker.isSeeking && !this.video.error) this.tellTrouble(unsure(this.source?.codec));
  }

  onEnded() {
    if (this.span && this.intent === "forward") {
      void this.jump(this.span.first);
      void this.video.play();
    } else void this.pause();
  }

  async onError() {
    const { source, loads } = this;
    const wasReady = this.isReady;
    const goOn = this.intent;
    this.isReady = false;
    this.verified = null;
    if (!source) return;
    const found = await diagnose(source, this.video.error);
    if (loads !== this.loads) return;
    const isEarly = performance.now() - this.reopenedAt < REOPEN_MS;
    if (found.reachable && wasReady && !isEarly) {
      // Permissions to a store run out while a file is open; a new request gets a new one.
      this.reopenedAt = performance.now();
      this.intent = goOn;
      await this.open(this.place);
    } else {
      this.halt();
      this.tellState();
      this.tellTrouble(found);
    }
  }

  /** @param {number} frame @param {boolean} exact */
  tellFrame(frame, exact) {
    this.place = frame;
    const us = this.frames?.startUs(frame) ?? 0;
    this.dispatchEvent(new CustomEvent("frame", { detail: { frame, us, exact, playing: this.playing } }));
  }

  tellState() {
    const { playing, rate } = this;
    this.dispatchEvent(new CustomEvent("state", { detail: { playing, rate, loop: this.span !== null } }));
  }

  /** @param {{sentence: string, kind: string}} trouble */
  tellTrouble({ sentence, kind }) {
    this.dispatchEvent(new CustomEvent("trouble", { detail: { sentence, kind } }));
  }
}
