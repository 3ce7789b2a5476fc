// The label station: player, timeline, events and keys of one video, working together.

import { Api } from "./api.js";
import { Assist } from "./assist.js";
import { WatchRecorder } from "./coverage.js";
import { element, formatTime } from "./dom.js";
import { Editing } from "./editing.js";
import { Filmstrip } from "./filmstrip.js";
import { FrameTable } from "./frames.js";
import { KeyMap } from "./keymap.js";
import { KeyListener } from "./keys.js";
import { ReactionLag } from "./lag.js";
import { buildLayout } from "./layout.js";
import { Marking } from "./marking.js";
import { Materials, chooseRendition, preparingWords } from "./materials.js";
import { CheatSheet } from "./panels/cheatsheet.js";
import { ConflictPanel } from "./panels/conflicts.js";
import { EventList } from "./panels/event_list.js";
import { showGuide } from "./panels/guide.js";
import { HistoryPanel } from "./panels/history.js";
import { Inspector } from "./panels/inspector.js";
import { Palette } from "./panels/palette.js";
import { SheetPanel } from "./panels/sheet.js";
import { Transport } from "./panels/transport.js";
import { ExactPlayer } from "./player.js";
import { Preferences } from "./preferences.js";
import { LabelStore } from "./store.js";
import { SaveState } from "./panels/save_state.js";
import { Timeline } from "./timeline/timeline.js";
import { createActions } from "./actions.js";

/**
 * @typedef {{user: string, video: {id: string, name: string, codec: string},
 *   domain: {name: string, title: string, guide: string, tolerance_us: number, event_types: import("./panels/inspector.js").DeclaredType[]},
 *   tokens: {video: string, labels: string, annotator: string}}} StationData
 */

/** Positions survive a remount and a switch of the video. @type {Map<string, number>} */
const positions = new Map();

export class Station {
  /**
   * @param {HTMLElement} host
   * @param {StationData} data
   * @param {() => void} onExpired asks the page for new permissions
   */
  constructor(host, data, onExpired) {
    this.data = data;
    this.ui = buildLayout(host);
    /** @type {string | null} */
    this.selected = null;
    /** @type {"start" | "end" | null} */
    this.edge = null;
    /** @type {(() => void)[]} */
    this.closers = [];
    this.api = new Api({
      base: "",
      videoToken: data.tokens.video,
      labelsToken: data.tokens.labels,
      annotatorToken: data.tokens.annotator,
      user: data.user,
      video: data.video.id,
      domain: data.domain.name,
      onExpired,
    });
    this.player = new ExactPlayer(this.ui.video);
    this.ui.video.setAttribute("aria-label", data.video.name);
    this.closed = false;
    this.opening = this.open().catch((error) => this.fail(error));
  }

  async open() {
    const { data, ui, api } = this;
    this.keymap = new KeyMap(data.domain.event_types);
    this.lag = new ReactionLag();
    this.preferences = new Preferences(api, this.keymap, this.lag);
    const types = data.domain.event_types.map((type) => ({ ...type, key: this.keymap?.classKey(type.name) ?? "" }));
    this.titles = new Map(types.map((type) => [type.name, type.title]));
    const steps = await api.bytes(`/api/video/${data.video.id}/frames`, { as: "video" });
    if (this.closed) return;
    // The buffer of an answer starts at 0, so it can be read as whole numbers where it lies.
    this.frames = FrameTable.fromSteps(new Uint32Array(steps.buffer, steps.byteOffset, steps.byteLength / 4));
    this.store = new LabelStore({ api, storage: window.localStorage, user: data.user, video: data.video.id, domain: data.domain.name });
    this.editing = new Editing(this.store, this.frames, this.lag);
    this.marking = new Marking({ player: this.player, lag: this.lag, eventTypes: types, frames: this.frames });
    this.timeline = new Timeline(ui.timeline, { frames: this.frames, eventTypes: types, store: this.store });
    this.buildPanels(types);
    this.materials = new Materials(api, data.video.id);
    this.materials.addEventListener("change", () => this.onMaterial());
    this.watched = new WatchRecorder({ player: this.player, store: this.store, frames: this.frames });
    this.actions = createActions(this);
    this.keys = new KeyListener({
      host: ui.root,
      keymap: this.keymap,
      onAction: (action, event) => this.run(action, event),
      onClassDown: (name, event) => this.marking?.keyDown(name, { shift: event.shiftKey }),
      onClassUp: (name) => this.marking?.keyUp(name),
      onRelease: () => this.marking?.releaseAll(),
      isBlocked: () => this.cheatsheet?.isOpen ?? false,
    });
    this.connect();
    await Promise.all([this.store.open(), this.materials.open(), this.preferences.load()]);
    if (this.closed) return;
    this.cheatsheet?.draw();
    await this.assist?.refresh();
    ui.root.dataset.ready = "true";
  }

