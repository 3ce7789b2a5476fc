// Exact frames around an edge, decoded by the server: the one in which it happens is picked.

import { element, formatTime } from "./dom.js";

/** @typedef {import("./frames.js").FrameTable} FrameTable */
/** @typedef {{bytes: (path: string, request: {as: "video", signal: AbortSignal}) => Promise<Uint8Array<ArrayBuffer>>}} StripApi */
/** @typedef {{edge: "start" | "end", us: number, kind: string}} Edge */

export const AROUND = 5;
const HEIGHT = 72;

/**
 * Which frames to show around an edge.
 *
 * @param {FrameTable} frames
 * @param {Edge} edge the end of a segment is where its last frame leaves; a point has its frame's start
 * @returns {{first: number, count: number, current: number}} `current` is the frame that the edge belongs to
 */
export function stripAround(frames, { edge, us, kind }) {
  const isEnd = edge === "end" && kind !== "point";
  const current = frames.indexAt(isEnd ? us - 1 : us);
  const first = Math.max(0, current - AROUND);
  return { first, count: Math.min(frames.count - 1, current + AROUND) - first + 1, current };
}

/**
 * Where an edge lies if it belongs to a frame, in microseconds.
 *
 * @param {FrameTable} frames
 * @param {Edge} edge
 * @param {number} frame
 */
export function edgeAt(frames, { edge, kind }, frame) {
  return edge === "end" && kind !== "point" ? frames.endUs(frame) : frames.startUs(frame);
}

/** Emits `pick` {us, frame} when another frame is picked, `next` when the next edge is wanted. */
export class Filmstrip extends EventTarget {
  /**
   * @param {HTMLElement} host
   * @param {{api: StripApi, frames: FrameTable, video: string}} page
   */
  constructor(host, { api, frames, video }) {
    super();
    this.api = api;
    this.frames = frames;
    this.video = video;
    /** @type {Edge | null} */
    this.edge = null;
    this.first = 0;
    this.current = 0;
    /** @type {HTMLButtonElement[]} */
    this.buttons = [];
    this.shownUrl = "";
    this.asking = new AbortController();
    this.title = element("span", { class: "soft strip-title" });
    this.told = element("span", { class: "soft", role: "status" });
    this.row = element("div", { class: "strip-row", role: "group", "data-own-keys": "", onkeydown: (/** @type {KeyboardEvent} */ event) => this.onKey(event) });
    this.root = element("section", { class: "strip", "aria-label": "exact frames around the edge", hidden: true }, this.title, this.row, this.told);
    host.append(this.root);
  }

  get isOpen() {
    return !this.root.hidden;
  }

  /** @param {Edge} edge */
  async show(edge) {
    const { first, count, current } = stripAround(this.frames, edge);
    // While somebody picks, the strip stands still; it moves on where it ends.
    const isWithin = current > this.first && current < this.first + this.buttons.length - 1;
    const isSame = this.isOpen && this.edge?.edge === edge.edge && this.shownUrl !== "" && (isWithin || first === this.first);
    this.edge = edge;
    this.current = current;
    this.root.hidden = false;
    this.title.textContent = edge.kind === "point" ? "the frame in which it happens" : edge.edge === "start" ? "first frame" : "last frame";
    if (isSame) {
      this.mark();
      return;
    }
    this.first = first;
    const hadFocus = this.row.contains(/** @type {Node | null} */ (/** @type {Document | ShadowRoot} */ (this.row.getRootNode()).activeElement));
    this.buttons = Array.from({ length: count }, (_, place) => this.button(first + place));
    this.row.replaceChildren(...this.buttons);
    this.mark();
    if (hadFocus) this.focus();
    await this.paint(first, count);
  }

  /** @param {number} frame */
  button(frame) {
    const words = `frame ${frame}, ${formatTime(this.frames.startUs(frame))}`;
    return element("button", { type: "button", class: "strip-frame", "aria-label": words, title: words, onclick: () => this.pick(frame) }, element("span", {}, String(frame)));
  }

  /** @param {number} first @param {number} count */
  async paint(first, count) {
    this.asking.abort();
    const asking = (this.asking = new AbortController());
    this.forget();
    this.told.textContent = "";
    const query = new URLSearchParams({ first: String(first), count: String(count), height: String(HEIGHT) });
    let bitmap;
    let url = "";
    try {
      const jpeg = await this.api.bytes(`/api/video/${this.video}/filmstrip?${query}`, { as: "video", signal: asking.signal });
      const blob = new Blob([jpeg], { type: "image/jpeg" });
      bitmap = await createImageBitmap(blob);
      url = URL.createObjectURL(blob);
    } catch (error) {
      if (asking.signal.aborted) return;
      this.told.textContent = `These frames cannot be drawn: ${error instanceof Error ? error.message : String(error)}`;
      return;
    }
    if (asking.signal.aborted) {
      URL.revokeObjectURL(url);
      return;
    }
    this.shownUrl = url;
    const width = bitmap.width / count;
    this.buttons.forEach((button, place) => {
      Object.assign(button.style, {
        width: `${width}px`,
        height: `${bitmap.height}px`,
        backgroundImage: `url("${url}")`,
        backgroundPosition: `${-place * width}px 0`,
      });
    });
    bitmap.close();
    this.centre();
    this.root.dataset.painted = `${first}-${count}`;
  }

  mark() {
    this.buttons.forEach((button, place) => {
      const isCurrent = this.first + place === this.current;
      button.setAttribute("aria-pressed", String(isCurrent));
      // One stop for the tabulator; arrows move inside.
      button.tabIndex = isCurrent ? 0 : -1;
    });
    this.centre();
  }

  /** Where the strip is wider than the page, the frames on both sides of the picked one are in sight. */
  centre() {
    const button = this.buttons[this.current - this.first];
    if (button) this.row.scrollLeft = button.offsetLeft + button.offsetWidth / 2 - this.row.clientWidth / 2 - this.row.offsetLeft;
  }

  /** Pick the frame so many further. @param {number} step */
  move(step) {
    if (this.edge) this.pick(this.frames.clamp(this.current + step));
  }

  /** @param {number} frame */
  pick(frame) {
    if (!this.edge || frame === this.current) return;
    this.current = frame;
    this.mark();
    this.dispatchEvent(new CustomEvent("pick", { detail: { us: edgeAt(this.frames, this.edge, frame), frame } }));
  }

  focus() {
    this.buttons[this.current - this.first]?.focus();
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const step = /** @type {Record<string, number>} */ ({ ArrowLeft: -1, ArrowRight: 1 })[event.key];
    if (step) {
      this.move(step);
      this.focus();
    } else if (event.key === "Enter") {
      this.dispatchEvent(new CustomEvent("next"));
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  hide() {
    this.asking.abort();
    this.edge = null;
    this.root.hidden = true;
    this.forget();
  }

  forget() {
    if (this.shownUrl) URL.revokeObjectURL(this.shownUrl);
    this.shownUrl = "";
    delete this.root.dataset.painted;
  }

  close() {
    this.hide();
    this.root.remove();
  }
}
