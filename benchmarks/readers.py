"""Readers side by side on the same files: time, CPU time, memory, and whether frames are right.

Each runs in a process of its own, in turn, in every round, and reads the same sampling plan at the
size a model sees. A frame is right if none of its neighbours in the file is closer to it than the
frame that belongs there; "identical" is the share that equals decoding everything byte for byte.
Prints a table for each file (medians) and, as the last line, everything as JSON.

torchcodec is measured where it can be imported; it is no dependency of the project.

    python benchmarks/readers.py [--minutes 1] [--rounds 5] [clip ...]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from footage import build_clip
from numpy.typing import NDArray

from prismata.core.child import peak_rss_mb
from prismata.core.time import FrameTimeline
from prismata.media.coarse import coarse_plan
from prismata.media.pixels import Orientation, Resizer
from prismata.media.readers import READERS, open_video
from prismata.media.scanning import scan

SAMPLE_RATE, SIZE = 5, (224, 224)
SEEK_SHARE = 10
"""Seeking reads every tenth sample only; its time is scaled to all of them and called so."""
THUMB = 4
"""Every fourth pixel of a frame is enough to tell neighbours apart."""

FILES = {
    "x264 GOP 250, 3 B": ("libx264", "keyint=250:min-keyint=250:scenecut=0:bframes=3:b-adapt=0"),
    "x264 GOP 30, no B": ("libx264", "keyint=30:scenecut=0:bframes=0"),
    "x264 one key frame": ("libx264", "keyint=infinite:scenecut=0:bframes=3:b-adapt=0"),
}

Image = NDArray[np.uint8]
Reading = Iterator[tuple[int, Image]]


def read_ours(
    path: Path, timeline: FrameTimeline, indices: NDArray[np.int64], reader: str
) -> Reading:
    """Read the way detection does."""
    with open_video(path, timeline=timeline, reader=reader) as video:
        for frame in video.read(indices, size=SIZE):
            yield frame.index, frame.pixels


def read_all(path: Path, timeline: FrameTimeline, indices: NDArray[np.int64]) -> Reading:
    """Decode every picture with PyAV and keep the sampled ones."""
    import av

    del timeline
    wanted, resizer = set(indices.tolist()), Resizer(Orientation(), SIZE)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_type = "AUTO"
        stream.codec_context.thread_count = os.cpu_count() or 1
        for number, frame in enumerate(container.decode(stream)):
            if number in wanted:
                yield number, resizer.rgb(frame, SIZE)


def read_key_frames(path: Path, timeline: FrameTimeline, indices: NDArray[np.int64]) -> Reading:
    """Decode key frames only: the coarse look."""
    del indices
    plan = coarse_plan(path, timeline, timeline.sample(SAMPLE_RATE))
    keys = np.unique(plan.frame_indices)
    with open_video(path, timeline=timeline, only_key_frames=True) as video:
        for frame in video.read(keys, size=SIZE):
            yield frame.index, frame.pixels


def read_by_seeking(path: Path, timeline: FrameTimeline, indices: NDArray[np.int64]) -> Reading:
    """Do what the classic way does: seek to each frame by its number."""
    import cv2

    del timeline
    capture = cv2.VideoCapture(str(path))
    for index in indices.tolist()[::SEEK_SHARE]:
        capture.set(cv2.CAP_PROP_POS_FRAMES, index)
        got, image = capture.read()
        if got:
            small = cv2.resize(image, SIZE, interpolation=cv2.INTER_AREA)
            yield index, np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2RGB), np.uint8)


def read_torchcodec(path: Path, timeline: FrameTimeline, indices: NDArray[np.int64]) -> Reading:
    """Ask torchcodec for the frames by number, eight at a time; torch resizes them."""
    from torch.nn.functional import interpolate
    from torchcodec.decoders import VideoDecoder

    del timeline
    decoder = VideoDecoder(str(path), num_ffmpeg_threads=0)
    for start in range(0, len(indices), 8):
        part = indices[start : start + 8].tolist()
        frames = decoder.get_frames_at(part).data.float()
        small = interpolate(frames, SIZE[::-1], mode="area").round().byte()
        yield from zip(part, small.permute(0, 2, 3, 1).numpy(), strict=True)


WAYS: dict[str, Callable[[Path, FrameTimeline, NDArray[np.int64]], Reading]] = {
    "pyav": lambda path, timeline, indices: read_ours(path, timeline, indices, "pyav"),
    "pyav, all pictures": read_all,
    "pyav, key frames": read_key_frames,
    "opencv": lambda path, timeline, indices: read_ours(path, timeline, indices, "opencv"),
    "decord": lambda path, timeline, indices: read_ours(path, timeline, indices, "decord"),
    "opencv-seek": read_by_seeking,
    "torchcodec": read_torchcodec,
}


def why_not(way: str) -> str:
    """Return why a way cannot be measured here, "" if it can."""
    if way == "torchcodec" and not find_spec("torchcodec"):
        return "torchcodec is not installed"
    if way in ("opencv", "decord") and way not in READERS:
        return f"{way} is not installed"
    return ""


def measure(way: str, path: Path, stored: Path, reference: Path | None) -> dict[str, Any]:
    """Read the plan one way in this process, and say what it took and what came out."""
    timeline = FrameTimeline.load(stored)
    indices = np.unique(timeline.sample(SAMPLE_RATE).frame_indices)
    started, cpu = time.perf_counter(), time.process_time()
    kept = [(index, pixels.copy()) for index, pixels in WAYS[way](path, timeline, indices)]
    wall, spent = time.perf_counter() - started, time.process_time() - cpu
    factor = len(indices) / len(kept) if way == "opencv-seek" else 1.0
    peak = peak_rss_mb() - sum(pixels.nbytes for _, pixels in kept) / 2**20
    facts: dict[str, Any] = {
        "frames": len(kept),
        "wall_s": round(wall * factor, 2),
        "cpu_s": round(spent * factor, 2),
        "peak_mb": round(peak),
        "scaled": factor > 1,
    }
    return facts | (judge(kept, np.load(reference)) if reference else {})


def judge(kept: list[tuple[int, Image]], reference: Image) -> dict[str, float]:
    """Compare with every frame of the file as decoding everything gives it, `(K, h, w, 3)`."""
    right, identical = 0, 0
    for index, pixels in kept:
        small = pixels[::THUMB, ::THUMB].astype(np.int16)
        near = range(max(0, index - 1), min(len(reference), index + 2))
        distances = {n: float(np.abs(small - reference[n].astype(np.int16)).mean()) for n in near}
        right += distances[index] == min(distances.values())
        identical += distances[index] == 0
    return {"right": round(right / len(kept), 4), "identical": round(identical / len(kept), 4)}


def make_reference(path: Path, target: Path) -> None:
    """Keep every frame of a file, thinned out."""
    timeline = scan(path).timeline
    frames = read_all(path, timeline, np.arange(len(timeline)))
    np.save(target, np.stack([pixels[::THUMB, ::THUMB] for _, pixels in frames]))


def compare(path: Path, folder: Path, rounds: int) -> dict[str, Any]:
    """Measure every way in a fresh process, in turn, `rounds` times; return medians."""
    timeline, reference = folder / "timeline.npz", folder / "reference.npy"
    scan(path).timeline.save(timeline)
    make_reference(path, reference)
    found: dict[str, list[dict[str, Any]]] = {}
    rows: dict[str, Any] = {way: {"error": why_not(way)} for way in WAYS if why_not(way)}
    for number in range(rounds):
        for way in WAYS:
            if way in rows:
                continue
            words = [sys.executable, __file__, str(path), "--way", way, "--timeline", str(timeline)]
            if number == 0:
                words += ["--reference", str(reference)]
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            if done.returncode:
                rows[way] = {"error": done.stderr.strip().splitlines()[-1]}
            else:
                found.setdefault(way, []).append(json.loads(done.stdout.splitlines()[-1]))
    for way, runs in found.items():
        medians = {
            key: statistics.median(run[key] for run in runs)
            for key in ("wall_s", "cpu_s", "peak_mb")
        }
        rows[way] = runs[0] | medians
    return rows


def show(name: str, rows: dict[str, Any]) -> None:
    """Print one file's table."""
    print(f"\n{name} (load {os.getloadavg()[0]:.1f})")
    print(f"{'':22}{'wall s':>8}{'CPU s':>8}{'peak MB':>9}{'right':>8}{'identical':>11}")
    for way in WAYS:
        row = rows[way]
        if "error" in row:
            print(f"{way:22}{row['error']}")
            continue
        mark = "  scaled" if row["scaled"] else ""
        print(
            f"{way:22}{row['wall_s']:8.2f}{row['cpu_s']:8.2f}{row['peak_mb']:9.0f}"
            f"{row['right']:8.1%}{row['identical']:11.1%}{mark}"
        )


def main() -> None:
    """Build or take the clips, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("clips", type=Path, nargs="*", help="videos; by default some are made")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--way", help=argparse.SUPPRESS)
    parser.add_argument("--timeline", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--reference", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.way:
        print(json.dumps(measure(given.way, given.clips[0], given.timeline, given.reference)))
        return
    figures: dict[str, Any] = {"rounds": given.rounds, "sample_fps": SAMPLE_RATE}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        clips = {path.name: path for path in given.clips}
        if not clips:
            for name, (codec, params) in FILES.items():
                clips[name] = folder / f"{len(clips)}.mp4"
                build_clip(clips[name], minutes=given.minutes, x264_params=params, codec=codec)
        for name, path in clips.items():
            figures[name] = compare(path, folder, given.rounds)
            show(name, figures[name])
    print(json.dumps({"readers": figures | {"load": os.getloadavg()}}))


if __name__ == "__main__":
    main()
