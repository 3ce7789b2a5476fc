import assert from "node:assert/strict";
import test from "node:test";

import { FrameTable } from "../../src/prismata/ui/label_station/assets/frames.js";

/** A rate that does not divide a second, with one long and one very short frame. */
const steps = Uint32Array.from({ length: 500 }, (_, index) => (index === 200 ? 400_000 : index === 201 ? 1000 : 33_366 + (index % 3 ? 1 : 0)));
const frames = FrameTable.fromSteps(steps);

test("a frame is on screen from its start until the next one starts", () => {
  for (let index = 0; index < frames.count; index++) {
    assert.equal(frames.indexAt(frames.startUs(index)), index);
    assert.equal(frames.indexAt(frames.middleUs(index)), index);
    assert.equal(frames.indexAt(frames.endUs(index) - 1), index);
    if (index) assert.equal(frames.startUs(index), frames.endUs(index - 1));
  }
});

test("before the first frame is the first, after the last is the last", () => {
  assert.equal(frames.indexAt(-5), 0);
  assert.equal(frames.indexAt(frames.durationUs), 499);
  assert.equal(frames.indexAt(1e12), 499);
  assert.equal(frames.clamp(-3), 0);
  assert.equal(frames.clamp(9999), 499);
});

test("a time that the browser rounded down still means its frame, and never the next but one", () => {
  for (let index = 0; index < frames.count; index++) {
    const slack = index === 0 ? 0 : Math.min(1000, (frames.endUs(index - 1) - frames.startUs(index - 1)) / 4);
    assert.equal(frames.indexTold(frames.startUs(index) - slack), index);
    assert.equal(frames.indexTold(frames.startUs(index)), index);
    assert.equal(frames.indexTold(frames.middleUs(index)), index);
  }
  assert.equal(frames.indexTold(frames.durationUs), 499);
});

test("the nearest edge is the start or end of a frame, the end of the video among them", () => {
  assert.equal(frames.nearestEdge(-10), 0);
  assert.equal(frames.nearestEdge(frames.startUs(7) + 100), frames.startUs(7));
  assert.equal(frames.nearestEdge(frames.endUs(7) - 100), frames.endUs(7));
  assert.equal(frames.nearestEdge(frames.durationUs - 1), frames.durationUs);
  assert.equal(frames.nearestEdge(1e12), frames.durationUs);
});

test("hours of frames are added up without losing a microsecond", () => {
  const long = FrameTable.fromSteps(new Uint32Array(432_000).fill(16_683));
  assert.equal(long.durationUs, 432_000 * 16_683);
  assert.equal(long.startUs(431_999), 431_999 * 16_683);
});

test("a video without frames is refused in words", () => {
  assert.throws(() => FrameTable.fromSteps(new Uint32Array()), /has no frames/);
});
