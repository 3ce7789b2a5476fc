// Pointer, wheel and fingers on the timeline: clicks, drags, zoom, pinch.

import { centre, dragFor, panDrag } from "./drags.js";
import { hitAt } from "./hits.js";
import { frameStart } from "./view.js";

/**
 * @typedef {import("./timeline.js").Timeline} Timeline
 * @typedef {import("./hits.js").Hit} Hit
 * @typedef {import("./drags.js").Drag} Drag
 * @typedef {import("./drags.js").Point} Point
 */

const DRAG_PX = 4;
const COARSE_DRAG_PX = 9;
/** How much coarser a finger is than a mouse. */
const COARSE_REACH = 2;
const DOUBLE_MS = 350;
const WHEEL_PX_PER_DOUBLING = 300;
const LINE_PX = 33;

const CURSORS = /** @type {Record<Hit["kind"], string>} */ ({
  nothing: "default", head: "default", minimap: "pointer", window: "grab", "window-start": "ew-resize", "window-end": "ew-resize",
  ruler: "grab", playhead: "ew-resize", scrub: "default", coverage: "crosshair", threshold: "ns-resize", event: "grab", ghost: "pointer", empty: "default",
});

export class Gestures {
  /**
   * @param {Timeline} timeline
   * @param {HTMLElement} surface
   */
  constructor(timeline, surface) {
    this.timeline = timeline;
    this.surface = surface;
    /** @type {Map<number, Point>} */
    this.pointers = new Map();
    /** @type {{hit: Hit, from: Point, coarse: boolean, drag: Drag | null, modified: boolean} | null} */
    this.pressed = null;
    /** @type {{gapPx: number, us: number, spanUs: number} | null} */
    this.pinch = null;
    this.lastClick = { at: -Infinity, x: 0, y: 0 };
    this.touchedAt = -Infinity;
    this.stop = new AbortController();
    const listen = (/** @type {string} */ name, /** @type {(event: any) => void} */ handler, options = {}) =>
      surface.addEventListener(name, handler, { signal: this.stop.signal, ...options });
    listen("pointerdown", (event) => this.onDown(event));
    listen("pointermove", (event) => this.onMove(event));
    listen("pointerup", (event) => this.onUp(event));
    listen("pointercancel", () => this.cancel());
    listen("pointerleave", () => !this.pressed && timeline.showHover(null));
    listen("wheel", (event) => this.onWheel(event), { passive: false });
    // Escape belongs to the drag while there is one; nobody else hears it.
    window.addEventListener("keydown", (event) => this.onKey(event), { signal: this.stop.signal, capture: true });
  }

  get isDragging() {
    return Boolean(this.pressed?.drag) || this.pinch !== null;
  }

