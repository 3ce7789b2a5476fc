// The review inbox: cards, verdicts on their way, undo, a server that is away or says no.

import assert from "node:assert/strict";
import test from "node:test";

import { ApiError } from "../../src/prismata/ui/label_station/assets/api.js";
import { FrameTable } from "../../src/prismata/ui/label_station/assets/frames.js";
import { Inbox } from "../../src/prismata/ui/label_station/assets/review/inbox.js";
import { Seen } from "../../src/prismata/ui/label_station/assets/review/seen.js";
import { chipsOf, percentOf, rangeOf } from "../../src/prismata/ui/label_station/assets/review/words.js";
import { Clock, MemoryStorage, settled } from "./memory_server.js";

/** @typedef {import("../../src/prismata/ui/label_station/assets/review/inbox.js").Card} Card */

/** @param {number} at @returns {Card} */
function cardAt(at) {
  return {
    key: `run:fall:${at}:${at}`, run: "run", reason: "doubt", stratum: "shown", doubt: 0.5, why: ["score"], start_us: at, end_us: at,
    event_type: "fall", kind: "point", score: 0.6, threshold: 0.5, probability: 0.6, loop: [0, 1], around: [0, 1], curve: [],
    video: { id: "v", name: "v.mp4", codec: "h264", group: "v", token: "t", rendition: "" },
  };
}

/** A server with a queue: what was decided is no longer in it. */
class ReviewServer {
  /** @param {number} count */
  constructor(count) {
    this.open = Array.from({ length: count }, (_, index) => cardAt(index * 1000));
    /** @type {Map<string, any>} */
    this.verdicts = new Map();
    /** @type {ApiError | null} */
    this.refuses = null;
    this.asked = 0;
    /** @type {Promise<unknown> | null} */
    this.holds = null;
  }

  /** @param {string} path @param {{method?: string, body?: any}} [request] @returns {Promise<any>} */
  async json(path, request = {}) {
    if (path.includes("/queue?")) {
      this.asked++;
      const query = new URLSearchParams(path.slice(path.indexOf("?")));
      const done = new Set([...this.verdicts.values()].map((told) => `run:fall:${told.start_us}:${told.end_us}`));
      const skip = new Set(query.getAll("skip"));
      const cards = this.open.filter(({ key }) => !done.has(key) && !skip.has(key)).slice(0, Number(query.get("limit")));
      const answer = { cards, decided: this.verdicts.size, model: { id: "m", name: "m-1" }, rest: { open: {}, controls: {}, advice: "", estimate: {} } };
      if (this.holds) await this.holds;
      return answer;
    }
    if (this.refuses) throw this.refuses;
    if (path.endsWith("/decide")) this.verdicts.set(request.body.id, request.body);
    else if (path.endsWith("/undo")) for (const id of request.body.ids) this.verdicts.delete(id);
    else if (path.endsWith("/accept-above")) {
      const ids = this.open.map(({ start_us }, index) => {
        const id = `bulk${index}`;
        this.verdicts.set(id, { start_us, end_us: start_us });
        return id;
      });
      return { ids };
    }
    return {};
  }
}

/** @param {ReviewServer} server @param {{storage?: MemoryStorage, clock?: Clock}} [with_] */
async function open(server, { storage = new MemoryStorage(), clock = new Clock() } = {}) {
  const inbox = new Inbox({ api: server, domain: "falls", model: "m", user: "ada", storage, schedule: clock.schedule });
  await inbox.open();
  return inbox;
}

test("a decision brings the next card at once and reaches the server", async () => {
  const server = new ReviewServer(50);
  const inbox = await open(server);
  assert.equal(inbox.cards.length, 20);
  const first = inbox.card;
  inbox.decide("accepted");
  assert.notEqual(inbox.card?.key, first?.key);
  await settled();
  assert.deepEqual([...server.verdicts.values()].map(({ decision, start_us }) => [decision, start_us]), [["accepted", 0]]);
  assert.equal(inbox.outbox.count, 0);
});

test("cards are fetched before they run out, and none comes twice", async () => {
  const server = new ReviewServer(50);
  const inbox = await open(server);
  /** @type {string[]} */
  const seen = [];
  while (inbox.card) {
    seen.push(inbox.card.key);
    inbox.decide("accepted");
    await settled();
  }
  assert.equal(seen.length, 50);
  assert.equal(new Set(seen).size, 50);
  assert.ok(inbox.isEmpty);
  assert.equal(inbox.decided, 50);
});

test("what is decided while the server thinks does not come back with its answer, and is counted", async () => {
  const server = new ReviewServer(50);
  const inbox = await open(server);
  /** @type {(value?: unknown) => void} */
  let release = () => {};
  server.holds = new Promise((resolve) => (release = resolve));
  const loading = inbox.load();
  const { key } = /** @type {Card} */ (inbox.card);
  inbox.decide("rejected");
  await settled();
  release();
  await loading;
  assert.ok(!inbox.cards.some((card) => card.key === key));
  assert.equal(inbox.decided, 1);
});

