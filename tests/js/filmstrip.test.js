import assert from "node:assert/strict";
import test from "node:test";

import { edgeAt, stripAround } from "../../src/prismata/ui/label_station/assets/filmstrip.js";
import { FrameTable } from "../../src/prismata/ui/label_station/assets/frames.js";

const frames = FrameTable.fromSteps(Uint32Array.from({ length: 100 }, (_, index) => 30_000 + 10_000 * (index % 3)));

test("five frames to either side of a start, fewer where the video ends", () => {
  const around = (/** @type {number} */ frame) => stripAround(frames, { edge: "start", us: frames.startUs(frame), kind: "segment" });
  assert.deepEqual(around(50), { first: 45, count: 11, current: 50 });
  assert.deepEqual(around(2), { first: 0, count: 8, current: 2 });
  assert.deepEqual(around(99), { first: 94, count: 6, current: 99 });
});

test("the end of a segment belongs to its last frame, and picking a frame gives its end", () => {
  const edge = /** @type {const} */ ({ edge: "end", us: frames.endUs(60), kind: "segment" });
  assert.equal(stripAround(frames, edge).current, 60);
  assert.equal(edgeAt(frames, edge, 60), edge.us);
  assert.equal(edgeAt(frames, edge, 99), frames.durationUs);
});

test("a point has one edge, the start of its frame", () => {
  for (const edge of /** @type {const} */ (["start", "end"])) {
    const point = { edge, us: frames.startUs(7), kind: "point" };
    assert.equal(stripAround(frames, point).current, 7);
    assert.equal(edgeAt(frames, point, 8), frames.startUs(8));
  }
});

test("picking the frame that is marked changes nothing", () => {
  for (const kind of ["segment", "point"]) {
    for (const edge of /** @type {const} */ (["start", "end"])) {
      for (let frame = 0; frame < frames.count; frame++) {
        const us = edgeAt(frames, { edge, us: 0, kind }, frame);
        assert.equal(stripAround(frames, { edge, us, kind }).current, frame);
      }
    }
  }
});
