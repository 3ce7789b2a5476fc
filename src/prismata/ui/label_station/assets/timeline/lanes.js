// What lies in the lanes: bars and diamonds, what is selected, what a model suggests.

import { clear, mix } from "./theme.js";

/**
 * @typedef {import("./rows.js").Row} Row
 * @typedef {import("./rows.js").LaneType} LaneType
 * @typedef {import("./theme.js").Theme} Theme
 * @typedef {import("./view.js").View} View
 * @typedef {import("./search.js").LaneIndex<any>} LaneIndex
 * @typedef {{id: string, edge: "start" | "end" | null}} Selection
 * @typedef {{id: string, event_type: string, kind: string, start_us: number, end_us: number, review_state?: string}} Shown
 * @typedef {{context: CanvasRenderingContext2D, theme: Theme, ratio: number, view: View, hatch: CanvasPattern | string,
 *   sprites: Map<string, HTMLCanvasElement>}} Scene
 */

const BAR_INSET = 3;
/** With more bars than this in a lane, corners and outlines cost more than they show. */
const MANY = 80;
/** A bar is never thinner, so that one frame in two hours can still be seen. */
const LEAST_BAR_PX = 3;

/**
 * Where the events of a lane are drawn.
 *
 * @param {Row} row
 */
export function eventBox(row) {
  const top = row.top + row.curve;
  return { top: top + BAR_INSET, height: row.height - row.curve - 2 * BAR_INSET };
}

/**
 * Events of one lane. What is selected or being dragged is left out; it is drawn by itself.
 *
 * @param {Scene} scene
 * @param {Row} row
 * @param {LaneIndex} index
 * @param {(id: string) => boolean} isApart
 */
export function drawEvents(scene, row, index, isApart) {
  const { context, theme, view } = scene;
  const color = row.type?.color ?? theme.soft;
  const box = eventBox(row);
  const { first, stop } = index.range(view.startUs, view.endUs);
  const dense = stop - first > view.width / 5;
  const many = stop - first > MANY;
  const solid = new Path2D();
  const diamond = diamondOf(scene, color, Math.min(9, box.height / 2));
  context.fillStyle = color;
  /** @type {Shown[]} */
  const special = [];
  const half = Math.min(9, box.height / 2);
  // A diamond reaches beyond its instant.
  const marginUs = half * view.usPerPx;
  index.eachBox(view.startUs - marginUs, view.endUs + marginUs, view.usPerPx, (from, to, startUs, endUs) => {
    const event = index.events[from];
    const alone = from === to;
    if (alone && isApart(event.id)) return;
    if (alone && (event.review_state === "rejected" || event.review_state === "unsure")) {
      special.push(event);
    } else if (event.kind === "point" && !dense) {
      const size = diamond.width / scene.ratio;
      context.drawImage(diamond, view.xOf(startUs) - size / 2, box.top + (box.height - size) / 2, size, size);
    } else {
      const { x, width } = barOf(view, startUs, endUs, event.kind === "point" || !alone ? 1.5 : LEAST_BAR_PX);
      if (many) context.fillRect(x, box.top, width, box.height);
      else if (width > 6) solid.roundRect(x, box.top, width, box.height, 3);
      else solid.rect(x, box.top, width, box.height);
    }
  });
  if (!many) {
    context.fill(solid);
    context.strokeStyle = mix(color, theme.text, theme.dark ? 0.2 : 0.45);
    context.lineWidth = 1;
    context.stroke(solid);
  }
  for (const event of special) drawOne(scene, row, event);
}

/**
 * A bar in pixels, cut off shortly outside the plot: rounded corners of a bar that is a million
 * pixels wide are drawn wrongly.
 *
 * @param {View} view
 * @param {number} startUs
 * @param {number} endUs
 * @param {number} least
 */
export function barOf(view, startUs, endUs, least) {
  const x = Math.max(view.left - 8, view.xOf(startUs));
  const right = Math.min(view.left + view.width + 8, view.xOf(endUs));
  return { x, width: Math.max(least, right - x) };
}

/**
 * @param {Path2D | CanvasRenderingContext2D} path
 * @param {number} x
 * @param {number} y
 * @param {number} half
 */
function addDiamond(path, x, y, half) {
  path.moveTo(x, y - half);
  path.lineTo(x + half * 0.8, y);
  path.lineTo(x, y + half);
  path.lineTo(x - half * 0.8, y);
  path.closePath();
}

/**
 * A diamond drawn once; hundreds of them are copied much faster than they are drawn.
 *
 * @param {Scene} scene
 * @param {string} color
 * @param {number} half
 */
function diamondOf({ sprites, ratio, theme }, color, half) {
  const key = `${color} ${half}`;
  let sprite = sprites.get(key);
  if (!sprite) {
    sprite = document.createElement("canvas");
    sprite.width = sprite.height = Math.ceil((2 * half + 4) * ratio);
    const paint = /** @type {CanvasRenderingContext2D} */ (sprite.getContext("2d"));
    paint.scale(ratio, ratio);
    const middle = sprite.width / ratio / 2;
    paint.beginPath();
    addDiamond(paint, middle, middle, half);
    paint.fillStyle = color;
    paint.fill();
    paint.strokeStyle = mix(color, theme.text, theme.dark ? 0.2 : 0.45);
    paint.stroke();
    sprites.set(key, sprite);
  }
  return sprite;
}

/**
 * The outline of an event.
 *
 * @param {Scene} scene
 * @param {Row} row
 * @param {Shown} event
 */
