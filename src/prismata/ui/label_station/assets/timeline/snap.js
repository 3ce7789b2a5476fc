// Where a dragged edge comes to rest: on a frame always, on a neighbour if one is near. Pure.

import { frameStart } from "./view.js";

/** @typedef {import("../frames.js").FrameTable} FrameTable */
/** @typedef {import("./search.js").LaneIndex<any>} LaneIndex */

/** How near a neighbour has to be, in pixels. */
export const SNAP_PX = 8;

/**
 * Times that an edge could snap to, near `us`: edges of the events and ghosts, and the playhead.
 *
 * @param {number} us
 * @param {number} reachUs
 * @param {{lanes: Iterable<LaneIndex>, playheadUs: number | null, skip?: string | null}} among
 * @returns {number[]}
 */
export function candidatesNear(us, reachUs, { lanes, playheadUs, skip = null }) {
  const found = [];
  for (const lane of lanes) {
    const { first, stop } = lane.range(us - reachUs, us + reachUs);
    for (let i = first; i < stop; i++) {
      if (lane.events[i].id !== skip) found.push(lane.starts[i], lane.ends[i]);
    }
  }
  if (playheadUs !== null) found.push(playheadUs);
  return found.filter((time) => Math.abs(time - us) <= reachUs);
}

/**
 * The nearest candidate within reach, brought onto a frame; without one, the nearest frame.
 *
 * @param {FrameTable} frames
 * @param {number} us
 * @param {"point" | "border"} kind a point rests on the frame under it, an edge between two frames
 * @param {number[]} candidates
 * @returns {{us: number, snapped: boolean}}
 */
export function snap(frames, us, kind, candidates) {
  let best = null;
  for (const time of candidates) {
    if (best === null || Math.abs(time - us) < Math.abs(best - us)) best = time;
  }
  const wanted = best ?? us;
  const onFrame = kind === "point" ? frameStart(frames, wanted) : frames.nearestEdge(wanted);
  return { us: onFrame, snapped: best !== null };
}

/**
 * Move a whole event so that its start, or else its end, snaps; its length in time stays as near as
 * frames allow, and never becomes nothing.
 *
 * @param {FrameTable} frames
 * @param {{start_us: number, end_us: number, kind: string}} event
 * @param {number} byUs
 * @param {(us: number) => number[]} candidatesAt
 */
export function moved(frames, event, byUs, candidatesAt) {
  if (event.kind === "point") {
    const wanted = event.start_us + byUs;
    const { us, snapped } = snap(frames, wanted, "point", candidatesAt(wanted));
    return { start_us: us, end_us: us, snapped };
  }
  const length = event.end_us - event.start_us;
  const startUs = Math.min(frames.durationUs - length, Math.max(0, event.start_us + byUs));
  const byStart = snap(frames, startUs, "border", candidatesAt(startUs));
  const byEnd = snap(frames, startUs + length, "border", candidatesAt(startUs + length));
  const useEnd = byEnd.snapped && (!byStart.snapped || Math.abs(byEnd.us - startUs - length) < Math.abs(byStart.us - startUs));
  const start = useEnd ? frames.nearestEdge(byEnd.us - length) : byStart.us;
  const end = useEnd ? byEnd.us : frames.nearestEdge(start + length);
  if (end > start) return { start_us: start, end_us: end, snapped: byStart.snapped || byEnd.snapped };
  return { start_us: event.start_us, end_us: event.end_us, snapped: false };
}

/**
 * A segment between two places, at least one frame long, in whichever direction it was drawn.
 *
 * @param {FrameTable} frames
 * @param {number} anchorUs
 * @param {number} us
 */
export function spanBetween(frames, anchorUs, us) {
  const start = frames.nearestEdge(Math.min(anchorUs, us));
  const end = frames.nearestEdge(Math.max(anchorUs, us));
  if (end > start) return { start_us: start, end_us: end };
  const first = frames.indexAt(Math.min(anchorUs, us));
  return { start_us: frames.startUs(first), end_us: frames.endUs(first) };
}
