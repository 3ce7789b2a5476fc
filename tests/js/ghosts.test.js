import assert from "node:assert/strict";
import { test } from "node:test";

import { FrameTable } from "../../src/prismata/ui/label_station/assets/frames.js";
import { Ghosts, matches, unjudged } from "../../src/prismata/ui/label_station/assets/ghosts.js";

const TOLERANCE = 500_000;
const SOME = [
  { start_us: 1_000_000, end_us: 1_000_000, event_type: "tap", kind: "point", score: 0.9 },
  { start_us: 5_000_000, end_us: 9_000_000, event_type: "hold", kind: "segment", score: 0.52 },
  { start_us: 20_000_000, end_us: 20_000_000, event_type: "tap", kind: "point", score: 0.6 },
];

class Labels extends EventTarget {
  /** @type {any[]} */
  events = [];
  list() {
    return this.events;
  }
  /** @param {any} event */
  add(event) {
    this.events = [...this.events, { id: String(this.events.length), ...event }].sort((a, b) => a.start_us - b.start_us);
    this.dispatchEvent(new Event("change"));
  }
}

function answers() {
  /** @type {string[]} */
  const asked = [];
  return {
    asked,
    /** @param {string} path @returns {Promise<any>} */
    json: async (path) => (asked.push(path), { events: SOME }),
  };
}

/** @param {{frames?: FrameTable}} [options] */
async function opened(options = {}) {
  const store = new Labels();
  const api = answers();
  const ghosts = new Ghosts({ api, store, toleranceUs: TOLERANCE, frames: options.frames });
  await ghosts.open({ id: "run-1", model: "tapper", thresholds: { tap: 0.5, hold: 0.5 } });
  return { ghosts, store, api };
}

const point = (/** @type {number} */ us) => ({ start_us: us, end_us: us, kind: "point", event_type: "tap", score: 1 });
const segment = (/** @type {number} */ start_us, /** @type {number} */ end_us) => ({ start_us, end_us, kind: "segment", event_type: "hold", score: 1 });

test("a point is the same within the tolerance, and not a microsecond further", () => {
  assert.equal(matches(point(1_000_000), point(1_500_000), TOLERANCE), true);
  assert.equal(matches(point(1_000_000), point(1_500_001), TOLERANCE), false);
  assert.equal(matches(point(1_500_001), point(1_000_000), TOLERANCE), false);
});

test("a segment is the same from an overlap of three tenths on", () => {
  // 10 long each; shared 4.615… of a union of 15.384… is 0.3.
  assert.equal(matches(segment(0, 1000), segment(538, 1538), 0), true);
  assert.equal(matches(segment(0, 1000), segment(539, 1539), 0), false);
  assert.equal(matches(segment(0, 1000), segment(1000, 2000), 0), false);
});

test("a suggestion that lies mostly inside a long label is that label", () => {
  assert.equal(matches(segment(0, 1000), segment(400, 50_000), 0), true);
  assert.equal(matches(segment(0, 1000), segment(500, 50_000), 0), false);
  assert.equal(matches(segment(0, 50_000), segment(400, 1000), 0), false);
});

test("only labels of the same type judge a suggestion", () => {
  const label = { ...point(1_000_000), event_type: "other", id: "x" };
  assert.equal(unjudged(SOME, [label], TOLERANCE).length, 3);
  assert.equal(unjudged(SOME, [{ ...label, event_type: "tap" }], TOLERANCE).length, 2);
});

test("what is judged disappears, whatever was decided, and comes back when the label goes", async () => {
  const { ghosts, store } = await opened();
  let told = 0;
  ghosts.addEventListener("change", () => told++);
  store.add(ghosts.toLabel(ghosts.list()[0], "rejected"));
  assert.deepEqual(ghosts.list().map((ghost) => ghost.start_us), [5_000_000, 20_000_000]);
  store.events = [];
  store.dispatchEvent(new Event("change"));
  assert.equal(ghosts.list().length, 3);
  assert.equal(told, 2);
});

test("a label made of a suggestion says where it came from", async () => {
  const { ghosts } = await opened();
  assert.deepEqual(ghosts.toLabel(ghosts.list()[1], "accepted"), {
    start_us: 5_000_000,
    end_us: 9_000_000,
    event_type: "hold",
    kind: "segment",
    review_state: "accepted",
    attributes: { source: { run: "run-1", model: "tapper", score: 0.52 } },
  });
});

