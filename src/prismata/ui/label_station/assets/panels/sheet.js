// What is known of the video as a whole: review status, who works on it, a note, how much was seen.

import { element } from "../dom.js";

/** @typedef {import("../store.js").LabelStore} LabelStore */

export const STATUSES = [
  ["new", "New"],
  ["in_progress", "In progress"],
  ["done", "Done"],
  ["needs_review", "Needs review"],
];

export class SheetPanel {
  /**
   * @param {HTMLElement} host
   * @param {LabelStore} store
   * @param {{user: string, durationUs: number, markRest: () => void}} about
   */
  constructor(host, store, about) {
    this.store = store;
    this.about = about;
    this.status = element(
      "select",
      { "aria-label": "review status of the video", onchange: () => store.setSheet({ status: this.status.value }) },
      ...STATUSES.map(([value, title]) => element("option", { value }, title)),
    );
    this.assignee = element("input", {
      type: "text",
      maxlength: "200",
      placeholder: "nobody",
      onchange: () => store.setSheet({ assignee: this.assignee.value.trim() }),
    });
    this.mine = element(
      "button",
      { type: "button", class: "quiet", onclick: () => store.setSheet({ assignee: about.user }) },
      "me",
    );
    this.mine.title = `Assign to ${about.user}`;
    this.note = element("textarea", {
      rows: "3",
      maxlength: "8000",
      placeholder: "Note about this video",
      "aria-label": "note about this video",
      onchange: () => store.setSheet({ note: this.note.value.trim() }),
    });
    this.seen = element("p", { class: "soft" });
    this.rest = element(
      "button",
      { type: "button", class: "plain", onclick: () => about.markRest() },
      "Mark all of it as watched",
    );
    host.append(
      element("label", { class: "field" }, element("span", {}, "Status"), this.status),
      element("label", { class: "field" }, element("span", {}, "Assigned to"), this.assignee, this.mine),
      this.note,
      this.seen,
      this.rest,
    );
    this.onChange = () => this.draw();
    for (const name of ["sheet", "coverage", "change"]) store.addEventListener(name, this.onChange);
    this.draw();
  }

  draw() {
    const root = /** @type {ShadowRoot | Document} */ (this.note.getRootNode());
    const sheet = this.store.sheet;
    this.status.value = sheet.status ?? "new";
    if (root.activeElement !== this.assignee) this.assignee.value = sheet.assignee ?? "";
    if (root.activeElement !== this.note) this.note.value = sheet.note ?? "";
    let watched = 0;
    let skipped = 0;
    for (const [start, end, state] of this.store.coverage) {
      if (state === "watched") watched += end - start;
      else skipped += end - start;
    }
    const share = (/** @type {number} */ us) => `${Math.round((100 * us) / this.about.durationUs)} %`;
    const words = [`Watched ${share(watched)}`];
    if (skipped) words.push(`skipped ${share(skipped)}`);
    const rest = this.about.durationUs - watched - skipped;
    if (rest > 0) words.push(`never seen ${share(rest)}`);
    this.seen.textContent = `${words.join(" · ")}. What was never seen is neither event nor background for training.`;
    this.rest.hidden = rest <= 0;
  }

  close() {
    for (const name of ["sheet", "coverage", "change"]) this.store.removeEventListener(name, this.onChange);
  }
}
