// What is known of the selected event, and the fields to change it.

import { element, formatTime, icon, parseTime } from "../dom.js";

/** @typedef {import("../store.js").LabelStore} LabelStore */
/** @typedef {import("../frames.js").FrameTable} FrameTable */
/**
 * @typedef {{name: string, title: string, kind: "choice" | "number" | "text" | "flag", choices: string[], guide: string}} Attribute
 * @typedef {{name: string, title: string, kind: string, color: string, key: string, guide: string, limits: string, pictures: {name: string, caption: string}[], attributes: Attribute[]}} DeclaredType
 */

const REVIEW = [
  ["none", "labelled"],
  ["accepted", "accepted"],
  ["corrected", "corrected"],
  ["unsure", "unsure"],
  ["rejected", "not an event"],
];

export class Inspector extends EventTarget {
  /**
   * Emits `edit` `{id, changes}`, `remove` `{id}`, `edge` `{id, edge}` and `loop` `{id}`.
   *
   * @param {HTMLElement} host
   * @param {LabelStore} store
   * @param {DeclaredType[]} eventTypes
   * @param {FrameTable} frames
   */
  constructor(host, store, eventTypes, frames) {
    super();
    this.host = host;
    this.store = store;
    this.eventTypes = eventTypes;
    this.frames = frames;
    /** @type {string | null} */
    this.id = null;
    this.drawn = "";
    this.onChange = () => this.draw();
    store.addEventListener("change", this.onChange);
    this.draw();
  }

  /** @param {string | null} id */
  show(id) {
    this.id = id;
    this.draw();
  }

  /** Draw again, unless somebody types into a field of the same event right now. */
  draw() {
    const event = this.id ? this.store.get(this.id) : undefined;
    const now = event ? JSON.stringify(event) : "";
    if (now === this.drawn && this.host.childElementCount) return;
    const root = /** @type {ShadowRoot | Document} */ (this.host.getRootNode());
    const typing = this.host.contains(root.activeElement) && root.activeElement?.matches("textarea, input[type=text]");
    if (typing && event && this.drawn.includes(event.id)) return;
    this.drawn = now;
    this.host.hidden = !event;
    this.host.replaceChildren(...(event ? this.fields(event) : []));
  }

  /** @param {import("../store.js").LabelEvent} event */
  fields(event) {
    const type = this.eventTypes.find((item) => item.name === event.event_type);
    const same = this.eventTypes.filter((item) => item.kind === event.kind);
    const types = element(
      "select",
      {
        "aria-label": "type of the event",
        onchange: () => this.edit({ event_type: types.value }),
      },
      ...(type ? [] : [element("option", { value: event.event_type }, `${event.event_type} (no longer declared)`)]),
      ...same.map((item) => element("option", { value: item.name }, item.title)),
    );
    types.value = event.event_type;
    const review = element(
      "select",
      { "aria-label": "what was decided", onchange: () => this.edit({ review_state: review.value }) },
      ...REVIEW.map(([value, title]) => element("option", { value }, title)),
    );
    review.value = event.review_state;
    const times = element("div", { class: "times" }, this.time(event, "start"));
    if (event.kind === "segment") times.append(this.time(event, "end"));
    const by = event.author ? `by ${event.author}` : "not sent yet";
    const source = /** @type {{model?: string, score?: number} | undefined} */ (event.attributes.source);
    return [
      element(
        "div",
        { class: "inspector-head" },
        types,
        element(
          "button",
          { type: "button", class: "quiet", title: "Delete this event", "aria-label": "delete this event", onclick: () => this.tell("remove", { id: event.id }) },
          icon("cross"),
        ),
      ),
      times,
      element("label", { class: "field" }, element("span", {}, "Decision"), review),
      ...(type?.attributes ?? []).map((attribute) => this.attribute(event, attribute)),
      this.note(event),
      element(
        "p",
        { class: "soft provenance" },
        source?.model ? `${by} · suggested by ${source.model}, ${Number(source.score).toFixed(2)}` : by,
      ),
    ];
  }

  /**
   * @param {import("../store.js").LabelEvent} event
   * @param {"start" | "end"} edge
   */
  time(event, edge) {
    const us = edge === "start" ? event.start_us : event.end_us;
    const name = event.kind === "point" ? "Time" : edge === "start" ? "Start" : "End";
    const field = element("input", {
      type: "text",
      class: "number",
      value: formatTime(us),
      inputmode: "decimal",
      "aria-label": `${name} of the event`,
      onchange: () => {
        const typed = parseTime(field.value);
        if (typed === null || typed > this.frames.durationUs + 500) {
          field.setCustomValidity(`Write a time up to ${formatTime(this.frames.durationUs)}, as 1:02.500`);
          field.reportValidity();
          return;
        }
        field.setCustomValidity("");
        // Times are shown in milliseconds: half of one more finds the frame that was meant.
        const snapped =
          typed + 500 >= this.frames.durationUs
            ? this.frames.durationUs
            : this.frames.startUs(this.frames.indexAt(typed + 500));
        if (event.kind === "point") this.edit({ start_us: snapped, end_us: snapped });
        else this.edit({ [edge === "start" ? "start_us" : "end_us"]: snapped });
      },
    });
    const go = element(
      "button",
      { type: "button", class: "quiet", onclick: () => this.tell("edge", { id: event.id, edge }) },
      "frames",
    );
    go.title = `Show the frames around the ${name.toLowerCase()}`;
    return element("label", { class: "field" }, element("span", {}, name), field, go);
  }

  /**
   * @param {import("../store.js").LabelEvent} event
   * @param {Attribute} attribute
   */
  attribute(event, attribute) {
    const value = event.attributes[attribute.name];
    const set = (/** @type {unknown} */ next) => this.edit({ [`attributes.${attribute.name}`]: next });
    let field;
    if (attribute.kind === "choice") {
      const choice = element(
        "select",
        { onchange: () => set(choice.value || null) },
        element("option", { value: "" }, "–"),
        ...attribute.choices.map((item) => element("option", { value: item }, item)),
      );
      choice.value = String(value ?? "");
      field = choice;
    } else if (attribute.kind === "flag") {
      const flag = element("input", { type: "checkbox", checked: value === true, onchange: () => set(flag.checked || null) });
      field = flag;
    } else if (attribute.kind === "number") {
      const number = element("input", { type: "number", value: value ?? "", step: "any", onchange: () => set(number.value === "" ? null : number.valueAsNumber) });
      field = number;
    } else {
      const text = element("input", { type: "text", value: value ?? "", maxlength: "500", onchange: () => set(text.value || null) });
      field = text;
    }
    return element("label", { class: "field", title: attribute.guide }, element("span", {}, attribute.title), field);
  }

  /** @param {import("../store.js").LabelEvent} event */
  note(event) {
    const field = element("textarea", {
      rows: "2",
      maxlength: "4000",
      placeholder: "Note about this event",
      "aria-label": "note about this event",
      onchange: () => this.edit({ "attributes.note": field.value.trim() || null }),
    });
    field.value = String(event.attributes.note ?? "");
    return field;
  }

  /** @param {Record<string, unknown>} changes */
  edit(changes) {
    if (this.id) this.tell("edit", { id: this.id, changes });
  }

  /**
   * @param {string} name
   * @param {Record<string, unknown>} detail
   */
  tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  close() {
    this.store.removeEventListener("change", this.onChange);
  }
}
