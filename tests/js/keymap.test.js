import assert from "node:assert/strict";
import test from "node:test";

import { comboOf, isReserved, showCombo } from "../../src/prismata/ui/label_station/assets/combos.js";
import { KeyMap } from "../../src/prismata/ui/label_station/assets/keymap.js";

/** @param {string} key @param {string} code @param {("ctrl" | "alt" | "shift" | "meta")[]} held */
function pressed(key, code, ...held) {
  return comboOf({ key, code, ctrlKey: held.includes("ctrl"), altKey: held.includes("alt"), shiftKey: held.includes("shift"), metaKey: held.includes("meta") });
}

test("letters are named by what they write, other keys by their place", () => {
  assert.equal(pressed("z", "KeyY", "ctrl"), "Ctrl+Z", "a German keyboard has Z elsewhere");
  assert.equal(pressed("Z", "KeyZ", "ctrl", "shift"), "Ctrl+Shift+Z");
  assert.equal(pressed("z", "KeyZ", "meta"), "Ctrl+Z", "Command on a Mac");
  assert.equal(pressed("ü", "BracketLeft"), "[");
  assert.equal(pressed("{", "BracketLeft", "shift"), "Shift+[");
  assert.equal(pressed("!", "Digit1", "shift"), "Shift+1");
  assert.equal(pressed("&", "Digit1"), "1", "French keyboards write digits with Shift");
  assert.equal(pressed("7", "Numpad7"), "7");
  assert.equal(pressed(" ", "Space", "shift"), "Shift+Space");
  assert.equal(pressed("й", "KeyJ"), "J", "other alphabets: the place counts");
  assert.equal(pressed("ƒ", "KeyF", "alt"), "Alt+F", "what Alt writes on a Mac");
  assert.equal(pressed("Tab", "Tab", "shift"), "Shift+Tab");
});

test("the question mark is itself, wherever it is", () => {
  assert.equal(pressed("?", "Slash", "shift"), "?");
  assert.equal(pressed("?", "Minus", "shift"), "?");
});

test("a modifier alone is no key", () => {
  for (const key of ["Shift", "Control", "Alt", "Meta", "AltGraph", "Dead"]) assert.equal(pressed(key, `${key}Left`), "");
});

test("no default belongs to the browser or to Streamlit, and no two actions share a key", () => {
  const seen = new Map();
  for (const action of new KeyMap().actions()) {
    assert.ok(action.combos.length, `${action.id} has no key`);
    assert.ok(action.title && action.group);
    for (const combo of action.combos) {
      assert.equal(isReserved(combo), null, combo);
      assert.equal(seen.get(combo), undefined, `${combo} of ${action.id}`);
      seen.set(combo, action.id);
    }
  }
  for (const combo of ["Ctrl+W", "Ctrl+T", "Ctrl+N", "F11", "Alt+ArrowLeft", "Alt+ArrowRight", "Alt+F", "C", "R"]) assert.ok(isReserved(combo), combo);
});

test("the keys of the label station are where people expect them", () => {
  const keys = new KeyMap();
  const expected = {
    Space: "play", J: "shuttle_back", K: "shuttle_stop", L: "shuttle_forward", ArrowLeft: "step_back", "Shift+ArrowRight": "step_forward_10",
    "-": "slower", "=": "faster", 0: "normal_speed", I: "mark_in", O: "mark_out", Tab: "next_event", "Shift+Tab": "previous_event", S: "event_start",
    E: "event_end", "[": "start_earlier", "Shift+]": "end_later", "Alt+[": "start_earlier_5", M: "merge", B: "split", N: "next_uncertain",
    P: "previous_uncertain", A: "accept", X: "reject", U: "unsure", F: "fit", G: "go_to", W: "watched", Delete: "delete", "Ctrl+Z": "undo",
    "Ctrl+Shift+Z": "redo", "?": "cheat_sheet", ",": "edge_earlier", ".": "edge_later", Enter: "next_edge",
  };
  for (const [combo, action] of Object.entries(expected)) assert.equal(keys.actionOf(combo)?.id, action, combo);
  assert.equal(keys.actionOf("Q"), null);
});

