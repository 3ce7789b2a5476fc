// What Streamlit calls for the review inbox. It outlives reruns: nothing in it depends on them.

import { Api } from "./api.js";
import { formatTime } from "./dom.js";
import { Curve } from "./review/curve.js";
import { Inbox } from "./review/inbox.js";
import { buildLayout, buildTypes, drawCard, drawMeter, drawQueue, drawState } from "./review/layout.js";
import { Seen } from "./review/seen.js";
import { Stage } from "./review/stage.js";
import { browserStorage } from "./storage.js";

/** @typedef {import("./review/inbox.js").Card} Card */
/** @typedef {import("./review/inbox.js").Meant} Meant */
/**
 * @typedef {{user: string, model: string, token: string,
 *   domain: {name: string, title: string, event_types: import("./panels/inspector.js").DeclaredType[]}}} ReviewData
 */

const TOLD_MS = 5000;
/** @type {Record<string, string>} */
const KEYS = {
  a: "accept", enter: "accept", x: "reject", u: "unsure", e: "edit", z: "undo", s: "skip", " ": "play", escape: "leave",
  arrowleft: "back", arrowright: "forward", backspace: "unmark", ".": "around",
};
const WRITES = "input, textarea, select, [contenteditable]";

export class Review {
  /**
   * @param {HTMLElement} host
   * @param {ReviewData} data
   * @param {() => void} onExpired
   */
  constructor(host, data, onExpired) {
    this.data = data;
    this.api = new Api({
      base: "", videoToken: "", annotatorToken: "", labelsToken: data.token, user: data.user, video: "", domain: data.domain.name, onExpired,
    });
    this.ui = buildLayout(host, (action) => void this.run(action));
    this.inbox = new Inbox({ api: this.api, domain: data.domain.name, model: data.model, user: data.user, storage: browserStorage() });
    this.stage = new Stage(this.ui.screen, this.api);
    this.curve = new Curve(this.ui.curve);
    this.seen = new Seen();
    /** @type {string | null} */
    this.shown = null;
    /** What a person says the card is; for a stretch what they saw. @type {Meant[]} */
    this.meant = [];
    /** @type {"start" | "end" | null} */
    this.edge = null;
    /** A segment that was begun in a stretch. @type {Meant | null} */
    this.begun = null;
    this.stop = new AbortController();
    buildTypes(this.ui, data.domain.event_types, (name) => this.choose(name));
    this.connect();
    void this.inbox.open();
  }

  connect() {
    const { ui, inbox, stage, curve } = this;
    const { signal } = this.stop;
    inbox.addEventListener("change", () => this.draw());
    inbox.addEventListener("told", (event) => this.tell(/** @type {CustomEvent} */ (event).detail.message));
    stage.addEventListener("frame", (event) => {
      const { us } = /** @type {CustomEvent} */ (event).detail;
      ui.clock.textContent = formatTime(us);
      curve.setHead(us);
    });
    stage.addEventListener("trouble", (event) => {
      ui.trouble.textContent = /** @type {CustomEvent} */ (event).detail.sentence;
      ui.trouble.hidden = false;
    });
    stage.addEventListener("ready", (event) => {
      const { key } = /** @type {CustomEvent} */ (event).detail;
      ui.root.dataset.card = key;
      if (key === inbox.card?.key) this.seen.begin(stage.player);
      const next = inbox.cards.find(({ video }) => video.id !== inbox.card?.video.id);
      if (next) void stage.prepare(next);
    });
    curve.addEventListener("seek", (event) => void this.lookAt(/** @type {CustomEvent} */ (event).detail.us));
    ui.order.addEventListener("change", () => void inbox.choose({ order: ui.order.value }));
    ui.filter.addEventListener("change", () => void inbox.choose({ eventType: ui.filter.value }));
    ui.speed.addEventListener("change", () => stage.setRate(Number(ui.speed.value)));
    // What was chosen is chosen: the keys are for the card again.
    for (const chosen of [ui.order, ui.filter, ui.speed, ui.around]) chosen.addEventListener("change", () => this.takeKeys());
    document.addEventListener("keydown", (event) => this.onKey(event), { capture: true, signal });
  }

