// Backwards, browsers do not play: as many verified frames are shown as there is time for.

/** @typedef {import("./frames.js").FrameTable} FrameTable */
/** @typedef {import("./seeker.js").FrameSeeker} FrameSeeker */

const WAIT_MS = 8;

/**
 * Run towards the first frame until it is reached or the speed is 0.
 *
 * @param {{seeker: FrameSeeker, frames: FrameTable | null, shown: number | null}} player
 * @param {() => number} speed how many seconds of video pass in a second
 */
export async function goBackwards({ seeker, frames, shown }, speed) {
  if (!frames) return;
  let at = seeker.goal ?? shown ?? 0;
  let us = frames.startUs(at);
  let then = performance.now();
  while (at > 0 && speed() > 0) {
    const now = performance.now();
    us -= (now - then) * 1000 * speed();
    then = now;
    const next = frames.indexAt(us);
    if (next === at) await new Promise((resolve) => setTimeout(resolve, WAIT_MS));
    else {
      at = next;
      const { frame } = await seeker.seek(at);
      if (frame === null) return;
    }
  }
}
