// What of a card's video was really played: the server counts it as watched, but for labels.

import { WatchRecorder, union } from "../coverage.js";

/** @typedef {import("../coverage.js").Span} Span */

/** Records one card after the other. */
export class Seen {
  constructor() {
    /** @type {readonly Span[]} what is known already: nothing, the server leaves out what it knows */
    this.coverage = [];
    /** @type {Span[]} */
    this.spans = [];
    /** @type {WatchRecorder | null} */
    this.recorder = null;
  }

  /**
   * Begin with a card that is on screen.
   *
   * @param {EventTarget & {rate?: number, frames: import("../frames.js").FrameTable | null}} player
   */
  begin(player) {
    this.end();
    if (player.frames) this.recorder = new WatchRecorder({ player, store: this, frames: player.frames });
  }

  /** @param {number} _start @param {number} _end @param {Span[]} spans */
  paint(_start, _end, spans) {
    this.spans = union([...this.spans, ...spans]);
  }

  /** Leave the card. */
  end() {
    this.recorder?.close();
    this.recorder = null;
    this.spans = [];
  }

  /** What was played of this card until now, in microseconds. @returns {[number, number][]} */
  told() {
    this.recorder?.flush();
    return this.spans.map(([start, end]) => [start, end]);
  }
}
