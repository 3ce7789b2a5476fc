// A model's help on one video: its runs, their curves and ghosts, and the judging of ghosts by key.

import { CurveSource } from "./timeline/curves.js";
import { Ghosts } from "./ghosts.js";
import { SuggestionBar } from "./panels/suggestions.js";

/** @typedef {import("./api.js").Api} Api */
/** @typedef {import("./store.js").LabelStore} LabelStore */
/** @typedef {import("./timeline/timeline.js").Timeline} Timeline */
/** @typedef {import("./panels/suggestions.js").Run} Run */

export class Assist {
  /**
   * @param {HTMLElement} host
   * @param {{api: Api, store: LabelStore, timeline: Timeline, video: string, domain: {name: string, tolerance_us: number, tolerances_us: Record<string, number>}, keyOf: (action: string) => string, act: (action: string) => void, goTo: (us: number) => void, begin: () => void, titleOf: (name: string) => string, told: (words: string) => void}} page
   */
  constructor(host, page) {
    this.page = page;
    /** @type {Run[]} */
    this.runs = [];
    /** @type {string | null} */
    this.current = null;
    this.bar = new SuggestionBar(host, { choose: (id) => this.choose(id), act: page.act, keyOf: page.keyOf });
    this.ghosts = new Ghosts({ api: page.api, store: page.store, toleranceUs: page.domain.tolerance_us, tolerances: page.domain.tolerances_us, frames: page.timeline.frames });
    this.ghosts.addEventListener("change", () => this.draw());
    this.ghosts.addEventListener("trouble", (event) => page.told(/** @type {CustomEvent} */ (event).detail.message));
    page.timeline.addEventListener("threshold", (event) => {
      const { event_type, value, final } = /** @type {CustomEvent} */ (event).detail;
      this.ghosts.setThreshold(event_type, value, final);
      page.timeline.setThreshold(event_type, value);
    });
    page.timeline.addEventListener("ghost", (event) => this.select(/** @type {CustomEvent} */ (event).detail.id));
  }

  /** Look which runs there are; the one shown stays. */
  async refresh() {
    const query = new URLSearchParams({ domain: this.page.domain.name });
    const told = await this.page.api.json(`/api/video/${this.page.video}/runs?${query}`, { as: "video" });
    this.runs = told.runs;
    this.bar.setRuns(this.runs);
  }

  /** @param {string} runId */
  async choose(runId) {
    const { timeline, api, told } = this.page;
    this.current = null;
    const run = this.runs.find((item) => item.id === runId);
    if (!run) {
      timeline.setCurves(null);
      this.ghosts.clear();
      return;
    }
    try {
      const about = await api.json(`/api/scores/${run.id}`, { as: "video" });
      timeline.setCurves(
        new CurveSource({
          ...about,
          fetchTile: (level, index) => api.bytes(`/api/scores/${run.id}/tiles/${level}/${index}`, { as: "video" }),
        }),
      );
      for (const [name, value] of Object.entries(about.thresholds)) timeline.setThreshold(name, Number(value));
      await this.ghosts.open({ id: run.id, model: run.model, thresholds: about.thresholds });
    } catch (error) {
      told(error instanceof Error ? error.message : String(error));
    }
  }

  draw() {
    const shown = this.ghosts.list();
    this.page.timeline.setGhosts(shown);
    const current = shown.find((ghost) => ghost.id === this.current) ?? null;
    if (!current) this.current = null;
    this.bar.setCurrent(
      current && { start_us: current.start_us, score: current.score, title: this.page.titleOf(current.event_type) },
      shown.length,
    );
  }

  /** @param {string | null} id */
  select(id) {
    this.current = id;
    const ghost = this.ghosts.list().find((item) => item.id === id);
    if (ghost) this.page.goTo(ghost.start_us);
    this.draw();
  }

  /** @param {1 | -1} step */
  move(step) {
    const next = step > 0 ? this.ghosts.next(this.current) : this.ghosts.previous(this.current);
    if (next) this.select(next.id);
    else this.page.told(this.bar.runs.value ? "No suggestion is open." : "Choose a model's suggestions first.");
  }

  /**
   * Make the current ghost a label with what was decided, and go to the next one.
   *
   * @param {"accepted" | "rejected" | "unsure"} decision
   * @returns {boolean} whether there was one
   */
  judge(decision) {
    const ghost = this.ghosts.list().find((item) => item.id === this.current);
    if (!ghost) return false;
    const following = this.ghosts.next(this.current);
    this.page.begin();
    this.page.store.create(this.ghosts.toLabel(ghost, decision));
    this.select(following && following.id !== ghost.id ? following.id : null);
    return true;
  }
}