  /** @param {ReviewData} data */
  renew(data) {
    this.data = data;
    this.api.renew({ labels: data.token });
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const target = /** @type {HTMLElement | null} */ (event.composedPath()[0]);
    const isHere = this.ui.root.isConnected && this.ui.root.getClientRects().length > 0;
    if (!isHere || event.ctrlKey || event.metaKey || event.altKey || target?.closest?.(WRITES)) return;
    const key = event.key.toLowerCase();
    if ((key === " " || key === "enter") && target?.closest?.("button, a[href]")) return;
    const number = /^[1-9]$/.test(key) ? Number(key) : 0;
    const action = KEYS[key];
    const type = this.data.domain.event_types[number - 1]?.name ?? (action ? undefined : this.typeOf(key));
    // Streamlit would clear its cache or run the script again.
    if (!action && !type && key !== "c" && key !== "r") return;
    event.preventDefault();
    event.stopPropagation();
    const repeats = action === "back" || action === "forward";
    if (event.repeat && !repeats) return;
    if (type) this.choose(type);
    else if (action) void this.run(action, event.shiftKey);
  }

  /** @param {string} key */
  typeOf(key) {
    return this.data.domain.event_types.find((type) => type.key.toLowerCase() === key)?.name;
  }

  /** @param {string} action @param {boolean} [far] */
  async run(action, far = false) {
    const { inbox } = this;
    const { card } = inbox;
    if (action === "undo") return inbox.undo();
    if (action === "bulk") return this.bulk();
    if (!card) return undefined;
    const isStretch = !card.event_type;
    if (action === "play") await this.stage.toggle();
    else if (action === "skip") inbox.skip();
    else if (action === "back" || action === "forward") await this.move((action === "back" ? -1 : 1) * (far ? 10 : 1));
    else if (action === "edit") await this.edit();
    else if (action === "leave") this.leave();
    else if (action === "unmark") this.unmark();
    else if (isStretch) {
      if (action !== "unsure") inbox.decide("watched", { found: action === "reject" ? [] : this.meant });
    } else if (action === "accept") this.accept();
    else if (action === "reject") this.decide("rejected");
    else if (action === "unsure") this.decide("unsure");
    else if (action === "around") this.ui.around.checked = !this.ui.around.checked;
    return undefined;
  }

  /**
   * Decide about the card, and tell what was played of it.
   *
   * @param {"accepted" | "rejected" | "unsure" | "corrected"} decision
   * @param {{corrected?: Meant}} [more]
   */
  decide(decision, more = {}) {
    const seen = this.ui.around.checked ? this.seen.told() : [];
    this.inbox.decide(decision, seen.length ? { ...more, seen } : more);
  }

  accept() {
    const { card } = this.inbox;
    const [meant] = this.meant;
    if (!card || !meant) return;
    const isSame = meant.event_type === card.event_type && meant.start_us === card.start_us && meant.end_us === card.end_us;
    if (isSame) this.decide("accepted");
    else this.decide("corrected", { corrected: meant });
  }

  /** An event type was chosen: what the card is instead, or what happens in a stretch now. @param {string} name */
  choose(name) {
    const { card } = this.inbox;
    const type = this.data.domain.event_types.find((item) => item.name === name);
    if (!card || !type) return;
    if (card.event_type) {
      if (type.kind !== card.kind) {
        this.tell(`${type.title} is a ${type.kind}, this is a ${card.kind}; reject it and label the other in the label station.`);
        return;
      }
      this.meant = [{ ...this.meant[0], event_type: name }];
      this.accept();
      return;
    }
    const us = this.stage.player.us;
    if (type.kind === "point") this.meant.push({ start_us: us, end_us: us, event_type: name, kind: "point" });
    else if (this.begun?.event_type === name && us > this.begun.start_us) {
      this.meant.push({ ...this.begun, end_us: us });
      this.begun = null;
    } else {
      this.begun = { start_us: us, end_us: us, event_type: name, kind: "segment" };
      this.tell(`${type.title} begins here; press it again where it ends.`);
    }
    this.drawCard();
  }

  unmark() {
    if (this.inbox.card?.event_type) return;
    this.meant.pop();
    this.drawCard();
  }

  /** Begin to move an edge, or go to the other one. */
  async edit() {
    const { card } = this.inbox;
    if (!card?.event_type) return;
    this.edge = this.edge === "start" && card.kind === "segment" ? "end" : "start";
    await this.stage.player.pause();
    await this.showEdge();
    this.drawCard();
  }

  async showEdge() {
    const [meant] = this.meant;
    const { player } = this.stage;
    if (!meant || !this.edge) return;
    const last = (player.frames?.indexAt(meant.end_us) ?? 1) - 1;
    if (this.edge === "start") await player.seekToUs(meant.start_us);
    else await player.seekToFrame(last);
  }

  leave() {
    if (!this.inbox.card) return;
    this.reset(this.inbox.card);
    void this.stage.show(this.inbox.card);
    this.drawCard();
  }

