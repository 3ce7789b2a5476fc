// The strips above and below the lanes: time, thumbnails, sound, coverage.

import { clear, mix } from "./theme.js";
import { tickLabel, tickStepUs } from "./view.js";
import { shortened } from "./lane_frames.js";

/**
 * @typedef {import("./lanes.js").Scene} Scene
 * @typedef {import("./rows.js").Row} Row
 * @typedef {import("../frames.js").FrameTable} FrameTable
 * @typedef {{every_us: number, width: number, height: number, columns: number, rows: number, count: number, sprites: number}} ThumbSheet
 */

const KEPT_SPRITES = 24;

/**
 * @param {Scene} scene
 * @param {Row} row
 * @param {FrameTable} frames
 */
export function drawRuler({ context, theme, view }, row, frames) {
  const foot = row.top + row.height;
  const step = tickStepUs(view.usPerPx, 78);
  const minor = step / (step >= 6e7 && step % 6e7 === 0 && step !== 3e8 ? 6 : 5);
  context.lineWidth = 1;
  context.beginPath();
  const withFrames = view.showsFrames(frames);
  if (!withFrames) {
    for (let us = Math.floor(view.startUs / minor) * minor; us <= view.endUs; us += minor) {
      const x = Math.round(view.xOf(us)) + 0.5;
      context.moveTo(x, foot);
      context.lineTo(x, foot - 4);
    }
  }
  context.strokeStyle = mix(theme.text, theme.ground, 0.6);
  context.stroke();
  context.beginPath();
  context.font = `11px ${theme.font}`;
  context.textAlign = "left";
  context.textBaseline = "middle";
  context.fillStyle = theme.soft;
  for (let n = Math.floor(view.startUs / step); n * step <= view.endUs; n++) {
    const x = Math.round(view.xOf(n * step)) + 0.5;
    context.moveTo(x, foot);
    context.lineTo(x, foot - 11);
    const text = tickLabel(n * step, step);
    const fits = x >= view.left - 1 && x + 4 + context.measureText(text).width <= view.left + view.width;
    if (fits) context.fillText(text, x + 4, foot - 13);
  }
  context.strokeStyle = mix(theme.text, theme.ground, 0.4);
  context.stroke();
  if (withFrames) drawFrameTicks({ context, theme, view }, foot, frames);
}

/**
 * @param {Pick<Scene, "context" | "theme" | "view">} scene
 * @param {number} foot
 * @param {FrameTable} frames
 */
function drawFrameTicks({ context, theme, view }, foot, frames) {
  context.strokeStyle = mix(theme.accent, theme.ground, 0.25);
  context.beginPath();
  for (const x of frameBorders(view, frames)) {
    context.moveTo(x, foot);
    context.lineTo(x, foot - 6);
  }
  context.stroke();
}

/**
 * Pixels of the borders between the frames in view.
 *
 * @param {import("./view.js").View} view
 * @param {FrameTable} frames
 */
export function frameBorders(view, frames) {
  const found = [];
  for (let index = frames.indexAt(view.startUs); index <= frames.count; index++) {
    const us = index < frames.count ? frames.startUs(index) : frames.durationUs;
    if (us > view.endUs) break;
    if (us >= view.startUs) found.push(Math.round(view.xOf(us)) + 0.5);
  }
  return found;
}

/** Small pictures along the video, in sprites of many. */
export class ThumbStrip {
  /**
   * @param {ThumbSheet} sheet
   * @param {(sprite: number) => string} urlOf
   * @param {() => void} onLoad
   */
  constructor(sheet, urlOf, onLoad) {
    this.sheet = sheet;
    this.urlOf = urlOf;
    this.onLoad = onLoad;
    /** In order of use. @type {Map<number, HTMLImageElement>} */
    this.images = new Map();
  }

  /** @param {number} sprite */
  image(sprite) {
    let image = this.images.get(sprite);
    if (image) {
      this.images.delete(sprite);
    } else {
      image = new Image();
      image.decoding = "async";
      image.addEventListener("load", this.onLoad);
      image.src = this.urlOf(sprite);
    }
    this.images.set(sprite, image);
    for (const oldest of this.images.keys()) {
      if (this.images.size <= KEPT_SPRITES) break;
      this.images.delete(oldest);
    }
    return image.complete && image.naturalWidth > 0 ? image : null;
  }

  /**
   * @param {Scene} scene
   * @param {Row} row
   */
  draw({ context, theme, view }, row) {
    const { every_us, width, height, columns, rows, count } = this.sheet;
    const slotPx = (row.height * width) / height;
    // Slots stand still on the video's clock, so that pictures move with it.
    const stepUs = every_us * 2 ** Math.round(Math.log2((slotPx * view.usPerPx) / every_us));
    const stepPx = stepUs / view.usPerPx;
    context.fillStyle = theme.raised;
    context.fillRect(view.left, row.top, view.width, row.height);
    for (let slot = Math.floor(view.startUs / stepUs); slot * stepUs < view.endUs; slot++) {
      const x = view.xOf(slot * stepUs);
      const thumb = Math.min(count - 1, Math.floor(((slot + 0.5) * stepUs) / every_us));
      const image = this.image(Math.floor(thumb / (columns * rows)));
      if (!image) continue;
      const place = thumb % (columns * rows);
      // A slot is wider or narrower than the picture; the picture's middle fills it.
      const scale = Math.max(stepPx / width, row.height / height);
      const [wide, tall] = [stepPx / scale, row.height / scale];
      const left = (place % columns) * width + (width - wide) / 2;
      const top = Math.floor(place / columns) * height + (height - tall) / 2;
      context.drawImage(image, left, top, wide, tall, x, row.top, stepPx, row.height);
      context.fillStyle = theme.ground;
      context.fillRect(x, row.top, 1, row.height);
    }
  }

