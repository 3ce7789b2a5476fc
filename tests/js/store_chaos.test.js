// Two people and a network that loses, doubles and delays; at the end everybody sees the same.

import assert from "node:assert/strict";
import test from "node:test";

import { Api } from "../../src/prismata/ui/label_station/assets/api.js";
import { LabelStore } from "../../src/prismata/ui/label_station/assets/store.js";
import { dice } from "./dice.js";
import { Clock, MemoryServer, MemoryStorage, canonical } from "./memory_server.js";

const DURATION_US = 60_000_000;

/** @param {(below: number) => number} random @param {MemoryServer} server @param {Clock} clock @param {{isCalm: boolean}} weather @returns {any} */
function badNetwork(random, server, clock, weather) {
  const wait = (/** @type {number} */ ms) => new Promise((resolve) => void clock.schedule.set(() => resolve(null), ms));
  return async (/** @type {string} */ path, /** @type {any} */ init) => {
    const luck = weather.isCalm ? 99 : random(100);
    if (luck < 8) throw new TypeError("lost on the way there");
    if (luck < 20) await wait(random(400));
    const answer = server.answer(path, init);
    // A copy that comes late, when the client has long gone on.
    if (luck < 30) void wait(random(3000)).then(() => server.answer(path, init));
    if (luck >= 30 && luck < 38) throw new TypeError("lost on the way back");
    if (luck >= 38 && luck < 45) await wait(random(400));
    if (luck >= 45 && luck < 48) return new Response("", { status: 502 });
    return answer;
  };
}

/** @param {LabelStore} store @param {(below: number) => number} random */
function editOnce(store, random) {
  const events = store.list();
  const event = events.length ? events[random(events.length)] : null;
  const start_us = random(500) * 100_000;
  const dice100 = random(100);
  if (!event || dice100 < 22) {
    store.create({ start_us, end_us: start_us + 100_000 + random(50) * 100_000, event_type: "fall", kind: "segment", attributes: {} });
  } else if (dice100 < 42) {
    store.update(event.id, { start_us: Math.min(start_us, event.end_us - 1) });
  } else if (dice100 < 55) store.update(event.id, { "attributes.note": `n${random(5)}` });
  else if (dice100 < 62) store.update(event.id, { review_state: ["accepted", "rejected", "none"][random(3)] });
  else if (dice100 < 70) store.remove(event.id);
  else if (dice100 < 76) store.split(event.id, (event.start_us + event.end_us) / 2);
  else if (dice100 < 80) store.merge(event.id, events[random(events.length)].id);
  else if (dice100 < 88) store.undo();
  else if (dice100 < 92) store.redo();
  else if (dice100 < 98) store.cover(start_us, start_us + 1 + random(9_000_000), /** @type {const} */ (["watched", "skipped", null])[random(3)]);
  else store.setSheet({ status: ["new", "in_progress", "done"][random(3)] });
}

for (const [seed, operations] of [[1, 3000], [2, 600], [3, 600]]) {
  test(`${operations} random edits of two people over a bad network: none lost, none doubled, all agree (seed ${seed})`, async () => {
    const random = dice(seed);
    const clock = new Clock();
    const server = new MemoryServer({ durationUs: DURATION_US });
    server.mostChanges = 60;
    const weather = { isCalm: false };
    /** @type {Set<string>} */
    const made = new Set();
    /** @type {Set<string>} */
    const refused = new Set();
    const storages = [new MemoryStorage(), new MemoryStorage()];
    const open = (/** @type {number} */ who) => {
      const user = ["ada", "bob"][who];
      const about = { user, video: "v", domain: "falls" };
      const api = new Api({ base: "", videoToken: "", labelsToken: "good", annotatorToken: "", ...about, onExpired() {}, now: clock.now, fetch: badNetwork(random, server, clock, weather) });
      const store = new LabelStore({ api, storage: storages[who], ...about, now: clock.now, schedule: clock.schedule, page: null });
      const enqueue = store.enqueue.bind(store);
      store.enqueue = (edit) => {
        const operation = enqueue(edit);
        made.add(operation.id);
        return operation;
      };
      store.addEventListener("refused", (event) => {
        const { operation } = /** @type {CustomEvent} */ (event).detail;
        if (operation) refused.add(operation.id);
      });
      void store.open().catch(() => {});
      return store;
    };
    const stores = [open(0), open(1)];
    let reloads = 0;
    for (let round = 1; made.size < operations; round++) {
      const who = random(2);
      for (let burst = 1 + random(6); burst > 0; burst--) editOnce(stores[who], random);
      // Counted, not left to the dice: how many rounds it takes depends on the store's own waiting.
      if (round % 20 === 0) {
        stores[who].sender.close();
        stores[who] = open(who);
        reloads += 1;
      }
      for (const conflict of stores[who].conflicts.slice(0, random(3))) stores[who].resolve(conflict.event_id, random(2) ? "mine" : "theirs");
      await clock.pass(random(200));
    }
    weather.isCalm = true;
    await clock.pass(60_000);
    assert.ok(reloads > 3, `${reloads} reloads`);
    for (const [index, store] of stores.entries()) {
      assert.equal(store.status.state, "saved");
      assert.equal(storages[index].count("prismata.op/"), 0);
    }
    const applied = server.changes.map(({ op }) => op);
    assert.equal(new Set(applied).size, applied.length, "an operation was applied twice");
    const lost = [...made].filter((id) => !server.log.has(id) && !refused.has(id));
    assert.deepEqual(lost, []);
    assert.deepEqual([...server.log.keys()].filter((id) => !made.has(id)), []);
    assert.ok([...server.log.values()].some(({ status }) => status === "conflict"));
    const truth = canonical(server.snapshot());
    for (const store of stores) {
      const { events, coverage, sheet } = store.ledger.snapshot();
      assert.equal(canonical({ events: events.sort((a, b) => (a.id < b.id ? -1 : 1)), coverage, sheet }), truth);
    }
  });
}
