// The page of the inbox: queue, picture with its curve, decisions, and how good the rest is.

import { element, formatTime, icon } from "../dom.js";
import { chipsOf, openWords, percentOf, rangeOf } from "./words.js";

/** @typedef {import("./inbox.js").Card} Card */
/** @typedef {import("./inbox.js").Inbox} Inbox */
/** @typedef {import("./inbox.js").Meant} Meant */
/** @typedef {import("../panels/inspector.js").DeclaredType} DeclaredType */
/** @typedef {ReturnType<typeof buildLayout>} Layout */

const LISTED = 14;

/** @type {[string, string, string][]} action, key, words */
const DECISIONS = [
  ["accept", "A", "Accept"],
  ["reject", "X", "Reject"],
  ["unsure", "U", "Unsure"],
];

/**
 * @param {HTMLElement} host
 * @param {(action: string) => void} run
 */
export function buildLayout(host, run) {
  const button = (/** @type {string} */ action, /** @type {string} */ key, /** @type {string} */ words, kind = "plain") =>
    element("button", { type: "button", class: kind, "data-action": action, onclick: () => run(action) }, element("kbd", {}, key), element("span", {}, words));
  const screen = element("div", { class: "screen" });
  const trouble = element("p", { class: "trouble", role: "alert", hidden: true });
  const curve = element("div", { class: "curve", title: "Click to look at an instant" });
  const clock = element("output", { class: "clock", "aria-label": "time of the shown frame" }, "0:00.000");
  const queue = element("ol", { class: "queue" });
  const heading = element("h3", { class: "question" });
  const about = element("p", { class: "about" });
  const chips = element("p", { class: "chips" });
  const decisions = element("div", { class: "decisions" }, ...DECISIONS.map(([action, key, words]) => button(action, key, words, `decide ${action}`)));
  const watched = button("watched", "A", "That is all", "decide accept");
  const around = /** @type {HTMLInputElement} */ (element("input", { type: "checkbox", checked: true, tabindex: "-1" }));
  const aroundLine = element(
    "label",
    { class: "soft around", title: "What was played around the event teaches the next model what is no event. Take it away where something else happens there; the next card has it again." },
    around,
    element("kbd", {}, "."),
    element("span", {}, "Around it nothing else happens, as far as it was played"),
  );
  const edges = element("div", { class: "edges" });
  const types = element("div", { class: "types" });
  const tools = element(
    "div",
    { class: "tools" },
    button("edit", "E", "Edges"),
    button("undo", "Z", "Undo"),
    button("skip", "S", "Later"),
    button("play", "Space", "Play or pause"),
  );
  const link = element("a", { class: "link", target: "_self" }, "Open in the label station");
  const saved = element("span", { class: "saved" }, element("span", { class: "dot" }), element("span", { class: "words" }));
  const order = element(
    "select",
    { "aria-label": "order of the queue" },
    element("option", { value: "doubt" }, "What teaches most"),
    element("option", { value: "score" }, "Surest first"),
    element("option", { value: "time" }, "Video by video"),
  );
  const filter = element("select", { "aria-label": "event type" });
  const speed = element("select", { "aria-label": "speed" }, ...[0.25, 0.5, 1, 2, 4].map((rate) => element("option", { value: rate, selected: rate === 1 }, `${rate}×`)));
  const bulk = element("button", { type: "button", class: "plain", "data-action": "bulk", onclick: () => run("bulk") }, "Accept many…");
  const meter = element("div", { class: "meter" });
  const empty = element("div", { class: "empty", hidden: true });
  const toast = element("div", { class: "toast", role: "status" });
  const desk = element(
    "div",
    { class: "desk" },
    element("div", { class: "left" }, queue),
    element("div", { class: "middle" }, screen, trouble, curve, element("div", { class: "bar" }, clock, speed, element("span", { class: "grow" }), saved)),
    element("div", { class: "right" }, heading, chips, about, decisions, watched, aroundLine, types, edges, tools, link),
  );
  const root = element("div", { class: "inbox", tabindex: "-1" }, element("div", { class: "bar head" }, order, filter, bulk), desk, empty, meter, toast);
  host.replaceChildren(root);
  return { root, screen, trouble, curve, clock, queue, heading, about, chips, decisions, watched, around, aroundLine, edges, types, tools, link, saved, order, filter, speed, bulk, meter, empty, toast, desk };
}

