// What a drag does from its first pixel to its end. Each tells the page through `emit` and shows
// itself as a draft; none changes a label.

import { thresholdAt } from "./lane_frames.js";
import { SNAP_PX, candidatesNear, moved, snap, spanBetween } from "./snap.js";
import { frameStart } from "./view.js";
import { spanWords, timeWords } from "./words.js";

/**
 * @typedef {import("./timeline.js").Timeline} Timeline
 * @typedef {import("./hits.js").Hit} Hit
 * @typedef {import("./lanes.js").Shown} Shown
 * @typedef {{x: number, y: number, alt: boolean, shift: boolean}} Point
 * @typedef {{cursor: string, move: (point: Point) => void, end: () => void, cancel: () => void}} Drag
 */

/**
 * The drag that belongs to what was taken hold of.
 *
 * @param {Timeline} timeline
 * @param {Hit} hit
 * @param {Point} from where the pointer went down
 * @param {boolean} coarse a finger: empty space pans, so that nothing is made by accident
 * @returns {Drag | null}
 */
export function dragFor(timeline, hit, from, coarse) {
  switch (hit.kind) {
    case "ruler":
      return panDrag(timeline, from);
    case "playhead":
      return scrubDrag(timeline);
    case "scrub":
      return coarse ? panDrag(timeline, from) : scrubDrag(timeline);
    case "minimap":
    case "window":
      return windowDrag(timeline, hit, from);
    case "window-start":
    case "window-end":
      return windowEdgeDrag(timeline, hit.kind === "window-start");
    case "coverage":
      return coarse ? panDrag(timeline, from) : paintDrag(timeline, from);
    case "threshold":
      return hit.row?.type ? thresholdDrag(timeline, hit) : null;
    case "event":
      if (!hit.event || (coarse && hit.event.id !== timeline.selection?.id)) return panDrag(timeline, from);
      return hit.edge ? edgeDrag(timeline, hit.event, hit.edge) : moveDrag(timeline, hit.event, from);
    case "empty":
      if (coarse || hit.row?.type?.gone) return panDrag(timeline, from);
      return hit.row?.type?.kind === "segment" ? createDrag(timeline, hit, from) : scrubDrag(timeline);
    case "ghost":
      return coarse ? panDrag(timeline, from) : scrubDrag(timeline);
    default:
      return null;
  }
}

/**
 * @param {Timeline} timeline
 * @param {Point} from
 * @returns {Drag}
 */
export function panDrag(timeline, from) {
  const { view } = timeline;
  const begin = view.startUs;
  const span = view.spanUs;
  const perPx = view.usPerPx;
  return {
    cursor: "grabbing",
    move: ({ x }) => timeline.showView(begin - (x - from.x) * perPx, begin - (x - from.x) * perPx + span),
    end: () => {},
    cancel: () => timeline.showView(begin, begin + span),
  };
}

/** @param {Timeline} timeline @returns {Drag} */
function scrubDrag(timeline) {
  const before = timeline.playheadUs;
  let us = before;
  return {
    cursor: "ew-resize",
    move: ({ x }) => {
      us = frameStart(timeline.frames, timeline.view.usOf(x));
      timeline.showDraft({ label: timeWords(timeline.frames, us), x: timeline.view.xOf(us) });
      timeline.emit("seek", { us, final: false });
    },
    end: () => timeline.emit("seek", { us, final: true }),
    cancel: () => timeline.emit("seek", { us: before, final: true }),
  };
}

/**
 * @param {Timeline} timeline
 * @param {Hit} hit
 * @param {Point} from
 * @returns {Drag}
 */
function windowDrag(timeline, hit, from) {
  const { view } = timeline;
  const before = [view.startUs, view.endUs];
  const scale = view.durationUs / view.width;
  // Beside the window it jumps to the pointer first.
  if (hit.kind === "minimap") centre(timeline, from.x);
  const begin = view.startUs;
  return {
    cursor: "grabbing",
    move: ({ x }) => timeline.panTo(begin + (x - from.x) * scale),
    end: () => {},
    cancel: () => timeline.showView(before[0], before[1]),
  };
}

/**
 * Centre the view on a place of the minimap.
 *
 * @param {Timeline} timeline
 * @param {number} x
 */
export function centre(timeline, x) {
  const { view } = timeline;
  timeline.panTo(((x - view.left) / view.width) * view.durationUs - view.spanUs / 2);
}

/**
 * @param {Timeline} timeline
 * @param {boolean} isStart
 * @returns {Drag}
 */
function windowEdgeDrag(timeline, isStart) {
  const { view } = timeline;
  const [startUs, endUs] = [view.startUs, view.endUs];
  return {
    cursor: "ew-resize",
    move: ({ x }) => {
      const us = Math.min(view.durationUs, Math.max(0, ((x - view.left) / view.width) * view.durationUs));
      if (isStart) timeline.showView(Math.min(us, endUs - view.minSpanUs), endUs);
      else timeline.showView(startUs, Math.max(us, startUs + view.minSpanUs));
    },
    end: () => {},
    cancel: () => timeline.showView(startUs, endUs),
  };
}

/**
 * Times near `us` that edges may snap to; none while Alt is held.
 *
 * @param {Timeline} timeline
 * @param {boolean} alt
 * @param {string | null} skip
 * @returns {(us: number) => number[]}
 */
function neighbours(timeline, alt, skip) {
  if (alt) return () => [];
  const lanes = [...timeline.indices.values(), ...timeline.ghostIndices.values()];
  return (us) => candidatesNear(us, SNAP_PX * timeline.view.usPerPx, { lanes, playheadUs: timeline.playheadUs, skip });
}

