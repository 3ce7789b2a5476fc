import assert from "node:assert/strict";
import { test } from "node:test";

import { LaneIndex, indexByType, lowerBound } from "../../src/prismata/ui/label_station/assets/timeline/search.js";

/**
 * Numbers that look random and are the same each time.
 *
 * @param {number} seed
 */
function numbers(seed) {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

/**
 * @param {number} count
 * @param {number} seed
 * @param {number} longest
 */
function events(count, seed, longest) {
  const next = numbers(seed);
  const made = Array.from({ length: count }, (_, i) => {
    const start_us = Math.floor(next() * 1e6);
    return { id: String(i), event_type: next() < 0.5 ? "a" : "b", start_us, end_us: start_us + Math.floor(next() ** 4 * longest) };
  });
  return made.sort((a, b) => a.start_us - b.start_us);
}

test("the first value not below a wanted one is found", () => {
  assert.equal(lowerBound([1, 3, 3, 7], 3), 1);
  assert.equal(lowerBound([1, 3, 3, 7], 8), 4);
  assert.equal(lowerBound([], 1), 0);
});

test("every event that touches a stretch is found, also a long one that began far before", () => {
  const all = events(400, 7, 400_000);
  const index = new LaneIndex(all);
  for (const [start, end] of [[0, 1e6], [500_000, 500_100], [999_000, 2e6], [250_000, 260_000]]) {
    const touching = all.filter((event) => event.end_us >= start && event.start_us <= end);
    const { first, stop } = index.range(start, end);
    const found = new Set(index.events.slice(first, stop));
    for (const event of touching) assert.ok(found.has(event));
  }
});

test("boxes cover exactly the pixels that events cover, however many are merged", () => {
  const all = events(5000, 11, 30_000);
  const index = new LaneIndex(all);
  const usPerPx = 2000;
  const pixels = new Set();
  let boxes = 0;
  let merged = 0;
  index.eachBox(0, 1e6, usPerPx, (first, last, start, end) => {
    boxes++;
    merged += last - first;
    assert.ok(first === last || end - start < usPerPx);
    for (let px = Math.floor(start / usPerPx); px <= Math.floor(end / usPerPx); px++) pixels.add(px);
  });
  const expected = new Set();
  for (const event of all) {
    for (let px = Math.floor(event.start_us / usPerPx); px <= Math.floor(event.end_us / usPerPx); px++) expected.add(px);
  }
  assert.deepEqual([...pixels].sort(), [...expected].sort());
  assert.ok(merged > 500);
  assert.equal(boxes + merged, all.length);
});

test("an event that stands alone is drawn by itself", () => {
  const index = new LaneIndex([
    { id: "x", event_type: "a", start_us: 0, end_us: 0 },
    { id: "y", event_type: "a", start_us: 10, end_us: 10 },
    { id: "z", event_type: "a", start_us: 50_000, end_us: 50_000 },
  ]);
  /** @type {number[][]} */
  const drawn = [];
  index.eachBox(0, 1e5, 1000, (first, last) => drawn.push([first, last]));
  assert.deepEqual(drawn, [[0, 1], [2, 2]]);
});

test("events are kept apart by their type", () => {
  const lanes = indexByType(events(50, 3, 10));
  assert.deepEqual([...lanes.keys()].sort(), ["a", "b"]);
  for (const [name, lane] of lanes) assert.ok(lane.events.every((event) => event.event_type === name));
});