  /** Move the picture by frames, and with it the edge that is edited. @param {number} frames */
  async move(frames) {
    const { player } = this.stage;
    const [meant] = this.meant;
    const table = player.frames;
    if (!table) return;
    if (!this.edge || !meant) {
      await player.step(frames);
      return;
    }
    if (this.edge === "start") {
      const start = table.startUs(table.indexAt(meant.start_us) + frames);
      if (meant.kind === "point") this.meant = [{ ...meant, start_us: start, end_us: start }];
      else if (start < meant.end_us) this.meant = [{ ...meant, start_us: start }];
    } else {
      const end = table.endUs(table.indexAt(meant.end_us - 1) + frames);
      if (end > meant.start_us) this.meant = [{ ...meant, end_us: end }];
    }
    this.drawCard();
    await this.showEdge();
  }

  /** @param {number} us */
  async lookAt(us) {
    await this.stage.player.pause();
    await this.stage.player.seekToUs(us);
  }

  async bulk() {
    const { inbox } = this;
    const { card } = inbox;
    if (inbox.bulks.length && window.confirm(`Take back the ${inbox.bulks[inbox.bulks.length - 1].length} that were accepted at once?`)) {
      await inbox.undoBulk();
      return;
    }
    const name = inbox.eventType || card?.event_type || this.data.domain.event_types[0].name;
    const told = window.prompt(`Accept every open "${this.titleOf(name)}" from this score on, without looking at it:`, "0.95");
    const score = Number(told?.replace(",", "."));
    if (!told) return;
    if (score > 0 && score <= 1) await inbox.acceptAbove(name, score);
    else this.tell("A score is a number above 0 and at most 1.");
  }

  draw() {
    const { ui, inbox } = this;
    const { card } = inbox;
    drawState(ui, inbox);
    drawQueue(ui, inbox, { titleOf: (name) => this.titleOf(name), pick: (key) => inbox.pick(key) });
    drawMeter(ui, inbox);
    if (card && card.key !== this.shown) {
      if (this.shown === null) this.takeKeys();
      this.shown = card.key;
      ui.trouble.hidden = true;
      this.reset(card);
      this.seen.end();
      ui.around.checked = true;
      void this.stage.show(card);
    }
    if (!card) {
      this.shown = null;
      this.seen.end();
    }
    this.drawCard();
  }

  /** The page's own boxes keep the keyboard after a choice; from the first card on it is for cards. */
  takeKeys() {
    this.ui.root.focus({ preventScroll: true });
  }

  /** @param {Card} card */
  reset(card) {
    const { start_us, end_us, event_type, kind } = card;
    this.edge = null;
    this.begun = null;
    this.meant = event_type ? [{ start_us, end_us, event_type, kind }] : [];
  }

  drawCard() {
    const { card } = this.inbox;
    if (!card) return;
    const how = { titleOf: (/** @type {string} */ name) => this.titleOf(name), domain: this.data.domain.name, edge: this.edge, modelName: this.inbox.modelName ?? "" };
    drawCard(this.ui, card, this.meant, how);
    this.curve.draw(card, this.meant);
  }

  /** @param {string} name */
  titleOf(name) {
    return this.data.domain.event_types.find((type) => type.name === name)?.title ?? name;
  }

  /** @param {string} message */
  tell(message) {
    this.ui.toast.textContent = message;
    clearTimeout(this.toldTimer);
    this.toldTimer = setTimeout(() => (this.ui.toast.textContent = ""), TOLD_MS);
  }

  close() {
    this.stop.abort();
    this.inbox.close();
    this.seen.end();
    this.stage.close();
    clearTimeout(this.toldTimer);
  }
}

/** @type {WeakMap<Element, {about: string, review: Review, expired: number}>} */
const places = new WeakMap();

/** @param {{parentElement: HTMLElement, data: ReviewData, setStateValue: (name: string, value: unknown) => void}} component */
export default function (component) {
  const host = /** @type {HTMLElement} */ (component.parentElement.querySelector(".review-inbox"));
  const { data } = component;
  const about = JSON.stringify([data.user, data.model, data.domain]);
  const place = places.get(host);
  if (place && place.about === about) place.review.renew(data);
  else {
    place?.review.close();
    let expired = 0;
    const review = new Review(host, data, () => component.setStateValue("expired", ++expired + Math.random()));
    places.set(host, { about, review, expired });
  }
  return () => {
    places.get(host)?.review.close();
    places.delete(host);
  };
}
