import assert from "node:assert/strict";
import test from "node:test";

import { canonical } from "./memory_server.js";
import { OPS, SEGMENT, WHO, opened } from "./store_tab.js";

test("an edit is seen and in the storage before anything is sent, and leaves the storage when it is acknowledged", async () => {
  const tab = await opened();
  const before = tab.server.requests.length;
  const id = tab.store.create(SEGMENT);
  assert.equal(tab.store.get(id)?.start_us, 1_000_000);
  assert.equal(tab.store.list().length, 1);
  assert.equal(tab.storage?.count(`${OPS}ada%20b%2Fc/v/falls/`), 1);
  assert.equal(tab.server.requests.length, before);
  assert.equal(tab.store.status.state, "saving");
  await tab.clock.pass(30);
  assert.equal(tab.storage?.count(OPS), 0);
  assert.equal(tab.store.status.state, "saved");
  assert.equal(tab.store.get(id)?.author, WHO.user);
  assert.equal(tab.server.events.size, 1);
});

test("edits of one moment travel together, and one request is in flight at a time", async () => {
  const tab = await opened();
  for (let i = 0; i < 450; i++) tab.store.create({ ...SEGMENT, start_us: i });
  await tab.clock.pass(100);
  assert.deepEqual(tab.server.requests.filter(({ path }) => path.endsWith("/ops")).map(({ ops }) => ops), [200, 200, 50]);
  assert.equal(tab.server.events.size, 450);
});

test("more changes than the server tells one by one are loaded as a whole", async () => {
  const ada = await opened();
  ada.server.mostChanges = 3;
  const bob = await opened({ server: ada.server, clock: ada.clock, user: "bob" });
  bob.isCut = true;
  bob.store.create({ ...SEGMENT, start_us: 5 });
  for (let i = 0; i < 10; i++) ada.store.create({ ...SEGMENT, start_us: i * 10 });
  await ada.clock.pass(100);
  bob.isCut = false;
  await ada.clock.pass(20_000);
  assert.equal(bob.store.list().length, 11);
  assert.equal(bob.store.status.state, "saved");
  assert.equal(ada.store.list().length, 11);
});

test("a list that was handed out never changes, and stays sorted through every edit", async () => {
  const tab = await opened();
  const ids = Array.from({ length: 50 }, (_, i) => tab.store.create({ ...SEGMENT, start_us: (i * 37) % 50, end_us: 100 }));
  const list = tab.store.list();
  const before = canonical(list);
  assert.equal(tab.store.list(), list);
  tab.store.update(ids[3], { start_us: 99 });
  tab.store.remove(ids[7]);
  assert.equal(canonical(list), before);
  const now = tab.store.list();
  assert.equal(now.length, 49);
  assert.deepEqual(now.map(({ start_us }) => start_us), now.map(({ start_us }) => start_us).sort((a, b) => a - b));
});

test("a transaction is told once", async () => {
  const tab = await opened();
  tab.told.length = 0;
  tab.store.transaction("three", () => {
    for (let i = 0; i < 3; i++) tab.store.create({ ...SEGMENT, start_us: i });
  });
  assert.equal(tab.heard("change").length, 1);
  assert.equal(tab.heard("change")[0].ids.size, 3);
  assert.equal(tab.store.undoTitle, "three");
});

test("an edit that changes nothing is none", async () => {
  const tab = await opened();
  const id = tab.store.create(SEGMENT);
  await tab.clock.pass(100);
  tab.store.update(id, { start_us: SEGMENT.start_us, "attributes.note": null });
  tab.store.setSheet({ status: "new" });
  tab.store.cover(0, 10, null);
  assert.equal(tab.store.status.pending, 0);
});

test("a change that is told twice, or out of its place, counts once", async () => {
  const tab = await opened();
  const id = tab.store.create(SEGMENT);
  await tab.clock.pass(100);
  tab.store.update(id, { start_us: 1_100_000 });
  await tab.clock.pass(100);
  const [first] = /** @type {any[]} */ (tab.server.changes);
  tab.store.onAnswer({ seq: 1, changes: [first] });
  assert.equal(tab.store.get(id)?.start_us, 1_100_000);
  assert.equal(tab.store.ledger.seq, 2);
});

test("an edit that the log tells of is saved, even without an answer of its own", async () => {
  const tab = await opened();
  tab.losesAnswers = true;
  tab.store.create(SEGMENT);
  await tab.clock.pass(30);
  assert.equal(tab.store.status.pending, 1);
  tab.store.onAnswer({ seq: 1, changes: /** @type {any[]} */ (tab.server.changes) });
  assert.equal(tab.store.status.pending, 0);
  assert.equal(tab.storage?.count(OPS), 0);
});

test("which frame a moved event lies on is unknown until the server says it", async () => {
  const tab = await opened();
  const id = tab.store.create(SEGMENT);
  await tab.clock.pass(100);
  assert.equal(tab.store.get(id)?.frame_index, 25);
  tab.store.update(id, { start_us: 1_200_000 });
  assert.equal(tab.store.get(id)?.frame_index, null);
  tab.store.update(id, { "attributes.note": "x" });
  await tab.clock.pass(100);
  assert.equal(tab.store.get(id)?.frame_index, 30);
});
