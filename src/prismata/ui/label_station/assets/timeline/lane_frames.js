// What stands around the events of a lane: its head, its ground, the confidence curve and its threshold.

import { drawCurve } from "./curves.js";
import { clear, mix, readableOn } from "./theme.js";

/**
 * @typedef {import("./rows.js").Row} Row
 * @typedef {import("./theme.js").Theme} Theme
 * @typedef {import("./lanes.js").Scene} Scene
 */

/**
 * Where a threshold lies in its lane.
 *
 * @param {Row} row
 * @param {number} value
 */
export function thresholdY(row, value) {
  return row.top + 3 + (row.curve - 4) * (1 - value);
}

/**
 * @param {Row} row
 * @param {number} y
 */
export function thresholdAt(row, y) {
  const value = 1 - (y - row.top - 3) / (row.curve - 4);
  return Math.min(1, Math.max(0.01, Math.round(value * 100) / 100));
}

/**
 * @param {Scene} scene
 * @param {Row} row
 */
export function drawLaneGround({ context, theme, view }, row) {
  context.fillStyle = clear(theme.raised, theme.dark ? 0.75 : 0.8);
  context.fillRect(view.left, row.top + 1, view.width, row.height - 2);
}

/**
 * @param {Scene} scene
 * @param {Row} row
 * @param {{source: import("./curves.js").CurveSource, pieces: import("./curves.js").Piece[], sprites: import("./curve_sprites.js").CurveSprites, threshold: number | undefined, active: boolean}} curve
 */
export function drawLaneCurve(scene, row, { source, pieces, sprites, threshold, active }) {
  const { context, theme, view } = scene;
  const column = source.eventTypes.indexOf(row.type?.name ?? "");
  if (column < 0) return;
  const color = row.type?.color ?? theme.soft;
  const curve = { source, pieces, column, stroke: mix(color, theme.text, theme.dark ? 0.15 : 0.4), fill: clear(color, 0.28) };
  if (!sprites.draw(scene, row, curve)) {
    drawCurve(context, { ...curve, xOf: (us) => view.xOf(us), top: row.top + 3, height: row.curve - 4 });
  }
  for (const piece of pieces) {
    if (piece.data) continue;
    const start = view.xOf((piece.index * source.tileBins + piece.first) * source.binUs(piece.level));
    const words = piece.failed ? "this curve could not be loaded; it is asked for again" : "loading";
    drawWords(context, theme, words, Math.max(view.left + 6, start + 6), row.top + row.curve / 2);
  }
  if (threshold === undefined) return;
  const y = Math.round(thresholdY(row, threshold)) + 0.5;
  context.strokeStyle = active ? theme.accent : mix(theme.text, theme.ground, 0.25);
  context.lineWidth = active ? 2 : 1;
  context.setLineDash([5, 3]);
  context.beginPath();
  context.moveTo(view.left, y);
  context.lineTo(view.left + view.width, y);
  context.stroke();
  context.setLineDash([]);
}

/**
 * A threshold in numbers, right of the plot at the height of its line.
 *
 * @param {Scene} scene
 * @param {Row} row
 * @param {number} value
 * @param {boolean} active
 */
export function drawThresholdValue({ context, theme, view }, row, value, active) {
  const x = view.left + view.width + 3;
  const y = Math.min(row.top + row.height - 8, Math.max(row.top + 8, thresholdY(row, value)));
  context.fillStyle = active ? theme.accent : mix(theme.raised, theme.text, 0.1);
  context.beginPath();
  context.roundRect(x, y - 7.5, 27, 15, 4);
  context.fill();
  context.font = `${active ? 600 : 500} 10.5px ${theme.font}`;
  context.fillStyle = active ? readableOn(theme.accent) : theme.text;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(value.toFixed(2), x + 13.5, y + 0.5);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Theme} theme
 * @param {string} words
 * @param {number} x
 * @param {number} y
 */
export function drawWords(context, theme, words, x, y) {
  context.font = `11px ${theme.font}`;
  context.fillStyle = theme.soft;
  context.textAlign = "left";
  context.textBaseline = "middle";
  context.fillText(words, x, y);
}

/**
 * Badge and name of a lane.
 *
 * @param {Scene} scene
 * @param {Row} row
 * @param {boolean} active the pointer or the selection is in it
 */
export function drawLaneHead({ context, theme, view }, row, active) {
  const type = row.type;
  if (!type) return;
  const middle = row.top + row.height / 2;
  if (active) {
    context.fillStyle = clear(theme.accent, 0.12);
    context.fillRect(0, row.top + 1, view.left, row.height - 2);
  }
  const size = Math.min(18, row.height - 3);
  context.fillStyle = type.color;
  context.beginPath();
  if (type.kind === "point") context.arc(8 + size / 2, middle, size / 2, 0, 2 * Math.PI);
  else context.roundRect(8, middle - size / 2, size, size, 4);
  context.fill();
  context.fillStyle = readableOn(type.color);
  context.font = `700 11px ${theme.font}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText((type.key || (type.gone ? "–" : type.title.slice(0, 1))).toUpperCase(), 8 + size / 2, middle + 0.5);
  if (view.left < 80) return;
  context.textAlign = "left";
  const x = 8 + size + 8;
  const room = view.left - x - 8;
  context.fillStyle = active ? theme.text : mix(theme.text, theme.ground, 0.12);
  context.font = `${active ? 600 : 400} 12.5px ${theme.font}`;
  const two = type.gone && row.height >= 24;
  context.fillText(shortened(context, type.title, room), x, two ? middle - 5 : middle + 0.5);
  if (!two) return;
  context.font = `10px ${theme.font}`;
  context.fillStyle = theme.soft;
  context.fillText(shortened(context, "no longer declared", room + 4), x, middle + 7);
}

/**
 * A text that fits into a width; its end gives way.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {string} text
 * @param {number} room
 */
export function shortened(context, text, room) {
  if (context.measureText(text).width <= room) return text;
  let keep = text.length;
  while (keep > 1 && context.measureText(`${text.slice(0, keep)}…`).width > room) keep--;
  return `${text.slice(0, keep)}…`;
}
