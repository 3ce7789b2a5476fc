import assert from "node:assert/strict";
import test from "node:test";

import { Api, ApiError } from "../../src/prismata/ui/label_station/assets/api.js";

/** @param {(path: string, init: any) => any} answer */
function apiWith(answer) {
  const clock = { ms: 0 };
  const seen = { expired: 0 };
  const api = new Api({
    base: "", videoToken: "v", labelsToken: "l", annotatorToken: "a", user: "ada ü", video: "1", domain: "falls",
    onExpired: () => void seen.expired++, now: () => clock.ms, fetch: async (path, init) => answer(String(path), init),
  });
  return { api, clock, seen };
}

const status = (/** @type {number} */ code, body = '{"error": "so it is"}') => () => new Response(body, { status: code });
const errorOf = (/** @type {Promise<any>} */ asked) => asked.then(() => assert.fail("it was answered"), (error) => error);

test("each request carries the permission that it needs, and who asks", async () => {
  /** @type {any[]} */
  const sent = [];
  const { api } = apiWith((path, init) => {
    sent.push([path, init.method, init.headers["x-prismata-token"], init.headers["x-prismata-user"], init.body]);
    return new Response('{"ok": true}');
  });
  assert.deepEqual(await api.json("/x"), { ok: true });
  await api.json("/y", { as: "annotator", method: "PUT", body: { a: 1 } });
  assert.equal((await api.bytes("/z", { as: "video" })).byteLength, 12);
  assert.deepEqual(sent, [
    ["/x", "GET", "l", "ada%20%C3%BC", undefined],
    ["/y", "PUT", "a", "ada%20%C3%BC", '{"a":1}'],
    ["/z", "GET", "v", "ada%20%C3%BC", undefined],
  ]);
});

test("what went wrong says whether asking again is of use, in the server's words", async () => {
  for (const [code, kind] of /** @type {[number, string][]} */ ([[400, "refused"], [404, "refused"], [413, "refused"], [403, "expired"], [408, "offline"], [429, "offline"], [500, "offline"], [503, "offline"]])) {
    const error = await errorOf(apiWith(status(code)).api.json("/"));
    assert.ok(error instanceof ApiError);
    assert.deepEqual([error.kind, error.status, error.message], [kind, code, "so it is"]);
  }
  assert.match((await errorOf(apiWith(status(502, "<html>")).api.json("/"))).message, /answered 502 without a reason/);
});

test("no network, a broken body and no answer in time are all offline", async () => {
  const broken = apiWith(() => {
    throw new TypeError("network");
  });
  assert.equal((await errorOf(broken.api.json("/"))).kind, "offline");
  assert.equal((await errorOf(apiWith(status(200, '{"half":')).api.json("/"))).kind, "offline");
  const silent = apiWith((_path, { signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))));
  assert.equal((await errorOf(silent.api.json("/", { timeoutMs: 10 }))).kind, "offline");
  const stop = new AbortController();
  const asked = errorOf(silent.api.json("/", { signal: stop.signal }));
  stop.abort();
  assert.equal((await asked).kind, "offline");
});

test("new permissions are asked for once, and again only after a while or when the new ones are refused", async () => {
  const { api, clock, seen } = apiWith(status(403));
  for (let i = 0; i < 5; i++) await errorOf(api.json("/"));
  assert.equal(seen.expired, 1);
  clock.ms += 20_000;
  await errorOf(api.json("/"));
  assert.equal(seen.expired, 2);
  let renewed = 0;
  api.addEventListener("renewed", () => (renewed += 1));
  api.renew({ labels: "l2" });
  assert.equal(renewed, 1);
  await errorOf(api.json("/"));
  assert.equal(seen.expired, 3);
});

test("that an old permission is refused says nothing about the one that replaced it", async () => {
  const { api, seen } = apiWith(() => {
    api.renew({ labels: "l2" });
    return status(403)();
  });
  assert.equal((await errorOf(api.json("/"))).kind, "expired");
  assert.equal(seen.expired, 0);
});
