// What the domain's rules say about the labels: worth a second look, and nothing is forbidden.

import { element, formatTime } from "../dom.js";

/** @typedef {import("../store.js").LabelStore} LabelStore */
/** @typedef {{sentence: string, event_id: string | null, start_us: number | null}} Remark */
/** @typedef {{remarks: Remark[], more: number, failure: string | null}} Told */

/** Nobody wants to be told of a flight without a release before they could mark the release. */
const REST_MS = 1500;

export class Remarks extends EventTarget {
  /**
   * Emits `select` `{id}` and `seek` `{us}`.
   *
   * @param {HTMLElement} host
   * @param {Pick<LabelStore, "status" | "addEventListener" | "removeEventListener">} store
   * @param {{load: () => Promise<Told>, restMs?: number}} from what the catalog has is asked, so only when all is saved
   */
  constructor(host, store, { load, restMs = REST_MS }) {
    super();
    this.host = host;
    this.store = store;
    this.load = load;
    this.restMs = restMs;
    /** Answers that come after a later question are thrown away. */
    this.asked = 0;
    this.isOpen = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.onChange = () => this.askSoon();
    for (const name of ["change", "status"]) store.addEventListener(name, this.onChange);
    this.draw({ remarks: [], more: 0, failure: null });
  }

  askSoon() {
    clearTimeout(this.timer);
    if (this.store.status.state === "saved") this.timer = setTimeout(() => void this.ask(), this.restMs);
  }

  async ask() {
    const turn = ++this.asked;
    try {
      const told = await this.load();
      if (turn === this.asked) this.draw(told);
    } catch {
      // What was said before stays; the next change asks again, and trouble is told by the save state.
    }
  }

  /** @param {Told} told */
  draw({ remarks, more, failure }) {
    const count = remarks.length + more;
    this.host.hidden = !count && !failure;
    const title = count === 1 ? "1 thing is worth a second look" : `${count} things are worth a second look`;
    const details = element(
      "details",
      { open: this.isOpen, ontoggle: () => (this.isOpen = details.open) },
      element("summary", {}, count ? title : "The rules of this domain could not all be checked"),
      element(
        "ul",
        {},
        ...remarks.map((remark) => element("li", {}, this.entry(remark))),
        ...(more ? [element("li", { class: "soft" }, `And ${more} more.`)] : []),
        ...(failure ? [element("li", { class: "failed" }, failure)] : []),
      ),
    );
    this.host.replaceChildren(details);
  }

  /** @param {Remark} remark */
  entry({ sentence, event_id: id, start_us: us }) {
    if (!id && us === null) return element("span", {}, sentence);
    const go = () => this.dispatchEvent(id ? new CustomEvent("select", { detail: { id } }) : new CustomEvent("seek", { detail: { us } }));
    const title = us === null ? "Show it" : `Show it, at ${formatTime(us)}`;
    return element("button", { type: "button", class: "link", title, onclick: go }, sentence);
  }

  close() {
    clearTimeout(this.timer);
    this.asked++;
    for (const name of ["change", "status"]) this.store.removeEventListener(name, this.onChange);
  }
}
