// Colours of the page around the canvas, as the canvas needs them.

/**
 * @typedef {{text: string, ground: string, raised: string, line: string, accent: string, soft: string,
 *   font: string, mono: string, dark: boolean, playhead: string, watched: string}} Theme
 */

/** @type {CanvasRenderingContext2D | null} */
let probe = null;

/**
 * Red, green and blue of a CSS colour, 0 to 255; null if it is none.
 *
 * @param {string} color
 * @returns {[number, number, number] | null}
 */
export function channels(color) {
  const hex = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})/i.exec(color);
  if (hex) return [parseInt(hex[1], 16), parseInt(hex[2], 16), parseInt(hex[3], 16)];
  const plain = /^rgba?\(\s*([\d.]+)[,\s]+([\d.]+)[,\s]+([\d.]+)/.exec(color);
  return plain ? [Number(plain[1]), Number(plain[2]), Number(plain[3])] : null;
}

/**
 * A mix of two colours as `rgb(…)`.
 *
 * @param {string} a
 * @param {string} b
 * @param {number} share how much of b, 0 to 1
 */
export function mix(a, b, share) {
  const one = channels(a);
  const other = channels(b);
  if (!one || !other) return share < 0.5 ? a : b;
  const parts = one.map((value, i) => Math.round(value + (other[i] - value) * share));
  return `rgb(${parts.join(", ")})`;
}

/**
 * The same colour, see-through.
 *
 * @param {string} color
 * @param {number} alpha
 */
export function clear(color, alpha) {
  const found = channels(color);
  return found ? `rgba(${found.join(", ")}, ${alpha})` : color;
}

/** Black or white, whichever can be read on a colour. @param {string} color */
export function readableOn(color) {
  const [r, g, b] = channels(color) ?? [0, 0, 0];
  return luminance(r, g, b) > 0.18 ? "#000000" : "#ffffff";
}

/**
 * @param {number} r
 * @param {number} g
 * @param {number} b
 */
function luminance(r, g, b) {
  const [x, y, z] = [r, g, b].map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
}

/**
 * Read the page's colours.
 *
 * @param {HTMLElement} host
 * @returns {Theme}
 */
export function readTheme(host) {
  const style = getComputedStyle(host);
  probe ??= document.createElement("canvas").getContext("2d");
  const read = (/** @type {string} */ name, /** @type {string} */ fallback) => {
    const value = style.getPropertyValue(name).trim();
    if (!value || !probe) return fallback;
    // The canvas writes any colour it understands in one of two forms.
    probe.fillStyle = fallback;
    probe.fillStyle = value;
    return String(probe.fillStyle);
  };
  const text = read("--st-text-color", "#17191d");
  const ground = read("--st-background-color", "#ffffff");
  const [r, g, b] = channels(ground) ?? [255, 255, 255];
  const dark = luminance(r, g, b) < 0.2;
  return {
    text,
    ground,
    raised: read("--st-secondary-background-color", "#f3f5f7"),
    line: read("--st-border-color", "#d3d7de"),
    accent: read("--st-primary-color", "#0a5ca8"),
    soft: mix(text, ground, 0.3),
    font: style.getPropertyValue("--st-font").trim() || "sans-serif",
    mono: style.getPropertyValue("--st-code-font").trim() || "monospace",
    dark,
    playhead: dark ? "#ff6b6b" : "#c62828",
    watched: dark ? "#2f9e7a" : "#00835f",
  };
}

/**
 * Slanted lines, for what must be told apart without colour.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {string} color
 * @param {number} ratio device pixels per CSS pixel
 */
export function hatching(context, color, ratio) {
  const size = Math.max(4, Math.round(6 * ratio));
  const tile = document.createElement("canvas");
  tile.width = tile.height = size;
  const paint = /** @type {CanvasRenderingContext2D} */ (tile.getContext("2d"));
  paint.strokeStyle = color;
  paint.lineWidth = 1.3 * ratio;
  paint.beginPath();
  for (const shift of [-size, 0, size]) {
    paint.moveTo(shift - 1, size + 1);
    paint.lineTo(shift + size + 1, -1);
  }
  paint.stroke();
  const pattern = context.createPattern(tile, "repeat");
  pattern?.setTransform(new DOMMatrix().scale(1 / ratio));
  return pattern ?? color;
}
