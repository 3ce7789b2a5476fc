// Small pieces of page: elements from JavaScript, times as people read them.

/**
 * Make an element. Attributes that start with `on` are listeners, `class` and `data-*` are set as
 * they are, booleans switch an attribute on or off; text among the children is text, never markup.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, unknown>} [attributes]
 * @param {...(Node | string | null | undefined | false)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on") && typeof value === "function") {
      made.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    } else {
      made.setAttribute(name, value === true ? "" : String(value));
    }
  }
  for (const child of children) {
    if (child !== null && child !== undefined && child !== false) made.append(child);
  }
  return made;
}

/**
 * Microseconds as `m:ss.mmm`, or `h:mm:ss.mmm` from an hour on.
 *
 * @param {number} us
 */
export function formatTime(us) {
  const ms = Math.round(Math.max(0, us) / 1000);
  const rest = String(ms % 1000).padStart(3, "0");
  const seconds = String(Math.floor(ms / 1000) % 60).padStart(2, "0");
  const minutes = Math.floor(ms / 60000);
  if (minutes < 60) return `${minutes}:${seconds}.${rest}`;
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${seconds}.${rest}`;
}

/**
 * Read what `formatTime` writes, or plain seconds; null if it is no time.
 *
 * @param {string} text
 * @returns {number | null}
 */
export function parseTime(text) {
  const found = /^(?:(?:(\d{1,3}):)?(\d{1,4}):)?(\d{1,6}(?:[.,]\d{1,6})?)$/.exec(text.trim());
  if (!found) return null;
  const seconds = Number(found[3].replace(",", "."));
  if (found[2] !== undefined && seconds >= 60) return null;
  const whole = Number(found[1] ?? 0) * 3600 + Number(found[2] ?? 0) * 60;
  return Math.round((whole + seconds) * 1e6);
}

const SVG = "http://www.w3.org/2000/svg";

/** Outlines on a grid of 24, drawn as strokes. */
const ICONS = {
  play: "M8 5l11 7-11 7z",
  pause: "M8 5v14M16 5v14",
  back: "M15 5l-7 7 7 7",
  forward: "M9 5l7 7-7 7",
  loop: "M17 3l3 3-3 3M4 12V9a3 3 0 013-3h13M7 21l-3-3 3-3M20 12v3a3 3 0 01-3 3H4",
  undo: "M9 14L4 9l5-5M4 9h10a6 6 0 016 6v4",
  redo: "M15 14l5-5-5-5M20 9H10a6 6 0 00-6 6v4",
  fit: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  help: "M9 9a3 3 0 116 0c0 2-3 2-3 5M12 18v.01",
  close: "M6 6l12 12M18 6L6 18",
  check: "M5 12l5 5 9-10",
  cross: "M6 6l12 12M18 6L6 18",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  list: "M8 6h12M8 12h12M8 18h12M4 6v.01M4 12v.01M4 18v.01",
};

/**
 * A decoration beside or instead of a word; the button around it carries the name.
 *
 * @param {keyof typeof ICONS} name
 * @returns {SVGSVGElement}
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", "icon");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}
