// The timeline: what it shows, what it is told, and what it tells. It never changes a label itself.

import { Gestures } from "./gestures.js";
import { Painter } from "./painter.js";
import { gutters, lanesFor, layoutRows } from "./rows.js";
import { indexByType } from "./search.js";
import { Stage } from "./stage.js";
import { ThumbStrip, Waveform } from "./strips.js";
import { readTheme } from "./theme.js";
import { View } from "./view.js";
import { Viewport } from "./viewport.js";
import { summaryOf } from "./words.js";

/**
 * @typedef {import("../frames.js").FrameTable} FrameTable
 * @typedef {import("./rows.js").LaneType} LaneType
 * @typedef {import("./lanes.js").Shown} Shown
 * @typedef {import("./lanes.js").Selection} Selection
 * @typedef {import("./strips.js").ThumbSheet} ThumbSheet
 * @typedef {EventTarget & {list: () => Shown[], coverage: readonly (readonly [number, number, string])[]}} Store what is read of the store
 * @typedef {{label: string, x: number, event?: Shown, snapUs?: number | null, threshold?: string,
 *   paint?: {start_us: number, end_us: number, state: string | null}}} Draft what a drag shows before it ends
 */


/** After a person moved the view, the playhead does not pull it back for so long. */
const LEFT_ALONE_MS = 2500;

export class Timeline extends Viewport {
  /**
   * @param {HTMLElement} host
   * @param {{frames: FrameTable, eventTypes: LaneType[], store: Store}} what
   */
  constructor(host, { frames, eventTypes, store }) {
    super(new View(frames.durationUs, frames.count));
    this.host = host;
    this.frames = frames;
    this.declared = eventTypes;
    this.store = store;
    this.theme = readTheme(host);
    /** @type {Selection | null} */
    this.selection = null;
    /** @type {Shown | null} */
    this.selected = null;
    /** @type {{event_type: string, start_us: number}[]} */
    this.holds = [];
    /** @type {ThumbStrip | null} */
    this.thumbs = null;
    /** @type {Waveform | null} */
    this.waveform = null;
    /** @type {import("./curves.js").CurveSource | null} */
    this.curves = null;
    /** @type {Map<string, number>} */
    this.thresholds = new Map();
    /** @type {Map<string, import("./search.js").LaneIndex<any>>} */
    this.ghostIndices = new Map();
    this.ghostCount = 0;
    /** @type {Draft | null} */
    this.draft = null;
    /** @type {{x: number, y: number, hit: import("./hits.js").Hit} | null} */
    this.hover = null;
    /** @type {LaneType[]} */
    this.lanes = [];
    /** @type {import("./rows.js").Row[]} */
    this.rows = [];
    /** @type {Map<string, import("./search.js").LaneIndex<Shown>>} */
    this.indices = new Map();
    this.stage = new Stage(host, () => this.refreshTheme());
    this.painter = new Painter(this, this.stage.surface);
    this.gestures = new Gestures(this, this.stage.surface);
    this.onLabels = () => this.readLabels();
    this.onCoverage = () => this.drawAnew();
    this.onCurves = () => this.painter.ask("still");
    store.addEventListener("change", this.onLabels);
    store.addEventListener("coverage", this.onCoverage);
    this.observer = new ResizeObserver(() => this.layout());
    this.observer.observe(host);
    this.readLabels();
  }

  // ── what it is told ──────────────────────────────────────────────────────────────────────────

  /** @param {FrameTable} frames */
  setFrames(frames) {
    const { startUs, endUs } = this.view;
    this.frames = frames;
    this.view = new View(frames.durationUs, frames.count);
    this.layout();
    this.view.show(startUs, endUs);
  }

  /** @param {LaneType[]} eventTypes */
  setEventTypes(eventTypes) {
    this.declared = eventTypes;
    this.readLabels();
  }

  /** @param {number} us */
  setPlayhead(us) {
    if (us === this.playheadUs) return;
    this.playheadUs = us;
    this.painter.ask("moving");
  }

  /** @param {Selection | null} selection */
  setSelection(selection) {
    this.selection = selection;
    this.findSelected();
    this.painter.ask("still");
    this.tellSummary();
  }

  /** @param {{event_type: string, start_us: number}[]} holds */
  setOpenHolds(holds) {
    this.holds = holds;
    this.painter.ask("moving");
  }

