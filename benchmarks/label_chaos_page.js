// A simulated annotator: the real label store, edited at random for as long as the page lives.
// The window offers `window.askTokens`, `window.noteMade` and `window.noteRefused`.

import { Api } from "./assets/api.js";
import { LabelStore } from "./assets/store.js";

const JOURNAL = "chaos.made/";
const below = (bound) => Math.floor(Math.random() * bound);

class Annotator {
  constructor({ user, video, domain, event_type, duration_us, pause_ms }) {
    Object.assign(this, { user, video, domain, event_type, duration_us, pause_ms });
    this.expired = 0;
  }

  async start() {
    const { user, video, domain } = this;
    const tokens = await window.askTokens(user);
    const api = new Api({
      base: "", videoToken: "", labelsToken: tokens.labels, annotatorToken: "", user, video, domain,
      onExpired: async () => {
        this.expired += 1;
        api.renew(await window.askTokens(user));
      },
    });
    this.store = new LabelStore({ api, storage: localStorage, user, video, domain });
    // Each operation is noted twice, apart from the queue: here, and by the program outside.
    const { store } = this;
    const enqueue = store.enqueue.bind(store);
    store.enqueue = (edit) => {
      const operation = enqueue(edit);
      const key = JOURNAL + store.client;
      localStorage.setItem(key, `${localStorage.getItem(key) ?? ""}${operation.id} `);
      window.noteMade(operation.id);
      window.allowed -= 1;
      return operation;
    };
    store.addEventListener("refused", ({ detail }) => window.noteRefused(detail.operation?.id ?? "", detail.message));
    store.open().catch((error) => window.noteRefused("", String(error)));
    this.editOn();
  }

  editOn() {
    for (let burst = 1 + below(4); burst > 0 && window.allowed > 0; burst--) this.editOnce();
    for (const { event_id } of this.store.conflicts.slice(0, window.allowed > 0 ? below(4) : 0)) {
      this.store.resolve(event_id, below(2) ? "mine" : "theirs");
    }
    setTimeout(() => this.editOn(), below(this.pause_ms));
  }

  editOnce() {
    const { store, duration_us } = this;
    const events = store.list();
    const event = events.length ? events[below(events.length)] : null;
    const start_us = 1000 * below(duration_us / 1000 - 200);
    const end_us = Math.min(duration_us, start_us + 1000 * (1 + below(3000)));
    const dice = below(100);
    if (!event || dice < 24) this.create(start_us, end_us);
    else if (dice < 40) store.update(event.id, { start_us: Math.min(start_us, event.end_us - 1) });
    else if (dice < 50) store.update(event.id, { end_us: Math.max(end_us, event.start_us + 1) });
    else if (dice < 60) store.update(event.id, { "attributes.note": `note ${below(9)}` });
    else if (dice < 66) store.update(event.id, { review_state: ["accepted", "rejected", "none", "unsure"][below(4)] });
    else if (dice < 74) store.remove(event.id);
    else if (dice < 80) this.cutInTwo(event);
    else if (dice < 83) store.merge(event.id, events[below(events.length)].id);
    else if (dice < 89) store.undo();
    else if (dice < 92) store.redo();
    else if (dice < 98) store.cover(start_us, end_us, ["watched", "skipped", null][below(3)]);
    else store.setSheet({ status: ["new", "in_progress", "done", "needs_review"][below(4)], note: `note ${below(9)}` });
  }

  /** Each event that is made carries a mark of its own: two with the same would be one doubled. */
  create(start_us, end_us) {
    return this.store.create({
      start_us, end_us, event_type: this.event_type, kind: "segment", review_state: "none",
      attributes: { source: { mark: crypto.randomUUID() } },
    });
  }

  cutInTwo(event) {
    const middle = Math.round((event.start_us + event.end_us) / 2);
    if (middle <= event.start_us || middle >= event.end_us) return;
    this.store.transaction("cut", () => {
      this.store.update(event.id, { end_us: middle });
      this.create(middle, event.end_us);
    });
  }

  /** What this page believes. */
  belief() {
    const { status, ledger, conflicts } = this.store;
    return { status, conflicts: conflicts.length, expired: this.expired, ...ledger.snapshot() };
  }
}

/** Ids of operations that pages of this browser noted, and how many are still queued. */
function journal() {
  const keys = Object.keys(localStorage);
  return {
    made: keys.filter((key) => key.startsWith(JOURNAL)).flatMap((key) => localStorage.getItem(key).trim().split(" ")),
    queued: keys.filter((key) => key.startsWith("prismata.op/")).length,
  };
}

/** How many edits more this page may make; the program outside says it. */
window.allowed = 0;
window.chaos = { Annotator, journal };
