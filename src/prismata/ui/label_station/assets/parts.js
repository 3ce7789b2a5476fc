// Everything that a station consists of, made once the frames of its video are known.

import { Assist } from "./assist.js";
import { Editing } from "./editing.js";
import { Filmstrip } from "./filmstrip.js";
import { KeyMap } from "./keymap.js";
import { ReactionLag } from "./lag.js";
import { Marking } from "./marking.js";
import { Materials } from "./materials.js";
import { CheatSheet } from "./panels/cheatsheet.js";
import { ConflictPanel } from "./panels/conflicts.js";
import { EventList } from "./panels/event_list.js";
import { showGuide } from "./panels/guide.js";
import { HistoryPanel } from "./panels/history.js";
import { Inspector } from "./panels/inspector.js";
import { Palette } from "./panels/palette.js";
import { Remarks } from "./panels/remarks.js";
import { SaveState } from "./panels/save_state.js";
import { SheetPanel } from "./panels/sheet.js";
import { Transport } from "./panels/transport.js";
import { Preferences } from "./preferences.js";
import { browserStorage } from "./storage.js";
import { LabelStore } from "./store.js";
import { Timeline } from "./timeline/timeline.js";

/** @typedef {import("./station.js").Station} Station */
/** @typedef {import("./frames.js").FrameTable} FrameTable */

/**
 * @param {Station} station
 * @param {FrameTable} frames
 */
export function buildParts(station, frames) {
  const { data, ui, api, player } = station;
  const video = data.video.id;
  const keymap = new KeyMap(data.domain.event_types);
  const lag = new ReactionLag();
  const preferences = new Preferences(api, keymap, lag);
  const types = data.domain.event_types.map((type) => ({ ...type, key: keymap.classKey(type.name) }));
  const store = new LabelStore({ api, storage: browserStorage(), user: data.user, video, domain: data.domain.name });
  const editing = new Editing(store, frames, lag);
  const marking = new Marking({ player, lag, eventTypes: types, frames });
  const timeline = new Timeline(ui.timeline, { frames, eventTypes: types, store });

  const titleOf = (/** @type {string} */ name) => station.titleOf(name);
  const goTo = (/** @type {number} */ us) => void player.seekToUs(us);
  const keyOf = (/** @type {string} */ action) => keymap.keyOf(action);
  const act = (/** @type {string} */ action) => void station.run(action);
  const told = (/** @type {string} */ words) => station.tell(words);

  const pictureUrl = (/** @type {string} */ name) => station.pictureUrl(name);
  showGuide(ui.panes.guide, { ...data.domain, event_types: types }, pictureUrl);
  return {
    frames, keymap, lag, preferences, types, store, editing, marking, timeline,
    materials: new Materials(api, video),
    palette: new Palette(ui.palette, types, {
      down: (name, shift) => marking.keyDown(name, { shift }),
      up: (name) => marking.keyUp(name),
    }),
    transport: new Transport(ui.transport, player, { run: act, keyOf, loop: () => act("loop") }),
    list: new EventList(ui.list, store, types),
    inspector: new Inspector(ui.inspector, store, types, frames),
    remarks: new Remarks(ui.remarks, store, { load: () => api.json(`/api/labels/${video}/${data.domain.name}/remarks`) }),
    sheet: new SheetPanel(ui.panes.video, store, {
      user: data.user,
      durationUs: frames.durationUs,
      markRest: () => store.cover(0, frames.durationUs, "watched", { undoable: true }),
    }),
    conflicts: new ConflictPanel(ui.conflicts, store, { titleOf, goTo }),
    history: new HistoryPanel(ui.panes.history, store, {
      titleOf,
      goTo,
      load: (before, limit) => store.history(before, limit),
      restore: (seq) => store.restore(seq),
    }),
    saveState: new SaveState(ui.saved, store),
    filmstrip: new Filmstrip(ui.filmstrip, { api, frames, video }),
    cheatsheet: new CheatSheet(ui.root, keymap, {
      changed: () => preferences.save(),
      lag: {
        get enabled() { return lag.enabled; },
        get ms() { return lag.ms; },
        get learned() { return lag.isLearned; },
        get count() { return lag.count; },
        setEnabled: (on) => (lag.enabled = on),
        forget: () => lag.forget(),
      },
    }),
    assist: new Assist(ui.suggestions, { api, store, timeline, video, domain: data.domain, keyOf, act, goTo, begin: () => editing.begin(), titleOf, told, show: (us) => station.show(us), tell: (name, value) => station.page.told(name, value) }),
  };
}

/** @typedef {ReturnType<typeof buildParts>} Parts */
