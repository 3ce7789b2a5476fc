// A model's help on one video: its runs, their curves and ghosts, and the judging of ghosts by key.

import { CurveSource } from "./timeline/curves.js";
import { Ghosts } from "./ghosts.js";
import { SuggestionBar } from "./panels/suggestions.js";

/** @typedef {import("./api.js").Api} Api */
/** @typedef {import("./store.js").LabelStore} LabelStore */
/** @typedef {import("./timeline/timeline.js").Timeline} Timeline */
/** @typedef {import("./panels/suggestions.js").Run} Run */
/**
 * What a page beside the station wants to see of a result: a run (none while there is none yet),
 * the rules by which its scores become events, and an instant to go to, once for each id.
 *
 * @typedef {{run: string | null, rules: Record<string, import("./ghosts.js").Rule>, seek: {us: number, id: string} | null}} ResultData
 */

export class Assist {
  /**
   * @param {HTMLElement} host
   * @param {{api: Api, store: LabelStore, timeline: Timeline, video: string, domain: {name: string, tolerance_us: number, tolerances_us: Record<string, number>}, keyOf: (action: string) => string, act: (action: string) => void, goTo: (us: number) => void, begin: () => void, titleOf: (name: string) => string, told: (words: string) => void,
   *   show: (us: number) => void, tell: (name: string, value: unknown) => void}} page
   */
  constructor(host, page) {
    this.page = page;
    /** @type {Run[]} */
    this.runs = [];
    /** @type {string | null} */
    this.current = null;
    /** What the page beside said last, and the wish that was followed last. @type {string | null} */
    this.shown = null;
    /** @type {string | null} */
    this.sought = null;
    this.bar = new SuggestionBar(host, { choose: (id) => this.choose(id), act: page.act, keyOf: page.keyOf });
    this.ghosts = new Ghosts({ api: page.api, store: page.store, toleranceUs: page.domain.tolerance_us, tolerances: page.domain.tolerances_us, frames: page.timeline.frames });
    this.ghosts.addEventListener("change", () => this.draw());
    this.ghosts.addEventListener("trouble", (event) => page.told(/** @type {CustomEvent} */ (event).detail.message));
    page.timeline.addEventListener("threshold", (event) => {
      const { event_type, value, final } = /** @type {CustomEvent} */ (event).detail;
      this.ghosts.setThreshold(event_type, value, final);
      page.timeline.setThreshold(event_type, value);
      if (final) page.tell("threshold", { event_type, value });
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

  /**
   * Show what the page beside wants to see of a result. It says so again at every change of its
   * own; what a person does here stays until it says something else.
   *
   * @param {ResultData | null} result
   */
  async show(result) {
    if (!result || JSON.stringify(result) === this.shown) return;
    this.shown = JSON.stringify(result);
    const { run, rules, seek } = result;
    if (run !== (this.ghosts.run?.id ?? null)) {
      if (run && !this.runs.some((item) => item.id === run)) await this.refresh();
      this.bar.runs.value = run ?? "";
      await this.choose(run ?? "", rules);
    } else if (run) this.ghosts.setRules(rules);
    for (const [name, rule] of Object.entries(run ? rules : {})) this.page.timeline.setThreshold(name, rule.threshold);
    if (seek && seek.id !== this.sought) {
      this.sought = seek.id;
      this.page.show(seek.us);
    }
  }

  /**
   * @param {string} runId
   * @param {Record<string, import("./ghosts.js").Rule>} [rules] in place of the run's own
   */
  async choose(runId, rules) {
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
      await this.ghosts.open({ id: run.id, model: run.model, thresholds: about.thresholds, rules });
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
    if (ghost) {
      this.page.goTo(ghost.start_us);
      this.page.tell("ghost", { event_type: ghost.event_type, start_us: ghost.start_us, end_us: ghost.end_us });
    }
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
