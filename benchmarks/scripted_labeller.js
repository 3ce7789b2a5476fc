// A scripted annotator in the page of the player: sees the picture change, and presses a key as long
// after it as a person would. All times are the page's own, so that no driver adds delay.

import { KeyListener } from "/assets/keys.js";
import { KeyMap } from "/assets/keymap.js";

const TYPES = [
  { name: "lamp", kind: "segment", hotkey: "h" },
  { name: "flash", kind: "point", hotkey: "q" },
];
/** Timers are late by a few milliseconds; the rest is waited for by looking at the clock. */
const EARLY_MS = 6;

/**
 * @param {{rate: number, reactions: number[], lamps: [number, number][], flashes: number[], teach: number}} script
 *   `reactions` in milliseconds of wall time, one for each key; truth in microseconds; the first
 *   `teach` marks are corrected to the truth, as a person would who looks at them again
 */
export async function label({ rate, reactions, lamps, flashes, teach }) {
  const { bench } = window;
  const { video, player } = bench;
  const lag = new bench.ReactionLag();
  const marking = new bench.Marking({ player, lag, eventTypes: TYPES });
  const keymap = new KeyMap(TYPES);
  const listener = new KeyListener({
    host: video,
    keymap,
    onAction: () => false,
    onClassDown: (type, event) => marking.keyDown(type, { shift: event.shiftKey, at: event.timeStamp }),
    onClassUp: (type, event) => marking.keyUp(type, { at: event.timeStamp }),
    onRelease: () => marking.releaseAll(),
  });
  const truth = { lamp: lamps.map(([start, end]) => ({ start, end })), flash: flashes.map((start) => ({ start, end: start })) };
  const found = [];
  marking.addEventListener("mark", ({ detail }) => {
    // What was meant: the event of this type that begins nearest to before the key.
    const about = detail.live.raw_start_us - 250_000 * rate;
    const meant = truth[detail.event_type].reduce((best, event) => (Math.abs(event.start - about) < Math.abs(best.start - about) ? event : best));
    const taught = found.length < teach;
    found.push({ ...detail, truth: meant, taught });
    if (!taught) return;
    lag.learn(detail.live.raw_start_us, meant.start, detail.live.rate);
    if (detail.live.raw_end_us !== null) lag.learn(detail.live.raw_end_us, meant.end, detail.live.rate);
  });

  const presses = [];
  let late = 0;
  const press = (name, key, code, at) => {
    presses.push(
      new Promise((resolve) => {
        setTimeout(() => {
          while (performance.now() < at);
          late = Math.max(late, performance.now() - at);
          document.body.dispatchEvent(new KeyboardEvent(name, { key, code, bubbles: true, composed: true }));
          resolve();
        }, Math.max(0, at - performance.now() - EARLY_MS));
      }),
    );
  };
  const canvas = new OffscreenCanvas(2, 1);
  const drawing = canvas.getContext("2d", { willReadFrequently: true });
  const lit = [false, false];
  let presented = 0;
  const see = (_now, told) => {
    video.requestVideoFrameCallback(see);
    presented++;
    drawing.drawImage(video, 0, 0, 2, 1);
    const pixels = drawing.getImageData(0, 0, 2, 1).data;
    const now = [pixels[0] > 128, pixels[4] > 128];
    const at = () => told.expectedDisplayTime + reactions.shift();
    if (now[0] !== lit[0]) press(now[0] ? "keydown" : "keyup", "h", "KeyH", at());
    if (now[1] && !lit[1]) {
      const down = at();
      press("keydown", "q", "KeyQ", down);
      press("keyup", "q", "KeyQ", down + 80);
    }
    [lit[0], lit[1]] = now;
  };
  video.requestVideoFrameCallback(see);
  player.setRate(rate);
  const quality = video.getVideoPlaybackQuality().droppedVideoFrames;
  await player.play();
  await new Promise((resolve) => video.addEventListener("ended", resolve, { once: true }));
  await Promise.all(presses);
  listener.close();
  return {
    marks: found,
    lag: { ms: lag.ms, count: lag.count, learned: lag.isLearned },
    presented,
    dropped: video.getVideoPlaybackQuality().droppedVideoFrames - quality,
    latest_press_ms: late,
  };
}
