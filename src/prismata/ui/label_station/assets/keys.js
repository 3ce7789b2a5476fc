// The keyboard of the page while a station is on it. It listens before everybody else, so that keys
// work wherever the focus is, and leaves alone whoever is writing or using a control.

/** @typedef {import("./keymap.js").KeyMap} KeyMap */
/**
 * @typedef {object} KeyHandlers
 * @property {HTMLElement} host the station; while it is not visible, keys are not its business
 * @property {KeyMap} keymap
 * @property {(action: string, event: KeyboardEvent) => boolean | void} onAction false: it does nothing with it
 * @property {(type: string, event: KeyboardEvent) => void} onClassDown
 * @property {(type: string, event: KeyboardEvent) => void} onClassUp
 * @property {() => void} onRelease the keyboard is lost: whatever is held counts as released
 * @property {() => boolean} [isBlocked] whether something else has the keyboard, as a dialog
 */

/** Inputs in which nothing is written. */
const BUTTON_LIKE = new Set(["button", "checkbox", "radio", "submit", "reset", "file", "image", "color"]);
/** What controls use themselves. */
const CONTROL_KEYS = new Set(["Space", "Enter"]);
const MOVING_KEYS = new Set(["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown", "Delete", "Backspace"]);
const CONTROLS = "button, a[href], summary, select, input, [role=button], [role=link], [role=checkbox], [role=switch], [role=menuitem]";
/** Widgets with places inside, between which arrows move. */
const WIDGETS =
  "select, input, [role=tab], [role=slider], [role=radio], [role=listbox], [role=option], [role=grid], [role=menu], [role=menuitem], [role=tree], [role=separator][tabindex], [data-own-keys]";

export class KeyListener {
  /** @param {KeyHandlers} handlers */
  constructor(handlers) {
    this.handlers = handlers;
    /** Which event type the keys that are down belong to, by place. @type {Map<string, string>} */
    this.down = new Map();
    /** After Escape, Tab moves the focus as everywhere. */
    this.isTabFree = false;
    this.stop = new AbortController();
    const { signal } = this.stop;
    const early = { capture: true, signal };
    document.addEventListener("keydown", (event) => this.onDown(event), early);
    document.addEventListener("keyup", (event) => this.onUp(event), early);
    document.addEventListener("visibilitychange", () => document.hidden && this.release(), { signal });
    window.addEventListener("blur", () => this.release(), { signal });
    window.addEventListener("pagehide", () => this.release(), { signal });
  }

  /** @param {KeyboardEvent} event */
  onDown(event) {
    const { keymap, onAction, onClassDown, isBlocked } = this.handlers;
    if (event.isComposing || !this.isVisible || isEditable(event)) return;
    const combo = keymap.comboOf(event);
    if (!combo) return;
    // Streamlit would run the script again or clear its cache.
    if (combo === "R" || combo === "C") return swallow(event);
    if (isBlocked?.() || this.isForControl(event, combo)) return;
    const wasTabFree = this.isTabFree;
    this.isTabFree = combo === "Escape";
    if (wasTabFree && (combo === "Tab" || combo === "Shift+Tab")) {
      this.isTabFree = true;
      return;
    }
    const type = keymap.classOf(combo);
    if (type !== null) {
      swallow(event);
      if (event.repeat || this.down.has(event.code)) return;
      this.down.set(event.code, type);
      onClassDown(type, event);
      return;
    }
    const action = keymap.actionOf(combo);
    if (!action) return;
    if (event.repeat && !action.repeats) return swallow(event);
    if (onAction(action.id, event) !== false) swallow(event);
  }

  /** @param {KeyboardEvent} event */
  onUp(event) {
    const type = this.down.get(event.code);
    if (type === undefined) return;
    this.down.delete(event.code);
    event.stopPropagation();
    this.handlers.onClassUp(type, event);
  }

  release() {
    this.down.clear();
    this.handlers.onRelease();
  }

  get isVisible() {
    const { host } = this.handlers;
    return host.isConnected && host.getClientRects().length > 0;
  }

  /** Whether the focused control uses the key itself. @param {KeyboardEvent} event @param {string} combo */
  isForControl(event, combo) {
    const target = event.composedPath()[0];
    if (!(target instanceof Element)) return false;
    const key = combo.split("+").at(-1) ?? "";
    if (key === "Tab") return !this.isStage(target);
    if (CONTROL_KEYS.has(key) && target.closest(CONTROLS)) return true;
    return (CONTROL_KEYS.has(key) || MOVING_KEYS.has(key)) && target.closest(WIDGETS) !== null;
  }

  /** Whether an element is the page itself or a picture of the station, not a control. @param {Element} target */
  isStage(target) {
    const { host } = this.handlers;
    const isPage = target === document.body || target === document.documentElement || target === host;
    return isPage || (host.contains(target) && target.matches("video, canvas, [data-stage]"));
  }

  close() {
    this.stop.abort();
    this.down.clear();
  }
}

/** @param {KeyboardEvent} event */
function isEditable(event) {
  // Inside a shadow root `event.target` is the root's host; the path tells the truth.
  const target = event.composedPath()[0];
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) return !BUTTON_LIKE.has(target.type) && target.type !== "range";
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement || target.isContentEditable;
}

/** @param {KeyboardEvent} event */
function swallow(event) {
  event.preventDefault();
  event.stopPropagation();
}
