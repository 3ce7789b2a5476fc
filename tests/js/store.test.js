import assert from "node:assert/strict";
import test from "node:test";

import { Api } from "../../src/prismata/ui/label_station/assets/api.js";
import { LabelStore } from "../../src/prismata/ui/label_station/assets/store.js";
import { Clock, MemoryServer, MemoryStorage, canonical } from "./memory_server.js";

const WHO = { user: "ada b/c", video: "v", domain: "falls" };
const SEGMENT = { start_us: 1_000_000, end_us: 2_000_000, event_type: "fall", kind: "segment", review_state: "none", attributes: {} };
const OPS = "prismata.op/";

/** A browser tab on a server in memory, whose network can be cut. */
class Tab {
  /** @param {{server?: MemoryServer, storage?: MemoryStorage | null, clock?: Clock, user?: string}} [parts] */
  constructor({ server = new MemoryServer(), storage = new MemoryStorage(), clock = new Clock(), user = WHO.user } = {}) {
    this.user = user;
    this.server = server;
    this.storage = storage;
    this.clock = clock;
    this.isCut = false;
    this.losesAnswers = false;
    this.expired = 0;
    this.api = new Api({
      base: "", videoToken: "", labelsToken: "good", annotatorToken: "", ...WHO, user, onExpired: () => void this.expired++, now: clock.now,
      fetch: async (path, init) => {
        await Promise.resolve();
        if (this.isCut) throw new TypeError("network");
        const answer = server.answer(String(path), /** @type {any} */ (init));
        if (this.losesAnswers) throw new TypeError("network");
        return answer;
      },
    });
    this.store = new LabelStore({ api: this.api, storage, ...WHO, user, now: clock.now, schedule: clock.schedule, page: null });
    /** @type {{name: string, detail: any}[]} */
    this.told = [];
    for (const name of ["change", "status", "conflict", "refused", "sheet", "coverage"]) {
      this.store.addEventListener(name, (event) => this.told.push({ name, detail: /** @type {CustomEvent} */ (event).detail }));
    }
  }

  async open() {
    await Promise.all([this.store.open(), this.clock.pass(1)]);
    return this;
  }

  /** The tab is closed without a word; another one is opened on what it left behind. */
  async reload() {
    this.store.sender.close();
    return new Tab(this).open();
  }

  /** @param {string} name */
  heard(name) {
    return this.told.filter((item) => item.name === name).map(({ detail }) => detail);
  }
}

/** @param {Partial<ConstructorParameters<typeof Tab>[0]>} [parts] */
const opened = (parts) => new Tab(parts).open();

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

/** Two people change one field of one event; Bob was offline and loses. */
async function quarrel() {
  const ada = await opened();
  const bob = await opened({ server: ada.server, clock: ada.clock, user: "bob" });
  const id = ada.store.create(SEGMENT);
  await ada.clock.pass(2000);
  bob.isCut = true;
  bob.store.update(id, { start_us: 1_500_000 });
  assert.equal(bob.store.get(id)?.start_us, 1_500_000);
  ada.store.update(id, { start_us: 1_200_000 });
  await ada.clock.pass(100);
  bob.isCut = false;
  await ada.clock.pass(20_000);
  return { ada, bob, id };
}

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

test("what the server refuses is taken back and told in the server's words", async () => {
  const tab = await opened();
  const id = tab.store.create({ ...SEGMENT, start_us: 59_000_000, end_us: 61_000_000 });
  tab.store.update(id, { "attributes.note": "x" });
  assert.equal(tab.store.list().length, 1);
  await tab.clock.pass(100);
  assert.equal(tab.store.list().length, 0);
  assert.equal(tab.store.canUndo, false);
  assert.deepEqual(tab.store.conflicts, []);
  assert.match(tab.heard("refused")[0].message, /the label lies outside the video/);
  assert.equal(tab.storage?.count(OPS), 0);
});

test("offline edits are kept, sent when the network is back, and applied once though their answer was lost", async () => {
  const tab = await opened();
  tab.losesAnswers = true;
  const id = tab.store.create(SEGMENT);
  tab.store.update(id, { end_us: 2_500_000 });
  await tab.clock.pass(3000);
  assert.equal(tab.store.status.state, "offline");
  assert.equal(tab.store.status.pending, 2);
  assert.equal(tab.server.seq, 2);
  tab.losesAnswers = false;
  await tab.clock.pass(11_000);
  assert.equal(tab.store.status.state, "saved");
  assert.equal(tab.server.seq, 2);
  assert.equal(tab.store.get(id)?.end_us, 2_500_000);
});

test("what a closed tab left behind is sent by the next one, in order, and is there from the start", async () => {
  const tab = await opened();
  tab.isCut = true;
  const id = tab.store.create(SEGMENT);
  tab.store.update(id, { start_us: 1_100_000 });
  tab.store.cover(0, 5_000_000, "watched");
  const next = new Tab(tab);
  tab.store.sender.close();
  const opening = next.store.open();
  assert.equal(next.store.get(id)?.start_us, 1_100_000);
  await tab.clock.pass(100);
  await opening;
  assert.equal(tab.server.events.get(id)?.start_us, 1_100_000);
  assert.deepEqual(next.store.coverage, [[0, 5_000_000, "watched"]]);
  assert.equal(next.storage?.count(OPS), 0);
});