  /** @param {MouseEvent} event @returns {Point} */
  pointOf(event) {
    const box = this.surface.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top, alt: event.altKey, shift: event.shiftKey };
  }

  /** @param {PointerEvent} event */
  onDown(event) {
    if (event.button > 1) return;
    const point = this.pointOf(event);
    const coarse = event.pointerType === "touch";
    this.pointers.set(event.pointerId, point);
    this.touchedAt = performance.now();
    this.timeline.focus();
    if (this.pointers.size === 2) return this.beginPinch();
    if (this.pressed) return undefined;
    this.surface.setPointerCapture(event.pointerId);
    const hit = hitAt(this.timeline.scenery, point.x, point.y, coarse ? COARSE_REACH : 1);
    this.pressed = { hit, from: point, coarse, drag: null, modified: event.ctrlKey || event.metaKey || event.shiftKey };
    if (event.button === 1) {
      event.preventDefault();
      this.pressed.drag = panDrag(this.timeline, point);
    }
    return undefined;
  }

  /** @param {PointerEvent} event */
  onMove(event) {
    const point = this.pointOf(event);
    if (this.pointers.has(event.pointerId)) this.pointers.set(event.pointerId, point);
    if (this.pinch) return this.onPinch();
    const pressed = this.pressed;
    if (!pressed) {
      if (event.pointerType === "touch") return undefined;
      return this.hover(point);
    }
    const far = Math.hypot(point.x - pressed.from.x, point.y - pressed.from.y);
    if (!pressed.drag && far >= (pressed.coarse ? COARSE_DRAG_PX : DRAG_PX)) {
      pressed.drag = dragFor(this.timeline, pressed.hit, pressed.from, pressed.coarse);
      if (pressed.drag) this.surface.style.cursor = pressed.drag.cursor;
    }
    if (!pressed.drag) return undefined;
    this.touchedAt = performance.now();
    pressed.drag.move(point);
    return undefined;
  }

  /** @param {PointerEvent} event */
  onUp(event) {
    this.pointers.delete(event.pointerId);
    if (this.pinch) {
      if (this.pointers.size < 2) this.pinch = null;
      this.pressed = null;
      return;
    }
    const pressed = this.pressed;
    this.pressed = null;
    if (!pressed) return;
    const point = this.pointOf(event);
    if (pressed.drag) {
      this.timeline.showDraft(null);
      pressed.drag.end();
    } else {
      this.click(pressed.hit, point, pressed.modified);
    }
    this.hover(point);
  }

  /** The drag never happened. */
  cancel() {
    const drag = this.pressed?.drag;
    this.pressed = null;
    this.pinch = null;
    this.pointers.clear();
    this.timeline.showDraft(null);
    drag?.cancel();
    this.surface.style.cursor = "default";
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (event.key !== "Escape" || !this.pressed?.drag) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    this.cancel();
  }

  /** @param {Point} point */
  hover(point) {
    const hit = hitAt(this.timeline.scenery, point.x, point.y);
    let cursor = CURSORS[hit.kind];
    if (hit.kind === "event") cursor = hit.edge ? "ew-resize" : "grab";
    if (hit.kind === "empty" && hit.row?.type?.kind === "segment" && !hit.row.type.gone) cursor = "crosshair";
    this.surface.style.cursor = cursor;
    this.timeline.showHover({ ...point, hit });
  }

  /**
   * @param {Hit} hit
   * @param {Point} point
   * @param {boolean} modified
   */
  click(hit, point, modified) {
    const { timeline } = this;
    const now = performance.now();
    const double = now - this.lastClick.at < DOUBLE_MS && Math.hypot(point.x - this.lastClick.x, point.y - this.lastClick.y) < 8;
    this.lastClick = { at: double ? -Infinity : now, x: point.x, y: point.y };
    const us = frameStart(timeline.frames, timeline.view.usOf(point.x));
    if (hit.kind === "nothing" || hit.kind === "head") return;
    if (hit.kind === "minimap" || hit.kind === "window") {
      if (hit.kind === "minimap") centre(timeline, point.x);
      return;
    }
    if (hit.kind === "window-start" || hit.kind === "window-end" || hit.kind === "threshold") return;
    if (hit.kind === "event" && hit.event) {
      const { id, start_us, end_us } = hit.event;
      if (double && end_us > start_us) timeline.fit(start_us, end_us);
      timeline.emit("select", { id, edge: hit.edge ?? null });
      const edgeUs = hit.edge === "end" ? frameStart(timeline.frames, end_us - 1) : start_us;
      timeline.emit("seek", { us: hit.edge || end_us === start_us ? frameStart(timeline.frames, edgeUs) : us, final: true });
      return;
    }
    if (hit.kind === "ghost" && hit.event) {
      timeline.emit("ghost", { id: hit.event.id });
      return;
    }
    const type = hit.row?.type;
    if (hit.kind === "empty" && type?.kind === "point" && !type.gone && (double || modified)) {
      timeline.emit("create", { event_type: type.name, start_us: us, end_us: us });
      return;
    }
    if (hit.kind === "empty") timeline.emit("select", { id: null, edge: null });
    timeline.emit("seek", { us, final: true });
  }

  /** @param {WheelEvent} event */
  onWheel(event) {
    const { timeline } = this;
    const point = this.pointOf(event);
    // Over the heads the page scrolls, so that nobody is caught on a tall timeline.
    if (point.x < timeline.view.left && !event.ctrlKey) return;
    event.preventDefault();
    this.touchedAt = performance.now();
    const unit = event.deltaMode === 1 ? LINE_PX : event.deltaMode === 2 ? timeline.view.width : 1;
    const [dx, dy] = [event.deltaX * unit, event.deltaY * unit];
    if (event.shiftKey || Math.abs(dx) > Math.abs(dy)) {
      timeline.panTo(timeline.view.startUs + (dx || dy) * timeline.view.usPerPx);
      return;
    }
    // A pinch on a trackpad comes as a wheel with Ctrl and small steps.
    const doublings = (event.ctrlKey ? dy * 3 : dy) / WHEEL_PX_PER_DOUBLING;
    timeline.zoomBy(2 ** -Math.max(-2, Math.min(2, doublings)), timeline.view.usOf(Math.max(timeline.view.left, point.x)));
  }

  beginPinch() {
    const drag = this.pressed?.drag;
    this.pressed = null;
    this.timeline.showDraft(null);
    drag?.cancel();
    const { gap, middle } = this.fingers();
    const { view } = this.timeline;
    this.pinch = { gapPx: Math.max(10, gap), us: view.usOf(middle), spanUs: view.spanUs };
  }

  onPinch() {
    if (!this.pinch || this.pointers.size < 2) return;
    const { gap, middle } = this.fingers();
    const { view } = this.timeline;
    this.touchedAt = performance.now();
    const span = Math.min(view.durationUs, Math.max(view.minSpanUs, (this.pinch.spanUs * this.pinch.gapPx) / Math.max(10, gap)));
    // What was between the fingers stays between them.
    const start = this.pinch.us - ((middle - view.left) / view.width) * span;
    this.timeline.showView(start, start + span);
  }

  fingers() {
    const [a, b] = [...this.pointers.values()];
    return { gap: Math.abs(a.x - b.x), middle: (a.x + b.x) / 2 };
  }

  close() {
    this.cancel();
    this.stop.abort();
  }
}
