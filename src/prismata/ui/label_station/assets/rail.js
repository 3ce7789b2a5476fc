// The library beside the player: find a video, see how far each one is, choose one.

import { element, formatTime } from "./dom.js";
import { STATUSES } from "./panels/sheet.js";

/**
 * @typedef {{id: string, name: string, duration_us: number, status: string, assignee: string, labels: number, seen: number, poster: string}} Item
 * @typedef {{user: string, can_rename: boolean, domain: {name: string, title: string}, chosen: string, token: string}} RailData
 */

const PAGE = 40;
const REFRESH_MS = 10000;
const NAME_KEY = "prismata.user";

class Rail {
  /** @param {HTMLElement} host */
  constructor(host) {
    this.host = host;
    /** @type {Item[]} */
    this.items = [];
    this.total = 0;
    this.asked = 0;
    this.search = element("input", {
      type: "search",
      placeholder: "Search videos",
      "aria-label": "search videos",
      oninput: () => this.searchSoon(),
    });
    this.status = element(
      "select",
      { "aria-label": "review status", onchange: () => this.load() },
      element("option", { value: "" }, "any status"),
      ...STATUSES.map(([value, title]) => element("option", { value }, title)),
    );
    this.assignee = element(
      "select",
      { "aria-label": "assigned to", onchange: () => this.load() },
      element("option", { value: "" }, "anybody"),
    );
    this.scope = element("input", { type: "checkbox", onchange: () => this.load() });
    this.list = element("ul", {
      class: "videos",
      "aria-label": "videos",
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.onKey(event),
    });
    this.more = element("button", { type: "button", class: "plain", onclick: () => this.load(true) }, "More videos");
    this.told = element("p", { class: "soft", role: "status" });
    this.who = element("button", { type: "button", class: "who", onclick: () => this.rename() });
    host.replaceChildren(
      this.search,
      element("div", { class: "filters" }, this.status, this.assignee),
      element("label", { class: "scope" }, this.scope, element("span", {}, "videos of all domains")),
      this.list,
      this.more,
      this.told,
      this.who,
    );
    this.onEdit = () => this.loadSoon(1500);
    window.addEventListener("prismata:labels", this.onEdit);
    this.timer = setInterval(() => document.hidden || this.load(), REFRESH_MS);
  }

  /** @param {{data: RailData, setStateValue: (name: string, value: unknown) => void}} component */
  update({ data, setStateValue }) {
    const before = this.data;
    this.data = data;
    this.setStateValue = setStateValue;
    this.who.textContent = `You are ${data.user}`;
    this.who.title = data.can_rename ? "Nobody signs in here: click to say who you are" : "";
    this.who.disabled = !data.can_rename;
    if (!before) {
      const kept = data.can_rename ? readName() : "";
      if (kept && kept !== data.user) this.tell("user", kept);
    }
    if (!before || before.token !== data.token || before.domain.name !== data.domain.name) this.load();
    else if (before.chosen !== data.chosen) this.draw();
  }

  /**
   * @param {string} name
   * @param {string} value
   */
  tell(name, value) {
    // The count makes the same value told again a new state.
    this.setStateValue?.(name, { value, count: (this.count = (this.count ?? 0) + 1) });
  }