/**
 * @param {Layout} ui
 * @param {DeclaredType[]} eventTypes
 * @param {(name: string) => void} choose
 */
export function buildTypes(ui, eventTypes, choose) {
  ui.filter.replaceChildren(
    element("option", { value: "" }, "All event types"),
    ...eventTypes.map((type) => element("option", { value: type.name }, type.title)),
  );
  ui.filter.hidden = eventTypes.length < 2;
  ui.types.replaceChildren(
    ...eventTypes.slice(0, 9).map((type, index) =>
      element(
        "button",
        { type: "button", class: "type", "data-type": type.name, style: `--lane:${type.color}`, onclick: () => choose(type.name) },
        element("kbd", {}, String(index + 1)),
        element("span", { class: `mark ${type.kind}` }, letter(index)),
        element("span", {}, type.title),
      ),
    ),
  );
}

/** @param {number} index */
export function letter(index) {
  return String.fromCharCode(65 + (index % 26));
}

/**
 * @param {Layout} ui
 * @param {Inbox} inbox
 * @param {{titleOf: (name: string) => string, pick: (key: string) => void}} how
 */
export function drawQueue(ui, inbox, { titleOf, pick }) {
  ui.queue.replaceChildren(
    ...inbox.cards.slice(0, LISTED).map((card, index) =>
      element(
        "li",
        {},
        element(
          "button",
          { type: "button", class: index ? "row" : "row here", "aria-current": index ? null : "true", onclick: () => pick(card.key) },
          element("span", { class: "what" }, card.event_type ? titleOf(card.event_type) : "Quiet stretch"),
          element("span", { class: "number" }, card.score === null ? "" : card.score.toFixed(2)),
          element("span", { class: "soft" }, `${card.video.name} · ${formatTime(card.start_us)}`),
          element("span", { class: "soft why" }, chipsOf(card)[0] ?? ""),
        ),
      ),
    ),
  );
}

/**
 * @param {Layout} ui
 * @param {Card} card
 * @param {Meant[]} meant
 * @param {{titleOf: (name: string) => string, domain: string, edge: "start" | "end" | null, modelName: string}} how
 */
export function drawCard(ui, card, meant, { titleOf, domain, edge, modelName }) {
  const isStretch = !card.event_type;
  ui.heading.textContent = isStretch ? "Does anything happen here?" : `Is this “${titleOf(card.event_type)}”?`;
  ui.chips.replaceChildren(...chipsOf(card).map((words) => element("span", { class: "chip" }, words)));
  const likely = card.probability === null ? "" : `, ${Math.round(card.probability * 100)} % likely`;
  const sure = card.score === null ? "" : ` · score ${card.score.toFixed(2)} (threshold ${(card.threshold ?? 0).toFixed(2)})${likely}`;
  ui.about.replaceChildren(
    element("strong", {}, card.video.name),
    ` · ${formatTime(card.start_us)}${card.kind === "segment" ? ` to ${formatTime(card.end_us)}` : ""}${sure}`,
    element("br"),
    element("span", { class: "soft" }, `found by ${modelName}`),
  );
  ui.decisions.hidden = isStretch;
  ui.watched.hidden = !isStretch;
  ui.aroundLine.hidden = isStretch;
  ui.watched.lastElementChild?.replaceChildren(meant.length ? `Keep ${meant.length === 1 ? "this event" : `these ${meant.length} events`}` : "Nothing happens");
  for (const choice of ui.types.querySelectorAll("button")) {
    choice.setAttribute("aria-pressed", String(!isStretch && choice.dataset.type === meant[0]?.event_type));
    choice.title = isStretch ? "Mark it at the picture on screen" : "It is this instead";
  }
  ui.edges.replaceChildren(...edgeWords(card, meant, edge, titleOf));
  const place = new URLSearchParams({ domain, video: card.video.id, at: String(card.start_us) });
  ui.link.href = `./?${place}`;
}

