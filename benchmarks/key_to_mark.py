"""How long after a key press its mark is on the screen, without waiting for the server.

Opens the real label page on a synthetic video in headless Chromium, presses the key of a point
event inside the page and counts the animation frames until the canvas of the timeline shows the
mark: while the video stands still, while it plays, and while the server is killed. Prints medians
and the worst case, and as the last line everything as JSON.

    python benchmarks/key_to_mark.py [--presses 100]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright
from serving import DOMAINS, ServedWorkbench

from prismata.services.ingest import ingest_file
from prismata.settings import Settings
from prismata.testing.synth import render_flashes
from prismata.wiring import open_workbench

CHROMIUM = "/usr/bin/chromium"
DOMAIN = "falls"
READY = ".frame-of-station[data-ready=true]"

PRESS = """
async ({presses, playing}) => {
  const deep = (selector, root = document) => {
    const found = root.querySelector(selector);
    if (found) return found;
    for (const host of root.querySelectorAll("*")) {
      const inside = host.shadowRoot && deep(selector, host.shadowRoot);
      if (inside) return inside;
    }
    return null;
  };
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  const key = (type, name, code) => document.dispatchEvent(
    new KeyboardEvent(type, {key: name, code, bubbles: true, cancelable: true, composed: true}));
  const canvas = deep(".timeline canvas");
  const pixels = () => canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  const same = (a, b) => a.every((value, index) => value === b[index]);
  const frames = [], times = [];
  for (let press = 0; press < presses; press++) {
    if (!playing) {
      key("keydown", "ArrowRight", "ArrowRight");
      key("keyup", "ArrowRight", "ArrowRight");
    }
    await pause(250 + 40 * Math.random());
    const before = pixels().slice();
    const pressed = performance.now();
    key("keydown", "f", "KeyF");
    key("keyup", "f", "KeyF");
    const drawn = await new Promise((done) => {
      let count = 0;
      const look = () => {
        count++;
        // The loop was asked for after the key, so the painter of the same frame has drawn already.
        if (!same(before, pixels())) done({count, ms: performance.now() - pressed});
        else if (count < 120) requestAnimationFrame(look);
        else done({count: null, ms: null});
      };
      requestAnimationFrame(look);
    });
    frames.push(drawn.count);
    times.push(drawn.ms);
  }
  return {frames, times};
}
"""


def press(page: Page, presses: int, *, playing: bool) -> dict[str, Any]:
    """Press, and say how many animation frames each mark took."""
    told = page.evaluate(PRESS, {"presses": presses, "playing": playing})
    seen = [count for count in told["frames"] if count is not None]
    times = [ms for ms in told["times"] if ms is not None]
    return {
        "presses": presses,
        "drawn": len(seen),
        "frames_median": statistics.median(seen) if seen else None,
        "frames_worst": max(seen, default=None),
        "ms_median": round(statistics.median(times), 1) if times else None,
        "ms_worst": round(max(times), 1) if times else None,
    }


def measure(folder: Path, presses: int) -> dict[str, Any]:
    """Open the page and press in each situation."""
    made = render_flashes(folder / "video.mp4", seconds=120, seed=4, size=(320, 180), fps=25)
    settings = Settings(data_dir=folder / "data", domains_dirs=str(DOMAINS))
    with open_workbench(settings) as bench:
        video = ingest_file(bench, made.path, domain=DOMAIN).video
    if video is None:
        raise SystemExit("the video was not taken in")
    found: dict[str, Any] = {}
    with ServedWorkbench(folder / "data") as served, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        page.goto(f"{served.url}/?domain={DOMAIN}&video={video.id}")
        page.locator(READY).wait_for(timeout=60_000)
        # The thumbnails arrive on the canvas too; they are not what is measured.
        page.wait_for_timeout(15_000)
        found["still"] = press(page, presses, playing=False)
        found["server_away"] = _away(page, served, presses)
        browser.close()
    return found | {"load": round(os.getloadavg()[0], 2)}


def _away(page: Page, served: ServedWorkbench, presses: int) -> dict[str, Any]:
    served.kill()
    page.locator(".saved").wait_for()
    return press(page, presses, playing=False)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--presses", type=int, default=100)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="prismata-keys-") as folder:
        found = measure(Path(folder), chosen.presses)
    for name in ("still", "server_away"):
        row = found[name]
        print(
            f"{name:12} {row['drawn']} of {row['presses']} marks drawn, after "
            f"{row['frames_median']} animation frames (worst {row['frames_worst']}), "
            f"{row['ms_median']} ms (worst {row['ms_worst']} ms)"
        )
    print(json.dumps({"key_to_mark": found}))


if __name__ == "__main__":
    main()
