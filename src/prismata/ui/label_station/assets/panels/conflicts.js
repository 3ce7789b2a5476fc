// Two people changed the same thing: both versions side by side, and nothing lost until one is chosen.

import { element, formatTime } from "../dom.js";

/** @typedef {import("../store.js").LabelStore} LabelStore */
/** @typedef {import("../store.js").EventState} EventState */

export class ConflictPanel {
  /**
   * @param {HTMLElement} host
   * @param {LabelStore} store
   * @param {{titleOf: (name: string) => string, goTo: (us: number) => void}} page
   */
  constructor(host, store, page) {
    this.host = host;
    this.store = store;
    this.page = page;
    this.onChange = () => this.draw();
    store.addEventListener("conflict", this.onChange);
    store.addEventListener("change", this.onChange);
    this.draw();
  }

  draw() {
    const conflicts = this.store.conflicts;
    this.host.hidden = conflicts.length === 0;
    if (!conflicts.length) {
      this.host.replaceChildren();
      return;
    }
    this.host.replaceChildren(
      element(
        "p",
        { class: "strong" },
        conflicts.length === 1
          ? "Somebody else changed the same event. Choose a version:"
          : `Somebody else changed ${conflicts.length} of the same events. Choose a version of each:`,
      ),
      ...conflicts.slice(0, 20).map((conflict) =>
        element(
          "div",
          { class: "conflict" },
          this.version("Yours", conflict.mine, () => this.store.resolve(conflict.event_id, "mine")),
          this.version(
            conflict.author ? `By ${conflict.author}` : "As stored",
            conflict.theirs,
            () => this.store.resolve(conflict.event_id, "theirs"),
          ),
        ),
      ),
    );
  }

  /**
   * @param {string} title
   * @param {EventState | null} state
   * @param {() => void} choose
   */
  version(title, state, choose) {
    const words = state
      ? `${this.page.titleOf(state.event_type)} ${formatTime(state.start_us)}` +
        (state.end_us > state.start_us ? ` – ${formatTime(state.end_us)}` : "") +
        (state.review_state === "rejected" ? ", not an event" : "") +
        (state.attributes.note ? `, “${state.attributes.note}”` : "")
      : "deleted";
    return element(
      "div",
      { class: "version" },
      element("b", {}, title),
      state
        ? element("button", { type: "button", class: "link", onclick: () => this.page.goTo(state.start_us) }, words)
        : element("span", {}, words),
      element("button", { type: "button", class: "plain", onclick: choose }, `Keep ${title === "Yours" ? "mine" : "this one"}`),
    );
  }

  close() {
    this.store.removeEventListener("conflict", this.onChange);
    this.store.removeEventListener("change", this.onChange);
  }
}