test("a label made of a suggestion begins and ends on frames", async () => {
  const frames = FrameTable.fromSteps(new Uint32Array(100).fill(40_000));
  const { ghosts } = await opened({ frames });
  const at = (/** @type {number} */ start_us, /** @type {number} */ end_us, /** @type {string} */ kind) => {
    const label = ghosts.toLabel({ id: "", start_us, end_us, kind, event_type: "tap", score: 1 }, "accepted");
    return [label.start_us, label.end_us];
  };
  assert.deepEqual(at(119_000, 119_000, "point"), [80_000, 80_000]);
  assert.deepEqual(at(119_000, 1_001_000, "segment"), [120_000, 1_000_000]);
  assert.deepEqual(at(121_000, 122_000, "segment"), [120_000, 160_000]);
});

test("one walks through suggestions by time and begins anew at the end", async () => {
  const { ghosts } = await opened();
  const [first, second, third] = ghosts.list();
  assert.equal(ghosts.next(null), first);
  assert.equal(ghosts.next(first.id), second);
  assert.equal(ghosts.next(third.id), first);
  assert.equal(ghosts.previous(first.id), third);
  assert.equal(ghosts.next(6_000_000), third);
  assert.equal(ghosts.previous(6_000_000), second);
});

test("one goes on from where a suggestion was that has been judged", async () => {
  const { ghosts, store } = await opened();
  const [, second, third] = ghosts.list();
  store.add(ghosts.toLabel(second, "accepted"));
  assert.equal(ghosts.next(second.id)?.id, third.id);
});

test("the most uncertain comes first when that is wanted", async () => {
  const { ghosts } = await opened();
  ghosts.order = "uncertainty";
  assert.deepEqual(ghosts.ordered().map((ghost) => ghost.score), [0.52, 0.6, 0.9]);
  assert.equal(ghosts.next(null)?.score, 0.52);
});

test("a threshold that is dragged asks the server once it rests, with all thresholds", async () => {
  const { ghosts, api } = await opened();
  api.asked.length = 0;
  for (const value of [0.51, 0.52, 0.53]) ghosts.setThreshold("tap", value);
  ghosts.setThreshold("tap", 0.54, true);
  await new Promise((done) => setTimeout(done, 20));
  assert.deepEqual(api.asked, ["/api/scores/run-1/events?tap=0.54&hold=0.5"]);
});

test("an answer that comes after a later one is thrown away", async () => {
  /** @type {((told: any) => void)[]} */
  const waiting = [];
  const api = { json: () => new Promise((done) => waiting.push(done)) };
  const store = new Labels();
  const ghosts = new Ghosts({ api, store, toleranceUs: TOLERANCE });
  const first = ghosts.open({ id: "slow", model: "m", thresholds: {} });
  const second = ghosts.open({ id: "fast", model: "m", thresholds: {} });
  waiting[1]({ events: [SOME[0]] });
  await second;
  waiting[0]({ events: SOME });
  await first;
  assert.equal(ghosts.list().length, 1);
});

test("other rules are asked for once, and thresholds are among them", async () => {
  const { ghosts, api } = await opened();
  api.asked.length = 0;
  const rules = { tap: { threshold: 0.4, min_gap_seconds: 2 } };
  ghosts.setRules(rules);
  ghosts.setRules(structuredClone(rules));
  await new Promise((done) => setTimeout(done, 20));
  assert.deepEqual(api.asked, ["/api/scores/run-1/events?tap=0.4&hold=0.5&tap.min_gap_seconds=2"]);
});

test("a failure is told and what is shown stays", async () => {
  const { ghosts, api } = await opened();
  api.json = async () => {
    throw new Error("the threshold of 'tap' has to be a number");
  };
  /** @type {string[]} */
  const told = [];
  ghosts.addEventListener("trouble", (event) => told.push(/** @type {CustomEvent} */ (event).detail.message));
  ghosts.setThreshold("tap", 7, true);
  await new Promise((done) => setTimeout(done, 20));
  assert.deepEqual(told, ["the threshold of 'tap' has to be a number"]);
  assert.equal(ghosts.list().length, 3);
});
