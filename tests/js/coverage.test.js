import assert from "node:assert/strict";
import test from "node:test";

import { WatchRecorder, cut, gaps, paint, share, union } from "../../src/prismata/ui/label_station/assets/coverage.js";
import { painted } from "./memory_server.js";
import { dice } from "./dice.js";

/** @typedef {import("../../src/prismata/ui/label_station/assets/coverage.js").Span} Span */

test("painting is what painting each instant would be", () => {
  const random = dice(5);
  const states = /** @type {const} */ (["watched", "skipped"]);
  /** @type {Span[]} */
  let spans = [];
  for (let i = 0; i < 2000; i++) {
    const start = random(40);
    const end = start + 1 + random(12);
    /** @type {Span[]} */
    let inside = [];
    for (let k = random(3); k > 0; k--) {
      const from = start - 2 + random(end - start + 2);
      inside = painted(inside, from, from + 1 + random(6), [[from, from + 50, states[random(2)]]]).map(([a, b, s]) => /** @type {Span} */ ([a, b, s]));
    }
    const expected = painted(spans, start, end, painted([], start, end, inside));
    spans = paint(spans, start, end, inside);
    assert.deepEqual(spans, expected);
  }
});

test("cutting keeps what lies inside, and gaps are the rest", () => {
  /** @type {Span[]} */
  const spans = [[0, 10, "watched"], [20, 30, "skipped"]];
  assert.deepEqual(cut(spans, 5, 25), [[5, 10, "watched"], [20, 25, "skipped"]]);
  assert.deepEqual(cut(spans, 10, 20), []);
  assert.deepEqual(gaps(spans, 5, 40, "watched"), [[10, 20, "watched"], [30, 40, "watched"]]);
  assert.deepEqual(gaps([], 0, 5, "skipped"), [[0, 5, "skipped"]]);
});

test("equal neighbours are joined, different ones are not", () => {
  assert.deepEqual(union([[5, 9, "watched"], [0, 5, "watched"], [9, 12, "skipped"]]), [[0, 9, "watched"], [9, 12, "skipped"]]);
});

test("a share counts one state or both, and nothing beyond the end", () => {
  /** @type {Span[]} */
  const spans = [[0, 25, "watched"], [50, 200, "skipped"]];
  assert.equal(share(spans, 100), 0.75);
  assert.equal(share(spans, 100, "watched"), 0.25);
  assert.equal(share(spans, 0), 0);
});

/** A player of 25 frames a second, a store that paints, a clock. */
function watching() {
  const player = Object.assign(new EventTarget(), { rate: 1 });
  const store = {
    coverage: /** @type {Span[]} */ ([]),
    painted: 0,
    /** @param {number} from @param {number} to @param {Span[]} spans @param {{undoable: boolean}} options */
    paint(from, to, spans, options) {
      assert.equal(options.undoable, false);
      this.painted += 1;
      this.coverage = paint(this.coverage, from, to, spans);
    },
  };
  const frames = { endUs: (/** @type {number} */ index) => (index + 1) * 40_000, indexAt: (/** @type {number} */ us) => Math.floor(us / 40_000) };
  const clock = { ms: 0 };
  const recorder = new WatchRecorder({ player, store, frames, now: () => clock.ms });
  const show = (/** @type {number} */ frame, playing = true) => player.dispatchEvent(new CustomEvent("frame", { detail: { us: frame * 40_000, playing } }));
  const pause = () => player.dispatchEvent(new CustomEvent("state", { detail: { playing: false } }));
  return { player, store, clock, recorder, show, pause };
}

test("what plays is watched, painted every three seconds and when it pauses", () => {
  const { store, clock, show, pause } = watching();
  for (let i = 0; i <= 80; i++) {
    clock.ms = i * 40;
    show(i);
  }
  assert.deepEqual(store.coverage, [[0, 76 * 40_000, "watched"]]);
  pause();
  assert.deepEqual(store.coverage, [[0, 81 * 40_000, "watched"]]);
  assert.equal(store.painted, 2);
  pause();
  assert.equal(store.painted, 2);
});

test("a seek is no watching, and frames left out while playing are", () => {
  const { store, show, pause } = watching();
  for (const frame of [0, 1, 2, 12, 13, 500, 501]) show(frame);
  pause();
  assert.deepEqual(store.coverage, [[0, 14 * 40_000, "watched"], [500 * 40_000, 502 * 40_000, "watched"]]);
});

test("stepping counts, jumping while paused does not", () => {
  const { store, show, recorder } = watching();
  for (const frame of [3, 4, 3, 10]) show(frame, false);
  recorder.close();
  assert.deepEqual(store.coverage, [[3 * 40_000, 5 * 40_000, "watched"]]);
});

test("at four times one still sees, faster one does not", () => {
  const { player, store, show, pause } = watching();
  player.rate = 4;
  for (const frame of [0, 40, 80]) show(frame);
  player.rate = 8;
  for (const frame of [120, 160]) show(frame);
  pause();
  assert.deepEqual(store.coverage, [[0, 81 * 40_000, "watched"]]);
});

test("what was skipped on purpose stays so", () => {
  const { store, show, pause } = watching();
  store.coverage = [[2 * 40_000, 4 * 40_000, "skipped"]];
  for (let i = 0; i < 6; i++) show(i);
  pause();
  assert.deepEqual(store.coverage, [[0, 80_000, "watched"], [80_000, 160_000, "skipped"], [160_000, 240_000, "watched"]]);
});
