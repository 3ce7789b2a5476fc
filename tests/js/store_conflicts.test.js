import assert from "node:assert/strict";
import test from "node:test";

import { OPS, SEGMENT, WHO, opened, quarrel } from "./store_tab.js";

test("what others do is seen, and edits of different fields of one event both stand", async () => {
  const ada = await opened();
  const bob = await opened({ server: ada.server, clock: ada.clock, user: "bob" });
  const id = ada.store.create(SEGMENT);
  await ada.clock.pass(2000);
  assert.equal(bob.store.get(id)?.author, WHO.user);
  bob.isCut = true;
  bob.store.update(id, { "attributes.note": "fast" });
  ada.store.update(id, { start_us: 1_200_000 });
  await ada.clock.pass(100);
  bob.isCut = false;
  await ada.clock.pass(20_000);
  for (const tab of [ada, bob]) {
    assert.equal(tab.store.get(id)?.start_us, 1_200_000);
    assert.deepEqual(tab.store.get(id)?.attributes, { note: "fast" });
    assert.deepEqual(tab.store.conflicts, []);
  }
});

test("of two edits of one field the later one is shown as a conflict with both versions, and nothing is overwritten", async () => {
  const { ada, bob, id } = await quarrel();
  assert.equal(bob.store.get(id)?.start_us, 1_200_000);
  assert.deepEqual(bob.store.conflicts, [
    { event_id: id, mine: { ...SEGMENT, start_us: 1_500_000 }, theirs: { ...SEGMENT, start_us: 1_200_000 }, author: WHO.user },
  ]);
  assert.equal(bob.heard("conflict").length > 0, true);
  assert.equal(ada.server.events.get(id)?.start_us, 1_200_000);
  assert.equal(bob.store.canUndo, false);
  assert.equal(bob.storage?.count(OPS), 0);
});

test("a conflict survives a reload and is over when mine is chosen", async () => {
  const { ada, bob, id } = await quarrel();
  const same = await bob.reload();
  assert.equal(same.store.conflicts.length, 1);
  same.store.resolve(id, "mine");
  await ada.clock.pass(5000);
  assert.deepEqual(same.store.conflicts, []);
  assert.equal(ada.store.get(id)?.start_us, 1_500_000);
  same.store.undo();
  await ada.clock.pass(5000);
  assert.equal(ada.store.get(id)?.start_us, 1_200_000);
});

test("what one person left behind is nothing to another one in the same browser", async () => {
  const { bob } = await quarrel();
  bob.isCut = true;
  bob.store.create(SEGMENT);
  const eve = await opened({ server: bob.server, clock: bob.clock, storage: bob.storage, user: "eve" });
  assert.deepEqual(eve.store.conflicts, []);
  assert.equal(eve.store.canUndo, false);
  assert.equal(eve.store.list().length, 1);
});

test("choosing theirs leaves everything as it is", async () => {
  const { bob, id } = await quarrel();
  bob.store.resolve(id, "theirs");
  await bob.clock.pass(5000);
  assert.deepEqual(bob.store.conflicts, []);
  assert.equal(bob.server.events.get(id)?.start_us, 1_200_000);
});

test("an event that somebody deleted meanwhile comes back with one's own version, if one wants that", async () => {
  const ada = await opened();
  const bob = await opened({ server: ada.server, clock: ada.clock, user: "bob" });
  const id = ada.store.create({ ...SEGMENT, attributes: { note: "first" } });
  await ada.clock.pass(2000);
  bob.isCut = true;
  bob.store.update(id, { end_us: 3_000_000 });
  bob.store.update(id, { "attributes.sure": true });
  ada.store.remove(id);
  await ada.clock.pass(100);
  bob.isCut = false;
  await ada.clock.pass(20_000);
  assert.equal(bob.store.get(id), undefined);
  const mine = { ...SEGMENT, end_us: 3_000_000, attributes: { note: "first", sure: true } };
  assert.deepEqual(bob.store.conflicts, [{ event_id: id, mine, theirs: null, author: WHO.user }]);
  bob.store.resolve(id, "mine");
  await ada.clock.pass(5000);
  assert.equal(ada.store.get(id)?.end_us, 3_000_000);
});

test("undo of an event that somebody changed since takes nothing of theirs away", async () => {
  const ada = await opened();
  const bob = await opened({ server: ada.server, clock: ada.clock, user: "bob" });
  const id = ada.store.create(SEGMENT);
  await ada.clock.pass(2000);
  bob.store.update(id, { start_us: 1_300_000 });
  await ada.clock.pass(2000);
  ada.store.undo();
  await ada.clock.pass(2000);
  assert.equal(ada.store.get(id)?.start_us, 1_300_000);
  assert.equal(ada.store.conflicts.length, 1);
  assert.match(ada.heard("refused")[0].message, /new label could not be taken back/);
  assert.equal(ada.store.canRedo, false);
});

test("the status of a video merges by field, and who comes too late is told", async () => {
  const ada = await opened();
  const bob = await opened({ server: ada.server, clock: ada.clock, user: "bob" });
  bob.isCut = true;
  bob.store.setSheet({ status: "done", note: "mine" });
  ada.store.setSheet({ status: "in_progress" });
  await ada.clock.pass(100);
  bob.isCut = false;
  await ada.clock.pass(20_000);
  assert.equal(bob.store.sheet.status, "in_progress");
  assert.match(bob.heard("refused")[0].message, /somebody else changed the video/);
});

test("a conflict is over when the other one comes to the same", async () => {
  const { ada, bob, id } = await quarrel();
  ada.store.update(id, { start_us: 1_500_000 });
  await ada.clock.pass(5000);
  assert.deepEqual(bob.store.conflicts, []);
  assert.equal(bob.storage?.count("prismata.conflict/"), 0);
});
