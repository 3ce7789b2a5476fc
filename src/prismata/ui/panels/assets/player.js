// One plain <video>. Times told to Python count from the first displayed frame, in microseconds.

const MICROSECONDS = 1e6;
const positions = (window.__prismataPositions ??= new Map()); // address -> microseconds, over remounts

function show(us) {
  const ms = Math.round(us / 1000);
  const rest = ms % 60000;
  const seconds = String(Math.floor(rest / 1000)).padStart(2, "0");
  return `${Math.floor(ms / 60000)}:${seconds}.${String(rest % 1000).padStart(3, "0")}`;
}

class Player {
  constructor(root) {
    this.video = root.querySelector("video");
    this.clock = root.querySelector(".clock");
    this.trouble = root.querySelector(".trouble");
    this.zero = 0; // media time of the first frame: Chromium keeps a start offset, Firefox does not
    this.us = 0;
    this.seekId = null;
    this.onSeek = (event) => this.seek(event.detail.us);
    window.addEventListener("prismata:seek", this.onSeek);
    this.video.addEventListener("loadeddata", () => this.loaded());
    this.video.addEventListener("seeked", () => this.video.paused && this.tick(this.video.currentTime));
    this.video.addEventListener("error", () => this.failed());
    this.watch();
  }

  update({ data }) {
    this.data = data;
    if (this.url !== data.url) {
      this.url = data.url;
      this.trouble.hidden = true;
      this.zero = 0;
      this.calibrated = false;
      this.wanted = positions.get(data.url);
      this.video.src = data.url;
      this.video.setAttribute("aria-label", data.name);
    }
    const wish = data.seek;
    if (wish && wish.id !== this.seekId) this.seek(wish.us);
    this.seekId = wish ? wish.id : null;
  }

  loaded() {
    if (this.video.videoWidth === 0) {
      this.fail(`This browser plays no picture of this video (${this.data.codec}).`);
      return;
    }
    // Where no frame callback comes, the first frame counts as zero after a moment.
    setTimeout(() => this.calibrated || this.calibrate(0), 500);
  }

  calibrate(zero) {
    this.calibrated = true;
    this.zero = zero;
    if (this.wanted !== undefined) this.seek(this.wanted);
    this.wanted = undefined;
  }

  watch() {
    if (!this.video.requestVideoFrameCallback) {
      this.video.addEventListener("timeupdate", () => this.tick(this.video.currentTime));
      return;
    }
    this.video.requestVideoFrameCallback((_now, frame) => {
      if (!this.calibrated) this.calibrate(this.video.currentTime < 1e-3 ? frame.mediaTime : 0);
      this.tick(frame.mediaTime);
      this.watch();
    });
  }

  tick(mediaSeconds) {
    this.us = Math.max(0, Math.round((mediaSeconds - this.zero) * MICROSECONDS));
    this.clock.textContent = show(this.us);
    if (this.calibrated) positions.set(this.url, this.us);
    window.dispatchEvent(new CustomEvent("prismata:time", { detail: { us: this.us } }));
  }

  seek(us) {
    if (!this.calibrated) {
      this.wanted = us;
      return;
    }
    this.video.pause();
    this.video.currentTime = us / MICROSECONDS + this.zero;
  }

  failed() {
    const codec = this.data?.codec ?? "unknown";
    this.fail(`This browser cannot play this video (${codec}), or the page is too old; reload it.`);
  }

  fail(sentence) {
    this.trouble.textContent = `${sentence} Detection works all the same.`;
    this.trouble.hidden = false;
  }

  close() {
    window.removeEventListener("prismata:seek", this.onSeek);
    this.video.removeAttribute("src");
    this.video.load();
  }
}

export default function (component) {
  const root = component.parentElement;
  root.prismata ??= new Player(root);
  root.prismata.update(component);
  return () => {
    root.prismata?.close();
    delete root.prismata;
  };
}
