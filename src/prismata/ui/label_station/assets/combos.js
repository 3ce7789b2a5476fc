// Names of keys: letters by what they write, everything else by where it is on the keyboard.

/** @type {Record<string, string>} */
const BY_PLACE = {
  BracketLeft: "[", BracketRight: "]", Comma: ",", Period: ".", Minus: "-", Equal: "=", Slash: "/", Backslash: "\\",
  Semicolon: ";", Quote: "'", Backquote: "`", NumpadAdd: "=", NumpadSubtract: "-", NumpadEnter: "Enter", NumpadDecimal: ".",
};

/** @type {Record<string, string>} */
const SHOWN = {
  ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc", PageUp: "Page ↑", PageDown: "Page ↓",
};

/** What a page cannot have or must not take, and to whom it belongs. */
const BROWSERS = new Set([
  "Ctrl+W", "Ctrl+T", "Ctrl+N", "Ctrl+Shift+W", "Ctrl+Shift+T", "Ctrl+Shift+N", "Ctrl+Q", "Ctrl+Tab", "Ctrl+Shift+Tab", "Ctrl+R",
  "Ctrl+Shift+R", "Ctrl+L", "Ctrl+P", "Ctrl+S", "Ctrl+F", "Ctrl+C", "Ctrl+V", "Ctrl+X", "Ctrl+A", "Ctrl+=", "Ctrl+-", "Ctrl+0",
  "Alt+ArrowLeft", "Alt+ArrowRight", "Alt+Tab", "Alt+F4", "Alt+D", "Alt+E", "Alt+F", "Alt+Home", "F1", "F3", "F5", "F6", "F7", "F10", "F11", "F12",
  ..."123456789".split("").map((digit) => `Ctrl+${digit}`),
]);
const STREAMLITS = new Set(["C", "R"]);

/**
 * The name of a key with its modifiers: `Ctrl+Shift+Z`, `Alt+[`, `1`, `?`. On a Mac, Command is Ctrl.
 *
 * @param {KeyboardEvent | {key: string, code: string, ctrlKey: boolean, metaKey: boolean, altKey: boolean, shiftKey: boolean}} event
 * @returns {string} empty for a modifier alone
 */
export function comboOf(event) {
  const { key, code, altKey, shiftKey } = event;
  if (["Shift", "Control", "Alt", "Meta", "AltGraph", "Dead", "Process", "Unidentified", "CapsLock"].includes(key) && !code.startsWith("Key")) return "";
  const isCtrl = event.ctrlKey || event.metaKey;
  // Where the question mark is differs most between keyboards.
  if (key === "?" && !isCtrl && !altKey) return "?";
  const parts = [isCtrl && "Ctrl", altKey && "Alt", shiftKey && "Shift", nameOf(key, code)];
  return parts.filter(Boolean).join("+");
}

/** @param {string} key @param {string} code */
function nameOf(key, code) {
  const digit = /^(?:Digit|Numpad)([0-9])$/.exec(code);
  if (digit) return digit[1];
  if (code === "Space") return "Space";
  if (BY_PLACE[code]) return BY_PLACE[code];
  if (/^[a-z]$/i.test(key)) return key.toUpperCase();
  // Other alphabets, and what Alt writes on a Mac: then the place counts after all.
  const letter = /^Key([A-Z])$/.exec(code);
  if (letter) return letter[1];
  return key.length === 1 ? key.toUpperCase() : key;
}

/**
 * Whether a key belongs to the browser or to Streamlit.
 *
 * @param {string} combo
 * @returns {string | null} in words to whom, null if it is free
 */
export function isReserved(combo) {
  if (BROWSERS.has(combo)) return "belongs to the browser";
  if (STREAMLITS.has(combo)) return "belongs to the page around (Streamlit)";
  return null;
}

/** @param {string} combo */
export function showCombo(combo) {
  // A plus that is itself the key would be cut in two.
  const parts = combo.endsWith("++") ? [...combo.slice(0, -2).split("+"), "+"] : combo.split("+");
  return parts.map((part) => SHOWN[part] ?? part).join(combo.startsWith("Shift+") && parts.length === 2 && parts[1].startsWith("Arrow") ? " " : "+");
}
