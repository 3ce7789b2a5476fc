import assert from "node:assert/strict";
import { test } from "node:test";

import { withNeighbours } from "../../src/prismata/ui/label_station/assets/timeline/curve_sprites.js";
import { CurveSource, eachBin } from "../../src/prismata/ui/label_station/assets/timeline/curves.js";

const BASE = 1000;
const BINS = 4;

/**
 * A tile whose every bin says which level and bin it is.
 *
 * @param {number} level
 * @param {number} index
 */
function tileOf(level, index) {
  const data = new Uint8Array(2 * BINS * 2);
  for (let type = 0; type < 2; type++) {
    for (let bin = 0; bin < BINS; bin++) {
      const at = (type * BINS + bin) * 2;
      data[at] = type * 100 + level * 10;
      data[at + 1] = type * 100 + level * 10 + ((index * BINS + bin) % 10);
    }
  }
  return data;
}

/** @param {(level: number, index: number) => Promise<Uint8Array>} [fetchTile] */
function source(fetchTile = async (level, index) => tileOf(level, index)) {
  /** @type {string[]} */
  const asked = [];
  const made = new CurveSource({
    event_types: ["a", "b"],
    duration_us: 32 * BASE,
    base_us: BASE,
    tile_bins: BINS,
    levels: 4,
    fetchTile: (/** @type {number} */ level, /** @type {number} */ index) => {
      asked.push(`${level}/${index}`);
      return fetchTile(level, index);
    },
  });
  return Object.assign(made, { asked });
}

const settled = () => new Promise((done) => setTimeout(done, 5));

/**
 * @param {CurveSource} made
 * @param {number} start
 * @param {number} end
 * @param {number} usPerPx
 */
async function loaded(made, start, end, usPerPx) {
  let pieces = made.pieces(start, end, usPerPx);
  for (let turn = 0; turn < 20 && pieces.some((piece) => piece.data === null || piece.level !== made.levelFor(usPerPx)); turn++) {
    await settled();
    pieces = made.pieces(start, end, usPerPx);
  }
  return pieces;
}

test("the level is the finest whose bins can be seen", () => {
  const made = source();
  assert.equal(made.levelFor(1), 0);
  assert.equal(made.levelFor(BASE / 2), 0);
  assert.equal(made.levelFor(BASE), 1);
  assert.equal(made.levelFor(1e9), 3);
});

test("a stretch is covered by tiles, each asked for once", async () => {
  const made = source();
  const pieces = await loaded(made, 5 * BASE, 10 * BASE, 1);
  assert.deepEqual(pieces.map(({ level, index, first, stop }) => [level, index, first, stop]), [[0, 1, 0, 4], [0, 2, 0, 4]]);
  assert.equal(new Set(made.asked).size, made.asked.length);
  assert.ok(made.asked.includes("3/0"));
});

test("until a tile is here, a coarser one stands in for just that stretch", async () => {
  const made = source();
  await loaded(made, 0, 32 * BASE, 1e9);
  const pieces = made.pieces(8 * BASE, 16 * BASE, 1);
  assert.ok(pieces.every((piece) => piece.level === 3 && piece.data));
  /** @type {number[]} */
  const points = [];
  eachBin(made, pieces, 0, (us) => points.push(us));
  assert.deepEqual(points, [4 * BASE, 12 * BASE, 20 * BASE]);
});

test("each event type has its own curve", async () => {
  const made = source();
  const pieces = await loaded(made, 0, 8 * BASE, 1);
  /** @type {number[][]} */
  const seen = [];
  eachBin(made, pieces, 1, (us, lowest, highest) => seen.push([us, lowest, highest]));
  assert.deepEqual(seen.slice(0, 3), [[500, 100, 100], [1500, 100, 101], [2500, 100, 102]]);
});

test("a few empty bins lie between samples, many are a gap", async () => {
  const made = source(async (level, index) => {
    const data = tileOf(0, 0);
    for (let bin = 0; bin < BINS; bin++) {
      const at = index * BINS + bin;
      const empty = level === 0 && (at === 2 || (at >= 6 && at < 12));
      data[bin * 2] = empty ? 255 : 10;
      data[bin * 2 + 1] = empty ? 0 : 10;
    }
    return data;
  });
  const pieces = await loaded(made, 0, 31 * BASE, 1);
  /** @type {number[]} */
  const begins = [];
  eachBin(made, pieces, 0, (us, _lowest, _highest, anew) => anew && begins.push(us));
  assert.deepEqual(begins, [500, 12_500]);
});

test("a tile that cannot be had is told and looks like no empty curve", async () => {
  const made = source(async () => {
    throw new Error("this address is not or no longer valid; reload the page");
  });
  /** @type {string[]} */
  const told = [];
  made.addEventListener("trouble", (event) => told.push(/** @type {CustomEvent} */ (event).detail.message));
  made.pieces(0, 4 * BASE, 1);
  await settled();
  const [piece] = made.pieces(0, 4 * BASE, 1);
  made.close();
  assert.equal(piece.failed, true);
  assert.match(told[0], /reload the page/);
});

test("a tile of another size is refused", async () => {
  const made = source(async () => new Uint8Array(3));
  /** @type {string[]} */
  const told = [];
  made.addEventListener("trouble", (event) => told.push(/** @type {CustomEvent} */ (event).detail.message));
  made.pieces(0, 4 * BASE, 1);
  await settled();
  made.close();
  assert.match(told[0], /16 bytes was expected, 3 came/);
});

test("no more tiles are kept than fit, and few are asked for at the same time", async () => {
  let open = 0;
  let most = 0;
  const made = source(async (level, index) => {
    most = Math.max(most, ++open);
    await settled();
    open--;
    return tileOf(level, index);
  });
  made.durationUs = 4000 * BASE;
  for (let index = 0; index < 500; index++) await made.load(0, index);
  assert.equal(made.tiles.size, 400);
  assert.equal(made.tiles.has("0/0"), false);
  made.pieces(0, 4000 * BASE, 1);
  await settled();
  made.close();
  assert.equal(most, 3);
});

test("a tile is drawn with the nearest bins of those beside it, and not before these are there", async () => {
  const made = source();
  const [piece] = await loaded(made, 0, 3 * BASE, BASE / 2);
  assert.equal(withNeighbours(made, { ...piece, index: 7 }), null);
  await loaded(made, 0, 32 * BASE, BASE / 2);
  const around = withNeighbours(made, { ...piece, index: 3 });
  assert.deepEqual(around?.map((item) => item.index), [2, 3, 4]);
  assert.deepEqual([around?.[1].first, around?.[1].stop], [0, BINS]);
  assert.deepEqual(withNeighbours(made, { ...piece, index: 0 })?.map((item) => item.index), [0, 1]);
  assert.deepEqual(withNeighbours(made, { ...piece, index: 7 })?.map((item) => item.index), [6, 7]);
});