test("event types have the keys of their domain, the others count from 1", () => {
  const keys = new KeyMap([{ name: "a", hotkey: "d" }, { name: "b" }, { name: "c", hotkey: "1" }, { name: "d", hotkey: "" }, { name: "e", key: "h" }]);
  assert.deepEqual(["a", "b", "c", "d", "e"].map((name) => keys.classKey(name)), ["D", "2", "1", "3", "H"]);
  assert.equal(keys.classOf("D"), "a");
  assert.equal(keys.classOf("Shift+D"), "a");
  assert.equal(keys.classOf("Ctrl+D"), null);
});

test("a hotkey that Streamlit needs, or that another type has, gives way to a digit", () => {
  const keys = new KeyMap([{ name: "cut", hotkey: "c" }, { name: "one", hotkey: "q" }, { name: "two", hotkey: "Q" }]);
  assert.deepEqual(["cut", "one", "two"].map((name) => keys.classKey(name)), ["1", "Q", "2"]);
});

test("an action whose key a type has is still at hand, with Alt", () => {
  const keys = new KeyMap([{ name: "fall", hotkey: "f" }]);
  assert.equal(keys.actionOf("F"), null);
  assert.equal(keys.classOf("F"), "fall");
  assert.equal(keys.keyOf("fit"), "Z", "it has a second key");
  assert.equal(keys.actionOf("Shift+F"), null, "Shift locks the type");
  const others = new KeyMap([{ name: "serve", hotkey: "s" }, { name: "end", hotkey: "e" }]);
  assert.equal(others.keyOf("event_start"), "Alt+S");
  assert.equal(others.keyOf("event_end"), "Alt+Shift+E", "Alt+E opens the browser's menu");
  for (const action of keys.actions()) assert.ok(action.combos.length, action.id);
});

test("more types than keys: the last have none, and nothing breaks", () => {
  const keys = new KeyMap(Array.from({ length: 12 }, (_, place) => ({ name: `t${place}` })));
  assert.equal(keys.classKey("t8"), "9");
  assert.equal(keys.classKey("t9"), "");
  assert.deepEqual(keys.actions().find((action) => action.id === "class:t11")?.combos, []);
});

test("another key is taken over, stored and taken back", () => {
  const keys = new KeyMap();
  assert.equal(keys.rebind("play", "Q"), null);
  assert.equal(keys.actionOf("Q")?.id, "play");
  assert.equal(keys.actionOf("Space"), null);
  const again = new KeyMap();
  again.fromJSON(JSON.parse(JSON.stringify(keys)));
  assert.equal(again.keyOf("play"), "Q");
  again.reset();
  assert.equal(again.keyOf("play"), "Space");
  assert.deepEqual(again.toJSON(), {});
});

test("a key that somebody else has is refused in words, and nothing changes", () => {
  const keys = new KeyMap([{ name: "shot", title: "Shot", hotkey: "h" }]);
  const refusals = [
    [keys.rebind("play", "G"), /G is taken by “go to a time or frame”/],
    [keys.rebind("play", "H"), /H marks Shot/],
    [keys.rebind("play", "Shift+H"), /Shift\+H marks Shot/],
    [keys.rebind("play", "Ctrl+W"), /Ctrl\+W belongs to the browser/],
    [keys.rebind("play", "C"), /Streamlit/],
    [keys.rebind("play", ""), /no name/],
    [keys.rebind("class:shot", "Q"), /declared by the domain/],
    [keys.rebind("fly", "Q"), /no action fly/],
  ];
  for (const [said, expected] of refusals) assert.match(String(said), /** @type {RegExp} */ (expected));
  assert.equal(keys.keyOf("play"), "Space");
  assert.equal(keys.rebind("play", "Space"), null, "its own key is no conflict");
});

test("what was stored and cannot be any more is left out", () => {
  const keys = new KeyMap([{ name: "shot", hotkey: "q" }]);
  keys.fromJSON({ play: ["Q"], loop: ["Ctrl+W"], fly: ["F2"], step_back: "F4", go_to: ["F9"] });
  assert.equal(keys.classOf("Q"), "shot", "the type keeps its key");
  assert.equal(keys.keyOf("loop"), showCombo("Shift+Space"));
  assert.equal(keys.keyOf("go_to"), "F9");
  assert.equal(keys.keyOf("step_back"), "←");
  keys.fromJSON(null);
  assert.equal(keys.keyOf("go_to"), "G");
});
