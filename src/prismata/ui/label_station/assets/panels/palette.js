// The event types as buttons: what there is to mark, with which key; pressed like the key itself.

import { element } from "../dom.js";

/** @typedef {{name: string, title: string, kind: string, color: string, key: string, guide: string}} PaletteType */

export class Palette {
  /**
   * @param {HTMLElement} host
   * @param {PaletteType[]} eventTypes
   * @param {{down: (name: string, shift: boolean) => void, up: (name: string) => void}} marking
   */
  constructor(host, eventTypes, marking) {
    /** @type {Map<string, HTMLButtonElement>} */
    this.buttons = new Map();
    host.setAttribute("role", "group");
    host.setAttribute("aria-label", "mark an event");
    for (const type of eventTypes) {
      const held = type.kind === "segment" ? "hold while it lasts" : "press when it happens";
      const button = element(
        "button",
        {
          type: "button",
          class: "type",
          style: `--lane: ${type.color}`,
          title: type.guide ? `${type.guide} (${held})` : held,
          "aria-pressed": "false",
        },
        element("i", { class: `mark ${type.kind}` }, type.key.toUpperCase()),
        element("span", {}, type.title),
      );
      button.addEventListener("pointerdown", (event) => {
        event.preventDefault();
        button.setPointerCapture(event.pointerId);
        marking.down(type.name, event.shiftKey);
      });
      for (const end of ["pointerup", "pointercancel"]) {
        button.addEventListener(end, () => marking.up(type.name));
      }
      // A click that no pointer made: the keyboard on the focused button, or assistive software.
      button.addEventListener("click", (event) => {
        if (event.detail === 0) {
          marking.down(type.name, event.shiftKey);
          marking.up(type.name);
        }
      });
      this.buttons.set(type.name, button);
      host.append(button);
    }
  }

  /** @param {{event_type: string}[]} holds */
  setOpenHolds(holds) {
    const open = new Set(holds.map((hold) => hold.event_type));
    for (const [name, button] of this.buttons) {
      button.setAttribute("aria-pressed", String(open.has(name)));
    }
  }
}
