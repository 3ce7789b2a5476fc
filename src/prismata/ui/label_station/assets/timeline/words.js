// Times and spans as the pointer shows them, and what the timeline shows as a whole, in words.

import { formatTime } from "../dom.js";

/**
 * @typedef {import("./timeline.js").Timeline} Timeline
 * @typedef {import("../frames.js").FrameTable} FrameTable
 */

/**
 * @param {FrameTable} frames
 * @param {number} us
 */
export function timeWords(frames, us) {
  const frame = frames.indexAt(us);
  return `${formatTime(frames.startUs(frame))} · frame ${frame}`;
}

/**
 * @param {{start_us: number, end_us: number}} span
 * @param {number} us the end that moves
 */
export function spanWords({ start_us, end_us }, us) {
  return `${formatTime(us)} · ${((end_us - start_us) / 1e6).toFixed(2)} s`;
}

/**
 * What the pointer is over, and what a drag would do there.
 *
 * @param {Timeline} timeline
 * @param {NonNullable<Timeline["hover"]>} hover
 */
export function hoverWords(timeline, { x, hit }) {
  const us = Math.min(timeline.view.durationUs - 1, Math.max(0, timeline.view.usOf(x)));
  const title = hit.row?.type?.title ?? "";
  if (hit.kind === "coverage") {
    const found = timeline.coverage.find(([start, end]) => us >= start && us < end);
    return `${found?.[2] ?? "never seen"} · drag: watched, Shift: skipped, Alt: never seen`;
  }
  if (hit.kind === "threshold") return `${title}: drag the threshold`;
  if (hit.event) {
    const { start_us, end_us } = hit.event;
    const what = hit.kind === "ghost" ? `${title}, suggested` : title;
    return end_us > start_us ? `${what} · ${spanWords(hit.event, start_us)}` : `${what} · ${formatTime(start_us)}`;
  }
  return timeWords(timeline.frames, us);
}

/**
 * What the timeline shows.
 *
 * @param {Timeline} timeline
 */
export function summaryOf({ view, indices, ghostCount, selected, lanes }) {
  let count = 0;
  for (const index of indices.values()) {
    const { first, stop } = index.range(view.startUs, view.endUs);
    count += stop - first;
  }
  const parts = [`${formatTime(view.startUs)} to ${formatTime(view.endUs)} shown, ${count === 1 ? "1 event" : `${count} events`}`];
  if (ghostCount) parts.push(`${ghostCount} suggested`);
  if (selected) {
    const title = lanes.find((lane) => lane.name === selected.event_type)?.title ?? selected.event_type;
    parts.push(`selected: ${title} at ${formatTime(selected.start_us)}`);
  }
  return `${parts.join("; ")}.`;
}
