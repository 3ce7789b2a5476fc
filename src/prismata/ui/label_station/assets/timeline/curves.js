// Confidence curves: tiles of lowest and highest scores, fetched as they are needed, and drawn.

/** Tiles kept; 6 kB each with 12 event types. */
const KEPT_TILES = 400;
const AT_ONCE = 3;
const RETRY_MS = 4000;
/** A bin is at least so wide on screen, so that a curve has a few hundred points at any zoom. */
const BIN_PX = 2;
/** More empty bins than this are a gap, not the line between two samples. */
const BRIDGED_BINS = 3;

/**
 * A stretch of bins to draw: from one tile, or nothing yet.
 *
 * @typedef {{level: number, index: number, first: number, stop: number, data: Uint8Array | null, failed: boolean}} Piece
 */

export class CurveSource extends EventTarget {
  /**
   * @param {{event_types: string[], duration_us: number, base_us: number, tile_bins: number, levels: number,
   *   fetchTile: (level: number, index: number) => Promise<Uint8Array>}} about what `GET /api/scores/{run}` told
   */
  constructor({ event_types, duration_us, base_us, tile_bins, levels, fetchTile }) {
    super();
    this.eventTypes = event_types;
    this.durationUs = duration_us;
    this.baseUs = base_us;
    this.tileBins = tile_bins;
    this.levels = levels;
    this.fetchTile = fetchTile;
    /** In order of use. @type {Map<string, Uint8Array>} */
    this.tiles = new Map();
    /** @type {Map<string, number>} */
    this.failures = new Map();
    /** @type {Set<string>} */
    this.loading = new Set();
    /** What the last drawing missed, most wanted first. @type {[number, number][]} */
    this.wanted = [];
    this.closed = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.retry = undefined;
  }

  /** @param {number} level */
  binUs(level) {
    return this.baseUs * 2 ** level;
  }

  /**
   * The finest level whose bins are wide enough to be seen.
   *
   * @param {number} usPerPx
   */
  levelFor(usPerPx) {
    const level = Math.ceil(Math.log2((usPerPx * BIN_PX) / this.baseUs));
    return Math.min(this.levels - 1, Math.max(0, level));
  }

  /**
   * What there is to draw of a stretch, in order of time; what is missing is asked for. Until it
   * comes, a coarser tile that is here already stands in.
   *
   * @param {number} startUs
   * @param {number} endUs
   * @param {number} usPerPx
   * @returns {Piece[]}
   */
  pieces(startUs, endUs, usPerPx) {
    const level = this.levelFor(usPerPx);
    const binUs = this.binUs(level);
    const lastBin = Math.max(0, Math.ceil(this.durationUs / binUs) - 1);
    // One bin more on both sides, so that the line reaches the borders.
    const from = Math.max(0, Math.floor(startUs / binUs) - 1);
    const to = Math.min(lastBin, Math.floor(endUs / binUs) + 1);
    this.wanted = [];
    const pieces = [];
    for (let index = Math.floor(from / this.tileBins); index * this.tileBins <= to; index++) {
      const offset = index * this.tileBins;
      const first = Math.max(0, from - offset);
      const stop = Math.min(this.tileBins, to - offset + 1);
      pieces.push(this.pieceOf(level, index, first, stop));
    }
    // Without the coarsest tile nothing can stand in.
    if (!this.tiles.has(`${this.levels - 1}/0`)) this.wanted.unshift([this.levels - 1, 0]);
    this.fetchWanted();
    return pieces;
  }

  /**
   * @param {number} level
   * @param {number} index
   * @param {number} first
   * @param {number} stop
   * @returns {Piece}
   */
  pieceOf(level, index, first, stop) {
    const data = this.tile(level, index);
    if (data) return { level, index, first, stop, data, failed: false };
    this.wanted.push([level, index]);
    const bin = index * this.tileBins + first;
    const last = index * this.tileBins + stop - 1;
    for (let up = level + 1; up < this.levels; up++) {
      const shift = 2 ** (up - level);
      const there = Math.floor(Math.floor(bin / shift) / this.tileBins);
      const coarse = this.tile(up, there);
      if (!coarse) continue;
      const offset = there * this.tileBins;
      const end = Math.min(this.tileBins, Math.floor(last / shift) - offset + 1);
      return { level: up, index: there, first: Math.floor(bin / shift) - offset, stop: end, data: coarse, failed: false };
    }
    return { level, index, first, stop, data: null, failed: this.failures.has(`${level}/${index}`) };
  }

