import assert from "node:assert/strict";
import test from "node:test";

import { FrameTable } from "../../src/prismata/ui/label_station/assets/frames.js";
import { ReactionLag } from "../../src/prismata/ui/label_station/assets/lag.js";
import { Marking } from "../../src/prismata/ui/label_station/assets/marking.js";

const STEP_US = 40_000;
const TYPES = [
  { name: "run", kind: "segment" },
  { name: "walk", kind: "segment" },
  { name: "shot", kind: "point" },
];

/** A film at 25 frames a second whose clock is the page's: at rate 1 it shows time `at - startedAt`. */
class Film {
  constructor() {
    this.frames = FrameTable.fromSteps(new Uint32Array(1000).fill(STEP_US));
    this.playing = true;
    this.rate = 1;
    this.now = 0;
    /** @type {number | null} */
    this.frame = null;
    /** @type {Promise<number | null>} */
    this.exact = Promise.resolve(null);
  }

  get shown() {
    return this.frame ?? this.shownAt(this.now);
  }

  /** @param {number} at */
  shownAt(at) {
    return this.frames.indexAt(at * 1000 * this.rate);
  }

  whenExact() {
    return this.frame === null ? this.exact : Promise.resolve(this.frame);
  }

  /** @param {number} frame */
  stopAt(frame) {
    this.playing = false;
    this.frame = frame;
  }
}

/** @param {number} [lagMs] */
function scene(lagMs = 0) {
  const film = new Film();
  const lag = new ReactionLag();
  if (lagMs) lag.fromJSON({ samples: Array(5).fill(lagMs) });
  else lag.enabled = false;
  const marking = new Marking({ player: film, lag, eventTypes: TYPES });
  /** @type {any[]} */
  const marks = [];
  /** @type {any[]} */
  const opened = [];
  marking.addEventListener("mark", (event) => marks.push(/** @type {CustomEvent} */ (event).detail));
  marking.addEventListener("open", (event) => opened.push(/** @type {CustomEvent} */ (event).detail.holds));
  return { film, lag, marking, marks, opened };
}

test("a key held while the video plays is a segment from press to release", () => {
  const { marking, marks, opened } = scene();
  marking.keyDown("run", { at: 1000 });
  assert.deepEqual(opened.at(-1), [{ event_type: "run", start_us: 1_000_000, locked: false }]);
  marking.keyUp("run", { at: 2500 });
  assert.deepEqual(marks, [
    { event_type: "run", kind: "segment", start_us: 1_000_000, end_us: 2_480_000, live: { rate: 1, lag_ms: 0, raw_start_us: 1_000_000, raw_end_us: 2_480_000 } },
  ]);
  assert.deepEqual(opened.at(-1), []);
});

test("the lag times the speed is taken off both ends, and they lie on frames", () => {
  const { film, marking, marks } = scene(250);
  film.rate = 2;
  marking.keyDown("run", { at: 1000 });
  marking.keyUp("run", { at: 2000 });
  const [mark] = marks;
  assert.equal(mark.start_us, 1_480_000, "2.000 s on screen, less 0.5 s, at the earlier of two frames as near");
  assert.equal(mark.end_us, 3_480_000);
  assert.deepEqual(mark.live, { rate: 2, lag_ms: 250, raw_start_us: 2_000_000, raw_end_us: 4_000_000 });
});

test("a point is where its key was pressed, however long it is held", () => {
  const { marking, marks } = scene(250);
  marking.keyDown("shot", { at: 5000 });
  marking.keyUp("shot", { at: 9000 });
  assert.deepEqual(marks, [
    { event_type: "shot", kind: "point", start_us: 4_760_000, end_us: 4_760_000, live: { rate: 1, lag_ms: 250, raw_start_us: 5_000_000, raw_end_us: null } },
  ]);
});

test("a mark in the first moments does not lie before the video", () => {
  const { marking, marks } = scene(400);
  marking.keyDown("shot", { at: 100 });
  assert.equal(marks[0].start_us, 0);
});

test("a tap opens a segment, the next tap closes it", () => {
  const { marking, marks, opened } = scene();
  marking.keyDown("run", { at: 1000 });
  marking.keyUp("run", { at: 1219 });
  assert.equal(marks.length, 0);
  assert.equal(opened.at(-1)[0].locked, true);
  marking.keyDown("run", { at: 3000 });
  marking.keyUp("run", { at: 3100 });
  assert.equal(marks.length, 1);
  assert.deepEqual([marks[0].start_us, marks[0].end_us], [1_000_000, 3_000_000]);
  assert.deepEqual(opened.at(-1), []);
});

