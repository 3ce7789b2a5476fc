// What the station knows of a person: their keys and their reaction time, kept on the server.

/** @typedef {import("./api.js").Api} Api */
/** @typedef {import("./keymap.js").KeyMap} KeyMap */
/** @typedef {import("./lag.js").ReactionLag} ReactionLag */

const SAVE_AFTER_MS = 800;

export class Preferences {
  /**
   * @param {Api} api
   * @param {KeyMap} keymap
   * @param {ReactionLag} lag
   */
  constructor(api, keymap, lag) {
    this.api = api;
    this.keymap = keymap;
    this.lag = lag;
    lag.addEventListener("change", () => this.save());
  }

  /** Take over what is stored; without an answer the defaults stay and nothing is overwritten. */
  async load() {
    const { preferences } = await this.api.json("/api/annotator", { as: "annotator" });
    this.keymap.fromJSON(preferences.keys ?? {});
    this.lag.fromJSON(preferences.lag ?? {});
    this.loaded = true;
  }

  /** Store soon; several changes in a row are stored once. */
  save() {
    if (!this.loaded) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      const preferences = { keys: this.keymap.toJSON(), lag: this.lag.toJSON() };
      this.api
        .json("/api/annotator", { as: "annotator", method: "PUT", body: { preferences } })
        .catch(() => {
          // They hold for this visit; the next change tries again.
        });
    }, SAVE_AFTER_MS);
  }
}