  rename() {
    const field = element("input", { type: "text", value: this.data?.user ?? "", maxlength: "80", "aria-label": "your name" });
    let done = false;
    const finish = () => {
      if (done) return;
      done = true;
      const name = field.value.trim();
      field.replaceWith(this.who);
      if (name && name !== this.data?.user) {
        writeName(name);
        this.tell("user", name);
      }
    };
    field.addEventListener("blur", finish);
    field.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Enter") finish();
    });
    this.who.replaceWith(field);
    field.select();
  }

  searchSoon() {
    this.loadSoon(200);
  }

  /** @param {number} ms */
  loadSoon(ms) {
    clearTimeout(this.soon);
    this.soon = setTimeout(() => this.load(), ms);
  }

  /** @param {boolean} [further] */
  async load(further = false) {
    const data = this.data;
    if (!data) return;
    const number = ++this.asked;
    const query = new URLSearchParams({
      domain: data.domain.name,
      q: this.search.value,
      status: this.status.value,
      assignee: this.assignee.value,
      offset: String(further ? this.items.length : 0),
      limit: String(further ? PAGE : Math.max(PAGE, this.items.length)),
    });
    if (this.scope.checked) query.set("all", "1");
    try {
      const answer = await fetch(`/api/library?${query}`, {
        headers: { "x-prismata-token": data.token, "x-prismata-user": encodeURIComponent(data.user) },
        signal: AbortSignal.timeout(20000),
      });
      if (number !== this.asked) return;
      if (answer.status === 403) {
        this.tell("expired", data.token.slice(0, 12));
        return;
      }
      const told = await answer.json();
      if (!answer.ok) throw new Error(told.error);
      this.items = further ? [...this.items, ...told.items] : told.items;
      this.total = told.total;
      this.drawFilters(told);
      this.told.textContent = this.items.length ? "" : "No video fits. Clear the search or the filters.";
      this.draw();
    } catch (error) {
      if (number === this.asked) {
        this.told.textContent = `The list cannot be refreshed right now (${error instanceof Error ? error.message : error}).`;
      }
    }
  }

  /** @param {{counts: Record<string, number>, assignees: string[]}} told */
  drawFilters({ counts, assignees }) {
    for (const option of this.status.options) {
      if (option.value) {
        const title = STATUSES.find(([value]) => value === option.value)?.[1] ?? option.value;
        option.textContent = `${title} (${counts[option.value] ?? 0})`;
      }
    }
    const kept = this.assignee.value;
    this.assignee.replaceChildren(
      element("option", { value: "" }, "anybody"),
      ...assignees.map((name) => element("option", { value: name }, name)),
    );
    this.assignee.value = assignees.includes(kept) ? kept : "";
    this.assignee.hidden = assignees.length === 0;
  }

  draw() {
    const focused = /** @type {ShadowRoot | Document} */ (this.host.getRootNode()).activeElement?.getAttribute("data-id");
    this.list.replaceChildren(...this.items.map((item) => element("li", {}, this.row(item))));
    this.more.hidden = this.items.length >= this.total;
    this.more.textContent = `More videos (${this.total - this.items.length})`;
    if (focused) /** @type {HTMLElement | null} */ (this.list.querySelector(`[data-id="${focused}"]`))?.focus();
  }

  /** @param {Item} item */
  row(item) {
    const here = item.id === this.data?.chosen;
    const title = STATUSES.find(([value]) => value === item.status)?.[1] ?? item.status;
    const seen = Math.round(100 * item.seen);
    const poster = element("img", { src: item.poster, alt: "", loading: "lazy", width: "80", height: "45" });
    poster.addEventListener("error", () => (poster.style.visibility = "hidden"));
    return element(
      "button",
      {
        type: "button",
        class: `video${here ? " here" : ""}`,
        "data-id": item.id,
        "aria-current": here ? "true" : null,
        title: item.name,
        onclick: () => here || this.tell("chosen", item.id),
      },
      poster,
      element(
        "span",
        { class: "about" },
        element("span", { class: "name" }, item.name),
        element(
          "span",
          { class: "soft" },
          `${formatTime(item.duration_us).replace(/\.\d+$/, "")} · ${item.labels} label${item.labels === 1 ? "" : "s"}`,
        ),
        element(
          "span",
          { class: "soft" },
          element("i", { class: `status ${item.status}` }),
          `${title}${item.assignee ? ` · ${item.assignee}` : ""}`,
        ),
        element(
          "span",
          { class: "seen", title: `${seen} % watched` },
          element("span", { style: `width: ${seen}%` }),
        ),
      ),
    );
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const buttons = [...this.list.querySelectorAll("button")];
    const at = buttons.findIndex((button) => button.matches(":focus"));
    buttons[Math.min(buttons.length - 1, Math.max(0, at + step))]?.focus();
  }

  close() {
    window.removeEventListener("prismata:labels", this.onEdit);
    clearInterval(this.timer);
    clearTimeout(this.soon);
  }
}

function readName() {
  try {
    return localStorage.getItem(NAME_KEY) ?? "";
  } catch {
    return ""; // storage is forbidden in this browser
  }
}

/** @param {string} name */
function writeName(name) {
  try {
    localStorage.setItem(NAME_KEY, name);
  } catch {
    // Then the name lasts as long as the visit.
  }
}

/** @type {WeakMap<Element, Rail>} */
const rails = new WeakMap();

/** @param {{parentElement: HTMLElement, data: RailData, setStateValue: (name: string, value: unknown) => void}} component */
export default function (component) {
  const host = /** @type {HTMLElement} */ (component.parentElement.querySelector(".library-rail"));
  let rail = rails.get(host);
  if (!rail) {
    rail = new Rail(host);
    rails.set(host, rail);
  }
  rail.update(component);
  return () => {
    rails.get(host)?.close();
    rails.delete(host);
  };
}
