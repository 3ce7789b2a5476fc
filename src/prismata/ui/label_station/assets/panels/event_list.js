// The events as a table beside the player, in step with the timeline. Only the rows in sight exist.

import { element, formatTime } from "../dom.js";

/** @typedef {import("../store.js").LabelStore} LabelStore */
/** @typedef {{name: string, title: string, kind: string, color: string, key: string}} ShownType */

const ROW = 30;
const SPARE_ROWS = 6;

/** @type {Record<string, string>} */
const STATES = { accepted: "accepted", rejected: "not an event", corrected: "corrected", unsure: "unsure" };

export class EventList extends EventTarget {
  /**
   * Emits `select` with `{id}` and `open` (Enter or double click) with `{id}`.
   *
   * @param {HTMLElement} host
   * @param {LabelStore} store
   * @param {ShownType[]} eventTypes
   */
  constructor(host, store, eventTypes) {
    super();
    this.store = store;
    /** @type {Map<string, ShownType>} */
    this.types = new Map(eventTypes.map((type) => [type.name, type]));
    /** @type {string | null} */
    this.selected = null;
    /** @type {string} */
    this.shownType = "";
    this.count = element("span", { class: "count" });
    this.filter = element(
      "select",
      { "aria-label": "show events of type", onchange: () => this.setFilter(this.filter.value) },
      element("option", { value: "" }, "all types"),
      ...eventTypes.map((type) => element("option", { value: type.name }, type.title)),
    );
    this.spacer = element("div", { class: "spacer" });
    this.rows = element("div", { class: "rows", role: "rowgroup" });
    this.view = element(
      "div",
      {
        class: "event-rows",
        role: "grid",
        tabindex: "0",
        "aria-label": "events of this video",
        onscroll: () => this.schedule(),
        onkeydown: (/** @type {KeyboardEvent} */ event) => this.onKey(event),
      },
      this.spacer,
      this.rows,
    );
    this.empty = element(
      "p",
      { class: "hint" },
      "No event yet. Play the video and press the key of an event when it happens; hold it for a stretch.",
    );
    host.append(
      element("div", { class: "list-head" }, this.count, eventTypes.length > 1 && this.filter),
      this.view,
      this.empty,
    );
    this.onChange = () => this.schedule();
    store.addEventListener("change", this.onChange);
    this.resizing = new ResizeObserver(() => this.schedule());
    this.resizing.observe(this.view);
    this.schedule();
  }

  /** @param {string} name */
  setFilter(name) {
    this.shownType = name;
    this.view.scrollTop = 0;
    this.schedule();
  }

  /** @param {string | null} id */
  setSelection(id) {
    if (this.selected === id) return;
    this.selected = id;
    if (id) this.reveal(id);
    this.schedule();
  }

  events() {
    const all = this.store.list();
    return this.shownType ? all.filter((event) => event.event_type === this.shownType) : all;
  }

  /** @param {string} id */
  reveal(id) {
    const position = this.events().findIndex((event) => event.id === id);
    if (position < 0) return;
    const top = position * ROW;
    if (top < this.view.scrollTop || top + ROW > this.view.scrollTop + this.view.clientHeight) {
      this.view.scrollTop = Math.max(0, top - this.view.clientHeight / 2);
    }
  }

  schedule() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  draw() {
    const events = this.events();
    this.empty.hidden = events.length > 0;
    this.view.hidden = events.length === 0;
    this.count.textContent = `${events.length} event${events.length === 1 ? "" : "s"}`;
    this.view.setAttribute("aria-rowcount", String(events.length));
    this.spacer.style.height = `${events.length * ROW}px`;
    const first = Math.max(0, Math.floor(this.view.scrollTop / ROW) - SPARE_ROWS);
    const last = Math.min(
      events.length,
      Math.ceil((this.view.scrollTop + this.view.clientHeight) / ROW) + SPARE_ROWS,
    );
    this.rows.style.transform = `translateY(${first * ROW}px)`;
    this.rows.replaceChildren(
      ...events.slice(first, last).map((event, offset) => this.row(event, first + offset)),
    );
  }

  /**
   * @param {ReturnType<LabelStore["list"]>[number]} event
   * @param {number} position
   */
  row(event, position) {
    const type = this.types.get(event.event_type);
    const chosen = event.id === this.selected;
    const length = event.kind === "segment" ? formatTime(event.end_us - event.start_us) : "";
    const state = STATES[event.review_state] ?? "";
    return element(
      "div",
      {
        class: `event-row${chosen ? " selected" : ""}${event.review_state === "rejected" ? " rejected" : ""}`,
        role: "row",
        "aria-rowindex": position + 1,
        "aria-selected": chosen,
        "data-id": event.id,
        onclick: () => this.tell("select", event.id),
        ondblclick: () => this.tell("open", event.id),
      },
      element(
        "span",
        { role: "gridcell", class: "what" },
        element(
          "i",
          { class: `mark ${event.kind}`, style: `--lane: ${type?.color ?? "#999999"}` },
          type?.key.toUpperCase() ?? "?",
        ),
        type?.title ?? event.event_type,
      ),
      element("span", { role: "gridcell", class: "number" }, formatTime(event.start_us)),
      element("span", { role: "gridcell", class: "number soft", title: "length" }, length),
      element("span", { role: "gridcell", class: "state" }, state),
    );
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key];
    if (steps === undefined && event.key !== "Enter") return;
    event.preventDefault();
    event.stopPropagation();
    const events = this.events();
    const at = events.findIndex((item) => item.id === this.selected);
    if (event.key === "Enter") {
      if (at >= 0) this.tell("open", events[at].id);
      return;
    }
    const next = Math.min(events.length - 1, Math.max(0, at < 0 ? 0 : at + (steps ?? 0)));
    if (events[next]) this.tell("select", events[next].id);
  }

  /**
   * @param {"select" | "open"} name
   * @param {string} id
   */
  tell(name, id) {
    this.dispatchEvent(new CustomEvent(name, { detail: { id } }));
  }

  close() {
    this.store.removeEventListener("change", this.onChange);
    this.resizing.disconnect();
    if (this.frame) cancelAnimationFrame(this.frame);
  }
}
