// Who changed what and when; and the way back to any earlier state.

import { element, formatTime } from "../dom.js";

/** @typedef {import("../store.js").LabelStore} LabelStore */
/**
 * @typedef {{seq: number, op: string, author: string, kind: string, event_id: string, before: any, after: any, at: string}} Change
 */

const PAGE = 100;

export class HistoryPanel {
  /**
   * @param {HTMLElement} host
   * @param {LabelStore} store
   * @param {{titleOf: (name: string) => string, goTo: (us: number) => void, load: (before: number | null, limit: number) => Promise<Change[]>, restore: (seq: number) => Promise<void>}} page
   */
  constructor(host, store, page) {
    this.host = host;
    this.store = store;
    this.page = page;
    this.list = element("ol", { class: "history", "aria-label": "changes, newest first" });
    this.more = element("button", { type: "button", class: "plain", onclick: () => this.loadMore() }, "Earlier changes");
    this.told = element("p", { class: "hint", role: "status" });
    /** @type {number | null} */
    this.oldest = null;
    host.append(this.told, this.list, this.more);
  }

  /** Load the newest page; called when the panel is opened. */
  async open() {
    this.oldest = null;
    this.list.replaceChildren();
    await this.loadMore();
  }

  async loadMore() {
    this.more.disabled = true;
    this.told.textContent = "";
    try {
      const entries = await this.page.load(this.oldest, PAGE);
      if (!entries.length && this.oldest === null) this.told.textContent = "Nothing was changed here yet.";
      for (const entry of entries) this.list.append(this.row(entry));
      this.oldest = entries.at(-1)?.seq ?? this.oldest;
      this.more.hidden = entries.length < PAGE;
    } catch (error) {
      this.told.textContent = error instanceof Error ? error.message : String(error);
    } finally {
      this.more.disabled = false;
    }
  }

  /** @param {Change} entry */
  row(entry) {
    const when = new Date(entry.at);
    const back = element(
      "button",
      { type: "button", class: "link", onclick: () => this.restore(entry.seq, back) },
      "back to here",
    );
    back.title = "Put labels, coverage and status back to what they were after this change; that is a change too";
    return element(
      "li",
      {},
      element("span", { class: "what" }, this.words(entry)),
      element(
        "span",
        { class: "soft", title: when.toLocaleString() },
        `${entry.author}, ${when.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}`,
      ),
      back,
    );
  }

  /**
   * @param {number} seq
   * @param {HTMLButtonElement} button
   */
  async restore(seq, button) {
    button.disabled = true;
    try {
      await this.page.restore(seq);
      await this.open();
      this.told.textContent = "Restored. The changes that were taken back are still listed below.";
    } catch (error) {
      this.told.textContent = error instanceof Error ? error.message : String(error);
    } finally {
      button.disabled = false;
    }
  }

  /** @param {Change} entry */
  words(entry) {
    const state = entry.after ?? entry.before ?? {};
    if (entry.kind === "cover") return `Coverage ${formatTime(state.start_us)} – ${formatTime(state.end_us)}`;
    if (entry.kind === "sheet") {
      const changed = Object.entries(entry.after ?? {})
        .map(([name, value]) => `${name} ${String(value).replaceAll("_", " ") || "cleared"}`)
        .join(", ");
      return `Video: ${changed}`;
    }
    const title = this.page.titleOf(state.event_type);
    const at = formatTime(state.start_us);
    if (!entry.before) return `${title} added at ${at}`;
    if (!entry.after) return `${title} at ${at} deleted`;
    return `${title} at ${at}: ${changedWords(entry.before, entry.after)}`;
  }
}

/**
 * @param {any} before
 * @param {any} after
 */
function changedWords(before, after) {
  const words = [];
  if (before.event_type !== after.event_type) words.push("other type");
  if (before.start_us !== after.start_us) words.push(`start from ${formatTime(before.start_us)}`);
  if (before.end_us !== after.end_us && after.kind === "segment") {
    words.push(`end ${formatTime(before.end_us)} → ${formatTime(after.end_us)}`);
  }
  if (before.review_state !== after.review_state) words.push(after.review_state.replace("none", "undecided"));
  if (JSON.stringify(before.attributes) !== JSON.stringify(after.attributes)) words.push("attributes or note");
  return words.join(", ") || "unchanged";
}
