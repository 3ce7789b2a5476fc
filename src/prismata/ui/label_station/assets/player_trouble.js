// Why a video is not shown, in words: what was wanted, what is true, what helps.

import { formatTime } from "./dom.js";

/** @typedef {{kind: "unplayable" | "expired" | "inexact" | "network", sentence: string, reachable?: boolean}} Trouble */

const NAMES = /** @type {Record<string, string>} */ ({
  h264: "H.264", hevc: "HEVC", h265: "HEVC", mpeg4: "MPEG-4 part 2", prores: "ProRes", vp8: "VP8", vp9: "VP9", av1: "AV1", mjpeg: "Motion JPEG",
});

/** @param {string} codec as FFmpeg calls it */
export function codecName(codec) {
  return NAMES[codec.toLowerCase()] ?? (codec || "this codec");
}

/** @param {string} codec @returns {Trouble} */
export function withoutPicture(codec) {
  return {
    kind: "unplayable",
    sentence: `This browser opens the video but has no picture for ${codecName(codec)}. A proxy with the same frames will play.`,
  };
}

/** @param {string} codec @returns {Trouble} */
export function silentPicture(codec) {
  return {
    kind: "unplayable",
    sentence: `This browser opened the video (${codecName(codec)}) but never showed its first frame. A proxy with the same frames will play.`,
  };
}

/** @param {string} [codec] @returns {Trouble} */
export function unsure(codec) {
  if (codec === undefined) {
    return {
      kind: "inexact",
      sentence: "This browser cannot say which frame it shows, so nothing can be labelled exactly. Use a current Chrome, Edge, Firefox or Safari.",
    };
  }
  return {
    kind: "inexact",
    sentence: `The browser did not show the frame that was asked for (${codecName(codec)}), so it cannot be labelled. Try again, or use a proxy with the same frames.`,
  };
}

/** @param {number} lastUs @param {number} durationUs @returns {Trouble} */
export function shortVideo(lastUs, durationUs) {
  return {
    kind: "inexact",
    sentence: `The browser takes this video to end at ${formatTime(durationUs)}, but its last frame comes at ${formatTime(lastUs)}: it cannot reach every frame. A proxy will play all of them.`,
  };
}

/** Whether two addresses differ in their permission only. @param {string} one @param {string} other */
export function isSameFile(one, other) {
  const [a, b] = [one, other].map((address) => {
    const url = new URL(address, document.baseURI);
    url.searchParams.delete("token");
    return url.href;
  });
  return a === b;
}

/**
 * Find out why a video failed: the browser itself does not say what the server answered.
 *
 * @param {{url: string, codec: string}} source
 * @param {MediaError | null} error
 * @returns {Promise<Trouble>} `reachable`: the server would give the file
 */
export async function diagnose({ url, codec }, error) {
  let answer;
  try {
    // A store elsewhere need not let scripts read its answers, so its address is not followed.
    answer = await fetch(url, { headers: { range: "bytes=0-0" }, redirect: "manual" });
  } catch {
    return { kind: "network", sentence: "The video cannot be reached: the server does not answer. Check the connection, then play again." };
  }
  if (answer.status === 403) {
    return { kind: "expired", sentence: "The permission to see this video has run out; the page asks for a new one." };
  }
  if (!answer.ok && answer.type !== "opaqueredirect") {
    const said = await answer.json().then((told) => String(told.error ?? ""), () => "");
    return { kind: "network", sentence: said || `The video cannot be reached: the server answered ${answer.status}.` };
  }
  await answer.body?.cancel();
  if (error?.code === MediaError.MEDIA_ERR_NETWORK) {
    return { kind: "network", sentence: "Loading the video broke off. Check the connection, then open it again.", reachable: true };
  }
  return {
    kind: "unplayable",
    sentence: `This browser cannot play this video (${codecName(codec)}). A proxy with the same frames will play.`,
    reachable: true,
  };
}