function outline({ view }, row, event) {
  const box = eventBox(row);
  const path = new Path2D();
  if (event.kind === "point") {
    addDiamond(path, view.xOf(event.start_us), box.top + box.height / 2, Math.min(9, box.height / 2));
  } else {
    const { x, width } = barOf(view, event.start_us, event.end_us, LEAST_BAR_PX);
    path.roundRect(x, box.top, width, box.height, Math.min(3, width / 2));
  }
  return path;
}

/**
 * One event by itself, as its review state wants it.
 *
 * @param {Scene} scene
 * @param {Row} row
 * @param {Shown} event
 */
export function drawOne(scene, row, event) {
  const { context, theme, view } = scene;
  const color = row.type?.color ?? theme.soft;
  const path = outline(scene, row, event);
  const edge = mix(color, theme.text, theme.dark ? 0.2 : 0.45);
  const box = eventBox(row);
  context.lineWidth = 1.5;
  if (event.review_state === "rejected") {
    context.strokeStyle = mix(edge, theme.ground, 0.2);
    context.stroke(path);
    const { x, width } = barOf(view, event.start_us, event.end_us, 0);
    const middle = box.top + box.height / 2;
    context.beginPath();
    context.moveTo(x - 5, middle);
    context.lineTo(x + width + 5, middle);
    context.stroke();
    return;
  }
  const unsure = event.review_state === "unsure";
  context.fillStyle = unsure ? clear(color, 0.35) : color;
  context.fill(path);
  if (unsure) {
    context.fillStyle = scene.hatch;
    context.fill(path);
  }
  context.strokeStyle = edge;
  context.stroke(path);
}

/**
 * The selected event: a ring, and handles at its edges.
 *
 * @param {Scene} scene
 * @param {Row} row
 * @param {Shown} event
 * @param {"start" | "end" | null} edge
 */
export function drawSelected(scene, row, event, edge) {
  const { context, theme, view } = scene;
  drawOne(scene, row, event);
  const box = eventBox(row);
  context.lineJoin = "round";
  context.strokeStyle = theme.text;
  context.lineWidth = 2;
  context.beginPath();
  if (event.kind === "point") addDiamond(context, view.xOf(event.start_us), box.top + box.height / 2, Math.min(9, box.height / 2) + 3.5);
  else {
    const { x, width } = barOf(view, event.start_us, event.end_us, LEAST_BAR_PX);
    context.roundRect(x - 2.5, box.top - 2.5, width + 5, box.height + 5, 5);
  }
  context.stroke();
  if (event.kind === "point") return;
  for (const side of /** @type {const} */ (["start", "end"])) {
    const x = view.xOf(side === "start" ? event.start_us : event.end_us);
    const chosen = edge === side;
    const [wide, tall] = chosen ? [7, box.height + 9] : [5, box.height - 4];
    context.fillStyle = chosen ? theme.accent : theme.text;
    context.strokeStyle = theme.ground;
    context.lineWidth = 1.5;
    context.beginPath();
    context.roundRect(x - wide / 2, box.top + (box.height - tall) / 2, wide, tall, 3);
    context.fill();
    context.stroke();
  }
}

/**
 * What a model suggests: dashed, hollow, with its score where there is room.
 *
 * @param {Scene} scene
 * @param {Row} row
 * @param {LaneIndex} index
 * @param {LaneIndex | undefined} labels scores give way to them
 */
export function drawGhosts(scene, row, index, labels) {
  const { context, theme, view } = scene;
  const color = row.type?.color ?? theme.soft;
  const box = eventBox(row);
  const path = new Path2D();
  /** @type {[string, number][]} */
  const scores = [];
  const marginUs = 9 * view.usPerPx;
  index.eachBox(view.startUs - marginUs, view.endUs + marginUs, view.usPerPx * 2, (from, to, startUs, endUs) => {
    const ghost = index.events[from];
    if (ghost.kind === "point") addDiamond(path, view.xOf(startUs), box.top + box.height / 2, Math.min(9, box.height / 2));
    else {
      const { x, width } = barOf(view, startUs, endUs, LEAST_BAR_PX);
      path.roundRect(x, box.top + 0.5, width, box.height - 1, Math.min(3, width / 2));
    }
    const at = ghost.kind === "point" ? view.xOf(startUs) + 12 : view.xOf(startUs) + 5;
    const room = ghost.kind === "point" || view.xOf(endUs) - view.xOf(startUs) > 28;
    const [startOfText, endOfText] = [view.usOf(at - 4), view.usOf(at + 28)];
    const isFree = ghost.kind !== "point" || !(touches(index, startOfText, endOfText) || touches(labels, startOfText, endOfText));
    if (from === to && room && isFree && typeof ghost.score === "number") {
      scores.push([`.${String(Math.min(99, Math.round(ghost.score * 100))).padStart(2, "0")}`, at]);
    }
  });
  context.fillStyle = clear(color, 0.12);
  context.fill(path);
  context.strokeStyle = mix(color, theme.text, theme.dark ? 0.3 : 0.5);
  context.lineWidth = 1.5;
  context.setLineDash([4, 3]);
  context.stroke(path);
  context.setLineDash([]);
  context.font = `10px ${theme.font}`;
  context.fillStyle = theme.text;
  context.textAlign = "left";
  context.textBaseline = "middle";
  for (const [text, x] of scores) context.fillText(text, x, box.top + box.height / 2 + 0.5);
}


/**
 * Say whether an event touches a stretch.
 *
 * @param {LaneIndex | undefined} index
 * @param {number} startUs
 * @param {number} endUs
 */
function touches(index, startUs, endUs) {
  if (!index) return false;
  const { first, stop } = index.range(startUs, endUs);
  return stop > first;
}
