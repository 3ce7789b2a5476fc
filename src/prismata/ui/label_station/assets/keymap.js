// Every action of the station with its keys. Keys belong to the browser and to Streamlit first, then
// to the domain's event types, then to the actions.

import { comboOf, isReserved, showCombo } from "./combos.js";

/** @typedef {{name: string, title?: string, kind?: string, hotkey?: string | null, key?: string | null}} KeyedType  a domain says `hotkey`, the page says `key` */
/** @typedef {{id: string, title: string, group: string, combos: string[], repeats: boolean}} Action */

/** Held down, these go on. */
const REPEATING = true;

/** @type {[string, [string, string, string[], boolean?][]][]} */
const GROUPS = [
  ["Play", [
    ["play", "play or pause", ["Space"]],
    ["shuttle_back", "backwards, again: faster", ["J"]],
    ["shuttle_stop", "stop", ["K"]],
    ["shuttle_forward", "forward, again: faster", ["L"]],
    ["step_back", "one frame back", ["ArrowLeft"], REPEATING],
    ["step_forward", "one frame on", ["ArrowRight"], REPEATING],
    ["step_back_10", "ten frames back", ["Shift+ArrowLeft"], REPEATING],
    ["step_forward_10", "ten frames on", ["Shift+ArrowRight"], REPEATING],
    ["first_frame", "first frame", ["Home"]],
    ["last_frame", "last frame", ["End"]],
    ["slower", "slower", ["-"], REPEATING],
    ["faster", "faster", ["="], REPEATING],
    ["normal_speed", "normal speed", ["0"]],
    ["loop", "play the selected event again and again", ["Shift+Space"]],
    ["go_to", "go to a time or frame", ["G"]],
  ]],
  ["Mark", [
    ["mark_in", "mark the start", ["I"]],
    ["mark_out", "mark the end", ["O"]],
    ["watched", "watched: nothing more happens here", ["W"]],
    ["skipped", "skip this stretch", ["Shift+W"]],
  ]],
  ["Events", [
    ["next_event", "next event (after Esc: next control)", ["Tab"], REPEATING],
    ["previous_event", "previous event", ["Shift+Tab"], REPEATING],
    ["deselect", "select nothing", ["Escape"]],
    ["event_start", "go to its start", ["S"]],
    ["event_end", "go to its end", ["E"]],
    ["start_earlier", "start one frame earlier", ["["], REPEATING],
    ["start_later", "start one frame later", ["]"], REPEATING],
    ["end_earlier", "end one frame earlier", ["Shift+["], REPEATING],
    ["end_later", "end one frame later", ["Shift+]"], REPEATING],
    ["start_earlier_5", "start five frames earlier", ["Alt+["], REPEATING],
    ["start_later_5", "start five frames later", ["Alt+]"], REPEATING],
    ["end_earlier_5", "end five frames earlier", ["Alt+Shift+["], REPEATING],
    ["end_later_5", "end five frames later", ["Alt+Shift+]"], REPEATING],
    ["edge_earlier", "edge one frame earlier, in the filmstrip", [","], REPEATING],
    ["edge_later", "edge one frame later, in the filmstrip", ["."], REPEATING],
    ["next_edge", "next edge in the filmstrip", ["Enter"]],
    ["merge", "join with the next of its kind", ["M"]],
    ["split", "split at the playhead", ["B"]],
    ["delete", "delete", ["Delete", "Backspace"]],
  ]],
  ["Suggestions", [
    ["next_uncertain", "next suggestion", ["N"], REPEATING],
    ["previous_uncertain", "previous suggestion", ["P"], REPEATING],
    ["accept", "accept", ["A"]],
    ["reject", "reject", ["X"]],
    ["unsure", "unsure", ["U"]],
  ]],
  ["View", [
    ["fit", "show the selected event", ["F", "Z"]],
    ["fit_all", "show the whole video", ["Shift+F", "Shift+Z"]],
    ["zoom_in", "zoom in", ["ArrowUp"], REPEATING],
    ["zoom_out", "zoom out", ["ArrowDown"], REPEATING],
    ["pan_back", "look earlier", ["PageUp"], REPEATING],
    ["pan_forward", "look later", ["PageDown"], REPEATING],
  ]],
  ["Edit", [
    ["undo", "undo", ["Ctrl+Z"], REPEATING],
    ["redo", "redo", ["Ctrl+Shift+Z", "Ctrl+Y"], REPEATING],
    ["cheat_sheet", "this sheet", ["?"]],
  ]],
];

/** @type {Action[]} */
const DEFAULTS = GROUPS.flatMap(([group, actions]) =>
  actions.map(([id, title, combos, repeats = false]) => ({ id, title, group, combos, repeats })),
);

export class KeyMap {
  /** @param {KeyedType[]} [eventTypes] in the order in which they get 1 to 9 */
  constructor(eventTypes = []) {
    /** @type {Map<string, KeyedType>} */
    this.types = new Map(eventTypes.map((type) => [type.name, type]));
    /** Key of each event type. @type {Map<string, string>} */
    this.classKeys = assignClassKeys(eventTypes);
    /** What a person chose instead of the defaults. @type {Map<string, string[]>} */
    this.chosen = new Map();
    /** @type {Map<string, string>} */
    this.typeOf = new Map();
    /** @type {Map<string, string>} */
    this.actionOfCombo = new Map();
    /** @type {Map<string, string[]>} */
    this.combosOf = new Map();
    this.draw();
  }

