// All keys on one sheet; a click on a key waits for another one.

import { element } from "../dom.js";

/** @typedef {import("../keymap.js").KeyMap} KeyMap */

export class CheatSheet {
  /**
   * @param {HTMLElement} host
   * @param {KeyMap} keymap
   * @param {{changed: () => void, lag: {enabled: boolean, ms: number, learned: boolean, count: number, setEnabled: (on: boolean) => void, forget: () => void}}} page
   */
  constructor(host, keymap, page) {
    this.keymap = keymap;
    this.page = page;
    /** @type {string | null} */
    this.waiting = null;
    this.told = element("p", { class: "told", role: "status" });
    this.body = element("div", { class: "keys" });
    this.lag = element("div", { class: "lag" });
    this.dialog = element(
      "dialog",
      { class: "cheatsheet", "aria-label": "keys" },
      element(
        "header",
        {},
        element("h2", {}, "Keys"),
        element("button", { type: "button", class: "plain", onclick: () => this.reset() }, "Defaults"),
        element("button", { type: "button", class: "plain", onclick: () => this.close() }, "Close"),
      ),
      element("p", { class: "soft" }, "Click a key to choose another one."),
      this.told,
      this.body,
      this.lag,
    );
    this.dialog.addEventListener("keydown", (event) => this.onKey(event));
    this.dialog.addEventListener("close", () => (this.waiting = null));
    host.append(this.dialog);
  }

  get isOpen() {
    return this.dialog.open;
  }

  toggle() {
    if (this.dialog.open) this.close();
    else {
      this.draw();
      this.dialog.showModal();
    }
  }

  close() {
    this.dialog.close();
  }

  reset() {
    this.keymap.reset();
    this.told.textContent = "All keys are as they were at first.";
    this.page.changed();
    this.draw();
  }

  draw() {
    const groups = new Map();
    for (const action of this.keymap.actions()) {
      const rows = groups.get(action.group) ?? [];
      rows.push(this.row(action));
      groups.set(action.group, rows);
    }
    this.body.replaceChildren(
      ...[...groups].map(([title, rows]) => element("section", {}, element("h3", {}, title), ...rows)),
    );
    this.drawLag();
  }

  drawLag() {
    const { lag } = this.page;
    const box = element("input", {
      type: "checkbox",
      checked: lag.enabled,
      onchange: () => {
        lag.setEnabled(box.checked);
        this.drawLag();
      },
    });
    const where = lag.learned
      ? `learned from ${lag.count} of your own corrections`
      : `assumed, until you have corrected 5 live marks (${lag.count} so far)`;
    this.lag.replaceChildren(
      element("h3", {}, "Reaction time"),
      element("label", { class: "field" }, box, element("span", {}, "Set live marks back by my reaction time")),
      element("p", { class: "soft" }, `${Math.round(lag.ms)} ms, ${where}; it counts double at 2×.`),
      ...(lag.count
        ? [element("button", { type: "button", class: "plain", onclick: () => { lag.forget(); this.drawLag(); } }, "Forget what was learned")]
        : []),
    );
  }

  /** @param {{id: string, title: string, combos: string[]}} action */
  row(action) {
    const shown = this.waiting === action.id ? "press a key …" : action.combos.map((combo) => this.keymap.show(combo)).join("  ") || "–";
    return element(
      "div",
      { class: "key-row" },
      element("span", {}, action.title),
      element(
        "button",
        {
          type: "button",
          class: `key${this.waiting === action.id ? " waiting" : ""}`,
          "data-action": action.id,
          "aria-label": `key for ${action.title}: ${shown}`,
          onclick: () => {
            this.waiting = action.id;
            this.told.textContent = "";
            this.draw();
            /** @type {HTMLElement | null} */ (this.body.querySelector(".waiting"))?.focus();
          },
        },
        shown,
      ),
    );
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    event.stopPropagation();
    if (!this.waiting) {
      if (event.key === "?") this.close();
      return;
    }
    if (["Shift", "Control", "Alt", "Meta"].includes(event.key)) return;
    event.preventDefault();
    const action = this.waiting;
    this.waiting = null;
    if (event.key !== "Escape") {
      const refused = this.keymap.rebind(action, this.keymap.comboOf(event));
      this.told.textContent = refused ?? "";
      if (!refused) this.page.changed();
    }
    this.draw();
    /** @type {HTMLElement | null} */ (this.body.querySelector(`[data-action="${action}"]`))?.focus();
  }
}
