// The element that the canvases lie in, what screen readers hear, and the news that colours changed.

const SUMMARY_MS = 900;

export class Stage {
  /**
   * @param {HTMLElement} host
   * @param {() => void} onTheme
   */
  constructor(host, onTheme) {
    this.host = host;
    host.tabIndex = 0;
    host.setAttribute("role", "group");
    host.setAttribute("aria-roledescription", "timeline");
    host.setAttribute("aria-label", "Timeline of the video");
    this.surface = document.createElement("div");
    // Fingers scroll the page up and down; sideways and two at a time are ours.
    Object.assign(this.surface.style, { position: "relative", width: "100%", touchAction: "pan-y", userSelect: "none" });
    this.summary = document.createElement("div");
    this.summary.setAttribute("role", "status");
    Object.assign(this.summary.style, { position: "absolute", width: "1px", height: "1px", overflow: "hidden", clipPath: "inset(50%)", whiteSpace: "nowrap" });
    // A transition is how styles tell a script that they changed.
    this.probe = document.createElement("div");
    this.probe.setAttribute("aria-hidden", "true");
    Object.assign(this.probe.style, {
      position: "absolute", width: "0", height: "0", color: "var(--st-text-color)", backgroundColor: "var(--st-background-color)",
      outlineColor: "var(--st-primary-color)", transition: "color 1ms, background-color 1ms, outline-color 1ms",
    });
    this.probe.addEventListener("transitionend", onTheme);
    host.replaceChildren(this.surface, this.summary, this.probe);
  }

  /**
   * Say what is shown, for those who do not see it; not while it is still moving.
   *
   * @param {() => string} words
   */
  tell(words) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => (this.summary.textContent = words()), SUMMARY_MS);
  }

  close() {
    clearTimeout(this.timer);
    this.host.replaceChildren();
  }
}
