// Opening a file in the player: what must be true before a frame of it may be told.

import { shortVideo, silentPicture, unsure, withoutPicture } from "./player_trouble.js";

/** @typedef {import("./frames.js").FrameTable} FrameTable */
/** @typedef {import("./player_trouble.js").Trouble} Trouble */
/** @typedef {import("./seeker.js").FrameSeeker} FrameSeeker */

/**
 * Open a file and show its first frame.
 *
 * @param {HTMLVideoElement} video
 * @param {FrameSeeker} seeker
 * @param {{url: string, frames: FrameTable, codec: string}} source
 * @param {() => boolean} isCurrent false once another file is to be opened instead
 * @returns {Promise<{isShown: boolean, trouble?: Trouble}>} trouble may come with a picture: when not
 *   every frame can be reached. An error of the video itself is not among it.
 */
export async function openVideo(video, seeker, { url, frames, codec }, isCurrent) {
  if (!("requestVideoFrameCallback" in video)) return { isShown: false, trouble: unsure() };
  video.src = url;
  seeker.open(frames);
  await hasMetadata(video);
  if (video.error || !isCurrent()) return { isShown: false };
  // Some codecs open as sound alone, without an error.
  if (video.videoWidth === 0) return { isShown: false, trouble: withoutPicture(codec) };
  if (!(await seeker.begin())) return { isShown: false, trouble: silentPicture(codec) };
  // Each frame is verified for itself, so those that can be reached are still shown.
  const lastUs = frames.startUs(frames.count - 1);
  const reachUs = video.duration * 1e6 - (seeker.zeroUs ?? 0);
  const isReached = lastUs <= reachUs || (await seeker.approach(frames.count - 1)).exact;
  return { isShown: true, trouble: isReached ? undefined : shortVideo(lastUs, reachUs) };
}

/** @param {HTMLVideoElement} video @returns {Promise<void>} when its header is read, or it failed */
function hasMetadata(video) {
  return new Promise((resolve) => {
    const names = ["loadedmetadata", "error"];
    const done = () => {
      for (const name of names) video.removeEventListener(name, done);
      resolve();
    };
    for (const name of names) video.addEventListener(name, done);
  });
}