  /**
   * @param {number} level
   * @param {number} index
   */
  tile(level, index) {
    const key = `${level}/${index}`;
    const data = this.tiles.get(key);
    if (!data) return null;
    this.tiles.delete(key);
    this.tiles.set(key, data);
    return data;
  }

  fetchWanted() {
    const now = Date.now();
    for (const [level, index] of this.wanted) {
      if (this.loading.size >= AT_ONCE) return;
      const key = `${level}/${index}`;
      if (this.tiles.has(key) || this.loading.has(key) || now < (this.failures.get(key) ?? 0)) continue;
      void this.load(level, index);
    }
  }

  /**
   * @param {number} level
   * @param {number} index
   */
  async load(level, index) {
    const key = `${level}/${index}`;
    this.loading.add(key);
    try {
      const data = await this.fetchTile(level, index);
      const expected = this.eventTypes.length * this.tileBins * 2;
      if (data.length !== expected) throw new Error(`a tile of ${expected} bytes was expected, ${data.length} came`);
      this.tiles.set(key, data);
      this.failures.delete(key);
      for (const oldest of this.tiles.keys()) {
        if (this.tiles.size <= KEPT_TILES) break;
        this.tiles.delete(oldest);
      }
    } catch (error) {
      this.failures.set(key, Date.now() + RETRY_MS);
      this.retry ??= setTimeout(() => {
        this.retry = undefined;
        this.tell();
      }, RETRY_MS + 50);
      if (!this.closed) this.dispatchEvent(new CustomEvent("trouble", { detail: { message: error instanceof Error ? error.message : String(error) } }));
    } finally {
      this.loading.delete(key);
    }
    this.tell();
    if (!this.closed) this.fetchWanted();
  }

  tell() {
    if (!this.closed) this.dispatchEvent(new Event("change"));
  }

  close() {
    this.closed = true;
    clearTimeout(this.retry);
    this.wanted = [];
    this.tiles.clear();
  }
}

/**
 * Call `point(binMiddleUs, lowest, highest, begins)` for each bin that has a sample; `begins` says
 * that the line starts anew there.
 *
 * @param {CurveSource} source
 * @param {Piece[]} pieces
 * @param {number} column which event type
 * @param {(us: number, lowest: number, highest: number, begins: boolean) => void} point
 */
export function eachBin(source, pieces, column, point) {
  const base = column * source.tileBins * 2;
  let empty = Infinity;
  let reached = -Infinity;
  for (const piece of pieces) {
    if (!piece.data) {
      empty = Infinity;
      continue;
    }
    const binUs = source.binUs(piece.level);
    const offset = piece.index * source.tileBins;
    for (let bin = piece.first; bin < piece.stop; bin++) {
      const us = (offset + bin + 0.5) * binUs;
      const lowest = piece.data[base + bin * 2];
      const highest = piece.data[base + bin * 2 + 1];
      if (lowest > highest) {
        empty++;
        continue;
      }
      // Tiles that stand in for others may repeat a bin.
      if (us <= reached) continue;
      point(us, lowest, highest, empty > BRIDGED_BINS);
      reached = us;
      empty = 0;
    }
  }
}

/**
 * Draw one event type's curve into a box: filled up to the highest, darker where it is sure.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {{source: CurveSource, pieces: Piece[], column: number, xOf: (us: number) => number, top: number, height: number, stroke: string, fill: string}} what
 */
export function drawCurve(context, { source, pieces, column, xOf, top, height, stroke, fill }) {
  const foot = top + height;
  const scale = height / 255;
  const area = new Path2D();
  const line = new Path2D();
  context.fillStyle = stroke;
  context.globalAlpha = 0.45;
  let lastX = NaN;
  eachBin(source, pieces, column, (us, lowest, highest, begins) => {
    const x = xOf(us);
    const y = foot - highest * scale;
    if (begins) {
      if (lastX === lastX) area.lineTo(lastX, foot);
      area.moveTo(x, foot);
      line.moveTo(x, y);
    } else {
      line.lineTo(x, y);
    }
    area.lineTo(x, y);
    // A bin that holds both highs and lows is a stroke from one to the other.
    if (highest - lowest > 24) context.fillRect(x - 0.5, y, 1, (highest - lowest) * scale);
    lastX = x;
  });
  context.globalAlpha = 1;
  if (lastX !== lastX) return;
  area.lineTo(lastX, foot);
  context.fillStyle = fill;
  context.fill(area);
  context.strokeStyle = stroke;
  context.lineWidth = 1;
  context.stroke(line);
}
