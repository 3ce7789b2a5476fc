import assert from "node:assert/strict";
import test from "node:test";

import { MemoryServer, MemoryStorage } from "./memory_server.js";
import { OPS, SEGMENT, Tab, opened } from "./store_tab.js";

/** What a store hears of its page. */
function fakePage() {
  const document = Object.assign(new EventTarget(), { visibilityState: "visible" });
  return Object.assign(new EventTarget(), { document });
}

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

test("a page that goes away sends what is pending in a request that outlives it", async () => {
  const page = fakePage();
  const tab = await opened({ page });
  for (let i = 0; i < 400; i++) tab.store.create({ ...SEGMENT, start_us: i });
  page.dispatchEvent(new Event("pagehide"));
  tab.store.sender.close();
  await tab.clock.pass(100);
  assert.equal(tab.outliving, 1);
  assert.ok(tab.server.events.size > 20 && tab.server.events.size < 150, `${tab.server.events.size}`);
  const next = await opened(tab);
  await next.clock.pass(1000);
  assert.equal(next.server.events.size, 400);
  assert.equal(next.server.seq, 400);
});

test("the browser asks before it throws away what no storage holds, and only then", async () => {
  for (const storage of [null, new MemoryStorage()]) {
    const page = fakePage();
    const tab = await opened({ page, storage });
    tab.isCut = true;
    tab.store.create(SEGMENT);
    const leaving = new Event("beforeunload", { cancelable: true });
    page.dispatchEvent(leaving);
    assert.equal(leaving.defaultPrevented, storage === null);
  }
});

test("a hidden page asks for news less often, and at once when it is seen again", async () => {
  const page = fakePage();
  const tab = await opened({ page });
  const asked = () => tab.server.requests.filter(({ path }) => path.endsWith("/changes")).length;
  await tab.clock.pass(15_000);
  assert.ok(asked() >= 9, `${asked()}`);
  page.document.visibilityState = "hidden";
  page.document.dispatchEvent(new Event("visibilitychange"));
  await tab.clock.pass(2000);
  const before = asked();
  await tab.clock.pass(20_000);
  assert.equal(asked() - before, 2);
  page.document.visibilityState = "visible";
  page.document.dispatchEvent(new Event("visibilitychange"));
  await tab.clock.pass(1);
  assert.equal(asked() - before, 3);
});

test("when the network comes back, what is pending is sent at once", async () => {
  const page = fakePage();
  const tab = await opened({ page });
  tab.isCut = true;
  tab.store.create(SEGMENT);
  await tab.clock.pass(60_000);
  tab.isCut = false;
  page.dispatchEvent(new Event("online"));
  await tab.clock.pass(1);
  assert.equal(tab.store.status.state, "saved");
  tab.store.close();
  tab.isCut = true;
  page.dispatchEvent(new Event("focus"));
  await tab.clock.pass(60_000);
  assert.equal(tab.clock.timers.size, 0);
});

test("going back to an earlier state waits for what is pending, and is asked for once", async () => {
  const tab = await opened();
  /** @type {any[]} */
  const asked = [];
  const answer = tab.server.answer.bind(tab.server);
  tab.server.answer = (path, init) => {
    if (!path.endsWith("/restore")) return answer(path, init);
    asked.push(JSON.parse(init.body));
    return answer(path.replace("/restore", "/changes?since=0"), { headers: init.headers });
  };
  tab.store.create(SEGMENT);
  await Promise.all([tab.store.restore(0), tab.clock.pass(100)]);
  assert.equal(asked.length, 1);
  assert.deepEqual([asked[0].seq, asked[0].since, tab.server.seq], [0, 1, 1]);
  assert.match(asked[0].id, /^[0-9a-f]{32}$/);
  tab.isCut = true;
  await Promise.all([assert.rejects(tab.store.restore(0), /cannot be reached/), tab.clock.pass(100)]);
  tab.isCut = false;
  tab.store.create(SEGMENT);
  await tab.clock.pass(15_000);
  assert.equal(tab.server.seq, 2, "the store goes on after a restore that failed");
});

test("an answer that says nothing of an edit is not asked for without end", async () => {
  const tab = await opened();
  const answer = tab.server.answer.bind(tab.server);
  tab.server.answer = (path, init) => (path.endsWith("/ops") ? new Response('{"seq": 0, "changes": [], "results": []}') : answer(path, init));
  let asked = 0;
  const fetch = tab.api.fetch;
  tab.api.fetch = (path, init) => {
    asked += 1;
    return fetch(path, init);
  };
  tab.store.create(SEGMENT);
  await tab.clock.pass(6000);
  assert.ok(asked >= 2 && asked <= 6, `${asked} requests`);
  assert.equal(tab.store.status.state, "saving");
  tab.server.answer = answer;
  await tab.clock.pass(3000);
  assert.equal(tab.store.status.state, "saved");
});
