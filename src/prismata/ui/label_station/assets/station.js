// The label station: player, timeline, events and keys of one video, working together.

import { createActions, frameOf } from "./actions.js";
import { Api } from "./api.js";
import { WatchRecorder } from "./coverage.js";
import { element, formatTime } from "./dom.js";
import { FrameTable } from "./frames.js";
import { KeyListener } from "./keys.js";
import { buildLayout } from "./layout.js";
import { chooseRendition, preparingWords } from "./materials.js";
import { buildParts } from "./parts.js";
import { ExactPlayer } from "./player.js";

/** @typedef {import("./parts.js").Parts} Parts */
/**
 * @typedef {{user: string, video: {id: string, name: string, codec: string},
 *   at_us: number | null,
 *   result?: import("./assist.js").ResultData,
 *   domain: {name: string, title: string, guide: string, tolerance_us: number, tolerances_us: Record<string, number>, event_types: import("./panels/inspector.js").DeclaredType[]},
 *   tokens: {video: string, labels: string, annotator: string, guide: string}}} StationData
 */

const TOLD_MS = 6000;


export class Station {
  /**
   * @param {HTMLElement} host
   * @param {StationData} data
   * @param {{expired: () => void, told: (name: string, value: unknown) => void}} page asks the page
   *   for new permissions; tells it what a person does with a result
   */
  constructor(host, data, page) {
    this.data = data;
    this.page = page;
    this.ui = buildLayout(host);
    /** @type {Parts | null} */
    this.parts = null;
    /** @type {string | null} */
    this.selected = null;
    /** @type {"start" | "end" | null} */
    this.edge = null;
    /** @type {"source" | "proxy" | null} */
    this.rendition = null;
    /** @type {Uint8Array | null} */
    this.waveform = null;
    /** @type {Record<string, import("./actions.js").Act>} */
    this.actions = {};
    this.isClosed = false;
    this.api = new Api({
      base: "",
      videoToken: data.tokens.video,
      labelsToken: data.tokens.labels,
      annotatorToken: data.tokens.annotator,
      user: data.user,
      video: data.video.id,
      domain: data.domain.name,
      onExpired: page.expired,
    });
    this.titles = new Map(data.domain.event_types.map((type) => [type.name, type.title]));
    this.player = new ExactPlayer(this.ui.video);
    this.ui.video.setAttribute("aria-label", data.video.name);
    this.ui.root.classList.toggle("result", Boolean(data.result));
    if (data.result) window.addEventListener("prismata:seek", this.onSought);
    this.opening = this.open().catch((error) => this.fail(error));
  }

  /** What stands beside the station points at an instant. @type {(event: Event) => void} */
  onSought = (event) => this.show(/** @type {CustomEvent} */ (event).detail.us);

  async open() {
    const steps = await this.api.bytes(`/api/video/${this.data.video.id}/frames`, { as: "video" });
    if (this.isClosed || this.parts) return;
    const frames = FrameTable.fromSteps(new Uint32Array(steps.buffer, steps.byteOffset, steps.byteLength / 4));
    const parts = buildParts(this, frames);
    this.parts = parts;
    this.actions = createActions(this, parts);
    // Who looks at a result looks at what was found: that the rest was seen is not said by it.
    if (!this.data.result) this.watched = new WatchRecorder({ player: this.player, store: parts.store, frames });
    this.keys = new KeyListener({
      host: this.ui.root,
      keymap: parts.keymap,
      onAction: (action, event) => this.run(action, event),
      onClassDown: (name, event) => parts.marking.keyDown(name, { shift: event.shiftKey, at: event.timeStamp }),
      onClassUp: (name, event) => parts.marking.keyUp(name, { at: event.timeStamp }),
      onRelease: () => parts.marking.releaseAll(),
      isBlocked: () => parts.cheatsheet.isOpen,
    });
    this.connect(parts);
    // Without a person's own keys the usual ones hold; that is told, and no reason not to label.
    const known = parts.preferences.load().catch((error) => this.tell(`Your own keys could not be loaded: ${error.message}`));
    await Promise.all([parts.store.open(), parts.materials.open(), known]);
    if (this.isClosed) return;
    await parts.assist.refresh();
    await parts.assist.show(this.data.result ?? null);
    this.ui.root.dataset.ready = "true";
  }

