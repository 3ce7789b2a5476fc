"""How far live marks lie from the truth, with and without taking off the reaction lag.

A scripted annotator watches a synthetic video in the real player at double speed and presses real
keys: so long after the picture changed as drawn from the distribution. The first marks are
corrected to the truth, from which the station learns the lag; the others are measured. The same key
presses are read both ways, so the two columns differ in nothing but the compensation. Prints a
table, and as the last line everything as JSON.

    python benchmarks/scripted_labeller.py [--rate 2] [--fps 25] [--reaction 250]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from player_page import PlayerPage, open_browser

from prismata.services.ingest import ingest_file
from prismata.settings import Settings
from prismata.wiring import open_workbench

DOMAINS = Path(__file__).resolve().parents[1] / "domains"
SIZE = (160, 90)
CYCLE_S = 4.0
"""In each: the left half lights up for a while, then the right half flashes."""
FLASH_S = 0.2
SPREAD_MS = 60.0
SEEN_SHARE = 0.9
"""A machine too busy to show a flash shows nothing to react to; fewer marks are no result."""
TEACH = 8
"""Marks that the annotator corrects."""


@dataclass(frozen=True)
class Film:
    """A video and its truth, in microseconds; every time is the start of a frame."""

    path: Path
    lamps: list[tuple[int, int]]
    flashes: list[int]


def write_film(path: Path, *, fps: int, cycles: int, seed: int) -> Film:
    """Write a dark video in which lamps light up and flashes flash, at random times."""
    import av

    rng = np.random.default_rng(seed)
    count = round(fps * CYCLE_S * cycles)
    left, right = np.zeros(count, bool), np.zeros(count, bool)
    lamps, flashes = [], []
    step_us = 1_000_000 // fps
    for cycle in range(cycles):
        start = round(fps * (cycle * CYCLE_S + rng.uniform(0.2, 0.6)))
        end = start + round(fps * rng.uniform(1.4, 2.0))
        flash = round(fps * (cycle * CYCLE_S + rng.uniform(3.0, 3.4)))
        left[start:end] = True
        right[flash : flash + round(fps * FLASH_S)] = True
        lamps.append((start * step_us, end * step_us))
        flashes.append(flash * step_us)
    options = {"preset": "ultrafast", "crf": "20", "bf": "0", "g": str(fps), "threads": "1"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options=options)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for lamp, flash_now in zip(left, right, strict=True):
            picture = np.full((SIZE[1], SIZE[0], 3), 24, np.uint8)
            picture[:, : SIZE[0] // 2] = 230 if lamp else 24
            picture[:, SIZE[0] // 2 :] = 230 if flash_now else 24
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return Film(path, lamps, flashes)


def draw_reactions(kind: str, mean_ms: float, count: int, seed: int) -> list[float]:
    """Return reaction times in milliseconds: `normal` with that spread, or `uniform` within it."""
    rng = np.random.default_rng(seed)
    drawn: NDArray[np.float64]
    if kind == "normal":
        drawn = rng.normal(mean_ms, SPREAD_MS, count)
    else:
        drawn = rng.uniform(mean_ms - SPREAD_MS, mean_ms + SPREAD_MS, count)
    return [float(max(1.0, ms)) for ms in drawn]


def errors(marks: list[dict[str, Any]], fps: int) -> dict[str, dict[str, list[float]]]:
    """Return how many frames each boundary is off, by kind of event, with and without the lag."""
    found: dict[str, dict[str, list[float]]] = {
        kind: {"with": [], "without": []} for kind in ("point", "segment")
    }
    for mark in marks:
        if mark["taught"]:
            continue
        edges = ("start",) if mark["kind"] == "point" else ("start", "end")
        for edge in edges:
            truth = mark["truth"][edge]
            raw = mark["live"][f"raw_{edge}_us"]
            of_kind = found[mark["kind"]]
            of_kind["with"].append(abs(mark[f"{edge}_us"] - truth) * fps / 1e6)
            of_kind["without"].append(abs(raw - truth) * fps / 1e6)
    return found


def summary(values: list[float]) -> dict[str, float]:
    """Return median and 95th percentile, in frames."""
    return {
        "median": round(statistics.median(values), 2),
        "p95": round(sorted(values)[int(0.95 * (len(values) - 1))], 2),
    }


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rate", type=float, default=2.0)
    parser.add_argument("--fps", type=int, default=25)
    parser.add_argument("--cycles", type=int, default=40)
    parser.add_argument("--reaction", type=float, default=250.0, help="mean, in milliseconds")
    asked = parser.parse_args()
    results: dict[str, Any] = {}
    load = round(os.getloadavg()[0], 2)
    with tempfile.TemporaryDirectory() as folder:
        film = write_film(Path(folder) / "film.mp4", fps=asked.fps, cycles=asked.cycles, seed=11)
        settings = Settings(data_dir=Path(folder) / "data", domains_dirs=str(DOMAINS))
        with (
            open_workbench(settings) as bench,
            PlayerPage(bench) as site,
            open_browser() as browser,
        ):
            video = ingest_file(bench, film.path).video
            if video is None:
                raise SystemExit("the film was not taken into the library")
            for seed, kind in enumerate(("normal", "uniform")):
                page = browser.new_page()
                page.set_default_timeout(600_000)
                page.goto(site.url)
                page.wait_for_function("() => window.bench")
                page.evaluate("(source) => bench.open(source)", site.source(video))
                script = {
                    "rate": asked.rate,
                    "reactions": draw_reactions(kind, asked.reaction, 4 * asked.cycles, seed),
                    "lamps": film.lamps,
                    "flashes": film.flashes,
                    "teach": TEACH,
                }
                told = page.evaluate(
                    "(script) => import('/benchmarks/scripted_labeller.js')"
                    ".then((annotator) => annotator.label(script))",
                    script,
                )
                page.close()
                if len(told["marks"]) < 2 * asked.cycles * SEEN_SHARE:
                    raise SystemExit(f"{len(told['marks'])} marks of {2 * asked.cycles} events")
                results[kind] = {
                    "errors_frames": {
                        event: {how: summary(values) for how, values in by_how.items()}
                        for event, by_how in errors(told["marks"], asked.fps).items()
                    },
                    "events": 2 * asked.cycles,
                    "marks": len(told["marks"]),
                    "learned_lag_ms": round(told["lag"]["ms"], 1),
                    "corrections": told["lag"]["count"],
                    "frames_presented": told["presented"],
                    "frames_dropped": told["dropped"],
                    "latest_press_ms": round(told["latest_press_ms"], 1),
                }
    head = (
        f"reaction {asked.reaction:.0f} ± {SPREAD_MS:.0f} ms, speed {asked.rate:g}, {asked.fps} fps"
    )
    print(f"{head}; boundary error in frames, median (p95)")
    print(f"{'reaction':<10} {'event':<9} {'without':>16} {'with':>16}   lag learned")
    for kind, result in results.items():
        for event, by_how in result["errors_frames"].items():
            cells = [
                f"{by_how[how]['median']} ({by_how[how]['p95']})" for how in ("without", "with")
            ]
            print(f"{kind:<10} {event:<9} {cells[0]:>16} {cells[1]:>16}   ", end="")
            print(f"{result['learned_lag_ms']} ms from {result['corrections']} corrections")
    print(
        json.dumps(
            {
                "reaction_ms": asked.reaction,
                "rate": asked.rate,
                "fps": asked.fps,
                "load_before": load,
                **results,
            }
        )
    )


if __name__ == "__main__":
    main()
