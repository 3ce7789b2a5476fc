// What a model suggests on this video at the thresholds of the moment, less what people have judged.

import { LaneIndex, indexByType } from "./timeline/search.js";

/**
 * @typedef {{start_us: number, end_us: number, event_type: string, kind: string, score: number}} Suggestion
 * @typedef {Suggestion & {id: string}} Ghost
 * @typedef {{threshold: number} & Record<string, number>} Rule fields of a grouping rule
 * @typedef {{id: string, start_us: number, end_us: number, event_type: string, kind: string}} Label
 * @typedef {EventTarget & {list: () => Label[]}} Labels
 * @typedef {{json: (path: string, options?: any) => Promise<any>}} Asker
 * @typedef {{startUs: (index: number) => number, indexAt: (us: number) => number, endUs: (index: number) => number, nearestEdge: (us: number) => number}} Frames
 */

/** How long a threshold has to rest before the server is asked. */
const REST_MS = 120;
/** Segments that overlap so much, intersection over union, are the same. */
const SAME_IOU = 0.3;

/**
 * Say whether a label is what a model suggests. A segment that has less in common still is, if more
 * than half of the suggestion lies inside the label.
 *
 * @param {Suggestion} ghost
 * @param {Pick<Label, "start_us" | "end_us" | "kind">} label of the same event type
 * @param {number} toleranceUs how far a point may be off
 */
export function matches(ghost, label, toleranceUs) {
  if (ghost.kind === "point" || label.kind === "point") {
    return ghost.start_us <= label.end_us + toleranceUs && label.start_us <= ghost.end_us + toleranceUs;
  }
  const shared = Math.min(ghost.end_us, label.end_us) - Math.max(ghost.start_us, label.start_us);
  if (shared <= 0) return false;
  const length = ghost.end_us - ghost.start_us;
  const union = length + (label.end_us - label.start_us) - shared;
  return shared / union >= SAME_IOU || shared > length / 2;
}

/**
 * The suggestions that no label matches.
 *
 * @template {Suggestion} T
 * @param {T[]} ghosts
 * @param {Label[]} labels in order of their starts
 * @param {number} commonUs how far a point may be off
 * @param {Record<string, number>} [ownUs] the same by event type, where one has its own
 * @returns {T[]}
 */
export function unjudged(ghosts, labels, commonUs, ownUs = {}) {
  const lanes = indexByType(labels);
  return ghosts.filter((ghost) => {
    const toleranceUs = ownUs[ghost.event_type] ?? commonUs;
    const lane = lanes.get(ghost.event_type) ?? new LaneIndex(/** @type {Label[]} */ ([]));
    const { first, stop } = lane.range(ghost.start_us - toleranceUs, ghost.end_us + toleranceUs);
    for (let i = first; i < stop; i++) {
      if (matches(ghost, lane.events[i], toleranceUs)) return false;
    }
    return true;
  });
}

export class Ghosts extends EventTarget {
  /**
   * @param {{api: Asker, store: Labels, toleranceUs: number, tolerances?: Record<string, number>, frames?: Frames | null}} what
   *   with `tolerances`, event types have their own; with `frames`, what becomes a label begins and
   *   ends on frames
   */
  constructor({ api, store, toleranceUs, tolerances = {}, frames = null }) {
    super();
    this.api = api;
    this.store = store;
    this.toleranceUs = toleranceUs;
    this.tolerances = tolerances;
    this.frames = frames;
    /** By time, or the most uncertain first. @type {"time" | "uncertainty"} */
    this.order = "time";
    /** @type {{id: string, model: string} | null} */
    this.run = null;
    /** @type {Record<string, number>} */
    this.thresholds = {};
    /** Other fields of grouping rules, where they are not the run's own. @type {Record<string, Rule>} */
    this.rules = {};
    /** @type {Ghost[]} */
    this.all = [];
    /** @type {Ghost[] | null} */
    this.shown = null;
    /** Answers that come after a later one are thrown away. */
    this.asked = 0;
    this.onLabels = () => this.tell();
    store.addEventListener("change", this.onLabels);
  }

  /**
   * Take up a run's suggestions; the ones before go.
   *
   * @param {{id: string, model: string, thresholds: Record<string, number>, rules?: Record<string, Rule>}} run
   */
  async open({ id, model, thresholds, rules = {} }) {
    this.clear();
    this.run = { id, model };
    this.thresholds = { ...thresholds };
    this.take(rules);
    await this.fetch();
  }

  /** Group by other rules. @param {Record<string, Rule>} rules */
  setRules(rules) {
    const before = JSON.stringify([this.thresholds, this.rules]);
    this.take(rules);
    if (this.run && JSON.stringify([this.thresholds, this.rules]) !== before) void this.fetch();
  }

  /** @param {Record<string, Rule>} rules */
  take(rules) {
    this.rules = rules;
    for (const [name, rule] of Object.entries(rules)) this.thresholds[name] = rule.threshold;
  }

