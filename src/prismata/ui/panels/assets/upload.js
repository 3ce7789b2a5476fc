// Sends videos in pieces to our own route. A lost connection is taken up again by itself; after a
// closed browser the same file, chosen again, goes on where it stopped. It also goes on while
// people look at other pages: what is sent belongs to the window, not to the page.

const CHUNK = 8 * 1024 * 1024; // also the piece of which a digest is made
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;
const FORBIDDEN_TRIES = 12; // after a restart, until the page has a new permission
const STORE_TRIES = 3; // at a store that has never taken anything from this window
const VIDEO = /\.(3gp|asf|avi|flv|m2ts|m4v|mkv|mov|mp4|mpeg|mpg|mts|ogv|ts|webm|wmv)$/i;

class Refused extends Error {}
class CalledOff extends Error {}
class NoWayToStore extends Error {}

// The same file gets the same id, also after a reload: that is what makes it resumable.
function idOf(file, domain) {
  let a = 0x811c9dc5, b = 0x9747b28c;
  for (const char of `${domain}|${file.name}|${file.size}|${file.lastModified}`) {
    a = Math.imul(a ^ char.codePointAt(0), 0x01000193) >>> 0;
    b = Math.imul(b ^ char.codePointAt(0), 0x85ebca6b) >>> 0;
  }
  return (a.toString(16).padStart(8, "0") + b.toString(16).padStart(8, "0")).repeat(2);
}