  /** @param {Parts} parts */
  connect(parts) {
    const { ui, player } = this;
    const { store, editing, marking, timeline, list, inspector, remarks, filmstrip, materials, history } = parts;
    /** @param {EventTarget} target @param {string} name @param {(detail: any) => unknown} act */
    const on = (target, name, act) => target.addEventListener(name, (event) => act(/** @type {CustomEvent} */ (event).detail));
    on(player, "frame", (shown) => this.onFrame(shown));
    on(player, "state", ({ playing }) => ui.root.classList.toggle("playing", playing));
    on(player, "trouble", (trouble) => this.onTrouble(trouble));
    on(marking, "mark", (mark) => this.select(editing.add(mark), null));
    on(marking, "open", ({ holds }) => this.onHolds(holds));
    on(timeline, "seek", ({ us }) => player.seekToUs(us));
    on(timeline, "select", ({ id, edge }) => this.select(id, edge ?? null));
    on(timeline, "create", ({ event_type, start_us, end_us }) => this.mark(event_type, start_us, end_us));
    on(timeline, "edit", ({ id, changes, final }) => (final ? this.onDragged(id, changes) : this.preview(changes)));
    on(timeline, "paint", ({ start_us, end_us, state }) => store.cover(start_us, end_us, state, { undoable: true }));
    on(list, "select", ({ id }) => this.select(id, null, true));
    on(list, "open", ({ id }) => this.select(id, "start", true));
    on(remarks, "select", ({ id }) => this.select(id, null, true));
    on(remarks, "seek", ({ us }) => player.seekToUs(us));
    on(inspector, "edit", ({ id, changes }) => editing.change(id, changes) || this.tell("An event cannot end before it starts."));
    on(inspector, "remove", () => this.run("delete"));
    on(inspector, "edge", ({ id, edge }) => this.select(id, edge, true));
    on(filmstrip, "pick", ({ us }) => this.changeEdge(this.edge ?? "start", us));
    on(filmstrip, "next", () => this.run("next_edge"));
    on(materials, "change", () => this.onMaterial());
    on(store, "refused", ({ message }) => this.tell(message));
    on(store, "change", () => this.onLabels());
    on(store, "sheet", () => tellLibrary());
    on(store, "coverage", () => tellLibrary());
    on(ui.opened, "tab", ({ name }) => name === "history" && history.open());
    const buttons = /** @type {const} */ ([
      [ui.undo, "undo"], [ui.redo, "redo"], [ui.fit, "fit_all"], [ui.closer, "zoom_in"], [ui.wider, "zoom_out"], [ui.help, "cheat_sheet"],
    ]);
    for (const [button, action] of buttons) {
      button.addEventListener("click", () => this.run(action));
      button.title = `${button.getAttribute("aria-label") ?? action} (${parts.keymap.keyOf(action)})`;
    }
    for (const name of ["change", "coverage", "sheet"]) on(store, name, () => this.drawUndo());
    this.drawUndo();
  }

  drawUndo() {
    const store = this.parts?.store;
    if (!store) return;
    this.ui.undo.disabled = !store.canUndo;
    this.ui.redo.disabled = !store.canRedo;
    this.ui.undo.setAttribute("aria-label", store.canUndo ? `undo: ${store.undoTitle}` : "nothing to undo");
    this.ui.redo.setAttribute("aria-label", store.canRedo ? "redo" : "nothing to redo");
  }

  /** @param {{us: number, playing: boolean, exact: boolean}} shown */
  onFrame({ us, playing, exact }) {
    this.parts?.timeline.setPlayhead(us);
    if (playing) this.parts?.timeline.follow(us);
    if (exact) rememberPosition(this.data.video.id, us);
    if (this.data.result) window.dispatchEvent(new CustomEvent("prismata:time", { detail: { us } }));
  }

  /** Go to an instant and have it in sight. @param {number} us */
  show(us) {
    void this.player.seekToUs(us);
    this.parts?.timeline.follow(us);
  }

  onLabels() {
    if (this.selected && !this.parts?.store.get(this.selected)) this.select(null, null);
    tellLibrary();
  }

  onMaterial() {
    const { parts } = this;
    const material = parts?.materials.now;
    if (!parts || !material) return;
    const { rendition, words } = chooseRendition(material);
    const going = preparingWords(material);
    this.ui.rendition.textContent = rendition ? [words, going].filter(Boolean).join(" · ") : "";
    if (rendition && rendition !== this.rendition) {
      this.rendition = rendition;
      this.ui.trouble.hidden = true;
      this.load();
    } else if (!rendition) {
      this.showTrouble(`${words} ${going}`, parts.materials.isPreparing ? null : "Make a proxy");
    }
    parts.timeline.setMaterial({
      thumbs: material.thumbs,
      thumbUrl: (n) => this.mediaUrl(`/thumbs/${n}`),
      waveform: this.waveform,
      peaksPerSecond: material.waveform?.peaks_per_second ?? 0,
    });
    if (material.waveform && !this.waveform) {
      this.waveform = new Uint8Array(0);
      this.api.bytes(`/api/video/${this.data.video.id}/waveform`, { as: "video" }).then(
        (peaks) => {
          this.waveform = peaks;
          this.onMaterial();
        },
        () => (this.waveform = null),
      );
    }
  }

