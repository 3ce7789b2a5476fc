// Operations: what an edit is, its inverse, and how it is merged into a state. Pure, and the same in
// meaning as core/operations.py: what is foreseen here is what the server will do.

/**
 * @typedef {"create" | "update" | "delete" | "cover" | "sheet"} OperationKind
 * @typedef {Record<string, any>} Fields
 * @typedef {object} Operation
 * @property {string} id 32 hexadecimal digits
 * @property {string} client 16 hexadecimal digits
 * @property {number} seq the client's own count
 * @property {OperationKind} kind
 * @property {string} event_id empty for `cover` and `sheet`
 * @property {Fields | null} before
 * @property {Fields | null} after
 * @property {string | null} undoes
 */
/** @typedef {Pick<Operation, "kind" | "event_id" | "before" | "after"> & {undoes?: string | null}} Edit */
/**
 * @typedef {object} EventState what people decide about an event
 * @property {number} start_us
 * @property {number} end_us
 * @property {string} event_type
 * @property {string} kind `point` or `segment`
 * @property {string} review_state
 * @property {Record<string, any>} attributes
 */
/**
 * An event as it is shown; what the server adds is missing until it knows of it.
 *
 * @typedef {EventState & {id: string, author?: string, revision?: number, frame_index?: number | null, source_pts?: number | null}} LabelEvent
 */

/** What a person decides about an event. */
export const EVENT_FIELDS = /** @type {const} */ (["start_us", "end_us", "event_type", "kind", "review_state", "attributes"]);
const ATTRIBUTE = "attributes.";
/** @type {Partial<Record<OperationKind, OperationKind>>} */
const OPPOSITE = { create: "delete", delete: "create" };

/**
 * A random name in hexadecimal digits.
 *
 * @param {number} digits
 */
export function newId(digits = 32) {
  const bytes = crypto.getRandomValues(new Uint8Array(digits / 2));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * The edit that takes an operation back.
 *
 * @param {Operation} operation
 * @returns {Edit}
 */
export function inverse({ id, kind, event_id, before, after }) {
  return { kind: OPPOSITE[kind] ?? kind, event_id, before: after, after: before, undoes: id };
}

/**
 * Whether two JSON values are the same; what is absent is null.
 *
 * @param {any} one
 * @param {any} other
 * @returns {boolean}
 */
export function isSame(one, other) {
  const [a, b] = [one ?? null, other ?? null];
  if (a === b) return true;
  if (a === null || b === null || typeof a !== "object" || typeof b !== "object") return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && isSame(a[key], b[key]));
}

/**
 * A state in which each attribute is a field of its own, `attributes.NAME`.
 *
 * @param {Fields} state
 * @returns {Fields}
 */
export function flatten(state) {
  const { attributes, ...flat } = state;
  for (const [name, value] of Object.entries(attributes ?? {})) flat[ATTRIBUTE + name] = value;
  return flat;
}

/**
 * The part of an event that people decide, whole; attributes that are null are absent.
 *
 * @param {Fields} state
 * @returns {EventState}
 */
export function ownFields(state) {
  const attributes = Object.fromEntries(Object.entries(state.attributes ?? {}).filter(([, value]) => (value ?? null) !== null));
  return {
    start_us: Math.round(state.start_us),
    end_us: Math.round(state.end_us),
    event_type: state.event_type,
    kind: state.kind,
    review_state: state.review_state ?? "none",
    attributes,
  };
}

/**
 * A copy of a state with some fields set; an attribute that is null vanishes.
 *
 * @template {Fields} T
 * @param {T} state
 * @param {Fields} changes
 * @returns {T}
 */
export function withChanges(state, changes) {
  /** @type {Fields} */
  const changed = { ...state };
  /** @type {Fields} */
  const attributes = { ...(state.attributes ?? {}) };
  let told = "attributes" in state;
  for (const [name, value] of Object.entries(changes)) {
    if (!name.startsWith(ATTRIBUTE)) changed[name] = value;
    else if (value === null) delete attributes[name.slice(ATTRIBUTE.length)];
    else attributes[name.slice(ATTRIBUTE.length)] = value;
    told ||= name.startsWith(ATTRIBUTE);
  }
  if (told) changed.attributes = attributes;
  return /** @type {T} */ (changed);
}

/**
 * What an operation would change of a state, or the fields that somebody else gave another value.
 *
 * @param {Fields} state
 * @param {Fields} before
 * @param {Fields} after
 * @returns {{changes: Fields, conflicts: string[]}}
 */
export function mergeState(state, before, after) {
  const flat = flatten(state);
  /** @type {Fields} */
  const changes = {};
  const conflicts = [];
  for (const [name, wanted] of Object.entries(after)) {
    if (isSame(flat[name], wanted)) continue;
    if (isSame(flat[name], before[name])) changes[name] = wanted;
    else conflicts.push(name);
  }
  return { changes: conflicts.length ? {} : changes, conflicts };
}

/**
 * Before and after of an update: the fields whose value really changes, `attributes` one by one.
 *
 * @param {Fields} state as it is seen
 * @param {Fields} changes
 * @returns {{before: Fields, after: Fields}}
 */
export function difference(state, changes) {
  const { attributes, ...wanted } = changes;
  const flat = flatten(state);
  if (attributes) {
    for (const name of Object.keys(flat)) if (name.startsWith(ATTRIBUTE)) wanted[name] = null;
    Object.assign(wanted, flatten({ attributes }));
  }
  /** @type {Fields} */
  const before = {};
  /** @type {Fields} */
  const after = {};
  for (const [name, value] of Object.entries(wanted)) {
    const told = name.endsWith("_us") ? Math.round(value) : (value ?? null);
    if (isSame(flat[name], told)) continue;
    before[name] = flat[name] ?? null;
    after[name] = told;
  }
  return { before, after };
}

/**
 * An event after an operation, as the server would merge it; a conflict changes nothing.
 *
 * @template {EventState} T
 * @param {T | null} state null: there is no such event
 * @param {Operation} operation
 * @returns {T | null}
 */
export function foldEvent(state, { kind, event_id, before, after }) {
  if (kind === "create") return state ?? /** @type {T} */ (/** @type {unknown} */ ({ ...ownFields(after ?? {}), id: event_id }));
  if (state === null) return null;
  if (kind === "delete") return isSame(ownFields(state), ownFields(before ?? {})) ? null : state;
  const { changes } = mergeState(state, before ?? {}, after ?? {});
  if (!Object.keys(changes).length) return state;
  const changed = withChanges(state, changes);
  return fits(changed) ? changed : state;
}

/** @param {EventState} state */
function fits({ kind, start_us, end_us }) {
  return kind === "point" ? end_us === start_us : end_us > start_us;
}