function size(bytes) {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

function clock(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

// Digest of the digests of all pieces; empty where the browser has no digests (plain http).
class Digest {
  constructor(file) {
    this.file = file;
    this.pieces = [];
  }

  async whole() {
    if (!globalThis.crypto?.subtle) return "";
    const count = Math.ceil(this.file.size / CHUNK);
    for (let index = 0; index < count; index += 1) await this.piece(index);
    const joined = new Uint8Array(32 * count);
    this.pieces.forEach((piece, index) => joined.set(piece, 32 * index));
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", joined));
    return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  async piece(index) {
    if (this.pieces[index] || !globalThis.crypto?.subtle) return;
    const bytes = await this.file.slice(index * CHUNK, (index + 1) * CHUNK).arrayBuffer();
    this.pieces[index] = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  }
}

class Upload {
  constructor(file, desk) {
    this.file = file;
    this.desk = desk;
    this.domain = desk.data.domain;
    this.url = `/api/upload/${idOf(file, this.domain)}`;
    this.makeLine();
  }

  makeLine() {
    this.line = document.createElement("li");
    this.line.innerHTML = '<span class="name"></span><progress max="1" value="0"></progress>'
      + '<span class="word">waiting</span><button type="button" class="stop">Stop</button>';
    this.line.querySelector(".name").textContent = this.file.name;
    this.line.querySelector(".stop").setAttribute("aria-label", `stop sending ${this.file.name}`);
    this.line.querySelector(".stop").onclick = () => this.stop();
  }

  stop() {
    this.stopped = true;
    this.abort?.abort();
    this.desk.wake();
    if (!this.began) this.end("stopped", "Not sent.");
  }

  say(word) { this.line.querySelector(".word").textContent = word; }

  end(kind, word) {
    this.ended = true;
    this.line.className = kind;
    this.line.querySelector("progress")?.remove();
    this.line.querySelector(".stop")?.remove();
    this.say(word);
    this.desk.count();
  }

  async run() {
    if (this.stopped) return;
    this.began = true;
    try {
      const result = await this.send();
      this.end("done", result.message);
      this.desk.arrived(result);
    } catch (error) {
      if (error instanceof CalledOff) {
        this.end("stopped", "Stopped. Choose it again to go on where it stopped.");
      } else if (error instanceof Refused) this.end("refused", error.message);
      else this.end("refused", `${this.file.name} cannot be read any more; choose it again.`);
    }
  }

  // Asks until there is an answer, whatever happens to the connection.
  async ask(method, headers, body, below = "") {
    let wait = FIRST_WAIT_MS;
    let forbidden = 0;
    for (;;) {
      if (this.stopped) throw new CalledOff();
      if (body instanceof Blob) await body.slice(0, 1).arrayBuffer(); // the file is still there
      this.abort = new AbortController();
      try {
        const answer = await fetch(this.url + below, {
          method, body, signal: this.abort.signal,
          headers: { ...headers, "x-prismata-token": this.desk.data.token },
        });
        const busy = [409, 429].includes(answer.status) && answer.headers.has("retry-after");
        const renewed = answer.status === 403 && (forbidden += 1) < FORBIDDEN_TRIES;
        if (renewed) this.desk.renew();
        if (answer.status === 408) return answer;
        if (answer.status < 500 && !busy && !renewed) return answer;
        if (busy) this.say("the server is busy with it");
      } catch {
        if (this.stopped) throw new CalledOff();
        this.say("connection lost, trying again");
        if (method === "PATCH") {
          await this.desk.pause(wait);
          return null; // part of the piece may be there: the offset is asked for
        }
      }
      await this.desk.pause(wait);
      wait = Math.min(LONGEST_WAIT_MS, 2 * wait);
    }
  }

  async announce() {
    const { name, size: total } = this.file;
    const direct = !this.desk.noWayToStore;
    const hello = JSON.stringify({ name, size: total, domain: this.domain, direct });
    const answer = await this.ask("PUT", {}, hello);
    const told = await answer.json();
    if (!answer.ok) throw new Refused(told.error);
    this.direct = told.direct;
    return Number(answer.headers.get("upload-offset"));
  }

  async send() {
    const digest = new Digest(this.file);
    const offset = await this.announce();
    if (!this.direct) return this.sendPieces(digest, offset);
    try {
      return await this.sendParts(digest, this.direct);
    } catch (error) {
      if (!(error instanceof NoWayToStore)) throw error;
      this.desk.goThroughWorkbench();
      return this.sendPieces(digest, await this.announce());
    }
  }

  // Parts go to addresses of the store; which are there, and fresh addresses, are asked for.
  async sendParts(digest, told) {
    let began = null;
    let failed = 0;
    for (;;) {
      const there = told.done.reduce((sum, number) => sum + this.part(told, number).size, 0);
      began ??= { at: performance.now(), offset: there };
      this.show(there, began);
      let sent = 0;
      for (const [number, url] of Object.entries(told.urls)) {
        const part = this.part(told, Number(number));
        const first = Math.floor(((number - 1) * told.part_bytes) / CHUNK);
        for (let at = 0; at * CHUNK < part.size; at += 1) await digest.piece(first + at);
        if (!await this.put(url, part)) break;
        this.desk.storeTakes = true;
        sent += part.size;
        this.show(there + sent, began);
      }
      if (!Object.keys(told.urls).length) {
        this.say("checking the file");
        const whole = await digest.whole();
        const answer = await this.ask("POST", whole ? { "x-prismata-digest": whole } : {}, undefined, "/parts");
        if (answer.ok) return answer.json();
        const refused = (await answer.json()).error;
        told = await this.parts(refused); // a part may have been lost; else it is over
        if (told.urls && !Object.keys(told.urls).length) throw new Refused(refused);
        if (!told.urls) return told;
        continue;
      }
      failed = sent ? 0 : failed + 1;
      if (!sent) await this.desk.pause(Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** failed));
      told = await this.parts("this upload was forgotten; choose the file again");
      if (!told.urls) return told; // another window was faster
      if (failed >= STORE_TRIES && !this.desk.storeTakes) throw new NoWayToStore();
    }
  }

  part(told, number) {
    return this.file.slice((number - 1) * told.part_bytes, number * told.part_bytes);
  }

  async parts(otherwise) {
    const answer = await this.ask("GET", {}, undefined, "/parts");
    if (!answer.ok) throw new Refused(otherwise);
    return answer.json();
  }

  // An address that is over, a busy store and a cut connection look alike: not sent.
  async put(url, part) {
    if (this.stopped) throw new CalledOff();
    await part.slice(0, 1).arrayBuffer(); // the file is still there
    this.abort = new AbortController();
    try {
      const answer = await fetch(url, { method: "PUT", body: part, signal: this.abort.signal });
      return answer.ok;
    } catch {
      if (this.stopped) throw new CalledOff();
      this.say("connection lost, trying again");
      return false;
    }
  }

  async sendPieces(digest, offset) {
    let began = { at: performance.now(), offset };
    for (;;) {
      this.show(offset, began);
      // Whole pieces of the file, so that each is read for its digest once.
      const end = Math.min(this.file.size, (Math.floor(offset / CHUNK) + 1) * CHUNK);
      const piece = this.file.slice(offset, end);
      await digest.piece(Math.floor(offset / CHUNK));
      const headers = { "upload-offset": String(offset) };
      if (end === this.file.size) {
        this.say("checking the file");
        const whole = await digest.whole();
        if (whole) headers["x-prismata-digest"] = whole;
      }
      const answer = await this.ask("PATCH", headers, piece);
      if (answer?.status === 200) return answer.json();
      const told = answer?.headers.get("upload-offset") ?? null;
      if (told !== null) offset = Number(told);
      else if (answer === null || answer.status === 404 || answer.status === 408) {
        offset = await this.announce(); // it knows how much is there
        began = { at: performance.now(), offset };
      } else throw new Refused((await answer.json()).error);
    }
  }

  show(offset, began) {
    this.offset = offset;
    this.line.querySelector("progress").value = offset / this.file.size;
    const seconds = (performance.now() - began.at) / 1000;
    const words = [`${Math.floor((100 * offset) / this.file.size)} % of ${size(this.file.size)}`];
    if (offset > began.offset && seconds > 1) {
      const speed = (offset - began.offset) / seconds;
      words.push(`${size(speed)}/s`, `about ${clock((this.file.size - offset) / speed)} left`);
    }
    this.say(words.join(" · "));
  }
}

// Everything this window sends, one file after the other.
class Desk {
  constructor() {
    this.uploads = [];
    this.all = [];
    this.data = { token: "", domain: "" };
    window.addEventListener("online", () => this.wake());
    window.addEventListener("beforeunload", (event) => {
      if (this.isSending) event.preventDefault();
    });
  }

  attach(root, component) {
    this.data = component.data;
    this.component = component;
    if (this.root === root) return;
    this.root = root;
    root.querySelector(".files").replaceChildren(...this.uploads.map((upload) => upload.line));
    this.count();
    this.tellUnfinished();
  }

  pause(ms) {
    return new Promise((wake) => {
      const timer = setTimeout(wake, ms);
      this.wake = () => { clearTimeout(timer); wake(); };
    });
  }

  wake() {}

  goThroughWorkbench() {
    this.noWayToStore = true;
    this.say("This browser cannot send to the store itself, so files go through the workbench; "
      + "the bucket's CORS rules have to allow this page.");
  }

  // After a restart of the workbench its page has to sign a new permission.
  renew() {
    this.component.setStateValue("expired", performance.now());
  }

  add(files, leftOut) {
    const known = new Set(this.uploads.filter((item) => !item.ended).map((item) => item.url));
    for (const file of files) {
      const upload = new Upload(file, this);
      if (known.has(upload.url)) continue;
      known.add(upload.url);
      this.uploads.push(upload);
      this.root.querySelector(".files").append(upload.line);
    }
    this.say(leftOut ? `${leftOut} other file${leftOut === 1 ? " was" : "s were"} left out: no videos by their names.` : "");
    this.count();
    this.work();
  }

  async work() {
    if (this.isSending) return;
    this.isSending = true;
    for (let next; (next = this.uploads.find((item) => !item.began && !item.ended));) await next.run();
    this.isSending = false;
    this.count();
  }

  say(sentence) {
    const note = this.root.querySelector(".unfinished");
    note.textContent = sentence;
    note.hidden = !sentence;
  }

  count() {
    if (!this.root) return;
    const done = this.uploads.filter((item) => item.ended).length;
    const total = this.uploads.length;
    this.root.querySelector(".sum").textContent = total > 1 ? `${done} of ${total} files` : "";
  }

  arrived(result) {
    if (result.video_id) this.all = [...this.all, result.video_id];
    this.number = (this.number ?? 0) + 1;
    this.component.setStateValue("arrived", { ...result, all: this.all, count: this.number });
  }

  async tellUnfinished() {
    try {
      const answer = await fetch("/api/uploads", { headers: { "x-prismata-token": this.data.token } });
      if (!answer.ok || this.isSending) return;
      const { uploads } = await answer.json();
      if (!uploads.length) return;
      const told = uploads.slice(0, 3).map((item) => `${item.name} (${Math.floor((100 * item.offset) / item.size)} %)`);
      const more = uploads.length > 3 ? ` and ${uploads.length - 3} more` : "";
      this.say(`Not finished: ${told.join(", ")}${more}. Choose the same file again to go on where it stopped.`);
    } catch { /* what is there is told again on the next visit */ }
  }
}

// Files of a folder that was dropped, with everything below it; hidden ones stay out.
async function filesOf(entry) {
  if (entry.name.startsWith(".")) return [];
  if (entry.isFile) return [await new Promise((give, fail) => entry.file(give, fail))];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((give, fail) => reader.readEntries(give, fail));
    if (!some.length) return found;
    for (const each of some) found.push(...await filesOf(each));
  }
}

function onlyVideos(desk, files) {
  const videos = files.filter((file) => VIDEO.test(file.name) && !file.name.startsWith("."));
  desk.add(videos, files.length - videos.length);
}

async function takeDropped(desk, items) {
  const entries = [...items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const named = [], below = [];
  for (const entry of entries) {
    if (entry.isDirectory) below.push(...await filesOf(entry));
    else named.push(...await filesOf(entry));
  }
  if (named.length) desk.add(named, 0);
  if (below.length) onlyVideos(desk, below);
}

export default function (component) {
  const root = component.parentElement;
  const desk = (window.__prismataUploads ??= new Desk());
  desk.attach(root, component);
  const [some, folder] = root.querySelectorAll("input");
  const drop = root.querySelector(".drop");
  some.onchange = () => { desk.add([...some.files], 0); some.value = ""; };
  folder.onchange = () => { onlyVideos(desk, [...folder.files]); folder.value = ""; };
  drop.ondragover = (event) => { event.preventDefault(); drop.classList.add("over"); };
  drop.ondragleave = () => drop.classList.remove("over");
  drop.ondrop = (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    takeDropped(desk, event.dataTransfer.items);
  };
}