/** @param {Card} card @param {Meant[]} meant @param {"start" | "end" | null} edge @param {(name: string) => string} titleOf */
function edgeWords(card, meant, edge, titleOf) {
  if (!card.event_type) {
    if (!meant.length) return [element("p", { class: "soft" }, "Press the number of an event when it happens; A when there is no more.")];
    return meant.map((item) => element("p", {}, `${titleOf(item.event_type)} at ${formatTime(item.start_us)}`));
  }
  const [item] = meant;
  const changed = item.start_us !== card.start_us || item.end_us !== card.end_us;
  if (edge === null && !changed) return [];
  const one = (/** @type {"start" | "end"} */ name, /** @type {number} */ us) =>
    element("span", { class: edge === name ? "edge here" : "edge" }, `${name === "start" ? "Start" : "End"} ${formatTime(us)}`);
  const shown = card.kind === "segment" ? [one("start", item.start_us), one("end", item.end_us)] : [one("start", item.start_us)];
  const hint = edge === null ? "Accept keeps these edges." : `← → move it a frame, Shift ten${card.kind === "segment" ? ", E the other edge" : ""}; A keeps it, Esc gives it up.`;
  return [element("p", { class: "numbers" }, ...shown), element("p", { class: "soft" }, hint)];
}

/** @param {Layout} ui @param {Inbox} inbox */
export function drawMeter(ui, inbox) {
  const { rest } = inbox;
  if (!rest) {
    ui.meter.replaceChildren();
    return;
  }
  const { precision, recall, missed, controls } = rest.estimate;
  if (!controls) {
    ui.meter.replaceChildren(
      element("div", { class: "numbers" }, element("strong", {}, `Reviewed ${inbox.decided}`), element("span", { class: "soft" }, openWords(rest))),
      element("p", { class: "soft" }, "How good the rest is will be known from random controls: every fourth card of “What teaches most” is one."),
    );
    return;
  }
  ui.meter.replaceChildren(
    element("div", { class: "numbers" }, element("strong", {}, `Reviewed ${inbox.decided}`), element("span", { class: "soft" }, openWords(rest))),
    bar("Right, of what is shown in the rest", precision),
    bar("Found, of what is in the rest", recall),
    element("div", { class: "numbers" }, element("span", {}, `Missed in the rest: ${rangeOf(missed)}`), element("span", { class: "soft" }, `from ${controls} random controls`)),
    element("p", { class: "advice" }, rest.advice),
  );
}

/** @param {string} words @param {[number, number] | null} range */
function bar(words, range) {
  const [low, high] = range ?? [0, 0];
  const style = `left:${low * 100}%;width:${Math.max(0.5, (high - low) * 100)}%`;
  return element(
    "div",
    { class: "share" },
    element("span", { class: "soft" }, words),
    element("span", { class: "track", role: "img", "aria-label": `${words}: ${percentOf(range)}` }, range && element("span", { style })),
    element("span", { class: "number" }, percentOf(range)),
  );
}

/** @param {Layout} ui @param {Inbox} inbox */
export function drawState(ui, inbox) {
  const { outbox } = inbox;
  const state = outbox.isOffline ? "offline" : outbox.count ? "saving" : "saved";
  ui.saved.dataset.state = state;
  const words = { offline: `${outbox.count} kept in this browser, the server cannot be reached`, saving: `saving ${outbox.count}`, saved: "saved" }[state];
  ui.saved.lastElementChild?.replaceChildren(words);
  const isIdle = !inbox.card;
  ui.desk.hidden = isIdle;
  ui.empty.hidden = !isIdle;
  if (!isIdle) return;
  ui.empty.replaceChildren(
    ...(inbox.trouble
      ? [element("p", { role: "alert" }, inbox.trouble), element("button", { type: "button", class: "plain", onclick: () => void inbox.load() }, "Try again")]
      : inbox.isLoading
        ? [element("p", { class: "soft" }, "Looking for what is open…")]
        : [icon("check"), element("p", {}, element("strong", {}, "Nothing is left in this queue."), " What was accepted and rejected is in the next dataset version; train again to use it.")]),
  );
}