  /** Work out who has which key: event types, then a person's choices, then the defaults. */
  draw() {
    this.typeOf = new Map();
    for (const [name, key] of this.classKeys) {
      this.typeOf.set(key, name);
      this.typeOf.set(`Shift+${key}`, name);
    }
    this.actionOfCombo = new Map();
    this.combosOf = new Map();
    const take = (/** @type {string} */ id, /** @type {string[]} */ combos) => {
      const free = combos.filter((combo) => !this.typeOf.has(combo) && !this.actionOfCombo.has(combo) && !isReserved(combo));
      for (const combo of free) this.actionOfCombo.set(combo, id);
      this.combosOf.set(id, [...(this.combosOf.get(id) ?? []), ...free]);
    };
    for (const [id, combos] of this.chosen) take(id, combos);
    for (const action of DEFAULTS) if (!this.chosen.has(action.id)) take(action.id, action.combos);
    // An event type may have taken an action's only key; with Alt it is still at hand.
    for (const action of DEFAULTS) {
      for (const held of ["Alt+", "Alt+Shift+"]) {
        if (!this.combosOf.get(action.id)?.length && !this.chosen.has(action.id)) take(action.id, [`${held}${action.combos[0].replace("Shift+", "")}`]);
      }
    }
  }

  /** All actions for a cheat sheet, event types first. @returns {Action[]} */
  actions() {
    const classes = [...this.types.values()].map((type) => ({
      id: `class:${type.name}`,
      title: `${type.title ?? type.name}${type.kind === "segment" ? ": hold, tap, or lock with Shift" : ""}`,
      group: "Event types",
      combos: [this.classKey(type.name)].filter(Boolean),
      repeats: false,
    }));
    return [...classes, ...DEFAULTS.map((action) => ({ ...action, combos: this.combosOf.get(action.id) ?? [] }))];
  }

  /** @param {string} combo @returns {Action | null} */
  actionOf(combo) {
    const id = this.actionOfCombo.get(combo);
    return DEFAULTS.find((action) => action.id === id) ?? null;
  }

  /** The event type whose key this is, with or without Shift. @param {string} combo @returns {string | null} */
  classOf(combo) {
    return this.typeOf.get(combo) ?? null;
  }

  /** @param {string} type @returns {string} its key, empty if there are more types than keys */
  classKey(type) {
    return this.classKeys.get(type) ?? "";
  }

  /** An action's first key as people read it; empty if it has none. @param {string} action */
  keyOf(action) {
    const [combo] = this.combosOf.get(action) ?? [];
    return combo ? showCombo(combo) : "";
  }

  /**
   * Give an action another key instead of those it has.
   *
   * @param {string} action
   * @param {string} combo as `comboOf` says it
   * @returns {string | null} null if it has the key now, else in words why not
   */
  rebind(action, combo) {
    if (!combo) return "This key has no name here; choose another one.";
    if (action.startsWith("class:")) return "The keys of event types are declared by the domain; they are changed there.";
    const known = DEFAULTS.find((item) => item.id === action);
    if (!known) return `There is no action ${action}.`;
    const shown = showCombo(combo);
    const why = isReserved(combo);
    if (why) return `${shown} ${why}; choose another key.`;
    const type = this.classOf(combo);
    if (type) return `${shown} marks ${this.types.get(type)?.title ?? type}; choose another key.`;
    const holder = this.actionOf(combo);
    if (holder && holder.id !== action) return `${shown} is taken by “${holder.title}”; give that another key first.`;
    this.chosen.set(action, [combo]);
    this.draw();
    return null;
  }

  /** All keys as they were at first. */
  reset() {
    this.chosen.clear();
    this.draw();
  }

  /** @param {KeyboardEvent} event */
  comboOf(event) {
    return comboOf(event);
  }

  /** @param {string} combo */
  show(combo) {
    return showCombo(combo);
  }

  /** @returns {Record<string, string[]>} what a person chose, action by action */
  toJSON() {
    return Object.fromEntries(this.chosen);
  }

  /** Take over what was stored; what cannot be any more is left out. @param {unknown} stored */
  fromJSON(stored) {
    this.chosen.clear();
    for (const [id, combos] of Object.entries(stored ?? {})) {
      const isKnown = DEFAULTS.some((action) => action.id === id);
      if (!isKnown || !Array.isArray(combos)) continue;
      const good = combos.filter((combo) => typeof combo === "string" && combo && !isReserved(combo));
      if (good.length) this.chosen.set(id, good);
    }
    this.draw();
  }
}

/** @param {KeyedType[]} types @returns {Map<string, string>} */
function assignClassKeys(types) {
  /** @type {Map<string, string>} */
  const keys = new Map();
  const taken = new Set();
  for (const { name, hotkey, key: given } of types) {
    const key = (hotkey ?? given ?? "").toUpperCase();
    if (key.length !== 1 || isReserved(key) || taken.has(key)) continue;
    keys.set(name, key);
    taken.add(key);
  }
  const digits = [..."123456789"].filter((digit) => !taken.has(digit));
  for (const { name } of types) {
    if (keys.has(name)) continue;
    const digit = digits.shift();
    if (digit) keys.set(name, digit);
  }
  return keys;
}
