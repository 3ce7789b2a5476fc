// Sends videos in pieces to our own route; an interrupted one goes on where it stopped.

const CHUNK = 8 * 1024 * 1024;
const TRIES = 6;

// The same file gets the same id, also after a reload: that is what makes it resumable.
function idOf(file, domain) {
  let a = 0x811c9dc5, b = 0x9747b28c;
  for (const char of `${domain}|${file.name}|${file.size}|${file.lastModified}`) {
    a = Math.imul(a ^ char.codePointAt(0), 0x01000193) >>> 0;
    b = Math.imul(b ^ char.codePointAt(0), 0x85ebca6b) >>> 0;
  }
  return (a.toString(16).padStart(8, "0") + b.toString(16).padStart(8, "0")).repeat(2);
}

async function request(url, options) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const answer = await fetch(url, options());
      if (answer.status < 500) return answer;
      if (attempt >= TRIES) return answer;
    } catch (error) {
      if (attempt >= TRIES) throw error;
    }
    await new Promise((wake) => setTimeout(wake, 250 * 2 ** attempt));
  }
}

async function send(file, data, report) {
  const url = `/api/upload/${idOf(file, data.domain)}`;
  const token = { "x-prismata-token": data.token };
  const hello = JSON.stringify({ name: file.name, size: file.size, domain: data.domain });
  let answer = await request(url, () => ({ method: "PUT", headers: token, body: hello }));
  if (!answer.ok) throw new Error((await answer.json()).error);
  let offset = Number(answer.headers.get("upload-offset"));
  for (;;) {
    report(offset / file.size, offset === file.size ? "checking the file" : "");
    const piece = file.slice(offset, offset + CHUNK);
    report(offset / file.size, offset + piece.size === file.size ? "checking the file" : "");
    answer = await request(url, () => ({
      method: "PATCH", headers: { ...token, "upload-offset": String(offset) }, body: piece,
    }));
    if (answer.status === 200) return answer.json();
    const told = answer.headers.get("upload-offset");
    if (told === null) throw new Error((await answer.json()).error);
    offset = Number(told);
  }
}

function row(list, name) {
  const item = document.createElement("li");
  const title = document.createElement("span");
  const bar = document.createElement("progress");
  const word = document.createElement("span");
  title.textContent = name;
  word.className = "word";
  bar.max = 1;
  item.append(title, bar, word);
  list.append(item);
  return {
    progress(share, text) {
      bar.value = share;
      word.textContent = text || `${Math.floor(100 * share)} %`;
    },
    done(text) { bar.remove(); word.textContent = text; item.className = "done"; },
    refused(text) { bar.remove(); word.textContent = text; item.className = "refused"; },
  };
}

async function sendAll(root, chosen) {
  const list = root.querySelector(".files");
  const jobs = [...chosen].map((file) => ({ file, line: row(list, file.name) }));
  for (const { file, line } of jobs) {
    try {
      const result = await send(file, root.prismata.data, line.progress);
      line.done(result.message);
      root.prismataCount = (root.prismataCount ?? 0) + 1;
      root.prismata.setStateValue("arrived", { ...result, count: root.prismataCount });
    } catch (error) {
      const lost = error instanceof TypeError;
      line.refused(lost ? "The connection was lost; choose the file again to go on." : error.message);
    }
  }
}

export default function (component) {
  const root = component.parentElement;
  root.prismata = component;
  const input = root.querySelector("input");
  const drop = root.querySelector(".drop");
  input.onchange = () => {
    sendAll(root, [...input.files]);
    input.value = "";
  };
  drop.ondragover = (event) => { event.preventDefault(); drop.classList.add("over"); };
  drop.ondragleave = () => drop.classList.remove("over");
  drop.ondrop = (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    sendAll(root, event.dataTransfer.files);
  };
}