  /** @param {(import("./panels/inspector.js").DeclaredType & {key: string})[]} types */
  buildPanels(types) {
    const { ui, store, frames, player, marking, keymap, lag, timeline, data } = this;
    if (!store || !frames || !marking || !keymap || !lag || !timeline) return;
    const titleOf = (/** @type {string} */ name) => this.titleOf(name);
    const goTo = (/** @type {number} */ us) => void player.seekToUs(us);
    const keyOf = (/** @type {string} */ action) => keymap.keyOf(action);
    const act = (/** @type {string} */ action) => this.run(action);
    this.palette = new Palette(ui.palette, types, {
      down: (name, shift) => marking.keyDown(name, { shift }),
      up: (name) => marking.keyUp(name),
    });
    this.transport = new Transport(ui.transport, player, { run: act, keyOf, loop: () => act("loop") });
    this.list = new EventList(ui.list, store, types);
    this.inspector = new Inspector(ui.inspector, store, types, frames);
    this.sheet = new SheetPanel(ui.panes.video, store, {
      user: data.user,
      durationUs: frames.durationUs,
      markRest: () => store.cover(0, frames.durationUs, "watched", { undoable: true }),
    });
    this.conflictPanel = new ConflictPanel(ui.conflicts, store, { titleOf, goTo });
    this.history = new HistoryPanel(ui.panes.history, store, {
      titleOf,
      goTo,
      load: (before, limit) => store.history(before, limit),
      restore: (seq) => store.restore(seq),
    });
    showGuide(ui.panes.guide, { ...data.domain, event_types: types });
    this.saveState = new SaveState(ui.saved, store);
    this.filmstrip = new Filmstrip(ui.filmstrip, { api: this.api, frames, video: data.video.id });
    this.cheatsheet = new CheatSheet(ui.root, keymap, { changed: () => this.preferences?.save(), lag: lagForPeople(lag, () => this.preferences?.save()) });
    this.assist = new Assist(ui.suggestions, {
      api: this.api, store, timeline, video: data.video.id, domain: data.domain, keyOf, act, goTo, titleOf,
      told: (words) => this.tell(words),
    });
  }

