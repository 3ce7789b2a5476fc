// A drawn timeline: a click asks the player for that instant, a line follows what it shows.

export default function (component) {
  const { parentElement: root, data } = component;
  const picture = root.querySelector(".picture");
  const head = root.querySelector(".head");
  if (root.prismataSvg !== data.svg) {
    root.prismataSvg = data.svg;
    picture.innerHTML = data.svg; // drawn by our own server, every text in it escaped
  }
  picture.onclick = (event) => {
    const box = picture.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    const detail = { us: (data.from_us ?? 0) + Math.round(share * (data.duration_us - 1)) };
    window.dispatchEvent(new CustomEvent("prismata:seek", { detail }));
  };
  if (!root.prismataFollow) {
    root.prismataFollow = (event) => {
      const share = (event.detail.us - root.prismataFrom) / root.prismataDuration;
      head.hidden = share < 0 || share > 1; // the picture may show a stretch of the video only
      head.style.left = `${100 * share}%`;
    };
    window.addEventListener("prismata:time", root.prismataFollow);
  }
  root.prismataDuration = data.duration_us;
  root.prismataFrom = data.from_us ?? 0;
  return () => {
    window.removeEventListener("prismata:time", root.prismataFollow);
    delete root.prismataFollow;
  };
}
