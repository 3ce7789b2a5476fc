// A browser tab on a server in memory, for the tests of the label store.

import assert from "node:assert/strict";

import { Api } from "../../src/prismata/ui/label_station/assets/api.js";
import { LabelStore } from "../../src/prismata/ui/label_station/assets/store.js";
import { Clock, MemoryServer, MemoryStorage } from "./memory_server.js";

export const WHO = { user: "ada b/c", video: "v", domain: "falls" };
export const SEGMENT = { start_us: 1_000_000, end_us: 2_000_000, event_type: "fall", kind: "segment", review_state: "none", attributes: {} };
/** Where the queue lies. */
export const OPS = "prismata.op/";

/** A browser tab on a server in memory, whose network can be cut. */
export class Tab {
  /** @param {{server?: MemoryServer, storage?: MemoryStorage | null, clock?: Clock, user?: string, page?: any}} [parts] */
  constructor({ server = new MemoryServer(), storage = new MemoryStorage(), clock = new Clock(), user = WHO.user, page = null } = {}) {
    this.user = user;
    this.server = server;
    this.storage = storage;
    this.clock = clock;
    this.isCut = false;
    this.losesAnswers = false;
    this.outliving = 0;
    this.expired = 0;
    this.api = new Api({
      base: "", videoToken: "", labelsToken: "good", annotatorToken: "", ...WHO, user, onExpired: () => void this.expired++, now: clock.now,
      fetch: async (path, init) => {
        await Promise.resolve();
        if (this.isCut) throw new TypeError("network");
        this.outliving += init?.keepalive ? 1 : 0;
        const answer = server.answer(String(path), /** @type {any} */ (init));
        if (this.losesAnswers) throw new TypeError("network");
        return answer;
      },
    });
    this.store = new LabelStore({ api: this.api, storage, ...WHO, user, now: clock.now, schedule: clock.schedule, page });
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
export const opened = (parts) => new Tab(parts).open();

/** Two people change one field of one event; Bob was offline and loses. */
export async function quarrel() {
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
