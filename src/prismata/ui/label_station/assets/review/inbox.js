// The review inbox: which card is looked at, what was decided, and what comes next.

import { newId } from "../operations.js";
import { Outbox } from "./outbox.js";

/** @typedef {import("./outbox.js").Verdict} Verdict */
/**
 * @typedef {{id: string, name: string, codec: string, group: string, token: string, rendition: string}} CardVideo
 * @typedef {{key: string, run: string, reason: string, stratum: string, doubt: number, why: string[], start_us: number,
 *   end_us: number, event_type: string, kind: "point" | "segment", score: number | null, threshold: number | null,
 *   probability: number | null, loop: [number, number], around: [number, number], curve: [number, number][], video: CardVideo}} Card
 * @typedef {{start_us: number, end_us: number, event_type: string, kind: "point" | "segment"}} Meant
 * @typedef {{open: Record<string, number>, controls: Record<string, number>, advice: string,
 *   estimate: {true: [number, number], missed: [number, number], precision: [number, number] | null, recall: [number, number] | null, controls: number}}} Rest
 */

const FETCH_AT = 8;
const CARDS = 20;
const REMEMBERED = 200;
/** The estimate is asked for again after so many decisions. */
const REST_EVERY = 5;

/** Emits `change` when there is another card or number, and `told` {message}. */
export class Inbox extends EventTarget {
  /**
   * @param {{api: {json: (path: string, request?: any) => Promise<any>}, domain: string, model: string, user: string,
   *   storage: import("./outbox.js").Storage, schedule?: import("./outbox.js").Schedule}} options
   */
  constructor({ api, domain, model, user, storage, schedule }) {
    super();
    this.api = api;
    this.base = `/api/review/${encodeURIComponent(domain)}`;
    this.model = model;
    this.order = "doubt";
    this.eventType = "";
    /** @type {Card[]} */
    this.cards = [];
    /** @type {Rest | null} */
    this.rest = null;
    this.decided = 0;
    /** Decisions made here, those taken back not counted. */
    this.made = 0;
    this.isLoading = false;
    this.isEmpty = false;
    this.trouble = "";
    /** What was decided here, newest last. @type {{verdict: Verdict, card: Card}[]} */
    this.history = [];
    /** @type {string[][]} accepted at once, by id; newest last */
    this.bulks = [];
    this.outbox = new Outbox({ api, path: `${this.base}/decide`, storage, key: `prismata.review/${user}/${domain}`, schedule });
    this.outbox.addEventListener("change", () => this.tell());
    this.outbox.addEventListener("refused", (event) => this.onRefused(/** @type {CustomEvent} */ (event).detail));
  }

  async open() {
    void this.outbox.send();
    await this.load();
  }

  /** The card that is looked at. @returns {Card | null} */
  get card() {
    return this.cards[0] ?? null;
  }

  /** @param {{order?: string, eventType?: string}} wish */
  async choose({ order, eventType }) {
    this.order = order ?? this.order;
    this.eventType = eventType ?? this.eventType;
    this.cards = [];
    await this.load();
  }

  /** Fetch cards behind those that are here, and how good the rest is. */
  async load() {
    if (this.isLoading) return;
    this.isLoading = true;
    const asked = `${this.order}/${this.eventType}`;
    const { made } = this;
    const isSettled = this.outbox.count === 0;
    this.tell();
    const query = new URLSearchParams({ order: this.order, limit: String(CARDS), model: this.model, event_type: this.eventType });
    for (const { key } of this.cards) query.append("skip", key);
    for (const key of this.onTheirWay()) query.append("skip", key);
    try {
      const told = await this.api.json(`${this.base}/queue?${query}`);
      if (asked === `${this.order}/${this.eventType}`) {
        // What was decided while the server was thinking may still be in its answer.
        const known = new Set([...this.cards, ...this.history.map(({ card }) => card)].map(({ key }) => key));
        this.cards.push(...told.cards.filter((/** @type {Card} */ { key }) => !known.has(key)));
        this.isEmpty = this.cards.length === 0;
      }
      this.rest = told.rest;
      // An answer that crossed a decision may count it or not; ours is right until nothing is on its way.
      if (isSettled && made === this.made) this.decided = told.decided;
      this.modelName = told.model.name;
      this.trouble = "";
    } catch (error) {
      this.trouble = error instanceof Error ? error.message : String(error);
    } finally {
      this.isLoading = false;
      this.tell();
    }
    if (asked !== `${this.order}/${this.eventType}`) await this.load();
  }

