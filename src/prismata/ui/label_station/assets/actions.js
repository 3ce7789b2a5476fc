// What each action of the key map does. Buttons run the same actions.

import { formatTime, parseTime } from "./dom.js";
import { RATES } from "./panels/transport.js";

/** @typedef {import("./station.js").Station} Station */
/** @typedef {(event?: KeyboardEvent) => unknown} Act */

const AROUND_POINT_US = 500_000;
const ZOOM = 1.5;
const PAN = 0.5;

/**
 * @param {Station} station with everything built
 * @param {import("./parts.js").Parts} parts
 * @returns {Record<string, Act>}
 */
export function createActions(station, parts) {
  return {
    ...playing(station, parts),
    ...marking(station, parts),
    ...events(station, parts),
    ...edges(station, parts),
    ...viewing(station, parts),
    next_uncertain: () => parts.assist.move(1),
    previous_uncertain: () => parts.assist.move(-1),
    accept: () => judge(station, parts, "accepted"),
    reject: () => judge(station, parts, "rejected"),
    unsure: () => judge(station, parts, "unsure"),
    undo: () => parts.store.undo() || station.tell("There is nothing to undo."),
    redo: () => parts.store.redo() || station.tell("There is nothing to redo."),
    cheat_sheet: () => parts.cheatsheet.toggle(),
  };
}

/** @param {Station} station @param {import("./parts.js").Parts} parts @returns {Record<string, Act>} */
function playing(station, { frames, store }) {
  const { player } = station;
  const span = () => {
    const event = station.selected ? store.get(station.selected) : undefined;
    if (!event) return null;
    if (event.kind === "segment") return /** @type {const} */ ([event.start_us, event.end_us]);
    return /** @type {const} */ ([Math.max(0, event.start_us - AROUND_POINT_US), Math.min(frames.durationUs, event.start_us + AROUND_POINT_US)]);
  };
  const faster = (/** @type {1 | -1} */ step) => {
    const rates = step > 0 ? RATES : [...RATES].reverse();
    const next = rates.find((rate) => (rate - Math.abs(player.baseRate)) * step > 1e-6);
    if (next) player.setRate(next);
  };
  return {
    play: () => {
      player.unloop();
      return player.toggle();
    },
    shuttle_back: () => player.shuttle(-1),
    shuttle_stop: () => player.shuttle(0),
    shuttle_forward: () => player.shuttle(1),
    step_back: () => player.step(-1),
    step_forward: () => player.step(1),
    step_back_10: () => player.step(-10),
    step_forward_10: () => player.step(10),
    first_frame: () => player.seekToFrame(0),
    last_frame: () => player.seekToFrame(frames.count - 1),
    slower: () => faster(-1),
    faster: () => faster(1),
    normal_speed: () => player.setRate(1),
    loop: () => {
      const chosen = span();
      if (player.span) {
        player.unloop();
        return player.pause();
      }
      if (!chosen) return station.tell("Select an event first; then it is played again and again.");
      return player.loop(...chosen);
    },
    go_to: () => station.askWhere(),
  };
}

/** @param {Station} station @param {import("./parts.js").Parts} parts @returns {Record<string, Act>} */
function marking(station, { frames, store }) {
  const { player } = station;
  /** Where `mark_in` or the last painted stretch left off. @type {number | null} */
  let from = null;
  const covered = async (/** @type {"watched" | "skipped"} */ state) => {
    const frame = await player.whenExact();
    const to = frames.endUs(frame ?? player.shown ?? 0);
    const start = from ?? lastKnownBefore(store.coverage, to);
    from = null;
    if (to > start) {
      store.cover(start, to, state, { undoable: true });
      station.tell(`${state === "watched" ? "Watched" : "Skipped"}: ${formatTime(start)} – ${formatTime(to)}`);
    }
  };
  return {
    mark_in: async () => {
      const frame = (await player.whenExact()) ?? player.shown;
      if (frame === null) return;
      from = frames.startUs(frame);
      const event = station.selected ? store.get(station.selected) : undefined;
      if (event) station.changeEdge("start", from);
      else station.tell(`Start at ${formatTime(from)}; O makes an event that ends here, W says watched.`);
    },
    mark_out: async () => {
      const frame = (await player.whenExact()) ?? player.shown;
      if (frame === null) return;
      const to = frames.endUs(frame);
      if (from !== null && !station.selected) {
        const type = station.data.domain.event_types.find((item) => item.kind === "segment");
        if (type && to > from) station.mark(type.name, from, to);
        from = null;
      } else if (station.selected) station.changeEdge("end", to);
      else station.tell("Mark the start first (I), or select an event.");
    },
    watched: () => covered("watched"),
    skipped: () => covered("skipped"),
  };
}

/**
 * Where the stretch begins that ends now and was not looked at yet.
 *
 * @param {readonly [number, number, string][]} coverage
 * @param {number} us
 */
function lastKnownBefore(coverage, us) {
  let start = 0;
  for (const [from, to] of coverage) {
    if (from < us) start = Math.max(start, Math.min(to, us));
  }
  return start < us ? start : 0;
}

