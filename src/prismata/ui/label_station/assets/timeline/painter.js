// Two layers: what stands still until something changes, and what follows the playhead and the pointer.

import { CurveSprites } from "./curve_sprites.js";
import { drawEvents, drawGhosts, drawOne, drawSelected, eventBox, barOf } from "./lanes.js";
import { drawLaneCurve, drawLaneGround, drawLaneHead, drawThresholdValue } from "./lane_frames.js";
import { Minimap } from "./minimap.js";
import { drawCovered, drawCoverage, drawFrameGrid, drawRuler, drawStripHead } from "./strips.js";
import { clear, hatching, mix, readableOn } from "./theme.js";
import { hoverWords } from "./words.js";

/**
 * @typedef {import("./timeline.js").Timeline} Timeline
 * @typedef {import("./lanes.js").Scene} Scene
 */

const NAMES = { minimap: "Whole video", ruler: "", thumbs: "Pictures", waveform: "Sound", coverage: "Looked at", lane: "" };

export class Painter {
  /**
   * @param {Timeline} timeline
   * @param {HTMLElement} stage
   */
  constructor(timeline, stage) {
    this.timeline = timeline;
    this.still = document.createElement("canvas");
    this.moving = document.createElement("canvas");
    for (const canvas of [this.still, this.moving]) {
      canvas.setAttribute("aria-hidden", "true");
      Object.assign(canvas.style, { position: "absolute", inset: "0", width: "100%", height: "100%", display: "block" });
    }
    this.moving.style.pointerEvents = "none";
    stage.append(this.still, this.moving);
    this.minimap = new Minimap();
    /** How long the last drawing took, in milliseconds. */
    this.stillMs = 0;
    this.movingMs = 0;
    this.staleStill = true;
    this.staleMoving = true;
    this.frame = 0;
    this.width = 0;
    this.height = 0;
    this.ratio = 1;
    /** @type {CanvasPattern | string} */
    this.hatch = "#888";
    /** Small drawings that are copied many times. @type {Map<string, HTMLCanvasElement>} */
    this.sprites = new Map();
    this.curveSprites = new CurveSprites();
  }

  /** @param {"still" | "moving"} layer */
  ask(layer) {
    if (layer === "still") this.staleStill = true;
    else this.staleMoving = true;
    this.frame ||= requestAnimationFrame(() => this.paint());
  }

  paint() {
    this.frame = 0;
    this.fitCanvas();
    const begin = performance.now();
    if (this.staleStill) {
      this.staleStill = false;
      this.staleMoving = true;
      this.paintStill();
      this.stillMs = performance.now() - begin;
    }
    if (this.staleMoving) {
      const middle = performance.now();
      this.staleMoving = false;
      this.paintMoving();
      this.movingMs = performance.now() - middle;
    }
  }

  fitCanvas() {
    const ratio = window.devicePixelRatio || 1;
    const [wide, tall] = [Math.round(this.width * ratio), Math.round(this.height * ratio)];
    if (this.still.width === wide && this.still.height === tall && ratio === this.ratio) return;
    this.ratio = ratio;
    for (const canvas of [this.still, this.moving]) {
      canvas.width = wide;
      canvas.height = tall;
    }
    this.renew();
    this.staleStill = true;
  }

  /** Colours, labels or size changed: nothing that was drawn in advance is right. */
  renew() {
    this.minimap.stale = true;
    this.sprites.clear();
    const context = this.contextOf(this.still);
    if (context) this.hatch = hatching(context, mix(this.timeline.theme.text, this.timeline.theme.ground, 0.35), this.ratio);
  }

  /**
   * @param {HTMLCanvasElement} canvas
   * @returns {Scene}
   */
  begin(canvas) {
    const context = this.contextOf(canvas);
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    if (canvas === this.still) {
      context.fillStyle = this.timeline.theme.ground;
      context.fillRect(0, 0, this.width, this.height);
    } else context.clearRect(0, 0, this.width, this.height);
    return { context, theme: this.timeline.theme, ratio: this.ratio, view: this.timeline.view, hatch: this.hatch, sprites: this.sprites };
  }