  clear() {
    clearTimeout(this.timer);
    this.asked++;
    this.run = null;
    this.all = [];
    this.tell();
  }

  /**
   * @param {string} eventType
   * @param {number} value
   * @param {boolean} [final] ask at once
   */
  setThreshold(eventType, value, final = false) {
    this.thresholds[eventType] = value;
    clearTimeout(this.timer);
    if (!this.run) return;
    this.timer = setTimeout(() => void this.fetch(), final ? 0 : REST_MS);
  }

  async fetch() {
    const { run } = this;
    if (!run) return;
    const turn = ++this.asked;
    const query = new URLSearchParams(Object.entries(this.thresholds).map(([name, value]) => [name, String(value)]));
    for (const [name, { threshold: _, ...others }] of Object.entries(this.rules)) {
      for (const [field, value] of Object.entries(others)) query.set(`${name}.${field}`, String(value));
    }
    try {
      /** @type {{events: Suggestion[]}} */
      const told = await this.api.json(`/api/scores/${run.id}/events?${query}`, { as: "video" });
      if (turn !== this.asked) return;
      this.all = told.events.map((event) => ({ ...event, id: `${event.event_type}:${event.start_us}:${event.end_us}` }));
      this.tell();
    } catch (error) {
      if (turn !== this.asked) return;
      // What is shown stays: it is still true for the thresholds before.
      this.dispatchEvent(new CustomEvent("trouble", { detail: { message: error instanceof Error ? error.message : String(error) } }));
    }
  }

  tell() {
    this.shown = null;
    this.dispatchEvent(new Event("change"));
  }

  /** Suggestions that nobody has judged, in order of time. @returns {Ghost[]} */
  list() {
    this.shown ??= unjudged(this.all, this.store.list(), this.toleranceUs, this.tolerances);
    return this.shown;
  }

  /** In the order in which they are walked through. @returns {Ghost[]} */
  ordered() {
    const doubt = (/** @type {Ghost} */ ghost) => Math.abs(ghost.score - (this.thresholds[ghost.event_type] ?? 0.5));
    return this.order === "time" ? this.list() : [...this.list()].sort((a, b) => doubt(a) - doubt(b) || a.start_us - b.start_us);
  }

  /**
   * The suggestion after another, or after an instant; at the end it begins anew. Null: there is none.
   *
   * @param {string | number | null} from
   */
  next(from) {
    const ghosts = this.ordered();
    if (!ghosts.length) return null;
    const at = placeOf(ghosts, from);
    if (at >= 0) return ghosts[(at + 1) % ghosts.length];
    const us = timeOf(from);
    if (us === null || this.order !== "time") return ghosts[0];
    return ghosts.find((ghost) => ghost.start_us > us) ?? ghosts[0];
  }

  /**
   * The suggestion before another, or before an instant; at the beginning the last. Null: there is none.
   *
   * @param {string | number | null} from
   */
  previous(from) {
    const ghosts = this.ordered();
    if (!ghosts.length) return null;
    const at = placeOf(ghosts, from);
    if (at >= 0) return ghosts[(at + ghosts.length - 1) % ghosts.length];
    const last = ghosts[ghosts.length - 1];
    const us = timeOf(from);
    if (us === null || this.order !== "time") return last;
    return ghosts.findLast((ghost) => ghost.start_us < us) ?? last;
  }

  /**
   * What the store makes a label of; it says where it came from.
   *
   * @param {Ghost} ghost
   * @param {"accepted" | "rejected" | "unsure"} decision
   */
  toLabel(ghost, decision) {
    if (!this.run) throw new Error("There is no run whose suggestion this could be.");
    return {
      ...this.onFrames(ghost),
      event_type: ghost.event_type,
      kind: ghost.kind,
      review_state: decision,
      attributes: { source: { run: this.run.id, model: this.run.model, score: ghost.score } },
    };
  }

  /** @param {Ghost} ghost */
  onFrames({ start_us, end_us, kind }) {
    const { frames } = this;
    if (!frames) return { start_us, end_us };
    const first = frames.indexAt(start_us);
    if (kind === "point") return { start_us: frames.startUs(first), end_us: frames.startUs(first) };
    const start = frames.nearestEdge(start_us);
    const end = frames.nearestEdge(end_us);
    return end > start ? { start_us: start, end_us: end } : { start_us: frames.startUs(first), end_us: frames.endUs(first) };
  }

  close() {
    clearTimeout(this.timer);
    this.asked++;
    this.store.removeEventListener("change", this.onLabels);
  }
}

/**
 * @param {Ghost[]} ghosts
 * @param {string | number | null} from
 */
function placeOf(ghosts, from) {
  return typeof from === "string" ? ghosts.findIndex((ghost) => ghost.id === from) : -1;
}

/**
 * An instant, or that of a suggestion which is no longer there: its id holds it.
 *
 * @param {string | number | null} from
 */
function timeOf(from) {
  if (typeof from !== "string") return from;
  const us = Number(from.split(":")[1]);
  return Number.isFinite(us) ? us : null;
}
