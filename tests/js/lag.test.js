import assert from "node:assert/strict";
import test from "node:test";

import { DEFAULT_LAG_MS, ReactionLag } from "../../src/prismata/ui/label_station/assets/lag.js";

/** @param {ReactionLag} lag @param {number[]} samples in milliseconds, at normal speed */
function teach(lag, samples) {
  samples.forEach((ms, place) => lag.learn(place * 10_000_000 + 1_000_000, place * 10_000_000 + 1_000_000 - ms * 1000, 1));
}

test("until there are five corrections the default holds, then their median", () => {
  const lag = new ReactionLag();
  teach(lag, [400, 410, 390, 405]);
  assert.equal(lag.ms, DEFAULT_LAG_MS);
  assert.equal(lag.isLearned, false);
  lag.learn(90_000_000, 89_700_000, 1);
  assert.equal(lag.isLearned, true);
  assert.equal(lag.ms, 400);
});

test("the lag is wall time: at double speed it takes off twice as much, and is learned as half", () => {
  const lag = new ReactionLag();
  assert.equal(lag.offsetUs(2), 2 * lag.offsetUs(1));
  for (let mark = 1; mark <= 5; mark++) lag.learn(mark * 1e7, mark * 1e7 - 600_000, 2);
  assert.equal(lag.ms, 300);
  assert.equal(lag.offsetUs(2), 600_000);
  assert.equal(lag.offsetUs(0.5), 150_000);
});

test("a correction of more than a second and a half is another opinion, not reaction time", () => {
  const lag = new ReactionLag();
  assert.equal(lag.learn(9_000_000, 7_400_000, 1), false);
  assert.equal(lag.count, 0);
  assert.equal(lag.learn(9_000_000, 7_600_000, 1), true);
});

test("an edge that is moved frame by frame is one correction, and the last position counts", () => {
  const lag = new ReactionLag();
  for (let step = 1; step <= 10; step++) lag.learn(5_000_000, 5_000_000 - step * 40_000, 1);
  assert.equal(lag.count, 1);
  assert.deepEqual(lag.toJSON().samples, [400]);
  lag.learn(5_000_000, 1_000_000, 1);
  assert.equal(lag.count, 0, "moved far away, it says nothing any more");
});

test("marks whose moment on screen is not known teach nothing", () => {
  const lag = new ReactionLag();
  assert.equal(lag.learn(null, 1_000_000, 1), false);
  assert.equal(lag.learn(1_000_000, 900_000, 0), false);
  assert.equal(lag.learn(1_000_000, 900_000, -2), false);
  assert.equal(lag.count, 0);
});

test("switched off, it takes nothing off but goes on learning", () => {
  const lag = new ReactionLag();
  lag.enabled = false;
  assert.equal(lag.offsetUs(2), 0);
  teach(lag, [100, 100, 100, 100, 100]);
  assert.equal(lag.ms, 100);
  assert.equal(lag.appliedMs, 0);
  lag.enabled = true;
  assert.equal(lag.offsetUs(1), 100_000);
});

test("the last sixty corrections count: people get faster", () => {
  const lag = new ReactionLag();
  teach(lag, [...Array(100).fill(500), ...Array(60).fill(200)]);
  assert.equal(lag.count, 60);
  assert.equal(lag.ms, 200);
});

test("what is stored comes back, and nonsense does not", () => {
  const lag = new ReactionLag();
  teach(lag, [100, 200, 300, 400, 500]);
  lag.enabled = false;
  const again = new ReactionLag();
  again.fromJSON(JSON.parse(JSON.stringify(lag)));
  assert.equal(again.ms, 300);
  assert.equal(again.enabled, false);
  again.fromJSON({ enabled: "yes", samples: ["fast", null, 9000, 120] });
  assert.equal(again.enabled, false);
  assert.deepEqual(again.toJSON().samples, [120]);
  again.fromJSON(null);
  assert.equal(again.count, 0);
});

test("whoever stores it is told of each change", () => {
  const lag = new ReactionLag();
  let told = 0;
  lag.addEventListener("change", () => told++);
  lag.learn(1_000_000, 800_000, 1);
  lag.enabled = false;
  lag.enabled = false;
  lag.forget();
  assert.equal(told, 3);
});