  /** The lower layer hides nothing, so the browser need not mix it with what lies below. @param {HTMLCanvasElement} canvas */
  contextOf(canvas) {
    return /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { alpha: canvas !== this.still }));
  }

  paintStill() {
    const { timeline } = this;
    const scene = this.begin(this.still);
    const { context, theme, view } = scene;
    const { rows, coverage } = timeline;
    context.save();
    context.beginPath();
    context.rect(view.left, 0, view.width, this.height);
    context.clip();
    for (const row of rows) {
      if (row.kind === "ruler") drawRuler(scene, row, timeline.frames);
      else if (row.kind === "thumbs") timeline.thumbs?.draw(scene, row);
      else if (row.kind === "waveform") timeline.waveform?.draw(scene, row);
      else if (row.kind === "coverage") drawCoverage(scene, row, coverage);
    }
    this.paintLanes(scene);
    context.restore();
    const minimap = rows.find((row) => row.kind === "minimap");
    if (minimap) this.minimap.draw(scene, minimap, { lanes: timeline.lanes, indices: timeline.indices, coverage });
    for (const row of rows) {
      if (row.kind !== "lane") {
        drawStripHead(scene, row, NAMES[row.kind]);
        continue;
      }
      const name = row.type?.name ?? "";
      drawLaneHead(scene, row, name === timeline.activeType);
      const threshold = timeline.thresholds.get(name);
      if (row.curve > 0 && threshold !== undefined) drawThresholdValue(scene, row, threshold, timeline.activeThreshold === name);
    }
    context.strokeStyle = theme.line;
    context.lineWidth = 1;
    context.beginPath();
    const ruler = rows.find((row) => row.kind === "ruler");
    const y = ruler ? ruler.top + ruler.height - 0.5 : 0;
    context.moveTo(view.left, y);
    context.lineTo(view.left + view.width, y);
    context.stroke();
  }

  /** @param {Scene} scene */
  paintLanes(scene) {
    const { timeline } = this;
    const { view } = scene;
    const { curves, draft, selected } = timeline;
    const lanes = timeline.rows.filter((row) => row.kind === "lane");
    if (!lanes.length) return;
    const pieces = curves?.pieces(view.startUs, view.endUs, view.usPerPx);
    this.curveSprites.turn(view.usPerPx, this.ratio, curves);
    const isApart = (/** @type {string} */ id) => id === selected?.id || id === draft?.event?.id;
    for (const row of lanes) drawLaneGround(scene, row);
    const [first, last] = [lanes[0], lanes[lanes.length - 1]];
    if (view.showsFrames(timeline.frames)) drawFrameGrid(scene, timeline.frames, first.top, last.top + last.height - first.top);
    for (const row of lanes) {
      const name = row.type?.name ?? "";
      if (curves && pieces && row.curve > 0) {
        drawLaneCurve(scene, row, { source: curves, pieces, sprites: this.curveSprites, threshold: timeline.thresholds.get(name), active: timeline.activeThreshold === name });
      }
      const ghosts = timeline.ghostIndices.get(name);
      const index = timeline.indices.get(name);
      if (ghosts) drawGhosts(scene, row, ghosts, index);
      if (index) drawEvents(scene, row, index, isApart);
      if (selected?.event_type === name && draft?.event?.id !== selected.id) drawSelected(scene, row, selected, timeline.selection?.edge ?? null);
      const dragged = draft?.event;
      if (dragged?.event_type === name) {
        if (dragged.id) drawSelected(scene, row, dragged, null);
        else drawOne(scene, row, dragged);
      }
    }
  }

  paintMoving() {
    const { timeline } = this;
    const scene = this.begin(this.moving);
    const { context, theme, view } = scene;
    const { draft, hover, rows } = timeline;
    const ruler = rows.find((row) => row.kind === "ruler");
    if (!ruler) return;
    context.save();
    context.beginPath();
    context.rect(view.left - 8, 0, view.width + 16, this.height);
    context.clip();
    this.paintHolds(scene);
    if (draft?.paint) this.paintCovered(scene, draft.paint);
    if (draft?.snapUs !== undefined && draft.snapUs !== null) {
      this.line(scene, view.xOf(draft.snapUs), ruler.top, theme.accent, [3, 3]);
    }
    if (hover && !draft && hover.x >= view.left && hover.x <= view.left + view.width && hover.y >= ruler.top) this.line(scene, hover.x, ruler.top, clear(theme.text, 0.35), []);
    const x = view.xOf(timeline.playheadUs);
    if (x >= view.left - 1 && x <= view.left + view.width + 1) this.paintPlayhead(scene, x, ruler);
    context.restore();
    const minimap = rows.find((row) => row.kind === "minimap");
    if (minimap) {
      context.fillStyle = theme.playhead;
      context.fillRect(view.left + (timeline.playheadUs / view.durationUs) * view.width - 0.75, minimap.top + 1, 1.5, minimap.height - 4);
    }
    if (draft) this.label(scene, draft.label, draft.x, ruler.top + 1, theme.accent);
    else if (hover && hover.x >= view.left && hover.y >= ruler.top) this.label(scene, hoverWords(timeline, hover), hover.x, ruler.top + 1, mix(theme.text, theme.ground, 0.15));
  }

  /** @param {Scene} scene */
  paintHolds(scene) {
    const { context, theme, view } = scene;
    for (const hold of this.timeline.holds) {
      const row = this.timeline.rows.find((item) => item.type?.name === hold.event_type);
      if (!row?.type) continue;
      const box = eventBox(row);
      const { x, width } = barOf(view, hold.start_us, Math.max(hold.start_us, this.timeline.playheadUs), 3);
      context.fillStyle = clear(row.type.color, 0.65);
      context.strokeStyle = theme.playhead;
      context.lineWidth = 1.5;
      context.beginPath();
      context.roundRect(x, box.top, width, box.height, Math.min(3, width / 2));
      context.fill();
      context.stroke();
    }
  }

  /**
   * @param {Scene} scene
   * @param {{start_us: number, end_us: number, state: string | null}} paint
   */
  paintCovered(scene, paint) {
    const { context, theme, view } = scene;
    const row = this.timeline.rows.find((item) => item.kind === "coverage");
    if (!row) return;
    const x = view.xOf(paint.start_us);
    const width = view.xOf(paint.end_us) - x;
    drawCovered(scene, paint.state, x, row.top + 3, width, row.height - 6);
    context.strokeStyle = theme.accent;
    context.lineWidth = 2;
    context.strokeRect(x, row.top + 3, width, row.height - 6);
  }

  /**
   * @param {Scene} scene
   * @param {number} x
   * @param {import("./rows.js").Row} ruler
   */
  paintPlayhead({ context, theme }, x, ruler) {
    const foot = ruler.top + ruler.height;
    context.fillStyle = theme.playhead;
    context.fillRect(x - 0.75, foot - 4, 1.5, this.height - foot + 2);
    context.beginPath();
    context.moveTo(x - 6, foot - 14);
    context.lineTo(x + 6, foot - 14);
    context.lineTo(x + 6, foot - 8);
    context.lineTo(x, foot - 1);
    context.lineTo(x - 6, foot - 8);
    context.closePath();
    context.fill();
  }

  /**
   * @param {Scene} scene
   * @param {number} x
   * @param {number} top
   * @param {string} color
   * @param {number[]} dash
   */
  line({ context }, x, top, color, dash) {
    context.strokeStyle = color;
    context.lineWidth = 1;
    context.setLineDash(dash);
    context.beginPath();
    context.moveTo(Math.round(x) + 0.5, top);
    context.lineTo(Math.round(x) + 0.5, this.height);
    context.stroke();
    context.setLineDash([]);
  }

  /**
   * @param {Scene} scene
   * @param {string} text
   * @param {number} x
   * @param {number} top
   * @param {string} color
   */
  label({ context, theme, view }, text, x, top, color) {
    context.font = `600 11px ${theme.font}`;
    const width = context.measureText(text).width + 12;
    const left = Math.min(view.left + view.width - width, Math.max(view.left, x - width / 2));
    context.fillStyle = color;
    context.beginPath();
    context.roundRect(left, top, width, 18, 4);
    context.fill();
    context.fillStyle = readableOn(color);
    context.textAlign = "left";
    context.textBaseline = "middle";
    context.fillText(text, left + 6, top + 9.5);
  }

  close() {
    cancelAnimationFrame(this.frame);
  }
}
