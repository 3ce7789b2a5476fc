"""Readers side by side: PyAV, decord, OpenCV, and OpenCV seeking to each frame, on one clip.

Each runs in a process of its own, one after the other, and reads the same sampling plan. Prints a
table and, as the last line, everything as JSON.

    python benchmarks/readers.py [clip]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prismata.core.time import FrameTimeline
from prismata.media.readers import READERS, open_video, sample_frames
from prismata.media.scanning import scan

REALDATA = Path(__file__).resolve().parents[1].parent / "shared" / "realdata"
SECONDS, RATE, CLIP_SIZE = 60, 30, (1280, 720)
SAMPLE_RATE, SIZE = 5, (224, 224)
SEEK_SHARE = 10
"""The classic way reads every tenth sample only; its whole is extrapolated and called so."""
CLASSIC = "opencv-seek"

Image = NDArray[np.uint8]


def footage() -> Iterator[Image]:
    """Yield real frames again and again, or moving noise where there is no real footage."""
    clips = sorted(REALDATA.glob("gmdcsa24-falls/**/*.mp4"))
    if not clips:
        noise = np.random.default_rng(11).integers(0, 255, (720, 1440, 3), np.uint8)
        for shift in cycle(range(0, 160, 4)):
            yield np.ascontiguousarray(noise[:, shift : shift + 1280])
    for path in cycle(clips):
        with open_video(path) as video:
            for frame in video.read(range(len(video.timeline)), size=CLIP_SIZE):
                yield frame.pixels


def write_clip(path: Path, frames: Iterable[Image]) -> None:
    """Write 60 s of 720p30 H.264, 4 Mb/s, GOP 250, 3 B-frames."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            "libx264", rate=RATE, options={"preset": "veryfast", "bf": "3", "g": "250"}
        )
        stream.width, stream.height, stream.pix_fmt = *CLIP_SIZE, "yuv420p"
        stream.bit_rate = 4_000_000
        for _, image in zip(range(SECONDS * RATE), frames, strict=False):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))


def read_classic(path: Path, timeline: FrameTimeline) -> int:
    """Do what the classic way does: seek to each frame by its number, read it, resize it."""
    import cv2

    indices = timeline.sample(SAMPLE_RATE).frame_indices[::SEEK_SHARE].tolist()
    capture = cv2.VideoCapture(str(path))
    for index in indices:
        capture.set(cv2.CAP_PROP_POS_FRAMES, index)
        got, image = capture.read()
        if got:
            cv2.resize(image, SIZE, interpolation=cv2.INTER_AREA)
    return len(indices)


def peak_rss_mb() -> int:
    """Return this program's own peak; `ru_maxrss` would carry the parent's over into the child."""
    status = Path("/proc/self/status").read_text("utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return round(int(line.split()[1]) / 1024)


def measure(reader: str, path: Path, stored: Path) -> dict[str, Any]:
    """Read the sampling plan with one reader in this process, and say what it took."""
    timeline = FrameTimeline.load(stored)
    plan = timeline.sample(SAMPLE_RATE)
    started, cpu = time.perf_counter(), time.process_time()
    if reader == CLASSIC:
        frames = read_classic(path, timeline)
    else:
        with open_video(path, timeline=timeline, reader=reader) as video:
            frames = sum(1 for _ in sample_frames(video, plan, size=SIZE))
    factor = len(plan) / frames
    return {
        "reader": reader,
        "frames": frames,
        "wall_s": round((time.perf_counter() - started) * factor, 2),
        "cpu_s": round((time.process_time() - cpu) * factor, 2),
        "peak_rss_mb": peak_rss_mb(),
        "extrapolated": factor > 1,
    }


def run_all(path: Path, stored: Path) -> list[dict[str, Any]]:
    """Measure every reader in a fresh process, one after the other."""
    results = []
    for reader in [*READERS, *([CLASSIC] if "opencv" in READERS else [])]:
        command = [
            sys.executable,
            __file__,
            str(path),
            "--child",
            reader,
            "--timeline",
            str(stored),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            results.append({"reader": reader, "error": done.stderr.strip().splitlines()[-1]})
        else:
            results.append(json.loads(done.stdout.splitlines()[-1]))
    return results


def main() -> None:
    """Build or take the clip, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("clip", type=Path, nargs="?", help="video; by default one is made")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--timeline", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measure(options.child, options.clip, options.timeline)))
        return
    with tempfile.TemporaryDirectory() as folder:
        clip, origin = options.clip, "given"
        if clip is None:
            clip = Path(folder) / "clip.mp4"
            origin = "real footage, assembled" if REALDATA.exists() else "synthetic"
            write_clip(clip, footage())
        stored = Path(folder) / "timeline.npz"
        started = time.perf_counter()
        timeline = scan(clip).timeline
        scan_s = time.perf_counter() - started
        timeline.save(stored)
        results = run_all(clip, stored)
    base = results[0]
    print(f"{'reader':<12} {'wall s':>8} {'CPU s':>8} {'CPU ratio':>10} {'peak MB':>8}")
    for one in results:
        if "error" in one:
            print(f"{one['reader']:<12} {one['error']}")
            continue
        one["cpu_ratio"] = round(one["cpu_s"] / base["cpu_s"], 2)
        mark = "  extrapolated from a tenth" if one["extrapolated"] else ""
        print(
            f"{one['reader']:<12} {one['wall_s']:>8} {one['cpu_s']:>8} {one['cpu_ratio']:>10} "
            f"{one['peak_rss_mb']:>8}{mark}"
        )
    print(
        json.dumps(
            {
                "clip": origin,
                "clip_s": timeline.duration_us / 1e6,
                "frames": len(timeline),
                "sample_fps": SAMPLE_RATE,
                "size": SIZE,
                "scan_s": round(scan_s, 3),
                "machine": platform.machine(),
                "load": os.getloadavg()[0],
                "results": results,
            }
        )
    )


if __name__ == "__main__":
    main()
