"""Memory and time of detection on two hours of video against ten minutes of the same footage.

The child reports its resident memory with its progress. Printed: memory when it had done ten
minutes, memory at the end and at most, and how wall time grows. Ends with one line of JSON.

    python benchmarks/long_video.py [--minutes 120] [--runtime auto] [--precision int8]
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from detect_vs_classic import CLIPS, PROJECT, SAMPLE_FPS, run_child
from footage import build_clip
from speed_bundle import speed_bundle

SHORT_MINUTES = 10.0


def main() -> None:
    """Run both lengths and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument("--runtime", default="auto")
    parser.add_argument("--precision", default="int8")
    parser.add_argument("--work", type=Path, default=PROJECT / "data" / "benchmarks")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    rows = {}
    with tempfile.TemporaryDirectory() as temporary:
        bundle = Path(temporary) / "bundle"
        for minutes in (SHORT_MINUTES, given.minutes):
            clip = given.work / f"720p-{minutes:g}min.mp4"
            if not clip.is_file():
                size, params = CLIPS["720p"]
                build_clip(clip, minutes=minutes, size=size, x264_params=params)
            speed_bundle(bundle, clip)
            rows[minutes] = detect(clip, bundle, given.runtime, given.precision)
            print(f"{minutes:6g} min: {rows[minutes]}")
    short, long = rows[SHORT_MINUTES], rows[given.minutes]
    figures = {
        "minutes": given.minutes,
        "rss_at_10_min_mb": long["rss_at_10_min_mb"],
        "rss_at_end_mb": long["rss_at_end_mb"],
        "grown_mb": round(long["rss_at_end_mb"] - long["rss_at_10_min_mb"], 1),
        "peak_mb": long["peak_mb"],
        "wall_s": long["wall_s"],
        "wall_per_video_hour_s": round(long["wall_s"] / given.minutes * 60, 1),
        "short_wall_per_video_hour_s": round(short["wall_s"] / SHORT_MINUTES * 60, 1),
        "load": os.getloadavg(),
    }
    print(json.dumps({"long_video": figures}))


def detect(clip: Path, bundle: Path, runtime: str, precision: str) -> dict[str, Any]:
    """Run the child once and keep what it says of its memory on the way."""
    short_samples = SHORT_MINUTES * 60 * SAMPLE_FPS
    done = 0.0
    resident: list[tuple[float, float]] = []

    def on_message(message: dict[str, Any]) -> None:
        nonlocal done
        if message["type"] == "progress":
            done = float(message["done"])
        elif message["type"] == "memory":
            resident.append((done, float(message["rss_mb"])))

    outcome, result = run_child(clip, bundle, runtime, precision, on_message)
    early = [memory for samples, memory in resident if samples <= short_samples]
    return {
        "wall_s": round(outcome.wall_seconds, 1),
        "rss_at_10_min_mb": early[-1],
        "rss_at_end_mb": resident[-1][1],
        "peak_mb": outcome.peak_rss_mb,
        "samples": result["samples"],
    }


if __name__ == "__main__":
    main()
