// The skeleton of the station: where everything stands, before anything works.

import { element, icon } from "./dom.js";

const TABS = /** @type {const} */ ([
  ["events", "Events"],
  ["video", "Video"],
  ["guide", "Guide"],
  ["history", "History"],
]);

/** @typedef {(typeof TABS)[number][0]} TabName */

/** @param {HTMLElement} host */
export function buildLayout(host) {
  const video = element("video", { playsinline: true, preload: "auto", tabindex: "-1" });
  video.disablePictureInPicture = true;
  const trouble = element("div", { class: "trouble", role: "alert", hidden: true });
  const rendition = element("span", { class: "rendition" });
  const holds = element("div", { class: "holds", "aria-live": "polite" });
  const screen = element("div", { class: "screen", "data-stage": "" }, video, rendition, holds, trouble);
  const palette = element("div", { class: "palette" });
  const transport = element("div", { class: "transport" });
  const saved = element("output", { class: "saved", "aria-live": "polite" });
  const undo = element("button", { type: "button", class: "quiet" }, icon("undo"));
  const redo = element("button", { type: "button", class: "quiet" }, icon("redo"));
  const fit = element("button", { type: "button", class: "quiet", "aria-label": "show the whole video" }, icon("fit"));
  const closer = element("button", { type: "button", class: "quiet", "aria-label": "zoom in" }, icon("plus"));
  const wider = element("button", { type: "button", class: "quiet", "aria-label": "zoom out" }, icon("minus"));
  const help = element("button", { type: "button", class: "quiet", "aria-label": "keys" }, icon("help"));
  const bar = element(
    "div",
    { class: "bar" },
    transport,
    element("div", { class: "edit" }, undo, redo, wider, closer, fit, help),
  );
  const told = element("div", { class: "toast", role: "status" });
  const suggestions = element("div", { class: "suggestions" });
  const timeline = element("div", { class: "timeline" });
  const filmstrip = element("div", { class: "filmstrip-host" });
  const conflicts = element("div", { class: "conflicts", role: "alert" });

  /** @type {Record<TabName, HTMLElement>} */
  const panes = /** @type {any} */ ({});
  /** @type {Record<TabName, HTMLButtonElement>} */
  const tabs = /** @type {any} */ ({});
  const tablist = element("div", { class: "tabs", role: "tablist", "aria-label": "about this video" });
  const side = element("aside", { class: "side", "aria-label": "events and details" }, conflicts, tablist);
  for (const [name, title] of TABS) {
    tabs[name] = element(
      "button",
      { type: "button", role: "tab", id: `tab-${name}`, "aria-controls": `pane-${name}`, onclick: () => show(name) },
      title,
    );
    panes[name] = element("div", { class: `pane ${name}`, role: "tabpanel", id: `pane-${name}`, "aria-labelledby": `tab-${name}` });
    tablist.append(tabs[name]);
    side.append(panes[name]);
  }
  tablist.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const at = TABS.findIndex(([name]) => tabs[name].getAttribute("aria-selected") === "true");
    const [name] = TABS[(at + step + TABS.length) % TABS.length];
    show(name);
    tabs[name].focus();
  });
  const opened = new EventTarget();

  /** @param {TabName} name */
  function show(name) {
    for (const [other] of TABS) {
      tabs[other].setAttribute("aria-selected", String(other === name));
      tabs[other].tabIndex = other === name ? 0 : -1;
      panes[other].hidden = other !== name;
    }
    opened.dispatchEvent(new CustomEvent("tab", { detail: { name } }));
  }

  const list = element("div", { class: "event-list" });
  const inspector = element("div", { class: "inspector" });
  const remarks = element("div", { class: "remarks", "aria-live": "polite" });
  panes.events.append(remarks, list, inspector);
  const root = element(
    "div",
    { class: "frame-of-station" },
    element("div", { class: "stage" }, screen, element("div", { class: "mark-row" }, palette, saved), bar),
    side,
    element("div", { class: "below" }, suggestions, timeline, filmstrip),
    told,
  );
  host.replaceChildren(root);
  show("events");
  return {
    root, screen, video, rendition, trouble, holds, palette, transport, saved, undo, redo, fit, closer, wider, help, told,
    suggestions, timeline, filmstrip, conflicts, panes, tabs, show, opened, list, inspector, remarks,
  };
}

/** @typedef {ReturnType<typeof buildLayout>} Layout */
