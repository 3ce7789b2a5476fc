// The whole video in one strip: where events and coverage lie, and which stretch is shown below.

import { clear, mix } from "./theme.js";
import { drawCovered } from "./strips.js";

/**
 * @typedef {import("./lanes.js").Scene} Scene
 * @typedef {import("./lanes.js").LaneIndex} LaneIndex
 * @typedef {import("./rows.js").Row} Row
 * @typedef {import("./rows.js").LaneType} LaneType
 */

/** The window is never drawn narrower, so that it can be seen and taken hold of. */
export const LEAST_WINDOW_PX = 8;
const COVERAGE_PX = 6;

/** Draws marks once for each change of the labels, not for each frame. */
export class Minimap {
  constructor() {
    this.canvas = document.createElement("canvas");
    this.stale = true;
  }

  /**
   * @param {Scene} scene
   * @param {Row} row
   * @param {{lanes: LaneType[], indices: Map<string, LaneIndex>, coverage: readonly (readonly [number, number, string])[]}} what
   */
  draw(scene, row, what) {
    const { context, theme, view, ratio } = scene;
    const top = row.top + 2;
    const height = row.height - 6;
    const [wide, tall] = [Math.round(view.width * ratio), Math.round(height * ratio)];
    if (this.stale || this.canvas.width !== wide || this.canvas.height !== tall) this.paint(scene, wide, tall, what);
    context.drawImage(this.canvas, view.left, top, view.width, height);
    const { x, width } = windowBox(view);
    context.fillStyle = clear(theme.ground, 0.62);
    context.fillRect(view.left, top, x - view.left, height);
    context.fillRect(x + width, top, view.left + view.width - x - width, height);
    context.strokeStyle = theme.accent;
    context.lineWidth = 2;
    context.beginPath();
    context.roundRect(x + 1, top + 1, width - 2, height - 2, 3);
    context.stroke();
    context.fillStyle = theme.accent;
    if (width > 24) {
      for (const side of [x - 1, x + width - 3]) {
        context.beginPath();
        context.roundRect(side, top + height / 2 - 7, 4, 14, 2);
        context.fill();
      }
    }
  }

  /**
   * @param {Scene} scene
   * @param {number} wide
   * @param {number} tall
   * @param {{lanes: LaneType[], indices: Map<string, LaneIndex>, coverage: readonly (readonly [number, number, string])[]}} what
   */
  paint({ theme, ratio, view, hatch, sprites }, wide, tall, { lanes, indices, coverage }) {
    this.canvas.width = wide;
    this.canvas.height = tall;
    this.stale = false;
    const context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
    context.scale(ratio, ratio);
    const width = wide / ratio;
    const height = tall / ratio;
    context.fillStyle = theme.raised;
    context.fillRect(0, 0, width, height);
    const scale = width / view.durationUs;
    const foot = height - COVERAGE_PX;
    const scene = { context, theme, ratio, view, hatch, sprites };
    for (const [start, end, state] of coverage) {
      drawCovered(scene, state, start * scale, foot + 1, Math.max(1, (end - start) * scale), COVERAGE_PX - 1);
    }
    const step = (foot - 3) / Math.max(1, lanes.length);
    const mark = Math.max(2, step - 0.5);
    lanes.forEach((lane, i) => {
      const index = indices.get(lane.name);
      if (!index) return;
      context.fillStyle = theme.dark ? lane.color : mix(lane.color, theme.text, 0.15);
      index.eachBox(0, view.durationUs, 1 / scale, (_from, _to, startUs, endUs) => {
        context.fillRect(startUs * scale - 0.5, 1.5 + i * step, Math.max(2, (endUs - startUs) * scale), mark);
      });
    });
  }
}

/**
 * Where the window over the minimap is, in pixels.
 *
 * @param {import("./view.js").View} view
 */
export function windowBox(view) {
  const scale = view.width / view.durationUs;
  const wanted = view.spanUs * scale;
  const width = Math.max(LEAST_WINDOW_PX, wanted);
  const x = view.left + view.startUs * scale - (width - wanted) / 2;
  return { x: Math.min(view.left + view.width - width, Math.max(view.left, x)), width };
}