  connect() {
    const { ui, player, timeline, store, marking, list, inspector, filmstrip, editing, history } = this;
    if (!timeline || !store || !marking || !list || !inspector || !filmstrip || !editing) return;
    const detail = (/** @type {Event} */ event) => /** @type {CustomEvent} */ (event).detail;
    player.addEventListener("frame", (event) => this.onFrame(detail(event)));
    player.addEventListener("state", (event) => ui.root.classList.toggle("playing", detail(event).playing));
    player.addEventListener("trouble", (event) => this.onTrouble(detail(event)));
    marking.addEventListener("mark", (event) => this.select(editing.add(detail(event)), null));
    marking.addEventListener("open", (event) => this.onHolds(detail(event).holds));
    timeline.addEventListener("seek", (event) => void player.seekToUs(detail(event).us));
    timeline.addEventListener("select", (event) => this.select(detail(event).id, detail(event).edge ?? null));
    timeline.addEventListener("create", (event) => {
      const { event_type, start_us, end_us } = detail(event);
      const kind = this.kindOf(event_type);
      this.select(editing.add({ event_type, kind, start_us, end_us, live: null }), null);
    });
    timeline.addEventListener("edit", (event) => {
      const { id, changes, final } = detail(event);
      if (final) editing.change(id, changes);
      else if (typeof (changes.end_us ?? changes.start_us) === "number") this.preview(changes);
    });
    timeline.addEventListener("paint", (event) => {
      const { start_us, end_us, state } = detail(event);
      store.cover(start_us, end_us, state, { undoable: true });
    });
    list.addEventListener("select", (event) => this.select(detail(event).id, null, true));
    list.addEventListener("open", (event) => this.select(detail(event).id, "start", true));
    inspector.addEventListener("edit", (event) => editing.change(detail(event).id, detail(event).changes));
    inspector.addEventListener("remove", () => this.run("delete"));
    inspector.addEventListener("edge", (event) => this.select(detail(event).id, detail(event).edge, true));
    filmstrip.addEventListener("pick", (event) => this.moveEdge(detail(event).us));
    store.addEventListener("refused", (event) => this.tell(detail(event).message));
    store.addEventListener("change", () => {
      if (this.selected && !store.get(this.selected)) this.select(null, null);
      window.dispatchEvent(new CustomEvent("prismata:labels"));
    });
    store.addEventListener("sheet", () => window.dispatchEvent(new CustomEvent("prismata:labels")));
    ui.opened.addEventListener("tab", (event) => detail(event).name === "history" && history?.open());
    for (const [button, action] of /** @type {const} */ ([[ui.undo, "undo"], [ui.redo, "redo"], [ui.fit, "fit_all"], [ui.closer, "zoom_in"], [ui.wider, "zoom_out"], [ui.help, "cheat_sheet"]])) {
      button.addEventListener("click", () => this.run(action));
    }
    const drawUndo = () => {
      ui.undo.disabled = !store.canUndo;
      ui.redo.disabled = !store.canRedo;
      ui.undo.setAttribute("aria-label", store.canUndo ? `undo: ${store.undoTitle}` : "nothing to undo");
      ui.redo.setAttribute("aria-label", "redo");
    };
    for (const name of ["change", "coverage", "sheet"]) store.addEventListener(name, drawUndo);
    drawUndo();
  }

  /** @param {{frame: number | null, us: number, exact: boolean, playing: boolean}} shown */
  onFrame({ us, playing, exact }) {
    this.timeline?.setPlayhead(us);
    if (playing) this.timeline?.follow(us);
    if (exact || playing) positions.set(this.data.video.id, us);
  }

  onMaterial() {
    const material = this.materials?.now;
    if (!material || !this.frames) return;
    const { rendition, words } = chooseRendition(material);
    const going = preparingWords(material);
    this.transport?.setRendition(going && rendition ? `${words} · ${going}` : words);
    if (rendition && rendition !== this.rendition) {
      this.rendition = rendition;
      this.ui.trouble.hidden = true;
      this.load();
    } else if (!rendition) {
      this.showTrouble(`${words} ${going}`, this.materials?.isPreparing ? null : "Make a proxy");
    }
    this.timeline?.setMaterial({
      thumbs: material.thumbs,
      thumbUrl: (n) => this.api.url(`/api/video/${this.data.video.id}/thumbs/${n}`),
      waveform: this.waveform ?? null,
      peaksPerSecond: material.waveform?.peaks_per_second ?? 0,
    });
    if (material.waveform && !this.waveform) void this.loadWaveform();
  }

  async loadWaveform() {
    this.waveform = new Uint8Array(0);
    this.waveform = await this.api.bytes(`/api/video/${this.data.video.id}/waveform`, { as: "video" });
    this.onMaterial();
  }

  load() {
    const { frames, data } = this;
    if (!frames || !this.rendition) return;
    const kept = positions.get(data.video.id) ?? 0;
    this.player.load({
      url: this.api.url(`/api/video/${data.video.id}`, { rendition: this.rendition }),
      frames,
      codec: data.video.codec,
      startFrame: this.player.frame ?? frames.indexAt(kept),
    });
  }

  /** @param {{sentence: string, kind: string}} trouble */
  onTrouble({ sentence, kind }) {
    if (kind === "expired") {
      this.api.expired();
      return;
    }
    const offer = kind === "unplayable" && this.rendition === "source" && !this.materials?.now?.proxy;
    this.showTrouble(sentence, offer ? "Make a proxy" : null);
  }

  /**
   * @param {string} words
   * @param {string | null} action
   */
  showTrouble(words, action) {
    const button = action && element("button", { type: "button", class: "plain", onclick: () => void this.materials?.prepare().catch((error) => this.fail(error)) }, action);
    this.ui.trouble.replaceChildren(element("span", {}, words), ...(button ? [button] : []));
    this.ui.trouble.hidden = false;
  }