  /** @param {string} path @param {Record<string, string>} [query] */
  mediaUrl(path, query = {}) {
    const all = new URLSearchParams({ ...query, token: this.api.tokens.video });
    return `/api/video/${this.data.video.id}${path}?${all}`;
  }

  /** Of the label guide. @param {string} name */
  pictureUrl(name) {
    const { domain, tokens } = this.data;
    return `/api/guide/${domain.name}/${encodeURIComponent(name)}?${new URLSearchParams({ token: tokens.guide })}`;
  }

  load() {
    const { parts, rendition, data } = this;
    if (!parts || !rendition) return;
    void this.player.load({
      url: this.mediaUrl("", { rendition }),
      frames: parts.frames,
      codec: rendition === "proxy" ? "h264" : data.video.codec,
      startFrame:
        this.player.shown === null ? parts.frames.indexAt(rememberedPosition(data.video.id)) : this.player.place,
    });
  }

  /** @param {{sentence: string, kind: string}} trouble */
  onTrouble({ sentence, kind }) {
    if (kind === "expired") {
      this.api.askForNew();
      return;
    }
    const offer = kind === "unplayable" && this.rendition === "source" && !this.parts?.materials.now?.proxy;
    this.showTrouble(sentence, offer ? "Make a proxy" : null);
  }

  /**
   * @param {string} words
   * @param {string | null} action
   */
  showTrouble(words, action) {
    const make = () => this.parts?.materials.prepare().catch((error) => this.fail(error));
    this.ui.trouble.replaceChildren(
      element("span", {}, words),
      ...(action ? [element("button", { type: "button", class: "plain", onclick: make }, action)] : []),
    );
    this.ui.trouble.hidden = false;
  }

  /** @param {{event_type: string, start_us: number, locked: boolean}[]} holds */
  onHolds(holds) {
    this.parts?.timeline.setOpenHolds(holds);
    this.parts?.palette.setOpenHolds(holds);
    this.ui.holds.replaceChildren(
      ...holds.map((hold) => element("span", { class: "hold" }, `${this.titleOf(hold.event_type)} since ${formatTime(hold.start_us)}`)),
    );
  }

  /**
   * Store a mark that was not made live, and select it.
   *
   * @param {string} eventType
   * @param {number} startUs
   * @param {number} endUs
   */
  mark(eventType, startUs, endUs) {
    const kind = this.data.domain.event_types.find((type) => type.name === eventType)?.kind ?? "point";
    const id = this.parts?.editing.add({ event_type: eventType, kind, start_us: startUs, end_us: endUs, live: null });
    this.select(id ?? null, null);
  }

  /** @param {string} id @param {Record<string, number>} changes */
  onDragged(id, changes) {
    this.parts?.editing.change(id, changes);
    this.showFilmstrip();
  }

  /** Show what a drag is about to set. @param {{start_us?: number, end_us?: number}} changes */
  preview({ start_us, end_us }) {
    const us = start_us ?? (end_us === undefined ? undefined : end_us - 1);
    if (us !== undefined) void this.player.seekToUs(Math.max(0, us));
  }

  /**
   * @param {string | null} id
   * @param {"start" | "end" | null} edge
   * @param {boolean} [go] also show it
   */
  select(id, edge, go = false) {
    const { parts } = this;
    const event = id ? parts?.store.get(id) : undefined;
    this.selected = event ? id : null;
    this.edge = event ? edge : null;
    parts?.timeline.setSelection(this.selected ? { id: this.selected, edge: this.edge } : null);
    parts?.list.setSelection(this.selected);
    parts?.inspector.show(this.selected);
    if (event && go) {
      void this.player.seekToUs(edge === "end" && event.kind === "segment" ? Math.max(0, event.end_us - 1) : event.start_us);
      parts?.timeline.follow(event.start_us);
    }
    this.showFilmstrip();
  }

