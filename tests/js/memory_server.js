// A label server in memory, written from docs/label-station.md alone, behind the interface of `fetch`;
// and a browser's storage, a clock and a network that misbehave as they are told.

/** @typedef {Record<string, any>} Fields */

const EVENT = ["start_us", "end_us", "event_type", "kind", "review_state", "attributes"];
const FIELDS = ["id", ...EVENT, "frame_index", "source_pts", "author", "revision"];

/** @param {any} value @returns {string} equal for equal JSON, whatever the order of keys */
export function canonical(value) {
  return JSON.stringify(value, (_key, item) =>
    item && typeof item === "object" && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).filter(([, v]) => v !== null).sort(([a], [b]) => (a < b ? -1 : 1)))
      : (item ?? null),
  );
}

export class MemoryServer {
  constructor({ durationUs = 60_000_000 } = {}) {
    this.durationUs = durationUs;
    this.seq = 0;
    /** @type {Map<string, Fields>} */
    this.events = new Map();
    /** @type {Fields} */
    this.sheet = { status: "new", assignee: "", note: "" };
    /** @type {[number, number, string][]} */
    this.coverage = [];
    /** @type {Fields[]} */
    this.changes = [];
    /** Answers by operation id. @type {Map<string, Fields>} */
    this.log = new Map();
    this.token = "good";
    this.isGone = false;
    this.mostChanges = 2000;
    /** @type {{method: string, path: string, ops: number}[]} */
    this.requests = [];
  }

  /**
   * @param {string} path
   * @param {{method?: string, headers?: any, body?: any}} init
   * @returns {Response}
   */
  answer(path, init) {
    const url = new URL(path, "http://memory");
    const body = init.body ? JSON.parse(init.body) : null;
    this.requests.push({ method: init.method ?? "GET", path: url.pathname, ops: body?.ops?.length ?? 0 });
    if (init.headers["x-prismata-token"] !== this.token) return told({ error: "this permission is old" }, 403);
    if (this.isGone) return told({ error: "there is no video v" }, 404);
    const author = decodeURIComponent(init.headers["x-prismata-user"]);
    if (url.pathname.endsWith("/ops")) {
      if (body.ops.length > 500) return told({ error: "at most 500" }, 413);
      const results = body.ops.map((/** @type {Fields} */ op) => this.apply(op, author));
      return told({ results, ...this.since(body.since) });
    }
    if (url.pathname.endsWith("/changes")) return told(this.since(Number(url.searchParams.get("since"))));
    if (url.pathname.endsWith("/history")) {
      const before = Number(url.searchParams.get("before") ?? this.seq + 1);
      return told({ entries: this.changes.filter(({ seq }) => seq < before).reverse() });
    }
    const rows = [...this.events].map(([id, event]) => FIELDS.map((name) => (name === "id" ? id : event[name])));
    return told({ seq: this.seq, fields: FIELDS, rows, coverage: this.coverage, sheet: this.sheet });
  }

  /** @param {number} since */
  since(since) {
    const changes = this.changes.slice(since);
    return since > this.seq || changes.length > this.mostChanges ? { seq: this.seq, reload: true } : { seq: this.seq, changes };
  }

  /** @param {Fields} op @param {string} author */
  apply(op, author) {
    const known = this.log.get(op.id);
    if (known) return known.status === "conflict" ? { ...known, current: this.events.get(op.event_id) ?? null } : known;
    /** @type {Fields} */
    const result = { id: op.id, message: "", current: null, ...this.applyNew(op, author) };
    if (result.status !== "refused") this.log.set(op.id, result);
    return result;
  }

  /** @param {Fields} op @param {string} author @returns {Fields} */
  applyNew(op, author) {
    const { kind, event_id, before, after } = op;
    if (kind === "cover") {
      if (after.end_us > this.durationUs) return { status: "refused", message: "the video is shorter" };
      this.coverage = painted(this.coverage, after.start_us, after.end_us, after.spans);
      return this.note(op, author, before, after);
    }
    if (kind === "sheet") {
      const lost = Object.keys(after).filter((name) => after[name] !== this.sheet[name] && before[name] !== this.sheet[name]);
      if (lost.length) return { status: "conflict", message: "somebody else changed the video", current: this.sheet };
      this.sheet = { ...this.sheet, ...after };
      return this.note(op, author, before, after);
    }
    const standing = this.events.get(event_id) ?? null;
    const lost = (/** @type {string} */ message) => ({ status: "conflict", message, current: standing });
    if (kind === "create") {
      if (standing) return same(standing, after) ? this.note(op, author, standing, standing) : lost("it exists already");
      return this.put(op, author, standing, after);
    }
    if (kind === "delete") {
      if (!standing) return this.note(op, author, null, null);
      if (!same(standing, before)) return lost("somebody else changed it");
      this.events.delete(event_id);
      return this.note(op, author, standing, null);
    }
    if (!standing) return lost("somebody removed it");
    const wanted = structuredClone(standing);
    for (const name of Object.keys(after)) {
      const [place, key] = name.startsWith("attributes.") ? [wanted.attributes, name.slice(11)] : [wanted, name];
      const now = canonical(place[key] ?? null);
      if (now === canonical(after[name])) continue;
      if (now !== canonical(before[name])) return lost(`somebody else changed ${name}`);
      if (after[name] === null) delete place[key];
      else place[key] = after[name];
    }
    if (wanted.kind === "point" ? wanted.end_us !== wanted.start_us : wanted.end_us <= wanted.start_us) return lost("they do not fit");
    return this.put(op, author, standing, wanted);
  }

