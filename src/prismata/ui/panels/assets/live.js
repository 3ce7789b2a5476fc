// A run while it goes on: its curve grows and its events come in, asked for by itself.
// Nothing that is there is drawn anew: the chosen event, the focus and the scroll stay.

const EVERY_MS = 500;
const RENEW_MS = 2000;
const LANE = 46;
const COLORS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"];
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

function instant(us) {
  const ms = Math.round(us / 1000);
  const seconds = String(Math.floor((ms % 60000) / 1000)).padStart(2, "0");
  return `${Math.floor(ms / 60000)}:${seconds}.${String(ms % 1000).padStart(3, "0")}`;
}

class Live {
  constructor(root) {
    this.root = root;
    this.canvas = root.querySelector("canvas");
    this.list = root.querySelector(".events");
    this.told = root.querySelector(".told");
    this.canvas.onclick = (event) => {
      const box = this.canvas.getBoundingClientRect();
      const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
      this.seek(Math.round(share * (this.data.duration_us - 1)));
    };
    this.watcher = new ResizeObserver(() => this.draw());
    this.watcher.observe(this.canvas);
  }

  update(component) {
    const { data } = component;
    const isNew = this.data?.run_id !== data.run_id;
    const isRenewed = this.data?.token !== data.token;
    this.data = data;
    this.component = component;
    if (isNew) this.forget();
    if (isNew || isRenewed) this.ask();
  }

  forget() {
    this.part = 0;
    this.count = 0;
    this.times = [];
    this.scores = [];
    this.lines = new Map();
    this.list.replaceChildren();
  }

  async ask() {
    clearTimeout(this.timer);
    const { run_id: run, token } = this.data;
    let ended = false;
    let wait = EVERY_MS;
    try {
      const answer = await fetch(`/api/detections/${run}/live?part=${this.part}&events=${this.count}`, {
        headers: { "x-prismata-token": token },
      });
      const news = await answer.json();
      if (this.closed || run !== this.data.run_id) return;
      if (answer.ok) this.take(news);
      else if (answer.status === 403) {
        wait = RENEW_MS; // after a restart, until the page has signed a new permission
        this.component.setStateValue("expired", performance.now());
      } else this.told.textContent = news.error;
      ended = answer.ok ? news.ended : answer.status !== 403;
    } catch {
      this.told.textContent = "The workbench does not answer; asking again …";
    }
    if (!ended && !this.closed) this.timer = setTimeout(() => this.ask(), wait);
  }

  take(news) {
    if (this.attempt !== undefined && news.attempt !== this.attempt && this.part) {
      this.forget(); // it began anew; the next answer brings all of it
      this.attempt = news.attempt;
      return;
    }
    this.attempt = news.attempt;
    if (news.starts_anew) {
      this.times = [];
      this.scores = [];
    }
    this.types = news.event_types;
    this.thresholds = news.thresholds;
    this.part = news.part;
    this.times.push(...news.times_us);
    this.scores.push(...news.scores);
    if (news.events) this.takeEvents(news.events);
    this.count = news.event_count;
    const reached = this.times.length ? `looked at up to ${instant(this.times.at(-1))} · ` : "";
    this.told.textContent = `${reached}${this.count} event${this.count === 1 ? "" : "s"} so far`;
    this.draw();
  }

  takeEvents(events) {
    const names = this.types.map((item) => item.name);
    const keys = new Set();
    for (const event of events) {
      const key = `${event.event_type}:${event.start_us}`;
      keys.add(key);
      if (this.lines.has(key)) continue;
      const type = names.indexOf(event.event_type);
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.us = event.start_us;
      const title = this.types[type]?.title ?? event.event_type;
      const score = event.score === null ? "" : event.score.toFixed(2);
      for (const [name, text] of [["what", `${LETTERS[type % 26] ?? ""} · ${title}`], ["when", instant(event.start_us)], ["score", score]]) {
        const part = document.createElement("span");
        part.className = name;
        part.textContent = text;
        button.append(part);
      }
      button.onclick = () => {
        this.list.querySelector("[aria-pressed=true]")?.setAttribute("aria-pressed", "false");
        button.setAttribute("aria-pressed", "true");
        this.seek(event.start_us);
      };
      const line = document.createElement("li");
      line.append(button);
      this.lines.set(key, line);
      const after = [...this.list.children].find((item) => Number(item.firstChild.dataset.us) > event.start_us);
      this.list.insertBefore(line, after ?? null);
    }
    for (const [key, line] of this.lines) {
      if (!keys.has(key)) { line.remove(); this.lines.delete(key); }
    }
  }

  seek(us) {
    window.dispatchEvent(new CustomEvent("prismata:seek", { detail: { us } }));
  }

  draw() {
    if (!this.types) return;
    const width = this.canvas.clientWidth;
    const height = LANE * this.types.length;
    const ratio = window.devicePixelRatio || 1;
    this.canvas.style.height = `${height}px`;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    const pen = this.canvas.getContext("2d");
    const style = getComputedStyle(this.root.querySelector(".live"));
    pen.scale(ratio, ratio);
    this.types.forEach((type, index) => {
      const base = (index + 1) * LANE - 6;
      const tall = LANE - 12;
      pen.fillStyle = style.getPropertyValue("--plot");
      pen.fillRect(0, base - tall, width, tall);
      pen.strokeStyle = pen.fillStyle = COLORS[index % COLORS.length];
      pen.lineWidth = 1.5;
      pen.setLineDash([]);
      pen.beginPath();
      this.times.forEach((us, place) => {
        const x = (us / this.data.duration_us) * width;
        const y = base - this.scores[place][index] * tall;
        if (place) pen.lineTo(x, y);
        else pen.moveTo(x, y);
      });
      pen.stroke();
      pen.strokeStyle = pen.fillStyle = style.color;
      pen.lineWidth = 1;
      pen.setLineDash([5, 4]);
      const line = base - (this.thresholds[type.name] ?? 0) * tall;
      pen.beginPath();
      pen.moveTo(0, line);
      pen.lineTo(width, line);
      pen.stroke();
      pen.font = "12px sans-serif";
      pen.fillText(`${LETTERS[index % 26]} ${type.title}`, 4, base - tall + 12);
    });
    this.canvas.dataset.points = this.times.length;
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    this.watcher.disconnect();
  }
}

export default function (component) {
  const root = component.parentElement;
  root.prismata ??= new Live(root);
  root.prismata.update(component);
  return () => {
    root.prismata?.close();
    delete root.prismata;
  };
}
