import assert from "node:assert/strict";
import { test } from "node:test";

import { FrameTable } from "../../src/prismata/ui/label_station/assets/frames.js";
import { View, frameStart, tickLabel, tickStepUs } from "../../src/prismata/ui/label_station/assets/timeline/view.js";

const HOUR = 3_600_000_000;

function view({ durationUs = HOUR, frames = 90_000 } = {}) {
  const made = new View(durationUs, frames);
  made.place(100, 1000);
  return made;
}

test("a time goes to a pixel and back", () => {
  const shown = view();
  shown.show(600e6, 700e6);
  assert.equal(shown.xOf(600e6), 100);
  assert.equal(shown.xOf(700e6), 1100);
  for (const us of [600e6, 612_345_678, 699_999_999]) assert.ok(Math.abs(shown.usOf(shown.xOf(us)) - us) < 1);
});

test("zooming keeps what is under the pointer where it is", () => {
  const shown = view();
  shown.show(600e6, 700e6);
  const x = shown.xOf(630e6);
  for (const factor of [2, 1.1, 0.7, 5]) {
    shown.zoomBy(factor, 630e6);
    assert.ok(Math.abs(shown.xOf(630e6) - x) < 1e-6);
  }
});

test("nothing outside the video is ever shown", () => {
  const shown = view();
  shown.show(-50e6, 50e6);
  assert.deepEqual([shown.startUs, shown.endUs], [0, 100e6]);
  shown.panByUs(2 * HOUR);
  assert.deepEqual([shown.startUs, shown.endUs], [HOUR - 100e6, HOUR]);
  shown.zoomBy(1e-9);
  assert.deepEqual([shown.startUs, shown.endUs], [0, HOUR]);
});

test("one can look as close as a few frames, and no closer", () => {
  const shown = view();
  shown.zoomBy(1e9, 1800e6);
  assert.equal(Math.round(shown.spanUs), 6 * 40_000);
  assert.ok(shown.startUs < 1800e6 && shown.endUs > 1800e6);
  assert.equal(shown.zoomBy(2, 1800e6), false);
});

test("a video shorter than a few frames is shown whole", () => {
  const shown = view({ durationUs: 80_000, frames: 2 });
  shown.zoomBy(100);
  assert.deepEqual([shown.startUs, shown.endUs], [0, 80_000]);
});

test("frames are told apart from seven pixels on", () => {
  const shown = view();
  const frames = FrameTable.fromSteps(new Uint32Array(90_000).fill(40_000));
  shown.show(0, 1000 * (40_000 / 5));
  assert.equal(shown.showsFrames(frames), false);
  shown.show(0, 1000 * (40_000 / 7));
  assert.equal(shown.showsFrames(frames), true);
});

test("ticks are round and leave room for their labels", () => {
  for (let usPerPx = 5; usPerPx < 1e7; usPerPx *= 1.7) {
    const step = tickStepUs(usPerPx, 80);
    assert.ok(step / usPerPx >= 80);
    assert.match(String(step), /^(1|2|5|10|15|3|6|12|9|18|36|72|144)0*$/);
  }
});

test("a tick says no more decimals than its distance needs", () => {
  assert.equal(tickLabel(65e6, 5e6), "1:05");
  assert.equal(tickLabel(3_725e6, 60e6), "1:02:05");
  assert.equal(tickLabel(1_200_000, 2e5), "0:01.2");
  assert.equal(tickLabel(1_999_999.6, 5e5), "0:02.0");
  assert.equal(tickLabel(1_234_000, 2e3), "0:01.234");
});

test("the frame under a time is the one on screen then", () => {
  const uneven = FrameTable.fromSteps(new Uint32Array([40_000, 15_000, 145_000, 40_000]));
  assert.equal(frameStart(uneven, 54_999.9), 40_000);
  assert.equal(frameStart(uneven, 55_000), 55_000);
  assert.equal(frameStart(uneven, -3), 0);
  assert.equal(frameStart(uneven, 1e9), 200_000);
});