  /** @param {Fields} op @param {string} author @param {Fields | null} standing @param {Fields} wanted @returns {Fields} */
  put(op, author, standing, wanted) {
    if (wanted.start_us < 0 || wanted.end_us > this.durationUs) return { status: "refused", message: "the label lies outside the video" };
    const state = { ...wanted, author, revision: (standing?.revision ?? 0) + 1, frame_index: Math.floor(wanted.start_us / 40_000), source_pts: wanted.start_us };
    this.events.set(op.event_id, state);
    return this.note(op, author, standing, state);
  }

  /** @param {Fields} op @param {string} author @param {Fields | null} before @param {Fields | null} after @returns {Fields} */
  note(op, author, before, after) {
    this.seq += 1;
    this.changes.push({ seq: this.seq, op: op.id, client: op.client, author, kind: op.kind, event_id: op.event_id, before, after, at: "" });
    return { status: "applied" };
  }

  snapshot() {
    const events = [...this.events].map(([id, event]) => ({ id, ...Object.fromEntries(EVENT.map((name) => [name, event[name]])) }));
    return { events: events.sort((a, b) => (a.id < b.id ? -1 : 1)), coverage: this.coverage, sheet: this.sheet };
  }
}

/** @param {Fields} standing @param {Fields} told */
function same(standing, told) {
  return EVENT.every((name) => canonical(standing[name]) === canonical(told[name]));
}

/** @param {any} body @param {number} [status] */
function told(body, status = 200) {
  return new Response(JSON.stringify(body), { status });
}

/**
 * Paint by looking at each boundary: slow, and another way than the code under test goes.
 *
 * @param {[number, number, string][]} spans @param {number} start @param {number} end @param {[number, number, string][]} inside
 * @returns {[number, number, string][]}
 */
export function painted(spans, start, end, inside) {
  const edges = [...new Set([start, end, ...spans.flatMap(([a, b]) => [a, b]), ...inside.flatMap(([a, b]) => [a, b])])].sort((a, b) => a - b);
  /** @type {[number, number, string][]} */
  const result = [];
  for (let i = 0; i + 1 < edges.length; i++) {
    const [a, b] = [edges[i], edges[i + 1]];
    const source = a >= start && b <= end ? inside : spans;
    const state = source.find(([from, to]) => from <= a && b <= to)?.[2];
    const last = result.at(-1);
    if (state === undefined) continue;
    if (last && last[1] === a && last[2] === state) last[1] = b;
    else result.push([a, b, state]);
  }
  return result;
}

/** A browser's storage; `limit` is how many characters fit, 0 forbids writing. */
export class MemoryStorage {
  constructor(limit = Infinity) {
    this.limit = limit;
    /** @type {Map<string, string>} */
    this.items = new Map();
  }

  get length() {
    return this.items.size;
  }

  /** @param {number} index */
  key(index) {
    return [...this.items.keys()][index] ?? null;
  }

  /** @param {string} key */
  getItem(key) {
    return this.items.get(key) ?? null;
  }

  /** @param {string} key @param {string} value */
  setItem(key, value) {
    let used = key.length + value.length;
    for (const [other, text] of this.items) if (other !== key) used += other.length + text.length;
    if (used > this.limit) throw new DOMException("full", "QuotaExceededError");
    this.items.set(key, value);
  }

  /** @param {string} key */
  removeItem(key) {
    this.items.delete(key);
  }

  /** @param {string} prefix */
  count(prefix) {
    return [...this.items.keys()].filter((key) => key.startsWith(prefix)).length;
  }
}

/** Time that passes only when it is told to. */
export class Clock {
  constructor() {
    this.ms = 1_000_000;
    this.count = 0;
    /** @type {Map<number, {at: number, fn: () => void}>} */
    this.timers = new Map();
    this.now = () => this.ms;
    this.schedule = {
      set: (/** @type {() => void} */ fn, /** @type {number} */ ms) => {
        this.timers.set(++this.count, { at: this.ms + ms, fn });
        return this.count;
      },
      clear: (/** @type {any} */ handle) => void this.timers.delete(handle),
    };
  }

  /** @param {number} ms */
  async pass(ms) {
    const until = this.ms + ms;
    for (;;) {
      await settled();
      const next = [...this.timers].filter(([, { at }]) => at <= until).sort(([, a], [, b]) => a.at - b.at)[0];
      if (!next) break;
      this.ms = Math.max(this.ms, next[1].at);
      this.timers.delete(next[0]);
      next[1].fn();
    }
    this.ms = until;
    await settled();
  }
}

/** Let everything run that waits for nothing but its turn. */
export async function settled() {
  for (let i = 0; i < 6; i++) await new Promise((resolve) => setImmediate(resolve));
}
