import assert from "node:assert/strict";
import test from "node:test";

import { SEGMENT, opened } from "./store_tab.js";

test("undo and redo survive a reload, and a new edit ends redo", async () => {
  let tab = await opened();
  const id = tab.store.create(SEGMENT);
  await tab.clock.pass(2000);
  tab.store.update(id, { end_us: 4_000_000 });
  await tab.clock.pass(2000);
  tab = await tab.reload();
  assert.equal(tab.store.undoTitle, "move of the end");
  tab.store.undo();
  assert.equal(tab.store.get(id)?.end_us, 2_000_000);
  await tab.clock.pass(2000);
  tab = await tab.reload();
  assert.equal(tab.store.canRedo, true);
  tab.store.redo();
  assert.equal(tab.store.get(id)?.end_us, 4_000_000);
  tab.store.undo();
  tab.store.undo();
  assert.equal(tab.store.list().length, 0);
  await tab.clock.pass(100);
  assert.equal(tab.server.events.size, 0);
  tab.store.create(SEGMENT);
  assert.equal(tab.store.canRedo, false);
  const undoes = tab.server.changes.map(({ op }) => op);
  assert.equal(new Set(undoes).size, undoes.length);
});

test("nudges of one edge within a second are one step of undo, and each is sent", async () => {
  const tab = await opened();
  const id = tab.store.create(SEGMENT);
  await tab.clock.pass(2000);
  for (let i = 1; i <= 5; i++) {
    tab.store.update(id, { start_us: 1_000_000 + i * 40_000 });
    await tab.clock.pass(100);
  }
  assert.equal(tab.server.seq, 6);
  await tab.clock.pass(2000);
  tab.store.update(id, { start_us: 1_240_000 });
  tab.store.undo();
  assert.equal(tab.store.get(id)?.start_us, 1_200_000);
  tab.store.undo();
  assert.equal(tab.store.get(id)?.start_us, 1_000_000);
  tab.store.redo();
  assert.equal(tab.store.get(id)?.start_us, 1_200_000);
});

test("splitting and merging are one step each", async () => {
  const tab = await opened();
  const id = tab.store.create({ ...SEGMENT, attributes: { note: "n" } });
  const later = tab.store.split(id, 1_400_000);
  assert.ok(later);
  assert.deepEqual(tab.store.list().map(({ start_us, end_us }) => [start_us, end_us]), [[1_000_000, 1_400_000], [1_400_000, 2_000_000]]);
  assert.equal(tab.store.split(id, 1_400_000), null);
  tab.store.update(later, { "attributes.side": "left" });
  tab.store.merge(id, later);
  assert.deepEqual(tab.store.get(id)?.attributes, { note: "n", side: "left" });
  assert.equal(tab.store.list().length, 1);
  tab.store.undo();
  assert.equal(tab.store.list().length, 2);
  tab.store.undo();
  tab.store.undo();
  assert.deepEqual(tab.store.list().map(({ start_us, end_us }) => [start_us, end_us]), [[1_000_000, 2_000_000]]);
  await tab.clock.pass(100);
  assert.equal(tab.server.events.size, 1);
  assert.deepEqual(tab.heard("refused"), []);
});

test("a transaction is undone from its end, and redone from its beginning", async () => {
  const tab = await opened();
  const id = tab.store.create(SEGMENT);
  tab.store.transaction("two moves", () => {
    tab.store.update(id, { start_us: 1_100_000 });
    tab.store.update(id, { start_us: 1_300_000 });
  });
  tab.store.undo();
  assert.equal(tab.store.get(id)?.start_us, 1_000_000);
  tab.store.redo();
  assert.equal(tab.store.get(id)?.start_us, 1_300_000);
  await tab.clock.pass(100);
  assert.equal(tab.server.events.get(id)?.start_us, 1_300_000);
  assert.deepEqual(tab.heard("refused"), []);
});

test("500 steps can be undone, and no more are kept", async () => {
  const tab = await opened();
  for (let i = 0; i < 510; i++) tab.store.create({ ...SEGMENT, start_us: i });
  assert.equal(tab.storage?.count("prismata.undo/"), 500);
  const again = await tab.reload();
  let undone = 0;
  while (again.store.undo()) undone += 1;
  assert.equal(undone, 500);
  assert.equal(again.store.list().length, 10);
});
