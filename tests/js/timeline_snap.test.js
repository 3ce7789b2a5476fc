import assert from "node:assert/strict";
import { test } from "node:test";

import { FrameTable } from "../../src/prismata/ui/label_station/assets/frames.js";
import { LaneIndex } from "../../src/prismata/ui/label_station/assets/timeline/search.js";
import { candidatesNear, moved, snap, spanBetween } from "../../src/prismata/ui/label_station/assets/timeline/snap.js";

const frames = FrameTable.fromSteps(new Uint32Array(250).fill(40_000));
const none = () => [];

/**
 * @param {string} id
 * @param {number} start_us
 * @param {number} end_us
 */
function segment(id, start_us, end_us) {
  return { id, start_us, end_us, event_type: "a", kind: "segment" };
}

test("an edge rests between frames and a point on the frame under it", () => {
  assert.deepEqual(snap(frames, 119_000, "border", []), { us: 120_000, snapped: false });
  assert.deepEqual(snap(frames, 119_000, "point", []), { us: 80_000, snapped: false });
  assert.equal(snap(frames, 1e12, "border", []).us, frames.durationUs);
  assert.equal(snap(frames, 1e12, "point", []).us, frames.durationUs - 40_000);
});

test("the nearest of several neighbours wins, and still rests on a frame", () => {
  assert.deepEqual(snap(frames, 500_000, "border", [470_000, 515_000]), { us: 520_000, snapped: true });
});

test("neighbours are edges of events and the playhead within reach, but never the event itself", () => {
  const lane = new LaneIndex([segment("a", 0, 400_000), segment("b", 440_000, 900_000), segment("c", 2_000_000, 3_000_000)]);
  const near = candidatesNear(420_000, 50_000, { lanes: [lane], playheadUs: 430_000 });
  assert.deepEqual(near.sort(), [400_000, 430_000, 440_000]);
  assert.deepEqual(candidatesNear(420_000, 50_000, { lanes: [lane], playheadUs: null, skip: "b" }), [400_000]);
  // A long event's end is found though its start is far away.
  assert.deepEqual(candidatesNear(2_990_000, 20_000, { lanes: [lane], playheadUs: null }), [3_000_000]);
});

test("a moved segment keeps its length and stays inside the video", () => {
  const event = segment("a", 400_000, 1_000_000);
  assert.deepEqual(moved(frames, event, 61_000, none), { start_us: 480_000, end_us: 1_080_000, snapped: false });
  assert.deepEqual(moved(frames, event, -9e9, none), { start_us: 0, end_us: 600_000, snapped: false });
  const last = moved(frames, event, 9e9, none);
  assert.deepEqual([last.start_us, last.end_us], [frames.durationUs - 600_000, frames.durationUs]);
});

test("a moved segment snaps with whichever edge is nearer to a neighbour", () => {
  const event = segment("a", 400_000, 1_000_000);
  const atEnd = (/** @type {number} */ us) => (Math.abs(us - 1_120_000) <= 30_000 ? [1_120_000] : []);
  assert.deepEqual(moved(frames, event, 100_000, atEnd), { start_us: 520_000, end_us: 1_120_000, snapped: true });
});

test("a moved point rests on frames", () => {
  const event = { start_us: 400_000, end_us: 400_000, kind: "point" };
  assert.deepEqual(moved(frames, event, 119_000, none), { start_us: 480_000, end_us: 480_000, snapped: false });
});

test("a segment can be drawn in both directions and is never empty", () => {
  assert.deepEqual(spanBetween(frames, 401_000, 799_000), { start_us: 400_000, end_us: 800_000 });
  assert.deepEqual(spanBetween(frames, 799_000, 401_000), { start_us: 400_000, end_us: 800_000 });
  assert.deepEqual(spanBetween(frames, 405_000, 406_000), { start_us: 400_000, end_us: 440_000 });
  const end = frames.durationUs;
  assert.deepEqual(spanBetween(frames, end, end), { start_us: end - 40_000, end_us: end });
});