  /** Keys of cards whose verdicts the server may not have. */
  onTheirWay() {
    return this.outbox.waiting.map((told) => `${told.run}:${told.event_type}:${told.start_us}:${told.end_us}`);
  }

  /**
   * Decide about the card that is looked at.
   *
   * @param {"accepted" | "rejected" | "unsure" | "corrected" | "watched"} decision
   * @param {{corrected?: Meant, found?: Meant[], seen?: [number, number][]}} [more] `seen`: what was played
   */
  decide(decision, more = {}) {
    const card = this.cards.shift();
    if (!card) return;
    const { run, event_type, start_us, end_us, reason, doubt } = card;
    /** @type {Verdict} */
    const verdict = { id: newId(), run, event_type, start_us, end_us, decision, reason, doubt, ...more };
    this.history.push({ verdict, card });
    this.history.splice(0, this.history.length - REMEMBERED);
    this.decided++;
    this.made++;
    this.isEmpty = this.cards.length === 0;
    this.outbox.add(verdict);
    if (this.cards.length < FETCH_AT || this.history.length % REST_EVERY === 0) void this.load();
    this.tell();
  }

  /** Look at this card later. */
  skip() {
    const card = this.cards.shift();
    if (card) this.cards.push(card);
    this.tell();
  }

  /** Look at a card of the list now. @param {string} key */
  pick(key) {
    const at = this.cards.findIndex((card) => card.key === key);
    if (at > 0) this.cards.unshift(...this.cards.splice(at, 1));
    this.tell();
  }

  /** Take the last decision back. @returns {Promise<void>} */
  async undo() {
    const last = this.history.pop();
    if (!last) {
      this.say("Nothing was decided here that could be taken back.");
      return;
    }
    const { verdict, card } = last;
    try {
      if (!this.outbox.takeBack(verdict.id)) {
        await this.outbox.send();
        await this.api.json(`${this.base}/undo`, { method: "POST", body: { ids: [verdict.id] } });
      }
    } catch (error) {
      this.history.push(last);
      this.say(error instanceof Error ? error.message : String(error));
      return;
    }
    this.decided--;
    this.made--;
    this.cards = [card, ...this.cards.filter(({ key }) => key !== card.key)];
    this.isEmpty = false;
    this.tell();
  }

  /** Accept everything of a type from a score on. @param {string} eventType @param {number} score */
  async acceptAbove(eventType, score) {
    try {
      const told = await this.api.json(`${this.base}/accept-above`, { method: "POST", body: { model: this.model, event_type: eventType, score } });
      this.bulks.push(told.ids);
      this.cards = [];
      await this.load();
      this.say(`${told.ids.length} accepted that nobody looked at.`);
    } catch (error) {
      this.say(error instanceof Error ? error.message : String(error));
    }
  }

  /** Take back what was accepted at once. */
  async undoBulk() {
    const ids = this.bulks.pop();
    if (!ids) return;
    try {
      await this.api.json(`${this.base}/undo`, { method: "POST", body: { ids } });
      this.cards = [];
      await this.load();
      this.say(`${ids.length} taken back.`);
    } catch (error) {
      this.bulks.push(ids);
      this.say(error instanceof Error ? error.message : String(error));
    }
  }

  /** @param {{verdict: Verdict, message: string}} refused */
  onRefused({ verdict, message }) {
    this.history = this.history.filter((item) => item.verdict.id !== verdict.id);
    this.decided--;
    this.made--;
    this.say(message);
  }

  /** @param {string} message */
  say(message) {
    this.dispatchEvent(new CustomEvent("told", { detail: { message } }));
  }

  tell() {
    this.dispatchEvent(new Event("change"));
  }

  close() {
    this.outbox.close();
  }
}
