// The queue of detections: asked for each second by itself, so the page around it never runs for it.
// Rows are kept by job and changed in place: what is ticked, focused and scrolled to stays.

const EVERY_MS = 1000;
const RENEW_MS = 2000;
const ACTIONS = [
  ["cancel", "Cancel", ["waiting", "paused", "running"], "Stops it; labels and earlier results stay."],
  ["retry", "Try again", ["failed", "cancelled"], "Asks for the same again, as a new job."],
  ["pause", "Pause", ["waiting"], "Nobody begins it until it is resumed."],
  ["resume", "Resume", ["paused"], "Lets it be begun again, where it stands."],
  ["first", "To the front", ["waiting", "paused"], "Before everything that waits."],
  ["up", "Up", ["waiting", "paused"], "One place up."],
];
const SHOWN = {
  all: () => true,
  active: (row) => ["waiting", "paused", "running", "stopping"].includes(row.state),
  failed: (row) => ["failed", "cancelled"].includes(row.state),
  done: (row) => row.state === "done",
};
const ORDER = ["running", "stopping", "waiting", "paused", "done", "failed", "cancelled"];

function clock(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const rest = String(whole % 60).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

function instant(us) {
  const ms = Math.round(us / 1000);
  const seconds = String(Math.floor((ms % 60000) / 1000)).padStart(2, "0");
  return `${Math.floor(ms / 60000)}:${seconds}.${String(ms % 1000).padStart(3, "0")}`;
}

function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

class Queue {
  constructor(root) {
    this.root = root;
    this.lines = new Map(); // job id -> its row on the page
    this.ticked = new Set();
    this.view = { rows: [], counts: {}, share: 1, left_s: null };
    this.opened = 0;
    this.shown = "all";
    this.find = (name) => root.querySelector(`.${name}`);
    this.makeActions();
    this.find("shown").onchange = (event) => { this.shown = event.target.value; this.draw(); };
    this.find("words").oninput = () => this.draw();
    this.find("every").onchange = (event) => this.tickAll(event.target.checked);
    this.wake = () => document.hidden || this.ask();
    document.addEventListener("visibilitychange", this.wake);
  }

  update(component) {
    const before = this.component?.data;
    this.component = component;
    const { submitted, token } = component.data;
    if (before?.submitted !== submitted || before?.token !== token) this.ask();
  }

  makeActions() {
    this.buttons = ACTIONS.map(([action, title, , help]) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = title;
      button.title = help;
      button.dataset.action = action;
      button.onclick = () => this.act(action);
      this.find("actions").append(button);
      return button;
    });
  }

  async ask(body) {
    clearTimeout(this.timer);
    const turn = (this.turn = (this.turn ?? 0) + 1);
    try {
      const answer = await fetch("/api/queue", {
        method: body ? "POST" : "GET",
        headers: { "x-prismata-token": this.component?.data.token ?? "" },
        body: body && JSON.stringify(body),
      });
      const told = await answer.json();
      if (turn !== this.turn) return; // somebody asked again meanwhile
      if (answer.ok) {
        this.view = told;
        if (body) this.say(told.refused.length ? told.refused.join(" ") : "");
        else if (this.lost) this.say("");
        this.lost = false;
        this.draw();
      } else if (answer.status === 403) {
        if (body) this.say(told.error); // maybe the permission, maybe the person's role
        this.renew();
      } else this.say(told.error);
    } catch {
      this.lost = true;
      this.say("The workbench does not answer; what runs goes on. Asking again …");
    }
    clearTimeout(this.timer);
    if (!this.closed) this.timer = setTimeout(() => document.hidden || this.ask(), EVERY_MS);
  }

  // After a restart of the workbench its page has to sign a new permission.
  renew() {
    const now = performance.now();
    if (!this.component || now - (this.renewedAt ?? -RENEW_MS) < RENEW_MS) return;
    this.renewedAt = now;
    this.component.setStateValue("expired", now); // another value each time: one may get lost
  }

  say(sentence) {
    put(this.find("told"), sentence);
    this.find("told").hidden = !sentence;
  }

  act(action) {
    const [, , states] = ACTIONS.find(([name]) => name === action);
    const jobs = this.view.rows
      .filter((row) => this.ticked.has(row.id) && states.includes(row.state))
      .map((row) => row.id);
    // Moved to the front one by one, the last one would be the first.
    if (action === "first") jobs.reverse();
    if (jobs.length) this.ask({ action, jobs });
  }

  tickAll(on) {
    for (const row of this.rows()) this.ticked[on ? "add" : "delete"](row.id);
    this.draw();
  }

  rows() {
    const words = this.find("words").value.trim().toLowerCase();
    return this.view.rows.filter((row) => SHOWN[this.shown](row)
      && (!words || `${row.video} ${row.model} ${row.note}`.toLowerCase().includes(words)));
  }

  draw() {
    this.drawSummary();
    const rows = this.rows();
    const body = this.find("rows");
    const ids = new Set(rows.map((row) => row.id));
    for (const [id, line] of this.lines) {
      if (!ids.has(id)) { line.remove(); this.lines.delete(id); }
    }
    const all = new Set(this.view.rows.map((row) => row.id));
    for (const id of this.ticked) if (!all.has(id)) this.ticked.delete(id);
    rows.forEach((row, place) => {
      const line = this.lines.get(row.id) ?? this.makeLine(row.id);
      this.drawLine(line, row);
      if (body.children[place] !== line) body.insertBefore(line, body.children[place] ?? null);
    });
    this.find("empty").hidden = rows.length > 0;
    put(this.find("empty"), this.view.rows.length
      ? "Nothing here fits what is asked for above."
      : "Nothing waits and nothing ran today. Choose videos above and press the button.");
    this.find("table").hidden = rows.length === 0;
    this.find("every").checked = rows.length > 0 && rows.every((row) => this.ticked.has(row.id));
    for (const button of this.buttons) {
      const [, , states] = ACTIONS.find(([name]) => name === button.dataset.action);
      button.disabled = !this.view.rows.some((row) => this.ticked.has(row.id) && states.includes(row.state));
    }
  }

  drawSummary() {
    const { counts, share, left_s: left } = this.view;
    const told = ORDER.filter((state) => counts[state]).map((state) => `${counts[state]} ${state}`);
    const active = (counts.running ?? 0) + (counts.waiting ?? 0) + (counts.stopping ?? 0);
    if (active && left !== null) told.push(`all done in about ${clock(left)}`);
    put(this.find("sum"), told.join(" · "));
    this.find("whole").value = share;
    this.find("whole").hidden = !active;
  }

  makeLine(id) {
    const line = document.createElement("tr");
    line.dataset.job = id;
    line.innerHTML = '<td class="tick"><input type="checkbox"></td>'
      + '<td class="name"><button type="button" class="open"></button><span class="model"></span></td>'
      + '<td class="state"><span class="word"></span></td>'
      + '<td class="far"><progress max="1"></progress><span class="share"></span></td>'
      + '<td class="left number"></td><td class="events number"></td><td class="note"></td>';
    line.querySelector("input").onchange = (event) => {
      this.ticked[event.target.checked ? "add" : "delete"](id);
      this.draw();
    };
    line.querySelector(".open").onclick = () => this.open(id);
    this.lines.set(id, line);
    return line;
  }

  drawLine(line, row) {
    const at = (name) => line.querySelector(`.${name}`);
    const tick = line.querySelector("input");
    tick.checked = this.ticked.has(row.id);
    tick.setAttribute("aria-label", `select ${row.video}`);
    line.classList.toggle("opened", this.openedId === row.id);
    put(at("open"), row.video);
    at("open").disabled = !row.run_id;
    put(at("model"), row.kind === "intake" ? "not in the library yet" : row.model);
    put(at("word"), row.state);
    at("word").dataset.state = row.state;
    const runs = row.state === "running" || row.state === "stopping";
    line.querySelector("progress").hidden = !runs;
    line.querySelector("progress").value = row.progress;
    put(at("share"), runs ? `${Math.floor(100 * row.progress)} %` : "");
    put(at("left"), row.left_s === null ? "" : `${runs ? "" : "in "}${clock(row.left_s)}`);
    const first = row.first_us === null ? "" : ` · first ${instant(row.first_us)}`;
    put(at("events"), row.run_id && (row.events || row.state === "done") ? `${row.events}${first}` : "");
    put(at("note"), row.state === "done" ? "" : row.note);
  }

  open(id) {
    const row = this.view.rows.find((item) => item.id === id);
    this.openedId = id;
    this.opened += 1;
    this.component.setStateValue("opened", { run_id: row.run_id, job_id: id, count: this.opened });
    this.draw();
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    document.removeEventListener("visibilitychange", this.wake);
  }
}

export default function (component) {
  const root = component.parentElement;
  root.prismata ??= new Queue(root);
  root.prismata.update(component);
  return () => {
    root.prismata?.close();
    delete root.prismata;
  };
}
