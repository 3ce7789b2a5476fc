// A model's help: which run to show, and the keys to judge one suggestion after the other.

import { element, formatTime } from "../dom.js";

/** @typedef {{id: string, model: string, created_at: string, event_count: number, stage: string}} Run */

export class SuggestionBar {
  /**
   * @param {HTMLElement} host
   * @param {{choose: (runId: string) => void, act: (action: string) => void, keyOf: (action: string) => string}} page
   */
  constructor(host, page) {
    this.host = host;
    this.runs = element(
      "select",
      { "aria-label": "suggestions of model", onchange: () => page.choose(this.runs.value) },
      element("option", { value: "" }, "no suggestions"),
    );
    const button = (/** @type {string} */ words, /** @type {string} */ action, /** @type {string} */ title) =>
      element("button", { type: "button", class: "plain", title: `${title} (${page.keyOf(action)})`, onclick: () => page.act(action) }, words);
    this.buttons = element(
      "span",
      { class: "judge" },
      button("Previous", "previous_uncertain", "Previous suggestion"),
      button("Next", "next_uncertain", "Next suggestion"),
      button("Accept", "accept", "It is an event: make it a label"),
      button("Reject", "reject", "It is not: keep it as a hard negative"),
      button("Unsure", "unsure", "Leave it open: it teaches nothing"),
    );
    this.told = element("span", { class: "soft", role: "status" });
    host.append(element("span", { class: "strong" }, "Suggestions"), this.runs, this.buttons, this.told);
    host.hidden = true;
    this.setCurrent(null, 0);
  }

  /** @param {Run[]} runs */
  setRuns(runs) {
    this.host.hidden = runs.length === 0;
    const kept = this.runs.value;
    this.runs.replaceChildren(
      element("option", { value: "" }, "no suggestions"),
      ...runs.map((run) => {
        const events = `${run.event_count} event${run.event_count === 1 ? "" : "s"}`;
        const stage = run.stage === "production" ? ", production" : "";
        return element("option", { value: run.id }, `${run.model} · ${events}${stage}`);
      }),
    );
    this.runs.value = runs.some((run) => run.id === kept) ? kept : "";
  }

  /**
   * @param {{start_us: number, score: number, title: string} | null} ghost
   * @param {number} left
   */
  setCurrent(ghost, left) {
    this.buttons.hidden = !this.runs.value;
    const open = this.runs.value ? `${left} open` : "";
    this.told.textContent = ghost ? `${ghost.title} ${formatTime(ghost.start_us)}, ${ghost.score.toFixed(2)} · ${open}` : open;
  }
}
