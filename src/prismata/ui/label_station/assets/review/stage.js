// The picture of the inbox: the card's stretch plays again and again while the next one is opened
// behind it, so that after a decision the next card is there at once.

import { FrameTable } from "../frames.js";
import { ExactPlayer } from "../player.js";

/** @typedef {import("./inbox.js").Card} Card */
/** @typedef {{player: ExactPlayer, video: HTMLVideoElement, id: string, opening: Promise<void>}} Slot */

/** Emits `frame` {us}, `trouble` {sentence}, and `ready` when a card's picture is there. */
export class Stage extends EventTarget {
  /**
   * @param {HTMLElement} screen
   * @param {import("../api.js").Api} api its permission for videos is that of each card
   */
  constructor(screen, api) {
    super();
    this.api = api;
    /** @type {Map<string, Promise<FrameTable>>} */
    this.tables = new Map();
    this.slots = [this.slot(screen), this.slot(screen)];
    this.shows = 0;
    this.isPaused = false;
    this.rate = 1;
    this.swap(0);
  }

  /** @param {HTMLElement} screen @returns {Slot} */
  slot(screen) {
    const video = document.createElement("video");
    video.muted = true;
    video.playsInline = true;
    video.preload = "auto";
    screen.append(video);
    const player = new ExactPlayer(video);
    player.addEventListener("frame", (event) => {
      if (player === this.player) this.dispatchEvent(new CustomEvent("frame", { detail: /** @type {CustomEvent} */ (event).detail }));
    });
    player.addEventListener("trouble", (event) => {
      if (player === this.player) this.dispatchEvent(new CustomEvent("trouble", { detail: /** @type {CustomEvent} */ (event).detail }));
    });
    return { player, video, id: "", opening: Promise.resolve() };
  }

  /** The player on screen. */
  get player() {
    return this.slots[this.front ?? 0].player;
  }

  /** @param {number} front */
  swap(front) {
    this.front = front;
    for (const [index, { video, player }] of this.slots.entries()) {
      video.hidden = index !== front;
      if (index !== front && !player.paused) player.halt();
    }
  }

  /** @param {Card} card @returns {Promise<FrameTable>} */
  async frames(card) {
    const { id, token } = card.video;
    let table = this.tables.get(id);
    if (!table) {
      this.api.renew({ video: token });
      table = this.api.bytes(`/api/video/${id}/frames`, { as: "video" }).then(
        (steps) => FrameTable.fromSteps(new Uint32Array(steps.buffer, steps.byteOffset, steps.byteLength / 4)),
      );
      table.catch(() => this.tables.delete(id));
      this.tables.set(id, table);
    }
    return table;
  }

  /** Open a card's video behind the picture. @param {Card} card */
  async prepare(card) {
    if (this.slots.some(({ id }) => id === card.video.id)) return;
    await this.open(this.slots[1 - (this.front ?? 0)], card).catch(() => undefined);
  }

  /** @param {Slot} slot @param {Card} card */
  async open(slot, card) {
    const { id, token, rendition, codec } = card.video;
    slot.id = id;
    const opening = (async () => {
      const frames = await this.frames(card);
      if (slot.id !== id) return;
      const query = new URLSearchParams({ token, ...(rendition ? { rendition } : {}) });
      const url = `/api/video/${id}?${query}`;
      await slot.player.load({ url, frames, codec: rendition === "proxy" ? "h264" : codec, startFrame: frames.indexAt(card.loop[0]) });
    })();
    slot.opening = opening;
    await opening;
  }

  /**
   * Show a card and play its stretch.
   *
   * @param {Card} card
   */
  async show(card) {
    const turn = ++this.shows;
    const at = this.slots.findIndex(({ id }) => id === card.video.id);
    const index = at >= 0 ? at : 1 - (this.front ?? 0);
    const slot = this.slots[index];
    try {
      if (at < 0) await this.open(slot, card);
      else await slot.opening;
    } catch (error) {
      if (turn === this.shows) this.dispatchEvent(new CustomEvent("trouble", { detail: { sentence: error instanceof Error ? error.message : String(error) } }));
      return;
    }
    if (turn !== this.shows) return;
    this.swap(index);
    slot.player.setRate(this.rate);
    if (this.isPaused) {
      slot.player.keepTo(card.loop[0], card.loop[1]);
      await slot.player.seekToUs(card.start_us);
    } else await slot.player.loop(card.loop[0], card.loop[1]);
    if (turn === this.shows) this.dispatchEvent(new CustomEvent("ready", { detail: { key: card.key } }));
  }

  async toggle() {
    this.isPaused = !this.player.paused;
    await this.player.toggle();
  }

  /** @param {number} rate */
  setRate(rate) {
    this.rate = rate;
    this.player.setRate(rate);
  }

  close() {
    this.shows++;
    for (const { player } of this.slots) player.close();
  }
}
