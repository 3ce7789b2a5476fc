// What Streamlit calls: once when the component appears, again whenever its data changes. The
// station outlives remounts, because Streamlit makes a new element whenever something above it comes
// or goes, and a video must go on playing.

import { Station, rememberPosition } from "./station.js";

/** @typedef {import("./station.js").StationData} StationData */

const PARKED_MS = 3000;

class Place {
  constructor() {
    this.root = document.createElement("div");
    this.root.className = "station";
    this.root.tabIndex = -1;
    /** @type {Station | null} */
    this.station = null;
    this.about = "";
    this.expiredCount = 0;
    /** @type {((name: string, value: unknown) => void) | null} */
    this.setStateValue = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  /** @param {StationData} data */
  update(data) {
    const linked = JSON.stringify([data.video.id, data.at_us]);
    if (data.at_us !== null && linked !== followed) {
      followed = linked;
      rememberPosition(data.video.id, data.at_us);
      if (this.station?.data.video.id === data.video.id) void this.station.player.seekToUs(data.at_us);
    }
    const about = JSON.stringify([data.user, data.video, data.domain, Boolean(data.result)]);
    if (this.station && about === this.about) {
      if (JSON.stringify(data.tokens) !== JSON.stringify(this.station.data.tokens)) this.station.renew(data);
      else this.station.follow(data);
      return;
    }
    this.station?.close();
    this.about = about;
    this.station = new Station(this.root, data, {
      expired: () => this.setStateValue?.("expired", ++this.expiredCount + Math.random()),
      told: (name, value) => this.setStateValue?.(name, value),
    });
  }

  park() {
    const playing = !this.station?.player.paused;
    this.timer = setTimeout(() => {
      this.station?.close();
      this.station = null;
      if (parked === this) parked = null;
    }, PARKED_MS);
    this.wasPlaying = playing;
    parked = this;
  }

  /** @param {Element} host */
  adopt(host) {
    clearTimeout(this.timer);
    host.replaceChildren(this.root);
    if (this.wasPlaying) this.station?.player.play();
    this.wasPlaying = false;
  }
}

/** @type {Place | null} */
let parked = null;
/** The link that was followed last; it leads somewhere once, then the station keeps its own place. */
let followed = "";
/** @type {WeakMap<Element, Place>} */
const places = new WeakMap();

/** @param {{parentElement: HTMLElement, data: StationData, setStateValue: (name: string, value: unknown) => void}} component */
export default function (component) {
  const host = /** @type {HTMLElement} */ (component.parentElement.querySelector(".label-station"));
  let place = places.get(host);
  if (!place) {
    place = parked ?? new Place();
    parked = null;
    places.set(host, place);
    place.adopt(host);
  }
  place.setStateValue = component.setStateValue;
  place.update(component.data);
  return () => {
    places.get(host)?.park();
    places.delete(host);
  };
}
