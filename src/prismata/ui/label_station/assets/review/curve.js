// The score around a card: what the model thought, where its threshold lies, where the picture is.

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 72;
const WIDTH = 1000;

/** @typedef {import("./inbox.js").Card} Card */
/** @typedef {import("./inbox.js").Meant} Meant */

/** Emits `seek` {us} when somebody points at an instant. */
export class Curve extends EventTarget {
  /** @param {HTMLElement} host */
  constructor(host) {
    super();
    this.host = host;
    /** @type {Card | null} */
    this.card = null;
    this.svg = document.createElementNS(SVG, "svg");
    this.svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    this.svg.setAttribute("preserveAspectRatio", "none");
    this.svg.setAttribute("role", "img");
    this.head = document.createElementNS(SVG, "line");
    this.head.setAttribute("class", "head");
    host.replaceChildren(this.svg);
    this.svg.addEventListener("pointerdown", (event) => {
      const { card } = this;
      if (!card) return;
      const box = this.svg.getBoundingClientRect();
      const share = (event.clientX - box.left) / Math.max(1, box.width);
      this.dispatchEvent(new CustomEvent("seek", { detail: { us: card.around[0] + share * (card.around[1] - card.around[0]) } }));
    });
  }

  /** @param {Card} card @param {Meant[]} meant what a person says it is, or saw */
  draw(card, meant) {
    this.card = card;
    const { threshold, score } = card;
    const words = score === null ? "no score reaches this stretch" : `score ${score.toFixed(2)}, threshold ${(threshold ?? 0).toFixed(2)}`;
    this.svg.setAttribute("aria-label", words);
    /** @type {SVGElement[]} */
    const parts = meant.map((item) => this.span(item, item.end_us > item.start_us));
    if (threshold !== null) parts.push(line("threshold", 0, y(threshold), WIDTH, y(threshold)));
    if (card.curve.length) {
      const path = document.createElementNS(SVG, "path");
      path.setAttribute("class", "score");
      path.setAttribute("d", card.curve.map(([us, value], index) => `${index ? "L" : "M"}${this.x(us).toFixed(1)} ${y(value).toFixed(1)}`).join(""));
      parts.push(path);
    }
    this.svg.replaceChildren(...parts, this.head);
  }

  /** @param {Meant} item @param {boolean} isLong */
  span(item, isLong) {
    const from = this.x(item.start_us);
    if (!isLong) return line("moment", from, 0, from, HEIGHT);
    const box = document.createElementNS(SVG, "rect");
    box.setAttribute("class", "span");
    for (const [name, value] of Object.entries({ x: from, y: 0, width: this.x(item.end_us) - from, height: HEIGHT })) box.setAttribute(name, String(value));
    return box;
  }

  /** @param {number} us */
  x(us) {
    const [from, to] = this.card?.around ?? [0, 1];
    return ((us - from) / Math.max(1, to - from)) * WIDTH;
  }

  /** @param {number} us */
  setHead(us) {
    if (!this.card) return;
    const at = String(this.x(us));
    for (const [name, value] of Object.entries({ x1: at, x2: at, y1: "0", y2: String(HEIGHT) })) this.head.setAttribute(name, value);
  }
}

/** @param {number} score */
function y(score) {
  return HEIGHT - 3 - score * (HEIGHT - 6);
}

/** @param {string} name @param {number} x1 @param {number} y1 @param {number} x2 @param {number} y2 */
function line(name, x1, y1, x2, y2) {
  const made = document.createElementNS(SVG, "line");
  made.setAttribute("class", name);
  for (const [key, value] of Object.entries({ x1, y1, x2, y2 })) made.setAttribute(key, String(value));
  return made;
}
