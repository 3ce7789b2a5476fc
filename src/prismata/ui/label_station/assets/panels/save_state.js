// Whether what was done is safe: one word, with more on hover, never in the way.

import { element } from "../dom.js";

/** @typedef {import("../store.js").LabelStore} LabelStore */

/** @type {Record<string, (pending: number, message: string) => string>} */
const WORDS = {
  saved: () => "Saved",
  saving: (pending) => `Saving ${pending} …`,
  offline: (pending) => (pending ? `Offline: ${pending} kept in this browser` : "Offline"),
  expired: (pending) => (pending ? `Renewing permission: ${pending} kept in this browser` : "Renewing permission"),
  full: (pending) => `This browser's storage is full: ${pending} not stored, keep the tab open`,
  gone: (_pending, message) => message || "This video was removed",
};

export class SaveState {
  /**
   * @param {HTMLElement} host
   * @param {LabelStore} store
   */
  constructor(host, store) {
    this.host = host;
    this.store = store;
    this.onStatus = () => this.draw();
    store.addEventListener("status", this.onStatus);
    this.draw();
  }

  draw() {
    const { state, pending, message } = this.store.status;
    const words = (WORDS[state] ?? (() => state))(pending, message ?? "");
    if (this.host.dataset.words === words) return;
    this.host.dataset.words = words;
    this.host.dataset.state = state;
    this.host.title = message || "Every edit is written to this browser first, then to the catalog";
    const keep = state === "gone" && pending > 0;
    this.host.replaceChildren(
      element("i", { class: "dot" }),
      words,
      ...(keep ? [element("button", { type: "button", class: "plain", onclick: () => this.download() }, `Download ${pending} unsaved edits`)] : []),
    );
  }

  /** What can no longer be sent is not lost: it leaves as a file. */
  download() {
    const text = JSON.stringify(this.store.exportPending(), null, 1);
    const link = element("a", { href: URL.createObjectURL(new Blob([text], { type: "application/json" })), download: "unsaved-labels.json" });
    link.click();
    URL.revokeObjectURL(link.href);
  }

  close() {
    this.store.removeEventListener("status", this.onStatus);
  }
}
