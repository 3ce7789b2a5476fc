"""How smoothly the timeline pans and zooms over two hours.

12 event types with curves at 30 Hz, as tiles over HTTP from the real routes, in headless Chromium.
The page pans and zooms by a scripted hand, one step in each animation frame; measured are the time
from frame to frame and the time that drawing took of it. Prints one line for each number of events,
and as the last line everything as JSON.

    python benchmarks/timeline_frames.py [--seconds 6] [--events 2000 20000 100000]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import secrets
import tempfile
import time
from pathlib import Path
from runpy import run_path
from typing import Any

import numpy as np

from prismata.api import create_routes
from prismata.catalog import DetectionRunRecord
from prismata.core.events import PALETTE, EventType
from prismata.core.modelcard import ModelCard
from prismata.core.recipes import ClipSpec, GroupingRule
from prismata.core.scores import ScoreTrack
from prismata.services.access import mint_token
from prismata.services.score_tiles import ScoreDesk
from prismata.services.workbench import Workbench
from prismata.settings import Settings
from prismata.wiring import open_workbench

PAGE = Path(__file__).resolve().parents[1] / "tests/browser/timeline_app.py"

CHROMIUM = "/usr/bin/chromium"
UNBOUND = ("--disable-frame-rate-limit", "--disable-gpu-vsync")
"""Frames as fast as they come; with the display's rhythm none could be shorter than 16.7 ms."""
HOURS = 2
DURATION_US = HOURS * 3_600_000_000
FRAME_US = 40_000
TYPES = tuple(
    EventType(f"type_{i}", "segment" if i % 2 else "point", hotkey="123456789abc"[i])
    for i in range(12)
)

SCRIPT = """
async ([kind, seconds]) => {
  const { timeline } = harness;
  const gaps = [], draws = [];
  let before = 0;
  timeline.showView(...(kind === "zoom" ? [0, timeline.view.durationUs] : [1.8e9, 2.4e9]));
  const began = performance.now();
  for (let step = 0; performance.now() - began < seconds * 1000; step++) {
    const now = await new Promise(requestAnimationFrame);
    if (before) {
      gaps.push(now - before);
      draws.push(timeline.painter.stillMs + timeline.painter.movingMs);
    }
    before = now;
    // In and out between everything and single frames; back and forth through ten minutes.
    if (kind === "zoom") timeline.zoomBy(Math.floor(step / 120) % 2 ? 1 / 1.09 : 1.09, 3.3e9);
    else timeline.panBy(Math.floor(step / 180) % 2 ? -0.012 : 0.012);
    timeline.setPlayhead(timeline.view.startUs + timeline.view.spanUs * 0.4);
  }
  return { gaps, draws };
}
"""


def make_track() -> ScoreTrack:
    """Return two hours of scores: quiet noise with a bump wherever something happens."""
    rng = np.random.default_rng(11)
    samples = HOURS * 3600 * 30
    times = np.rint(np.arange(samples) * 1e6 / 30).astype(np.int64)
    scores = np.empty((samples, len(TYPES)), np.float32)
    for column in range(len(TYPES)):
        noise = np.convolve(rng.normal(0.06, 0.09, samples), np.ones(5) / 5, "same")
        for centre in rng.integers(0, samples, 170):
            at = np.arange(max(0, centre - 60), min(samples, centre + 60))
            noise[at] = np.maximum(
                noise[at], rng.uniform(0.4, 1) * np.exp(-(((at - centre) / 25) ** 4))
            )
        scores[:, column] = noise.clip(0, 1)
    return ScoreTrack(times, scores, tuple(item.name for item in TYPES))


def store_run(bench: Workbench, folder: Path) -> DetectionRunRecord:
    """Store a finished run with these scores; nothing here reads the video itself."""
    video, _ = bench.catalog.videos.add(
        name="two-hours.mp4", storage_key="videos/none.mp4", sha256="0" * 64, size_bytes=1,
        container="mp4", codec="h264", width=64, height=48, rotation=0,
        frame_count=DURATION_US // FRAME_US, duration_us=DURATION_US, first_pts_us=0,
        min_step_us=FRAME_US, max_step_us=FRAME_US, timeline_key="videos/none.npz",
    )  # fmt: skip
    card = ModelCard(
        name="curves", domain="bench", domain_version=1, event_types=TYPES, clip=ClipSpec(),
        rules={item.name: GroupingRule() for item in TYPES}, architecture="none", encoder="none",
        encoder_frozen=True, feature_size=1, weights_origin="none",
    )  # fmt: skip
    model = bench.catalog.models.add(
        name="curves", domain="bench", domain_version=1, bundle_key="models/curves/", kind="bundle",
        card=json.loads(card.to_json()),
    )  # fmt: skip
    run = bench.catalog.detections.start(video_id=video.id, model_id=model.id, settings={})
    make_track().save(folder / "scores.npz")
    key = f"detections/{run.id}/scores.npz"
    bench.storage.put_file(key, folder / "scores.npz")
    return bench.catalog.detections.finish(
        run.id, [], runtime="by hand", result_key="", scores_key=key, peak_rss_mb=0.0,
        wall_seconds=0.0, settings={},
    )  # fmt: skip