/**
 * @param {Timeline} timeline
 * @param {Shown} event
 * @param {"start" | "end"} edge
 * @returns {Drag}
 */
function edgeDrag(timeline, event, edge) {
  const key = edge === "start" ? "start_us" : "end_us";
  /** @type {Record<string, number> | null} */
  let changes = null;
  timeline.emit("select", { id: event.id, edge });
  return {
    cursor: "ew-resize",
    move: ({ x, alt }) => {
      const wanted = timeline.view.usOf(x);
      const found = snap(timeline.frames, wanted, "border", neighbours(timeline, alt, event.id)(wanted));
      // An event keeps at least the frame at its other edge.
      const least = edge === "start" ? frameStart(timeline.frames, event.end_us - 1) : timeline.frames.endUs(timeline.frames.indexAt(event.start_us));
      const us = edge === "start" ? Math.min(found.us, least) : Math.max(found.us, least);
      changes = { [key]: us };
      const draft = { ...event, ...changes };
      const snapUs = found.snapped && us === found.us ? us : null;
      timeline.showDraft({ event: draft, snapUs, label: spanWords(draft, us), x: timeline.view.xOf(us) });
      timeline.emit("edit", { id: event.id, changes, final: false });
    },
    end: () => changes && changes[key] !== event[key] && timeline.emit("edit", { id: event.id, changes, final: true }),
    cancel: () => {},
  };
}

/**
 * @param {Timeline} timeline
 * @param {Shown} event
 * @param {Point} from
 * @returns {Drag}
 */
function moveDrag(timeline, event, from) {
  /** @type {{start_us: number, end_us: number} | null} */
  let changes = null;
  timeline.emit("select", { id: event.id, edge: null });
  const fromUs = timeline.view.usOf(from.x);
  return {
    cursor: "grabbing",
    move: ({ x, alt }) => {
      const { snapped, ...to } = moved(timeline.frames, event, timeline.view.usOf(x) - fromUs, neighbours(timeline, alt, event.id));
      changes = to;
      const draft = { ...event, ...to };
      timeline.showDraft({
        event: draft,
        snapUs: snapped ? to.start_us : null,
        label: event.kind === "point" ? timeWords(timeline.frames, to.start_us) : spanWords(draft, to.start_us),
        x: timeline.view.xOf(to.start_us),
      });
      timeline.emit("edit", { id: event.id, changes, final: false });
    },
    end: () => {
      if (changes && (changes.start_us !== event.start_us || changes.end_us !== event.end_us)) timeline.emit("edit", { id: event.id, changes, final: true });
    },
    cancel: () => {},
  };
}

/**
 * @param {Timeline} timeline
 * @param {Hit} hit
 * @param {Point} from
 * @returns {Drag}
 */
function createDrag(timeline, hit, from) {
  const type = /** @type {import("./rows.js").LaneType} */ (hit.row?.type);
  const begin = timeline.view.usOf(from.x);
  const near = neighbours(timeline, from.alt, null);
  const anchor = snap(timeline.frames, begin, "border", near(begin)).us;
  /** @type {{start_us: number, end_us: number} | null} */
  let span = null;
  return {
    cursor: "ew-resize",
    move: ({ x, alt }) => {
      const wanted = timeline.view.usOf(x);
      const found = snap(timeline.frames, wanted, "border", neighbours(timeline, alt, null)(wanted));
      span = spanBetween(timeline.frames, anchor, found.us);
      const draft = { id: "", event_type: type.name, kind: "segment", ...span };
      timeline.showDraft({ event: draft, snapUs: found.snapped ? found.us : null, label: spanWords(draft, found.us), x: timeline.view.xOf(found.us) });
      timeline.emit("seek", { us: frameStart(timeline.frames, found.us), final: false });
    },
    end: () => span && timeline.emit("create", { event_type: type.name, ...span }),
    cancel: () => {},
  };
}

/**
 * @param {Timeline} timeline
 * @param {Hit} hit
 * @returns {Drag}
 */
function thresholdDrag(timeline, hit) {
  const row = /** @type {import("./rows.js").Row} */ (hit.row);
  const name = row.type?.name ?? "";
  const before = timeline.thresholds.get(name) ?? 0.5;
  const tell = (/** @type {number} */ value, /** @type {boolean} */ final) => {
    timeline.setThreshold(name, value);
    timeline.emit("threshold", { event_type: name, value, final });
  };
  let value = before;
  return {
    cursor: "ns-resize",
    move: ({ x, y }) => {
      value = thresholdAt(row, y);
      timeline.showDraft({ label: `${row.type?.title}: shown from ${value.toFixed(2)} on`, x, threshold: name });
      tell(value, false);
    },
    end: () => tell(value, true),
    cancel: () => tell(before, true),
  };
}

/**
 * Paint coverage: watched, with Shift skipped, with Alt never seen.
 *
 * @param {Timeline} timeline
 * @param {Point} from
 * @returns {Drag}
 */
function paintDrag(timeline, from) {
  const state = from.alt ? null : from.shift ? "skipped" : "watched";
  const begin = timeline.view.usOf(from.x);
  /** @type {{start_us: number, end_us: number} | null} */
  let span = null;
  return {
    cursor: "crosshair",
    move: ({ x }) => {
      span = spanBetween(timeline.frames, begin, timeline.view.usOf(x));
      timeline.showDraft({ paint: { ...span, state }, label: `${state ?? "never seen"} ${spanWords(span, span.end_us)}`, x });
    },
    end: () => span && timeline.emit("paint", { ...span, state }),
    cancel: () => {},
  };
}