  showFilmstrip() {
    const { parts, edge } = this;
    const event = this.selected ? parts?.store.get(this.selected) : undefined;
    if (!event || !edge) parts?.filmstrip.hide();
    else void parts?.filmstrip.show({ edge, us: edge === "end" ? event.end_us : event.start_us, kind: event.kind });
  }

  /**
   * Put an edge of the selected event somewhere, and show it there.
   *
   * @param {"start" | "end"} edge
   * @param {number} us
   */
  changeEdge(edge, us) {
    const { parts, selected } = this;
    const event = selected ? parts?.store.get(selected) : undefined;
    if (!event || !selected) return;
    const isPoint = event.kind === "point";
    const changes = isPoint ? { start_us: us, end_us: us } : { [edge === "start" ? "start_us" : "end_us"]: us };
    if (parts?.editing.change(selected, changes)) {
      void this.player.seekToUs(edge === "end" && !isPoint ? Math.max(0, us - 1) : us);
    } else this.tell("An event cannot end before it starts.");
    this.showFilmstrip();
  }

  /** Ask for a time or a frame in place of the clock, and go there. */
  askWhere() {
    const { parts } = this;
    if (!parts) return;
    const { clock } = parts.transport;
    const field = element("input", {
      type: "text",
      class: "where",
      value: clock.textContent ?? "",
      "aria-label": "time as 1:02.500, or frame as f123",
      onkeydown: (/** @type {KeyboardEvent} */ event) => {
        event.stopPropagation();
        if (event.key === "Escape") field.blur();
        if (event.key !== "Enter") return;
        const frame = frameOf(field.value, parts.frames);
        if (frame === null) {
          this.tell(`${field.value} is neither a time up to ${formatTime(parts.frames.durationUs)} nor a frame up to f${parts.frames.count - 1}.`);
          return;
        }
        field.blur();
        void this.player.seekToFrame(frame);
        parts.timeline.follow(parts.frames.startUs(frame));
      },
      onblur: () => field.replaceWith(clock),
    });
    clock.replaceWith(field);
    field.select();
  }

  /**
   * @param {string} action
   * @param {KeyboardEvent} [event]
   * @returns {boolean} false if the key is to do what it does elsewhere
   */
  run(action, event) {
    const done = this.actions[action]?.(event);
    if (done instanceof Promise) done.catch((error) => this.fail(error));
    return done !== false;
  }

  /** @param {string} name */
  titleOf(name) {
    return this.titles.get(name) ?? name;
  }

  /** @param {string} words */
  tell(words) {
    this.ui.told.textContent = words;
    clearTimeout(this.toldTimer);
    this.toldTimer = setTimeout(() => (this.ui.told.textContent = ""), TOLD_MS);
  }

  /** @param {unknown} error */
  fail(error) {
    if (this.isClosed) return;
    const words = error instanceof Error ? error.message : String(error);
    if (this.ui.root.dataset.ready) this.tell(words);
    else this.showTrouble(words, null);
  }

  /** @param {StationData} data the same video, domain and user with other permissions */
  renew(data) {
    this.data = data;
    this.api.renew(data.tokens);
    if (this.parts) {
      this.load();
      void this.parts.assist.show(data.result ?? null);
    } else this.opening = this.open().catch((error) => this.fail(error));
  }

  /** @param {StationData} data the same, with another wish of what to see of a result */
  follow(data) {
    this.data = data;
    void this.parts?.assist.show(data.result ?? null);
  }

  close() {
    this.isClosed = true;
    window.removeEventListener("prismata:seek", this.onSought);
    clearTimeout(this.toldTimer);
    this.keys?.close();
    this.parts?.marking.releaseAll();
    this.watched?.close();
    for (const part of Object.values(this.parts ?? {})) {
      if (part && typeof part === "object" && "close" in part && typeof part.close === "function" && part !== this.parts?.cheatsheet) part.close();
    }
    this.player.close();
  }
}

/** Where this tab was in a video, over a remount, a switch and a reload. @param {string} video @param {number} us */
export function rememberPosition(video, us) {
  try {
    sessionStorage.setItem(`prismata.at/${video}`, String(us));
  } catch {
    // Then it starts at the beginning next time.
  }
}

/** @param {string} video */
function rememberedPosition(video) {
  try {
    return Number(sessionStorage.getItem(`prismata.at/${video}`)) || 0;
  } catch {
    return 0;
  }
}

/** The library beside the station shows counts and progress. */
function tellLibrary() {
  window.dispatchEvent(new CustomEvent("prismata:labels"));
}
