"""A highlight reel beside FFmpeg cutting the same frames: speed, memory, and whether they are them.

One clip with B-frames, `--cuts` stretches of a few seconds all over it. Ours is `write_film`; the
other is one `ffmpeg` with `trim` and `concat`, the same encoder settings, on as many threads. Each
runs in a process of its own, whose peak memory the kernel tells. FFmpeg is asked in two ways: with
one pass over the file, which is exact and reads all of it, and with a seek before each cut. The
frames of all films are counted and compared by their pixels. The last line is JSON.

    python benchmarks/reel.py [--minutes 10] [--cuts 30] [--seconds 3]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prismata.core.time import FrameTimeline, TimeSpan
from prismata.media.cuts import OPTIONS, Cut, frames_of, write_film
from prismata.media.readers import open_video
from prismata.media.scanning import scan

SIZE = (1280, 720)
RATE = 30
SMALL = (32, 18)


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--minutes", type=float, default=10.0)
    options.add_argument("--cuts", type=int, default=30)
    options.add_argument("--seconds", type=float, default=3.0)
    options.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.child:
        _write_ours(*asked.child)
        return
    with tempfile.TemporaryDirectory(prefix="prismata-reel-") as folder:
        _compare(Path(folder), asked.minutes, asked.cuts, asked.seconds)


def _compare(folder: Path, minutes: float, count: int, seconds: float) -> None:
    source = folder / "source.mp4"
    _make_source(source, minutes)
    timeline = scan(source).timeline
    timeline.save(folder / "timeline.npz")
    spans = _spans(timeline, count, seconds)
    (folder / "spans.json").write_text(json.dumps([[one.start_us, one.end_us] for one in spans]))
    expected = [index for span in spans for index in frames_of(timeline, span)]
    length = sum(span.duration_us for span in spans) / 1e6
    frame_us = Fraction(1_000_000, RATE)
    frames = [(round(s.start_us / frame_us), round(s.end_us / frame_us)) for s in spans]
    here = [sys.executable, __file__]
    runs = {
        "ours": [
            *here,
            "--child",
            str(source),
            str(folder / "spans.json"),
            str(folder / "ours.mp4"),
        ],
        "ffmpeg, one pass": _one_pass(source, frames, folder / "pass.mp4"),
        "ffmpeg, seeking": _seeking(source, spans, folder / "seek.mp4"),
    }
    wanted = _thumbs(source, timeline, expected)
    print(f"{len(timeline)} frames {SIZE[0]}x{SIZE[1]}, {count} cuts, {length:.1f} s of film")
    results: dict[str, Any] = {}
    for name, command in runs.items():
        wall, peak = _run(command)
        film = Path(command[-1])
        made = scan(film).timeline
        got = _thumbs(film, made, range(len(made)))
        same = len(got) == len(wanted) and int(np.sum(_distance(got, wanted) < 6))
        results[name] = {
            "wall_s": round(wall, 2),
            "realtime": round(length / wall, 2),
            "peak_mb": round(peak, 1),
            "megabytes": round(film.stat().st_size / 1e6, 2),
            "frames": len(made),
            "right_frames": int(same),
            "wanted_frames": len(wanted),
        }
        print(f"{name}: {results[name]}")
    ours = results["ours"]
    for name in ("ffmpeg, one pass", "ffmpeg, seeking"):
        ratio = results[name]["wall_s"] / ours["wall_s"]
        print(f"{name} takes {ratio:.2f} x the time of ours")
    print(json.dumps(results))


def _spans(timeline: FrameTimeline, count: int, seconds: float) -> list[TimeSpan]:
    """Return stretches on frame boundaries, evenly spread but for a wobble."""
    rng = np.random.default_rng(4)
    length = round(seconds * RATE)
    room = (len(timeline) - length) / count
    firsts = [int(room * (number + 0.6 * rng.random())) for number in range(count)]
    return [TimeSpan(timeline.start_us(one), timeline.start_us(one + length)) for one in firsts]


def _make_source(target: Path, minutes: float) -> None:
    """Write moving noise that no two frames of look alike: a counter, gradients, a test card."""
    picture = f"testsrc2=size={SIZE[0]}x{SIZE[1]}:rate={RATE}:duration={minutes * 60}"
    subprocess.run(
        [
            "ffmpeg",
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            picture,
            "-c:v",
            "libx264",
            "-preset",
            "veryfast",
            "-bf",
            "3",
            "-g",
            "250",
            "-pix_fmt",
            "yuv420p",
            str(target),
        ],
        check=True,
    )


def _encoder() -> list[str]:
    return [
        "-an",
        "-c:v",
        "libx264",
        "-preset",
        OPTIONS["preset"],
        "-crf",
        OPTIONS["crf"],
        *("-bf", OPTIONS["bf"], "-pix_fmt", "yuv420p", "-movflags", "+faststart", "-y"),
    ]


def _one_pass(source: Path, frames: list[tuple[int, int]], target: Path) -> list[str]:
    parts = "+".join(f"between(n,{first},{end - 1})" for first, end in frames)
    graph = f"select='{parts}',setpts=N/({RATE}*TB)"
    command = ["ffmpeg", "-v", "error", "-i", str(source), "-vf", graph, "-r", str(RATE)]
    return [*command, *_encoder(), str(target)]


def _seeking(source: Path, spans: list[TimeSpan], target: Path) -> list[str]:
    command = ["ffmpeg", "-v", "error"]
    for span in spans:
        command += ["-ss", f"{span.start_us / 1e6:.6f}", "-t", f"{span.duration_us / 1e6:.6f}"]
        command += ["-i", str(source)]
    graph = "".join(f"[{number}:v]" for number in range(len(spans)))
    graph += f"concat=n={len(spans)}:v=1[v]"
    return [*command, "-filter_complex", graph, "-map", "[v]", *_encoder(), str(target)]


def _run(command: list[str]) -> tuple[float, float]:
    """Run a program; return its wall seconds and peak memory in MB."""
    began = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with {process.returncode}")
    return time.perf_counter() - began, usage.ru_maxrss / 1024


def _write_ours(source: str, spans: str, target: str) -> None:
    timeline = FrameTimeline.load(Path(source).with_name("timeline.npz"))
    listed = json.loads(Path(spans).read_text())
    cuts = [Cut(Path(source), timeline, TimeSpan(start, end)) for start, end in listed]
    write_film(cuts, Path(target))


def _thumbs(path: Path, timeline: FrameTimeline, indices: Sequence[int]) -> NDArray[np.float32]:
    with open_video(path, timeline=timeline) as video:
        return np.stack(
            [frame.pixels.astype(np.float32) for frame in video.read(list(indices), size=SMALL)]
        )


def _distance(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    far: NDArray[np.float32] = np.abs(one - other).mean(axis=(1, 2, 3))
    return far


if __name__ == "__main__":
    main()