def make_events(count: int) -> list[dict[str, Any]]:
    """Return events of all types, spread over the video."""
    rng = random.Random(count)  # noqa: S311 - places of events
    events = []
    for number in range(count):
        item = TYPES[number % len(TYPES)]
        start = rng.randrange(0, DURATION_US - 10_000_000) // FRAME_US * FRAME_US
        length = rng.randrange(5, 100) * FRAME_US if item.kind == "segment" else 0
        events.append(
            {
                "id": str(number), "start_us": start, "end_us": start + length,
                "event_type": item.name, "kind": item.kind, "review_state": "none",
            }
        )  # fmt: skip
    return sorted(events, key=lambda event: event["start_us"])


def summed(gaps: list[float], draws: list[float]) -> dict[str, float]:
    """Return medians and 95th percentiles, in milliseconds."""
    return {
        "frame_ms_median": round(float(np.median(gaps)), 2),
        "frame_ms_p95": round(float(np.percentile(gaps, 95)), 2),
        "draw_ms_median": round(float(np.median(draws)), 2),
        "draw_ms_p95": round(float(np.percentile(draws, 95)), 2),
        "frames": len(gaps),
    }


def measure_server(bench: Workbench, run: DetectionRunRecord) -> dict[str, float]:
    """Time what the routes do, without HTTP."""
    desk = ScoreDesk(bench)
    begin = time.perf_counter()
    curves = desk.curves(run)
    built = time.perf_counter()
    tiles = [curves.pyramid.tile(0, index) for index in range(100)]
    cut = time.perf_counter()
    found = desk.regroup(run, {TYPES[0].name: 0.4})
    grouped = time.perf_counter()
    return {
        "load_and_build_ms": round((built - begin) * 1000, 1),
        "tile_ms": round((cut - built) * 10, 4),
        "tile_bytes": len(tiles[0]),
        "regroup_ms": round((grouped - cut) * 1000, 1),
        "regrouped_events": len(found.events),
    }


def measure_page(url: str, counts: list[int], seconds: float) -> list[dict[str, Any]]:
    """Pan and zoom in a browser."""
    from playwright.sync_api import sync_playwright

    results = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", *UNBOUND]
        )
        for count in counts:
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(f"{url}/?count={count}")
            page.wait_for_selector("[data-ready]", timeout=120_000)
            entry: dict[str, Any] = {"events": count}
            for kind in ("pan", "zoom"):
                measured = page.evaluate(SCRIPT, [kind, seconds])
                entry[kind] = summed(measured["gaps"], measured["draws"])
            entry["tile_bytes_over_the_wire"] = page.evaluate("harness.bytes")
            print(json.dumps(entry), flush=True)
            results.append(entry)
            page.close()
        browser.close()
    return results


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--events", type=int, nargs="+", default=[2_000, 20_000, 100_000])
    arguments = parser.parse_args()
    secret = secrets.token_bytes(32)
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder) / "data")
        with open_workbench(settings) as bench:
            run = store_run(bench, Path(folder))
            server = measure_server(bench, run)
            print(json.dumps(server), flush=True)
            colors = [PALETTE[i % len(PALETTE)] for i in range(len(TYPES))]
            config = {
                "frames": DURATION_US // FRAME_US,
                "frame_us": FRAME_US,
                "event_types": [
                    {"name": t.name, "title": t.title, "kind": t.kind, "color": c, "key": t.hotkey}
                    for t, c in zip(TYPES, colors, strict=True)
                ],
                "coverage": [[0, DURATION_US // 3, "watched"]],
                "run": run.id,
                "token": mint_token(secret, "video", run.video_id),
            }
            app = run_path(str(PAGE))["TimelineApp"](
                config, create_routes(bench, secret), events=make_events
            )
            with app.running():
                pages = measure_page(app.url, arguments.events, arguments.seconds)
    print(json.dumps({"server": server, "pages": pages, "load": os.getloadavg()}))


if __name__ == "__main__":
    main()
