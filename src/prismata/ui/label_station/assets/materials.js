// What the server made of a video for labelling: which rendition plays, thumbnails, waveform.

/** @typedef {import("./api.js").Api} Api */
/**
 * @typedef {{name: string, codec: string, width: number, height: number, frame_count: number, duration_us: number, notes: string[],
 *   source: {playable: boolean, exact: boolean, reason: string}, proxy: boolean, prefers_proxy?: boolean,
 *   thumbs: {every_us: number, width: number, height: number, columns: number, rows: number, count: number, sprites: number} | null,
 *   waveform: {peaks_per_second: number} | null,
 *   preparing: {job_id: string, state: string, progress: number, note: string, message: string, eta_s: number | null} | null}} Material
 */

const POLL_MS = 1000;
const RUNNING = new Set(["queued", "running"]);

export class Materials extends EventTarget {
  /**
   * Emits `change` with the material when it is first known and whenever it changes.
   *
   * @param {Api} api
   * @param {string} video
   */
  constructor(api, video) {
    super();
    this.api = api;
    this.path = `/api/video/${video}`;
    /** @type {Material | null} */
    this.now = null;
    this.closed = false;
  }

  async open() {
    await this.look();
    const { now } = this;
    const failed = now?.preparing && !RUNNING.has(now.preparing.state) && now.preparing.message;
    if (now && !now.thumbs && !failed) await this.prepare();
  }

  async look() {
    this.take(await this.api.json(`${this.path}/material`, { as: "video" }));
  }

  /** Start the job that makes what is missing; a job that runs already is joined. */
  async prepare() {
    this.take(await this.api.json(`${this.path}/prepare`, { as: "video", method: "POST" }));
  }

  get isPreparing() {
    return RUNNING.has(this.now?.preparing?.state ?? "");
  }

  /** @param {Material} material */
  take(material) {
    if (this.closed) return;
    this.now = material;
    this.dispatchEvent(new CustomEvent("change", { detail: material }));
    if (this.isPreparing) this.lookAgain();
  }

  /** Ask once more in a moment, also after an answer that did not come: the job goes on without us. */
  lookAgain() {
    clearTimeout(this.timer);
    if (this.closed) return;
    this.timer = setTimeout(() => {
      this.look().catch(() => this.lookAgain());
    }, POLL_MS);
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
  }
}

/**
 * Which rendition to show, and in words why.
 *
 * @param {Material} material
 * @returns {{rendition: "source" | "proxy" | null, words: string}}
 */
export function chooseRendition(material) {
  const { source, proxy, codec, prefers_proxy: prefers } = material;
  if (source.playable && source.exact && !(proxy && prefers)) return { rendition: "source", words: `original, ${codec}` };
  if (proxy) return { rendition: "proxy", words: `proxy of ${codec}, same frames` };
  if (source.playable) return { rendition: "source", words: `original, ${codec}; frames are checked one by one` };
  return { rendition: null, words: `This video cannot be shown as it is: ${source.reason}.` };
}

/**
 * What is going on, in one sentence.
 *
 * @param {Material} material
 */
export function preparingWords(material) {
  const job = material.preparing;
  if (!job) return "";
  if (job.state === "queued") return "Waiting to be prepared for the browser.";
  if (job.state === "running") {
    const left = job.eta_s === null ? "" : `, about ${Math.max(1, Math.round(job.eta_s))} s left`;
    return `${job.note || "Preparing"}: ${Math.round(100 * job.progress)} %${left}`;
  }
  return job.state === "succeeded" ? "" : job.message;
}