test("two tabs that send the same left operations double nothing", async () => {
  const first = await opened();
  first.isCut = true;
  const id = first.store.create(SEGMENT);
  first.store.update(id, { start_us: 1_100_000 });
  const second = await opened(first);
  first.isCut = false;
  await first.clock.pass(20_000);
  assert.equal(first.server.seq, 2);
  for (const tab of [first, second]) {
    assert.equal(tab.store.status.state, "saved");
    assert.equal(tab.store.list().length, 1);
  }
});

test("a tab that lives on sends what a tab closed beside it left behind", async () => {
  const stays = await opened();
  const leaves = await opened(stays);
  leaves.isCut = true;
  leaves.store.create(SEGMENT);
  leaves.store.sender.close();
  await stays.clock.pass(60_000);
  assert.equal(stays.server.events.size, 1);
  assert.equal(stays.store.list().length, 1);
});

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

test("a full storage is told, the edit is sent all the same, and undo gives way first", async () => {
  const storage = new MemoryStorage(1500);
  const tab = await opened({ storage });
  tab.isCut = true;
  for (let i = 0; i < 6; i++) tab.store.create({ ...SEGMENT, start_us: i });
  assert.equal(tab.store.status.state, "full");
  assert.equal(storage.count("prismata.undo/"), 0);
  assert.ok(storage.count(OPS) >= 2);
  assert.equal(tab.store.list().length, 6);
  tab.isCut = false;
  await tab.clock.pass(20_000);
  assert.equal(tab.store.status.state, "saved");
  assert.equal(tab.server.events.size, 6);
  assert.equal(storage.count(OPS), 0);
});

test("without any storage everything works, and the status says that nothing is kept", async () => {
  const tab = await opened({ storage: null });
  tab.store.create(SEGMENT);
  assert.equal(tab.store.status.state, "full");
  tab.store.undo();
  tab.store.redo();
  await tab.clock.pass(100);
  assert.equal(tab.server.events.size, 1);
  assert.equal(tab.store.status.state, "saved");
});

test("an old permission is asked for once, and sending goes on with the new one", async () => {
  const tab = await opened();
  tab.server.token = "new";
  tab.store.create(SEGMENT);
  await tab.clock.pass(10_000);
  assert.equal(tab.store.status.state, "expired");
  assert.equal(tab.expired, 1);
  assert.equal(tab.storage?.count(OPS), 1);
  await tab.clock.pass(30_000);
  assert.ok(tab.expired >= 2 && tab.expired <= 3, "it is asked for again after a while, not each time");
  tab.api.renew({ labels: "new" });
  await tab.clock.pass(10);
  assert.equal(tab.store.status.state, "saved");
  assert.equal(tab.server.events.size, 1);
});

test("a video deleted while open: the server's sentence, and the edits stay for export", async () => {
  const tab = await opened();
  tab.server.isGone = true;
  tab.store.create(SEGMENT);
  await tab.clock.pass(20_000);
  assert.equal(tab.store.status.state, "gone");
  assert.equal(tab.store.status.message, "there is no video v");
  assert.equal(tab.store.exportPending().operations.length, 1);
  assert.equal(tab.storage?.count(OPS), 1);
  const requests = tab.server.requests.length;
  await tab.clock.pass(60_000);
  assert.equal(tab.server.requests.length, requests, "nobody asks for what is gone");
});

test("opening a video that is not there fails with the server's sentence", async () => {
  const server = new MemoryServer();
  server.isGone = true;
  await assert.rejects(opened({ server }), /there is no video v/);
});

test("opening waits for a server that is away", async () => {
  const tab = new Tab();
  tab.isCut = true;
  const opening = tab.store.open();
  await tab.clock.pass(3000);
  assert.equal(tab.store.status.state, "offline");
  tab.isCut = false;
  await tab.clock.pass(10_000);
  await opening;
  assert.equal(tab.store.status.state, "saved");
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

test("an operation that the server does not understand does not stop the others", async () => {
  const tab = await opened();
  const answer = tab.server.answer.bind(tab.server);
  tab.server.answer = (path, init) =>
    init.body?.includes("poison") ? new Response('{"error": "no field like that"}', { status: 400 }) : answer(path, init);
  for (let i = 0; i < 9; i++) tab.store.create({ ...SEGMENT, start_us: i, attributes: i === 4 ? { note: "poison" } : {} });
  await tab.clock.pass(1000);
  assert.equal(tab.server.events.size, 8);
  assert.equal(tab.store.list().length, 8);
  assert.match(tab.heard("refused")[0].message, /no field like that/);
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

test("an edit does not wait for a request for news that hangs", async () => {
  const tab = await opened();
  const answer = tab.api.fetch;
  tab.api.fetch = (path, init) =>
    String(path).includes("/changes") ? new Promise((_, reject) => init?.signal?.addEventListener("abort", () => reject(init?.signal?.reason))) : answer(path, init);
  await tab.clock.pass(2000);
  assert.equal(tab.store.sender.isSending, true);
  tab.store.create(SEGMENT);
  await tab.clock.pass(30);
  assert.equal(tab.server.events.size, 1);
  assert.equal(tab.store.status.state, "saved");
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

test("a store that is closed still sends what is pending, and then nothing more", async () => {
  const tab = await opened();
  tab.store.create(SEGMENT);
  tab.store.close();
  await tab.clock.pass(100);
  assert.equal(tab.server.events.size, 1);
  assert.equal(tab.storage?.count(OPS), 0);
  const requests = tab.server.requests.length;
  await tab.clock.pass(60_000);
  assert.equal(tab.server.requests.length, requests);
  assert.equal(tab.clock.timers.size, 0);
});