test("with Shift a segment stays open after a long press until the key comes again", () => {
  const { marking, marks } = scene();
  marking.keyDown("run", { shift: true, at: 1000 });
  marking.keyUp("run", { at: 2000 });
  assert.equal(marks.length, 0);
  marking.keyDown("run", { at: 4000 });
  assert.deepEqual([marks[0].start_us, marks[0].end_us], [1_000_000, 4_000_000]);
});

test("several types can be open at once and close in any order", () => {
  const { marking, marks, opened } = scene();
  marking.keyDown("run", { at: 1000 });
  marking.keyDown("walk", { at: 1400 });
  marking.keyDown("shot", { at: 1600 });
  assert.deepEqual(opened.at(-1).map((/** @type {any} */ hold) => hold.event_type), ["run", "walk"]);
  marking.keyUp("run", { at: 2000 });
  marking.keyUp("walk", { at: 3000 });
  assert.deepEqual(marks.map((mark) => [mark.event_type, mark.start_us, mark.end_us]), [
    ["shot", 1_600_000, 1_600_000],
    ["run", 1_000_000, 2_000_000],
    ["walk", 1_400_000, 3_000_000],
  ]);
});

test("on a still picture the exact frame counts, and the last frame belongs to the segment", () => {
  const { film, marking, marks } = scene(250);
  film.stopAt(10);
  marking.keyDown("shot", { at: 1000 });
  assert.deepEqual([marks[0].start_us, marks[0].end_us, marks[0].live], [400_000, 400_000, null]);
  marking.keyDown("run", { at: 1000 });
  marking.keyUp("run", { at: 9000 });
  film.frame = 20;
  marking.keyDown("run", { at: 10_000 });
  assert.deepEqual([marks[1].start_us, marks[1].end_us, marks[1].live], [400_000, 840_000, null]);
});

test("closed on an earlier frame, a segment still goes from the earlier to the later", () => {
  const { film, marking, marks } = scene();
  film.stopAt(20);
  marking.keyDown("run");
  marking.keyUp("run");
  film.frame = 10;
  marking.keyDown("run");
  assert.deepEqual([marks[0].start_us, marks[0].end_us], [400_000, 840_000]);
});

test("opened on a still picture and closed while playing, only the end teaches", () => {
  const { film, marking, marks } = scene(250);
  film.stopAt(10);
  marking.keyDown("run", { at: 0 });
  marking.keyUp("run", { at: 50 });
  film.frame = null;
  film.playing = true;
  marking.keyDown("run", { at: 3000 });
  assert.deepEqual(marks[0].live, { rate: 1, lag_ms: 250, raw_start_us: null, raw_end_us: 3_000_000 });
  assert.deepEqual([marks[0].start_us, marks[0].end_us], [400_000, 2_760_000]);
});

test("if the speed changed meanwhile, the start teaches nothing", () => {
  const { film, marking, marks } = scene(250);
  marking.keyDown("run", { at: 1000 });
  film.rate = 2;
  marking.keyUp("run", { at: 3000 });
  assert.equal(marks[0].live.rate, 2);
  assert.equal(marks[0].live.raw_start_us, null);
  assert.equal(marks[0].live.raw_end_us, 6_000_000);
});

test("a key pressed while the frame is being verified marks that frame, once", async () => {
  const { film, marking, marks } = scene();
  film.playing = false;
  film.exact = new Promise((resolve) => setTimeout(() => resolve((film.frame = 33)), 5));
  marking.keyDown("shot");
  marking.keyDown("shot");
  assert.equal(marks.length, 0);
  await film.exact;
  await Promise.resolve();
  assert.deepEqual(marks.map((mark) => mark.start_us), [33 * STEP_US]);
});

test("when the page is left, what is open is finished and nothing is lost", () => {
  const { film, marking, marks, opened } = scene();
  const at = performance.now();
  film.shownAt = (when) => (when >= at + 10_000 ? 999 : 100);
  marking.keyDown("run", { at });
  marking.keyDown("walk", { shift: true, at });
  marking.releaseAll();
  assert.deepEqual(marks.map((mark) => mark.event_type), ["run", "walk"]);
  for (const mark of marks) assert.ok(mark.end_us > mark.start_us, "at least one frame long");
  assert.deepEqual(opened.at(-1), []);
  marking.releaseAll();
  marking.keyUp("run");
  assert.equal(marks.length, 2);
});

test("running backwards, a key waits for a verified frame", async () => {
  const { film, marking, marks } = scene(250);
  film.rate = -2;
  film.exact = Promise.resolve(50);
  marking.keyDown("shot", { at: 1000 });
  await film.exact;
  await Promise.resolve();
  assert.deepEqual(marks.map((mark) => [mark.start_us, mark.live]), [[2_000_000, null]]);
});

test("a key of no event type does nothing", () => {
  const { marking, marks } = scene();
  marking.keyDown("sleep");
  marking.keyUp("sleep");
  assert.deepEqual(marks, []);
});