/** @param {Station} station @param {import("./parts.js").Parts} parts @returns {Record<string, Act>} */
function events(station, { store, editing }) {
  const { player } = station;
  const move = (/** @type {1 | -1} */ step) => {
    const next = editing.neighbour(station.selected, player.us, step);
    if (next) station.select(next.id, null, true);
    else station.tell(step > 0 ? "This is the last event." : "This is the first event.");
  };
  const needed = () => {
    if (!station.selected) station.tell("Select an event first (Tab).");
    return station.selected;
  };
  return {
    next_event: () => move(1),
    previous_event: () => move(-1),
    deselect: () => station.select(null, null),
    event_start: () => needed() && station.select(station.selected, "start", true),
    event_end: () => needed() && station.select(station.selected, "end", true),
    merge: () => {
      const id = needed();
      if (id && !editing.mergeWithNext(id)) station.tell("There is no later event of the same type to join with.");
    },
    split: () => {
      const id = needed();
      const event = id ? store.get(id) : undefined;
      if (!event) return;
      const at = player.us;
      if (event.kind !== "segment" || at <= event.start_us || at >= event.end_us) {
        station.tell("Put the playhead inside the selected event to split it.");
      } else store.split(event.id, at);
    },
    delete: () => {
      const id = needed();
      if (!id) return;
      const next = editing.neighbour(id, player.us, 1);
      store.remove(id);
      station.select(next?.id ?? null, null);
    },
  };
}

/** @param {Station} station @param {import("./parts.js").Parts} parts @returns {Record<string, Act>} */
function edges(station, { store, editing, filmstrip }) {
  const { player } = station;
  const nudge = (/** @type {"start" | "end"} */ edge, /** @type {number} */ steps) => () => {
    const id = station.selected;
    if (!id) return station.tell("Select an event first (Tab).");
    const event = store.get(id);
    const shown = event?.kind === "point" ? "start" : edge;
    const us = editing.nudge(id, shown, steps);
    if (us === null) return;
    if (station.edge !== shown) station.select(id, shown);
    else station.showFilmstrip();
    return player.seekToUs(shown === "end" ? Math.max(0, us - 1) : us);
  };
  const inStrip = (/** @type {number} */ step) => () => {
    if (filmstrip.isOpen) filmstrip.move(step);
    else if (station.selected) station.select(station.selected, station.edge ?? "start", true);
    else return false;
  };
  return {
    start_earlier: nudge("start", -1),
    start_later: nudge("start", 1),
    end_earlier: nudge("end", -1),
    end_later: nudge("end", 1),
    start_earlier_5: nudge("start", -5),
    start_later_5: nudge("start", 5),
    end_earlier_5: nudge("end", -5),
    end_later_5: nudge("end", 5),
    edge_earlier: inStrip(-1),
    edge_later: inStrip(1),
    next_edge: () => {
      const event = station.selected ? store.get(station.selected) : undefined;
      if (!event) return false;
      if (event.kind === "segment" && station.edge === "start") return station.select(event.id, "end", true);
      const next = station.edge ? editing.neighbour(event.id, player.us, 1) : event;
      if (next) station.select(next.id, "start", true);
    },
  };
}

/** @param {Station} station @param {import("./parts.js").Parts} parts @returns {Record<string, Act>} */
function viewing(station, { timeline, store }) {
  return {
    fit: () => {
      const event = station.selected ? store.get(station.selected) : undefined;
      if (!event) return timeline.fitAll();
      const margin = Math.max(1_000_000, (event.end_us - event.start_us) / 2);
      return timeline.fit(event.start_us - margin, event.end_us + margin);
    },
    fit_all: () => timeline.fitAll(),
    zoom_in: () => timeline.zoomBy(ZOOM),
    zoom_out: () => timeline.zoomBy(1 / ZOOM),
    pan_back: () => timeline.panBy(-PAN),
    pan_forward: () => timeline.panBy(PAN),
  };
}

/**
 * A suggestion is judged if one is chosen, else the selected event.
 *
 * @param {Station} station
 * @param {import("./parts.js").Parts} parts
 * @param {"accepted" | "rejected" | "unsure"} decision
 */
function judge(station, { assist, store, editing }, decision) {
  if (assist.judge(decision)) return;
  const event = station.selected ? store.get(station.selected) : undefined;
  if (event) editing.change(event.id, { review_state: decision });
  else station.tell("Choose a suggestion (N) or select an event (Tab) first.");
}

/**
 * The frame that a text means: `f123` or `#123` is a number, everything else a time; null if it is neither.
 *
 * @param {string} text
 * @param {import("./frames.js").FrameTable} frames
 */
export function frameOf(text, frames) {
  const numbered = /^\s*(?:f|#)\s*(\d{1,9})\s*$/i.exec(text);
  if (numbered) return Number(numbered[1]) < frames.count ? Number(numbered[1]) : null;
  const us = parseTime(text);
  if (us === null || us > frames.durationUs + 500) return null;
  return frames.indexAt(us + 500);
}
