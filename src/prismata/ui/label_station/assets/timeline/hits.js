// What lies under the pointer.

import { thresholdY } from "./lane_frames.js";
import { windowBox } from "./minimap.js";
import { rowAt } from "./rows.js";

/**
 * @typedef {import("./rows.js").Row} Row
 * @typedef {import("./lanes.js").Shown} Shown
 * @typedef {import("./lanes.js").LaneIndex} LaneIndex
 * @typedef {{kind: "nothing" | "head" | "minimap" | "window" | "window-start" | "window-end" | "ruler" | "playhead" | "scrub" | "coverage" | "threshold" | "event" | "ghost" | "empty", row: Row | null,
 *   event?: Shown, edge?: "start" | "end" | null}} Hit
 * @typedef {{view: import("./view.js").View, rows: Row[], playheadUs: number, indices: Map<string, LaneIndex>, ghosts: Map<string, LaneIndex>,
 *   selected: Shown | null, thresholds: Map<string, number>, hasCurves: boolean}} Scenery
 */

const EDGE_PX = 6;
const POINT_PX = 9;
const LINE_PX = 5;
/** Segments narrower than this are moved by their inside and stretched from outside only. */
const NARROW_PX = 14;

/**
 * @param {Scenery} scenery
 * @param {number} x
 * @param {number} y
 * @param {number} [reach] how much coarser than a mouse the pointer is
 * @returns {Hit}
 */
export function hitAt(scenery, x, y, reach = 1) {
  const { view, rows, playheadUs } = scenery;
  const row = rowAt(rows, y);
  if (!row) return { kind: "nothing", row };
  if (x < view.left) return { kind: "head", row };
  switch (row.kind) {
    case "minimap":
      return { kind: hitWindow(view, x, reach), row };
    case "ruler":
      return { kind: Math.abs(x - view.xOf(playheadUs)) <= 7 * reach ? "playhead" : "ruler", row };
    case "coverage":
      return { kind: "coverage", row };
    case "lane":
      return hitLane(scenery, row, x, y, reach);
    default:
      return { kind: "scrub", row };
  }
}

/**
 * @param {import("./view.js").View} view
 * @param {number} x
 * @param {number} reach
 */
function hitWindow(view, x, reach) {
  const box = windowBox(view);
  const grip = box.width > 24 ? EDGE_PX * reach : 0;
  if (grip && Math.abs(x - box.x) <= grip) return "window-start";
  if (grip && Math.abs(x - box.x - box.width) <= grip) return "window-end";
  return x >= box.x && x <= box.x + box.width ? "window" : "minimap";
}

/**
 * @param {Scenery} scenery
 * @param {Row} row
 * @param {number} x
 * @param {number} y
 * @param {number} reach
 * @returns {Hit}
 */
function hitLane(scenery, row, x, y, reach) {
  const name = row.type?.name ?? "";
  if (row.curve > 0 && y < row.top + row.curve + 1) {
    const value = scenery.thresholds.get(name);
    const near = value !== undefined && Math.abs(y - thresholdY(row, value)) <= LINE_PX * reach;
    return { kind: near && scenery.hasCurves ? "threshold" : "scrub", row };
  }
  const found = nearest(scenery, scenery.indices.get(name), x, reach);
  if (found) return { kind: "event", row, ...found };
  const ghost = nearest(scenery, scenery.ghosts.get(name), x, reach);
  if (ghost) return { kind: "ghost", row, event: ghost.event, edge: null };
  return { kind: "empty", row };
}

/**
 * The event at x: the selected one if it is there, else the nearest, of those that contain it the shortest.
 *
 * @param {Scenery} scenery
 * @param {LaneIndex | undefined} index
 * @param {number} x
 * @param {number} reach
 * @returns {{event: Shown, edge: "start" | "end" | null} | null}
 */
function nearest({ view, selected }, index, x, reach) {
  if (!index) return null;
  const us = view.usOf(x);
  const farUs = POINT_PX * reach * view.usPerPx;
  const { first, stop } = index.range(us - farUs, us + farUs);
  let best = null;
  let bestRank = Infinity;
  for (let i = first; i < stop; i++) {
    const event = index.events[i];
    const touched = touch(view, event, x, reach);
    if (!touched) continue;
    const rank = event.id === selected?.id ? -1 : touched.distance + (event.end_us - event.start_us) / view.durationUs;
    if (rank < bestRank) {
      bestRank = rank;
      best = { event, edge: touched.edge };
    }
  }
  return best;
}

/**
 * @param {import("./view.js").View} view
 * @param {Shown} event
 * @param {number} x
 * @param {number} reach
 * @returns {{edge: "start" | "end" | null, distance: number} | null}
 */
function touch(view, event, x, reach) {
  const left = view.xOf(event.start_us);
  const right = view.xOf(event.end_us);
  if (event.kind === "point") {
    const distance = Math.abs(x - left);
    return distance <= POINT_PX * reach ? { edge: null, distance } : null;
  }
  const inside = right - left < NARROW_PX ? 0 : EDGE_PX;
  if (x >= left - EDGE_PX * reach && x < left + inside) return { edge: "start", distance: Math.max(0, left - x) };
  if (x <= right + EDGE_PX * reach && x > right - inside) return { edge: "end", distance: Math.max(0, x - right) };
  return x >= left && x <= right ? { edge: null, distance: 0 } : null;
}