  /** @param {{thumbs: ThumbSheet | null, thumbUrl: (sprite: number) => string, waveform: Uint8Array | null, peaksPerSecond: number}} material */
  setMaterial({ thumbs, thumbUrl, waveform, peaksPerSecond }) {
    if (JSON.stringify(thumbs) !== JSON.stringify(this.thumbs?.sheet ?? null)) {
      this.thumbs?.close();
      this.thumbs = thumbs && thumbs.count > 0 ? new ThumbStrip(thumbs, thumbUrl, () => this.painter.ask("still")) : null;
    }
    const peaks = waveform?.length && peaksPerSecond > 0 ? waveform : null;
    if (peaks !== (this.waveform?.levels[0] ?? null)) this.waveform = peaks && new Waveform(peaks, peaksPerSecond);
    this.layout();
  }

  /** @param {import("./curves.js").CurveSource | null} curves */
  setCurves(curves) {
    this.curves?.removeEventListener("change", this.onCurves);
    this.curves?.close();
    this.curves = curves;
    if (!curves) this.thresholds.clear();
    curves?.addEventListener("change", this.onCurves);
    this.layout();
  }

  /** @param {(Shown & {score?: number})[]} ghosts */
  setGhosts(ghosts) {
    this.ghostIndices = indexByType([...ghosts].sort((a, b) => a.start_us - b.start_us));
    this.ghostCount = ghosts.length;
    this.painter.ask("still");
    this.tellSummary();
  }

  /**
   * @param {string} eventType
   * @param {number} value
   */
  setThreshold(eventType, value) {
    this.thresholds.set(eventType, value);
    this.painter.ask("still");
  }

  /** The view moved. */
  onView() {
    this.painter.ask("still");
    this.tellSummary();
  }

  get isLeftAlone() {
    return !this.gestures.isDragging && performance.now() - this.gestures.touchedAt > LEFT_ALONE_MS;
  }

  // ── between its parts ────────────────────────────────────────────────────────────────────────

  get coverage() {
    return this.store.coverage;
  }

  /** What hit-testing needs. */
  get scenery() {
    const { view, rows, playheadUs, indices, ghostIndices, selected, thresholds, curves } = this;
    return { view, rows, playheadUs, indices, ghosts: ghostIndices, selected, thresholds, hasCurves: curves !== null };
  }

  get activeType() {
    return this.draft?.event?.event_type ?? this.selected?.event_type ?? null;
  }

  /** The event type whose threshold is held, or would be. */
  get activeThreshold() {
    if (this.draft) return this.draft.threshold ?? null;
    return this.hover?.hit.kind === "threshold" ? (this.hover.hit.row?.type?.name ?? null) : null;
  }

  /**
   * @param {string} name
   * @param {unknown} detail
   */
  emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  /** @param {Draft | null} draft */
  showDraft(draft) {
    const still = draft?.event || draft?.threshold || this.draft?.event || this.draft?.threshold;
    this.draft = draft;
    this.painter.ask(still ? "still" : "moving");
  }

  /** @param {Timeline["hover"]} hover */
  showHover(hover) {
    const before = this.activeThreshold;
    this.hover = hover;
    this.painter.ask(before === this.activeThreshold ? "moving" : "still");
  }

  focus() {
    this.host.focus({ preventScroll: true });
  }

  readLabels() {
    const events = this.store.list();
    this.indices = indexByType(events);
    const kindOf = (/** @type {string} */ name) => this.indices.get(name)?.events[0]?.kind ?? "point";
    this.lanes = lanesFor(this.declared, this.indices.keys(), kindOf);
    this.findSelected();
    this.layout();
    this.tellSummary();
  }

  findSelected() {
    const id = this.selection?.id;
    this.selected = id ? (this.store.list().find((event) => event.id === id) ?? null) : null;
  }

  /** Put the rows where they belong now. */
  layout() {
    const width = this.host.clientWidth;
    const { rows, height } = layoutRows({ types: this.lanes, thumbs: Boolean(this.thumbs), waveform: Boolean(this.waveform), curves: Boolean(this.curves), width });
    const { left, right } = gutters(width, Boolean(this.curves));
    this.rows = rows;
    this.view.place(left, width - left - right);
    this.stage.surface.style.height = `${height}px`;
    this.painter.width = width;
    this.painter.height = height;
    this.drawAnew();
  }

  drawAnew() {
    this.painter.minimap.stale = true;
    this.painter.ask("still");
  }

  /** Read the page's colours again and draw with them. */
  refreshTheme() {
    this.theme = readTheme(this.host);
    this.painter.renew();
    this.painter.ask("still");
  }

  tellSummary() {
    this.stage.tell(() => summaryOf(this));
  }

  close() {
    this.gestures.close();
    this.observer.disconnect();
    this.store.removeEventListener("change", this.onLabels);
    this.store.removeEventListener("coverage", this.onCoverage);
    this.setCurves(null);
    this.painter.close();
    this.thumbs?.close();
    this.stage.close();
  }
}
