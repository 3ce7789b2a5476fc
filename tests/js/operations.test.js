import assert from "node:assert/strict";
import test from "node:test";

import { difference, foldEvent, inverse, isSame, mergeState, newId, ownFields, withChanges } from "../../src/prismata/ui/label_station/assets/operations.js";

const STATE = { start_us: 10, end_us: 20, event_type: "fall", kind: "segment", review_state: "none", attributes: { note: "a" } };

/**
 * @param {string} kind
 * @param {any} before
 * @param {any} after
 * @returns {any}
 */
const operation = (kind, before, after) => ({ id: newId(), client: newId(16), seq: 0, kind, event_id: "e", before, after, undoes: null });

test("ids are what the server wants", () => {
  assert.match(newId(), /^[0-9a-f]{32}$/);
  assert.match(newId(16), /^[0-9a-f]{16}$/);
  assert.notEqual(newId(), newId());
});

test("an inverse undoes, and its own inverse does it again", () => {
  const update = operation("update", { start_us: 10 }, { start_us: 12 });
  const moved = foldEvent(STATE, update);
  assert.equal(moved?.start_us, 12);
  const back = { ...operation("", null, null), ...inverse(update) };
  assert.equal(back.undoes, update.id);
  assert.deepEqual(foldEvent(moved, back), STATE);
  const removal = { ...operation("", null, null), ...inverse(operation("create", null, STATE)) };
  assert.equal(removal.kind, "delete");
  assert.equal(foldEvent(STATE, removal), null);
});

test("fields merge one by one: expected, already so, or somebody else's", () => {
  assert.deepEqual(mergeState(STATE, { start_us: 10 }, { start_us: 12 }), { changes: { start_us: 12 }, conflicts: [] });
  assert.deepEqual(mergeState(STATE, { start_us: 8 }, { start_us: 10 }), { changes: {}, conflicts: [] });
  assert.deepEqual(mergeState(STATE, { start_us: 8, end_us: 20 }, { start_us: 9, end_us: 30 }), { changes: {}, conflicts: ["start_us"] });
  assert.deepEqual(mergeState(STATE, { "attributes.x": null }, { "attributes.x": 1 }), { changes: { "attributes.x": 1 }, conflicts: [] });
});

test("an end before its start is a conflict of two edits that fit alone", () => {
  const early = foldEvent(STATE, operation("update", { end_us: 20 }, { end_us: 12 }));
  assert.equal(foldEvent(early, operation("update", { start_us: 10 }, { start_us: 15 })), early);
});

test("creating twice makes one, deleting what was changed leaves it, and what is gone stays gone", () => {
  assert.equal(foldEvent(STATE, operation("create", null, { ...STATE, start_us: 11 })), STATE);
  assert.equal(foldEvent(STATE, operation("delete", { ...STATE, start_us: 11 }, null)), STATE);
  assert.equal(foldEvent(null, operation("update", { start_us: 10 }, { start_us: 11 })), null);
  assert.equal(foldEvent(null, operation("delete", STATE, null)), null);
});

test("an attribute vanishes by null, and the state that was given stays as it was", () => {
  assert.deepEqual(withChanges(STATE, { "attributes.note": null, end_us: 30 }), { ...STATE, end_us: 30, attributes: {} });
  assert.deepEqual(STATE.attributes, { note: "a" });
});

test("a difference names only what changes, attributes one by one, times whole", () => {
  assert.deepEqual(difference(STATE, { start_us: 10.4, end_us: 25.6, attributes: { side: "left" } }), {
    before: { end_us: 20, "attributes.note": "a", "attributes.side": null },
    after: { end_us: 26, "attributes.note": null, "attributes.side": "left" },
  });
  assert.deepEqual(difference(STATE, { "attributes.note": "a" }).after, {});
});

test("what is absent is null, and 1 is not true", () => {
  assert.equal(isSame(undefined, null), true);
  assert.equal(isSame({ a: [1, { b: 2 }] }, { a: [1, { b: 2 }] }), true);
  assert.equal(isSame({ a: 1 }, { b: 1 }), false);
  assert.equal(isSame([1], { 0: 1 }), false);
  assert.equal(isSame(1, true), false);
  assert.deepEqual(ownFields({ ...STATE, author: "x", attributes: { note: null } }).attributes, {});
});
