// Under the picture: play, step, speed, and which frame is shown.

import { element, formatTime, icon } from "../dom.js";

/** @typedef {import("../player.js").ExactPlayer} ExactPlayer */

export const RATES = [0.25, 0.5, 1, 1.5, 2, 3, 4, 8];

export class Transport {
  /**
   * @param {HTMLElement} host
   * @param {ExactPlayer} player
   * @param {{run: (action: string) => void, keyOf: (action: string) => string, loop: () => void}} page
   */
  constructor(host, player, page) {
    this.player = player;
    const button = (/** @type {Parameters<typeof icon>[0]} */ name, /** @type {string} */ title, /** @type {string} */ action) =>
      element(
        "button",
        { type: "button", class: "quiet", title: `${title} (${page.keyOf(action)})`, "aria-label": title, onclick: () => page.run(action) },
        icon(name),
      );
    this.play = button("play", "Play", "play");
    this.rate = element(
      "select",
      { "aria-label": "speed", title: "Speed", onchange: () => player.setRate(Number(this.rate.value)) },
      ...RATES.map((rate) => element("option", { value: rate }, `${rate}×`)),
    );
    this.rate.value = "1";
    this.loopButton = element(
      "button",
      { type: "button", class: "quiet", title: "Loop the selected event", "aria-label": "loop the selected event", "aria-pressed": "false", onclick: () => page.loop() },
      icon("loop"),
    );
    this.clock = element("output", { class: "clock", "aria-label": "time of the shown frame" }, "0:00.000");
    this.frame = element("span", { class: "frame soft" }, "");
    host.append(
      button("back", "Back one frame", "step_back"),
      this.play,
      button("forward", "Forward one frame", "step_forward"),
      this.rate,
      this.loopButton,
      this.clock,
      this.frame,
    );
    player.addEventListener("frame", (event) => this.onFrame(/** @type {CustomEvent} */ (event).detail));
    player.addEventListener("state", (event) => this.onState(/** @type {CustomEvent} */ (event).detail));
  }

  /** @param {{frame: number | null, us: number, exact: boolean}} shown */
  onFrame({ frame, us, exact }) {
    this.clock.textContent = formatTime(us);
    // While it plays, the number is what the browser says it showed last, to within a frame or two.
    this.frame.textContent = frame === null ? "" : exact ? `frame ${frame}` : `frame ≈ ${frame}`;
    this.frame.classList.toggle("exact", exact);
  }

  /** @param {{playing: boolean, rate: number, loop: boolean}} state */
  onState({ playing, rate, loop }) {
    this.play.replaceChildren(icon(playing ? "pause" : "play"));
    this.play.setAttribute("aria-label", playing ? "Pause" : "Play");
    const speed = Math.abs(rate);
    if (![...this.rate.options].some((option) => Number(option.value) === speed)) {
      this.rate.append(element("option", { value: speed }, `${speed}×`));
    }
    this.rate.value = String(speed);
    this.loopButton.setAttribute("aria-pressed", String(Boolean(loop)));
  }
}
