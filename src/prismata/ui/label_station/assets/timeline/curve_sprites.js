// Curves as ready pictures, tile by tile: while the view only moves sideways they are copied, not drawn.
// Drawing twelve curves anew took three quarters of a frame.

import { drawCurve } from "./curves.js";

/** @typedef {import("./curves.js").CurveSource} CurveSource */
/** @typedef {import("./curves.js").Piece} Piece */
/** @typedef {import("./lanes.js").Scene} Scene */
/** @typedef {import("./rows.js").Row} Row */
/** @typedef {{source: CurveSource, pieces: Piece[], column: number, stroke: string, fill: string}} Curve */

/** Twelve lanes of six tiles, several times; 30 MB at twice the usual pixels. */
const KEPT = 300;
const WIDEST = 2048;
/** Bins of the tiles beside, so that the line goes on over the joint. */
const BESIDE = 8;
const ABOVE = 3;

export class CurveSprites {
  constructor() {
    /** Latest last. @type {Map<string, HTMLCanvasElement>} */
    this.made = new Map();
    this.scale = NaN;
    this.ratio = NaN;
    /** @type {CurveSource | null} */
    this.source = null;
    this.isSteady = false;
  }

  /**
   * A new picture begins; only if nothing but the place changed since the last one, pictures are worth making.
   *
   * @param {number} usPerPx
   * @param {number} ratio
   * @param {CurveSource | null} source
   */
  turn(usPerPx, ratio, source) {
    // Panning changes the ends by rounding errors; half a pixel over the whole width is the same scale.
    this.isSteady = Math.abs(usPerPx / this.scale - 1) < 1e-6 && ratio === this.ratio && source === this.source;
    if (this.isSteady) return;
    this.made.clear();
    this.scale = usPerPx;
    this.ratio = ratio;
    this.source = source;
  }

  /**
   * Draw a lane's curve from pictures.
   *
   * @param {Scene} scene
   * @param {Row} row
   * @param {Curve} curve
   * @returns {boolean} false if it has to be drawn itself
   */
  draw({ context, view }, row, curve) {
    const { source, pieces } = curve;
    if (!this.isSteady || !pieces.length) return false;
    const tileUs = source.binUs(pieces[0].level) * source.tileBins;
    const width = tileUs / this.scale;
    if (width > WIDEST || pieces.some((piece) => !piece.data || piece.level !== pieces[0].level)) return false;
    const found = pieces.map((piece) => this.picture(piece, width, row, curve));
    if (found.includes(null)) return false;
    pieces.forEach((piece, place) => {
      const from = Math.round(view.xOf(piece.index * tileUs) * this.ratio);
      const to = Math.round(view.xOf((piece.index + 1) * tileUs) * this.ratio);
      const picture = /** @type {HTMLCanvasElement} */ (found[place]);
      const wide = Math.min(to - from, picture.width);
      context.drawImage(picture, 0, 0, wide, picture.height, from / this.ratio, row.top, wide / this.ratio, picture.height / this.ratio);
    });
    return true;
  }

  /**
   * @param {Piece} piece
   * @param {number} width of a tile on the screen
   * @param {Row} row
   * @param {Curve} curve
   * @returns {HTMLCanvasElement | null} null while a tile beside is missing
   */
  picture(piece, width, row, { source, column, stroke, fill }) {
    const key = `${piece.level}/${piece.index}/${column}/${row.curve}/${stroke}/${fill}`;
    const known = this.made.get(key);
    if (known) {
      this.made.delete(key);
      this.made.set(key, known);
      return known;
    }
    const pieces = withNeighbours(source, piece);
    if (!pieces) return null;
    const canvas = document.createElement("canvas");
    canvas.width = Math.ceil(width * this.ratio) + 1;
    canvas.height = Math.ceil(row.curve * this.ratio);
    const context = canvas.getContext("2d");
    if (!context) return null;
    context.scale(this.ratio, this.ratio);
    const startUs = piece.index * source.tileBins * source.binUs(piece.level);
    drawCurve(context, {
      source, pieces, column, stroke, fill, xOf: (us) => (us - startUs) / this.scale, top: ABOVE, height: row.curve - 4,
    });
    this.made.set(key, canvas);
    for (const oldest of this.made.keys()) {
      if (this.made.size <= KEPT) break;
      this.made.delete(oldest);
    }
    return canvas;
  }
}

/**
 * The whole tile of a piece, with the nearest bins of the tiles beside it.
 *
 * @param {CurveSource} source
 * @param {Piece} piece
 * @returns {Piece[] | null}
 */
export function withNeighbours(source, piece) {
  const { level, index } = piece;
  const bins = Math.ceil(source.durationUs / source.binUs(level));
  const last = Math.ceil(bins / source.tileBins) - 1;
  const pieces = [];
  for (const at of [index - 1, index, index + 1]) {
    if (at < 0 || at > last) continue;
    const data = source.tile(level, at);
    if (!data) return null;
    const first = at < index ? Math.max(0, source.tileBins - BESIDE) : 0;
    const stop = at > index ? Math.min(BESIDE, source.tileBins) : source.tileBins;
    pieces.push({ level, index: at, first, stop: Math.min(stop, bins - at * source.tileBins), data, failed: false });
  }
  return pieces;
}
