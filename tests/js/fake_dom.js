// As much of a document as the panels make: elements with attributes, children and listeners.

export class FakeElement extends EventTarget {
  /** @param {string} tag */
  constructor(tag) {
    super();
    this.tag = tag;
    this.hidden = false;
    this.open = false;
    /** @type {Record<string, string>} */
    this.attributes = {};
    /** @type {(FakeElement | string)[]} */
    this.children = [];
  }

  /** @param {string} name @param {string} value */
  setAttribute(name, value) {
    this.attributes[name] = value;
    if (name === "open") this.open = true;
  }

  /** @param {(FakeElement | string)[]} children */
  append(...children) {
    this.children.push(...children);
  }

  /** @param {(FakeElement | string)[]} children */
  replaceChildren(...children) {
    this.children = children;
  }

  /** @returns {string} */
  text() {
    return this.children.map((child) => (typeof child === "string" ? child : child.text())).join(" ");
  }

  /** @param {string} tag @returns {FakeElement[]} */
  all(tag) {
    return this.children.flatMap((child) => (typeof child === "string" ? [] : [...(child.tag === tag ? [child] : []), ...child.all(tag)]));
  }
}

export const fakeDocument = { createElement: (/** @type {string} */ tag) => new FakeElement(tag) };