  /** @param {{event_type: string, start_us: number, locked?: boolean}[]} holds */
  onHolds(holds) {
    this.timeline?.setOpenHolds(holds);
    this.palette?.setOpenHolds(holds);
    this.ui.holds.replaceChildren(
      ...holds.map((hold) => element("span", { class: "hold" }, `${this.titleOf(hold.event_type)} since ${formatTime(hold.start_us)}`)),
    );
  }

  /** @param {{start_us?: number, end_us?: number}} changes */
  preview(changes) {
    const us = changes.end_us !== undefined && changes.start_us === undefined ? changes.end_us - 1 : changes.start_us;
    if (us !== undefined) void this.player.seekToUs(Math.max(0, us));
  }

  /**
   * @param {string | null} id
   * @param {"start" | "end" | null} edge
   * @param {boolean} [go] also show it
   */
  select(id, edge, go = false) {
    const event = id ? this.store?.get(id) : undefined;
    this.selected = event ? id : null;
    this.edge = event ? edge : null;
    this.timeline?.setSelection(this.selected ? { id: this.selected, edge: this.edge } : null);
    this.list?.setSelection(this.selected);
    this.inspector?.show(this.selected);
    if (event && go) {
      void this.player.seekToUs(edge === "end" ? Math.max(0, event.end_us - 1) : event.start_us);
      this.timeline?.follow(event.start_us);
    }
    this.showFilmstrip();
  }

  showFilmstrip() {
    const event = this.selected ? this.store?.get(this.selected) : undefined;
    if (!event || !this.edge) this.filmstrip?.hide();
    else void this.filmstrip?.show({ edge: this.edge, us: this.edge === "end" ? event.end_us : event.start_us, kind: event.kind });
  }

  /** @param {number} us */
  moveEdge(us) {
    const event = this.selected ? this.store?.get(this.selected) : undefined;
    if (!event || !this.edge || !this.selected) return;
    const changes = event.kind === "point" ? { start_us: us, end_us: us } : { [this.edge === "start" ? "start_us" : "end_us"]: us };
    if (this.editing?.change(this.selected, changes)) {
      void this.player.seekToUs(this.edge === "end" ? Math.max(0, us - 1) : us);
    } else this.tell("An event cannot end before it starts.");
    this.showFilmstrip();
  }

  /**
   * @param {string} action
   * @param {KeyboardEvent} [event]
   */
  run(action, event) {
    const act = this.actions?.[action];
    if (!act) return false;
    Promise.resolve(act(event)).catch((error) => this.fail(error));
    return true;
  }

  /** @param {string} name */
  titleOf(name) {
    return this.titles?.get(name) ?? name;
  }

  /** @param {string} name */
  kindOf(name) {
    return this.data.domain.event_types.find((type) => type.name === name)?.kind ?? "point";
  }

  /** @param {string} words */
  tell(words) {
    this.ui.told.textContent = words;
    clearTimeout(this.toldTimer);
    this.toldTimer = setTimeout(() => (this.ui.told.textContent = ""), 6000);
  }

  /** @param {unknown} error */
  fail(error) {
    if (this.closed) return;
    const words = error instanceof Error ? error.message : String(error);
    if (this.ui.root.dataset.ready) this.tell(words);
    else this.showTrouble(words, null);
  }

  /** @param {StationData} data the same video, domain and user with other permissions */
  renew(data) {
    this.data = data;
    this.api.renew(data.tokens);
    this.load();
    if (!this.ui.root.dataset.ready) this.opening = this.open().catch((error) => this.fail(error));
  }

  close() {
    this.closed = true;
    this.marking?.releaseAll();
    for (const part of [this.keys, this.watched, this.store, this.player, this.timeline, this.materials, this.list, this.inspector, this.sheet, this.conflictPanel, this.filmstrip, this.saveState]) {
      part?.close();
    }
    clearTimeout(this.toldTimer);
  }
}

/**
 * @param {ReactionLag} lag
 * @param {() => void} changed
 */
function lagForPeople(lag, changed) {
  return {
    get enabled() { return lag.enabled; },
    get ms() { return lag.ms; },
    get learned() { return lag.isLearned; },
    get count() { return lag.count; },
    setEnabled: (/** @type {boolean} */ on) => { lag.enabled = on; changed(); },
    forget: () => { lag.forget(); changed(); },
  };
}