test("undo takes back what has arrived, and what has not", async () => {
  const server = new ReviewServer(5);
  const clock = new Clock();
  const inbox = await open(server, { clock });
  const first = inbox.card;
  inbox.decide("rejected");
  await settled();
  await inbox.undo();
  assert.equal(server.verdicts.size, 0);
  assert.equal(inbox.card?.key, first?.key);
  server.refuses = new ApiError("offline", "away", 0);
  inbox.decide("rejected");
  await settled();
  inbox.decide("accepted");
  await inbox.undo();
  assert.deepEqual(inbox.outbox.waiting.map(({ decision }) => decision), ["rejected"]);
  assert.equal(inbox.decided, 1);
});

test("a server that is away gets everything later, in order, also after the page was closed", async () => {
  const server = new ReviewServer(5);
  const storage = new MemoryStorage();
  server.refuses = new ApiError("offline", "away", 0);
  const inbox = await open(server, { storage });
  inbox.decide("accepted");
  inbox.decide("rejected");
  await settled();
  assert.ok(inbox.outbox.isOffline);
  inbox.close();
  server.refuses = null;
  const again = await open(server, { storage });
  await settled();
  assert.deepEqual([...server.verdicts.values()].map(({ decision }) => decision), ["accepted", "rejected"]);
  assert.equal(again.outbox.count, 0);
});

test("it asks again by itself while the server is away", async () => {
  const server = new ReviewServer(5);
  const clock = new Clock();
  const inbox = await open(server, { clock });
  server.refuses = new ApiError("offline", "away", 0);
  inbox.decide("accepted");
  await settled();
  server.refuses = null;
  await clock.pass(600);
  assert.equal(server.verdicts.size, 1);
  assert.ok(!inbox.outbox.isOffline);
});

test("a refusal is told, is not sent again, and does not count", async () => {
  const server = new ReviewServer(5);
  const inbox = await open(server);
  /** @type {string[]} */
  const told = [];
  inbox.addEventListener("told", (event) => told.push(/** @type {CustomEvent} */ (event).detail.message));
  server.refuses = new ApiError("refused", "somebody else decided", 409);
  inbox.decide("accepted");
  await settled();
  assert.deepEqual(told, ["somebody else decided"]);
  assert.equal(inbox.outbox.count, 0);
  assert.equal(inbox.decided, 0);
  assert.equal(inbox.history.length, 0);
});

test("later puts the card behind the others, a click takes one to the front", async () => {
  const inbox = await open(new ReviewServer(3));
  inbox.skip();
  assert.deepEqual(inbox.cards.map(({ start_us }) => start_us), [1000, 2000, 0]);
  inbox.pick(cardAt(0).key);
  assert.deepEqual(inbox.cards.map(({ start_us }) => start_us), [0, 1000, 2000]);
});

test("what was accepted at once is taken back at once", async () => {
  const server = new ReviewServer(3);
  const inbox = await open(server);
  await inbox.acceptAbove("fall", 0.5);
  assert.equal(server.verdicts.size, 3);
  assert.equal(inbox.card, null);
  await inbox.undoBulk();
  assert.equal(server.verdicts.size, 0);
  assert.equal(inbox.cards.length, 3);
});

test("a card says why it is there", () => {
  assert.deepEqual(chipsOf({ ...cardAt(0), why: ["models", "score"] }), ["another model disagrees", "score near the threshold"]);
  assert.deepEqual(chipsOf({ ...cardAt(0), reason: "control", stratum: "near" }), ["random control", "just below the threshold"]);
});

test("ranges are read as people write them", () => {
  assert.equal(rangeOf([3, 9]), "3–9");
  assert.equal(rangeOf([4, 4]), "4");
  assert.equal(percentOf([0.824, 0.951]), "82–95 %");
  assert.equal(percentOf(null), "–");
});

test("what was played of a card is told, and nothing of the card before", () => {
  const player = Object.assign(new EventTarget(), { rate: 1, frames: FrameTable.fromSteps(new Uint32Array(100).fill(40_000)) });
  const show = (/** @type {number} */ us, playing = true) => player.dispatchEvent(new CustomEvent("frame", { detail: { us, playing } }));
  const seen = new Seen();
  assert.deepEqual(seen.told(), []);
  seen.begin(player);
  for (const us of [400_000, 440_000, 520_000]) show(us);
  show(2_000_000, false); // a seek is no watching
  show(2_040_000, false); // a step is
  assert.deepEqual(seen.told(), [[400_000, 560_000], [2_000_000, 2_080_000]]);
  seen.begin(player);
  assert.deepEqual(seen.told(), []);
  show(0);
  show(40_000);
  seen.end();
  show(80_000);
  assert.deepEqual(seen.told(), []);
});
