import assert from "node:assert/strict";
import test from "node:test";

import { unjudged } from "../../src/prismata/ui/label_station/assets/ghosts.js";
import { chooseRendition } from "../../src/prismata/ui/label_station/assets/materials.js";
import { Remarks } from "../../src/prismata/ui/label_station/assets/panels/remarks.js";
import { FakeElement, fakeDocument } from "./fake_dom.js";

const EMPTY = { remarks: [], more: 0, failure: null };
const LONG = { sentence: "'Dark' lasts 2 s, more than 1 s", event_id: "e1", start_us: 500_000 };
const rest = () => new Promise((resolve) => setTimeout(resolve, 5));

function setUp() {
  globalThis.document = /** @type {any} */ (fakeDocument);
  const store = /** @type {any} */ (new EventTarget());
  store.status = { state: "saved" };
  const host = new FakeElement("div");
  /** @type {{told: any, asked: number}} */
  const server = { told: EMPTY, asked: 0 };
  const load = async () => {
    server.asked++;
    if (server.told instanceof Error) throw server.told;
    return server.told;
  };
  const remarks = new Remarks(/** @type {any} */ (host), store, { load, restMs: 0 });
  const change = async () => {
    store.dispatchEvent(new Event("change"));
    await rest();
  };
  return { store, host, server, remarks, change };
}

test("nothing is shown while nothing is worth a second look", async () => {
  const { host, change, server } = setUp();
  await change();
  assert.equal(server.asked, 1);
  assert.equal(host.hidden, true);
});

test("a remark leads to its label, or to its instant where it is about none", async () => {
  const { host, change, server, remarks } = setUp();
  server.told = { remarks: [LONG, { sentence: "empty", event_id: null, start_us: 7 }, { sentence: "all", event_id: null, start_us: null }], more: 2, failure: null };
  await change();
  assert.equal(host.hidden, false);
  assert.match(host.text(), /5 things are worth a second look/);
  assert.match(host.text(), /And 2 more\./);
  /** @type {unknown[]} */
  const went = [];
  for (const name of ["select", "seek"]) remarks.addEventListener(name, (event) => went.push(/** @type {CustomEvent} */ (event).detail));
  const buttons = host.all("button");
  assert.equal(buttons.length, 2);
  for (const button of buttons) button.dispatchEvent(new Event("click"));
  assert.deepEqual(went, [{ id: "e1" }, { us: 7 }]);
});

test("a failed hook is told even where no rule has anything to say", async () => {
  const { host, change, server } = setUp();
  server.told = { ...EMPTY, failure: "the review hook of domain 'x' failed: KeyError (x/domain.py, line 3)" };
  await change();
  assert.equal(host.hidden, false);
  assert.match(host.text(), /could not all be checked.*line 3/);
});

test("the catalog is asked only when all is saved, and what stood stays when it cannot answer", async () => {
  const { host, change, server, store, remarks } = setUp();
  store.status = { state: "saving" };
  await change();
  assert.equal(server.asked, 0);
  store.status = { state: "saved" };
  server.told = { ...EMPTY, remarks: [LONG] };
  store.dispatchEvent(new Event("status"));
  await rest();
  assert.equal(server.asked, 1);
  server.told = new Error("offline");
  await change();
  assert.match(host.text(), /1 thing is worth a second look/);
  remarks.close();
  await change();
  assert.equal(server.asked, 2);
});

test("a point is judged by the tolerance of its own type", () => {
  const ghost = { event_type: "hit", kind: "point", start_us: 0, end_us: 0, score: 0.9 };
  const label = /** @type {any} */ ({ id: "a", event_type: "hit", kind: "point", start_us: 300_000, end_us: 300_000 });
  assert.equal(unjudged([ghost], [label], 100_000).length, 1);
  assert.equal(unjudged([ghost], [label], 100_000, { hit: 400_000 }).length, 0);
  assert.equal(unjudged([ghost], [label], 400_000, { hit: 100_000 }).length, 1);
});

test("a domain that wants the proxy gets it as soon as there is one, and the original until then", () => {
  const material = /** @type {any} */ ({ codec: "h264", source: { playable: true, exact: true, reason: "" }, proxy: true, prefers_proxy: true });
  assert.equal(chooseRendition(material).rendition, "proxy");
  assert.equal(chooseRendition({ ...material, proxy: false }).rendition, "source");
  assert.equal(chooseRendition({ ...material, prefers_proxy: false }).rendition, "source");
});
