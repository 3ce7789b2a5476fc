// Where each strip and lane stands, from top to bottom. Pure.

/**
 * @typedef {{name: string, title: string, kind: string, color: string, key: string, gone?: boolean}} LaneType
 * @typedef {"ruler" | "minimap" | "thumbs" | "waveform" | "lane" | "coverage"} RowKind
 * @typedef {{kind: RowKind, top: number, height: number, type: LaneType | null, curve: number}} Row
 *   `curve` is how much of a lane's height, from its top, belongs to the confidence curve
 */

const RULER = 24;
const MINIMAP = 36;
const THUMBS = 48;
const WAVEFORM = 34;
const COVERAGE = 22;
const GAP = 6;
/** Below this width lane heads show the badge alone. */
export const NARROW_PX = 640;

/**
 * @param {number} width of the whole canvas, in CSS pixels
 * @param {boolean} curves thresholds are written beside the plot
 * @returns {{left: number, right: number}} where the plot begins, and what is left free after it
 */
export function gutters(width, curves) {
  return width < NARROW_PX ? { left: 34, right: curves ? 30 : 6 } : { left: 136, right: curves ? 36 : 12 };
}

/**
 * @param {{types: LaneType[], thumbs: boolean, waveform: boolean, curves: boolean, width: number}} what
 * @returns {{rows: Row[], height: number}}
 */
export function layoutRows({ types, thumbs, waveform, curves, width }) {
  /** @type {Row[]} */
  const rows = [];
  let top = 0;
  const add = (/** @type {RowKind} */ kind, /** @type {number} */ height, /** @type {LaneType | null} */ type = null, curve = 0) => {
    rows.push({ kind, top, height, type, curve });
    top += height;
  };
  add("minimap", MINIMAP);
  add("ruler", RULER);
  if (thumbs) {
    add("thumbs", width < NARROW_PX ? 36 : THUMBS);
    top += GAP / 2;
  }
  if (waveform) add("waveform", WAVEFORM);
  top += GAP / 2;
  // Many lanes become flatter, so that a screen holds them.
  const events = types.length <= 8 ? 24 : types.length <= 16 ? 20 : 16;
  const curve = curves ? (types.length <= 4 ? 30 : types.length <= 8 ? 22 : types.length <= 16 ? 14 : 10) : 0;
  for (const type of types) add("lane", events + (type.gone ? 0 : curve), type, type.gone ? 0 : curve);
  top += GAP;
  add("coverage", COVERAGE);
  return { rows, height: top + 2 };
}

/**
 * Declared types in their order, then those that only labels still have.
 *
 * @param {LaneType[]} declared
 * @param {Iterable<string>} used names of the types that labels have
 * @param {(name: string) => string} kindOf
 * @returns {LaneType[]}
 */
export function lanesFor(declared, used, kindOf) {
  const known = new Set(declared.map((type) => type.name));
  const gone = [...used].filter((name) => !known.has(name)).sort();
  return [...declared, ...gone.map((name) => ({ name, title: name, kind: kindOf(name), color: "#8a919e", key: "", gone: true }))];
}

/**
 * @param {Row[]} rows
 * @param {number} y
 * @returns {Row | null}
 */
export function rowAt(rows, y) {
  return rows.find((row) => y >= row.top && y < row.top + row.height) ?? null;
}