  close() {
    this.images.clear();
  }
}

/** Loudness, at every zoom. */
export class Waveform {
  /**
   * @param {Uint8Array} peaks
   * @param {number} perSecond
   */
  constructor(peaks, perSecond) {
    this.levels = [peaks];
    this.stepUs = 1e6 / perSecond;
    for (let level = peaks; level.length > 512; this.levels.push(level)) level = folded(level);
  }

  /**
   * @param {Scene} scene
   * @param {Row} row
   */
  draw({ context, theme, view }, row) {
    const level = Math.max(0, Math.min(this.levels.length - 1, Math.floor(Math.log2(view.usPerPx / this.stepUs))));
    const peaks = this.levels[level];
    const stepUs = this.stepUs * 2 ** level;
    const middle = row.top + row.height / 2;
    const half = row.height / 2 - 2;
    const stop = Math.min(peaks.length, Math.ceil(view.endUs / stepUs) + 1);
    const path = new Path2D();
    const width = Math.max(1, stepUs / view.usPerPx);
    for (let i = Math.max(0, Math.floor(view.startUs / stepUs)); i < stop; i++) {
      const tall = Math.max(0.5, (peaks[i] / 255) * half);
      path.rect(view.xOf(i * stepUs), middle - tall, width, 2 * tall);
    }
    context.fillStyle = mix(theme.text, theme.ground, 0.5);
    context.fill(path);
  }
}

/** @param {Uint8Array} peaks */
function folded(peaks) {
  const half = new Uint8Array(Math.ceil(peaks.length / 2));
  for (let i = 0; i < half.length; i++) half[i] = Math.max(peaks[2 * i], peaks[2 * i + 1] ?? 0);
  return half;
}

/**
 * What was looked at: watched is filled, skipped is hatched, never seen is an empty frame.
 *
 * @param {Scene} scene
 * @param {Row} row
 * @param {readonly (readonly [number, number, string])[]} spans
 */
export function drawCoverage(scene, row, spans) {
  const { context, theme, view } = scene;
  const top = row.top + 5;
  const height = row.height - 10;
  context.strokeStyle = mix(theme.line, theme.text, 0.2);
  context.lineWidth = 1;
  context.setLineDash([1, 4]);
  context.beginPath();
  context.moveTo(view.left, row.top + row.height / 2);
  context.lineTo(view.left + view.width, row.top + row.height / 2);
  context.stroke();
  context.setLineDash([]);
  for (const [start, end, state] of spans) {
    if (end < view.startUs || start > view.endUs) continue;
    const x = Math.max(view.left, view.xOf(start));
    const width = Math.max(1, Math.min(view.left + view.width, view.xOf(end)) - x);
    drawCovered(scene, state, x, top, width, height);
  }
}

/**
 * @param {Scene} scene
 * @param {string | null} state
 * @param {number} x
 * @param {number} top
 * @param {number} width
 * @param {number} height
 */
export function drawCovered({ context, theme, hatch }, state, x, top, width, height) {
  context.fillStyle = state === "watched" ? theme.watched : theme.ground;
  context.fillRect(x, top, width, height);
  if (state === "watched") return;
  if (state === "skipped") {
    context.fillStyle = hatch;
    context.fillRect(x, top, width, height);
  }
  context.strokeStyle = mix(theme.text, theme.ground, 0.4);
  context.lineWidth = 1;
  if (width > 2) context.strokeRect(x + 0.5, top + 0.5, width - 1, height - 1);
}

/**
 * The name of a strip, in the gutter.
 *
 * @param {Scene} scene
 * @param {Row} row
 * @param {string} name
 */
export function drawStripHead({ context, theme, view }, row, name) {
  if (view.left < 80) return;
  context.font = `11px ${theme.font}`;
  context.fillStyle = theme.soft;
  context.textAlign = "left";
  context.textBaseline = "middle";
  context.fillText(shortened(context, name, view.left - 16), 8, row.top + row.height / 2 + 0.5);
}

/**
 * Faint lines between frames, through all lanes.
 *
 * @param {Scene} scene
 * @param {FrameTable} frames
 * @param {number} top
 * @param {number} height
 */
export function drawFrameGrid({ context, theme, view }, frames, top, height) {
  context.strokeStyle = clear(theme.text, 0.09);
  context.lineWidth = 1;
  context.beginPath();
  for (const x of frameBorders(view, frames)) {
    context.moveTo(x, top);
    context.lineTo(x, top + height);
  }
  context.stroke();
}
