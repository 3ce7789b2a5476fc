import assert from "node:assert/strict";
import test from "node:test";

import { Materials, chooseRendition, preparingWords } from "../../src/prismata/ui/label_station/assets/materials.js";

/**
 * @param {Partial<import("../../src/prismata/ui/label_station/assets/materials.js").Material>} changes
 * @returns {import("../../src/prismata/ui/label_station/assets/materials.js").Material}
 */
function material(changes) {
  return {
    name: "a.mp4", codec: "h264", width: 1, height: 1, frame_count: 1, duration_us: 1, notes: [],
    source: { playable: true, exact: true, reason: "" }, proxy: false, thumbs: null, waveform: null, preparing: null,
    ...changes,
  };
}

test("the original is shown where a browser plays it frame by frame", () => {
  assert.equal(chooseRendition(material({ proxy: true })).rendition, "source");
});

test("the proxy is shown, and called so, where a browser does not play the original", () => {
  const hevc = material({ codec: "hevc", source: { playable: false, exact: false, reason: "browsers show no HEVC" }, proxy: true });
  assert.deepEqual(chooseRendition(hevc), { rendition: "proxy", words: "proxy of hevc, same frames" });
});

test("without a proxy nothing is shown that cannot be seen, and the reason is told", () => {
  const hevc = material({ codec: "hevc", source: { playable: false, exact: false, reason: "browsers show no HEVC" } });
  assert.deepEqual(chooseRendition(hevc), {
    rendition: null,
    words: "This video cannot be shown as it is: browsers show no HEVC.",
  });
});

test("an original that plays inexactly gives way to a proxy as soon as there is one", () => {
  const source = { playable: true, exact: false, reason: "" };
  assert.equal(chooseRendition(material({ source })).rendition, "source");
  assert.equal(chooseRendition(material({ source, proxy: true })).rendition, "proxy");
});

test("a job says how far it is, and a failed one why", () => {
  const job = { job_id: "j", state: "running", progress: 0.404, note: "making a proxy", message: "", eta_s: 12.4 };
  assert.equal(preparingWords(material({ preparing: job })), "making a proxy: 40 %, about 12 s left");
  assert.equal(preparingWords(material({ preparing: { ...job, eta_s: null } })), "making a proxy: 40 %");
  const failed = { ...job, state: "failed", message: "The disk is full." };
  assert.equal(preparingWords(material({ preparing: failed })), "The disk is full.");
  assert.equal(preparingWords(material({ preparing: { ...job, state: "succeeded" } })), "");
  assert.equal(preparingWords(material({})), "");
});

test("a look that is not answered is repeated, so a preparation never seems to stand still", async () => {
  const job = { job_id: "j", state: "running", progress: 0.5, note: "", message: "", eta_s: null };
  /** @type {(() => unknown)[]} */
  const answers = [
    () => material({ preparing: job }),
    () => { throw new Error("the server is away"); },
    () => material({ proxy: true }),
  ];
  const api = /** @type {any} */ ({ json: async () => answers.shift()?.() });
  const made = new Materials(api, "v");
  const done = new Promise((resolve) => {
    made.addEventListener("change", () => made.now?.proxy && resolve(true));
  });
  await made.look();
  assert.equal(made.isPreparing, true);
  assert.equal(await done, true);
  assert.equal(answers.length, 0);
  made.close();
});
