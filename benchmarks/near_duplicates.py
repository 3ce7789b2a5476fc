"""Shared footage: how many true copies of real clips are found, and what else is flagged.

Each of the clips beside the project gets five copies, made by the ffmpeg program: fewer bits,
another size, another frame rate, a start cut off, and all of it at once. A copy and its clip are a
true pair; all other pairs are not, above all those of one camera.

A 64-bit difference hash of the pictures is measured beside it: what a camera does not move is the
same in all its clips, and that is most of a picture.

    python benchmarks/near_duplicates.py
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from real_footage import PROJECT, print_figures

from prismata.core.time import FrameTimeline, to_seconds
from prismata.media import open_video, scan
from prismata.media.coarse import key_frames
from prismata.media.likeness import SIMILAR, Motion, find_shared
from prismata.media.signatures import RATE, make_signature

KINDS = ("rate", "small", "fps", "trim", "all")
SAYS = {
    "rate": "encoded again, 200 kb/s",
    "small": "320 pixels wide",
    "fps": "12 frames a second (8 where it had 10)",
    "trim": "3 s cut off at the start, or 40 %",
    "all": "cut by 2.9 s or 37 %, 320 pixels, 15 fps, 200 kb/s",
}
HASH_BITS_APART = 10


@dataclass(frozen=True, eq=False)
class Clip:
    """One clip, or a copy of one."""

    name: str
    source: int
    """Number of the clip that it shows."""
    camera: str
    cut_s: float
    """What a copy lacks at its start."""
    signature: NDArray[np.uint8]
    motion: Motion


def main() -> None:
    """Make the copies, compare everything and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    shared = PROJECT.parent / "shared" / "realdata"
    parser.add_argument("--realdata", type=Path, default=shared, help="folder with the footage")
    parser.add_argument(
        "--work", type=Path, default=PROJECT / "data" / "benchmarks", help="working folder"
    )
    arguments = parser.parse_args()
    paths = sorted(
        [
            *arguments.realdata.glob("gmdcsa24-falls/*/*/*.mp4"),
            *arguments.realdata.glob("surv-fights/*/*.mp4"),
        ]
    )
    if not paths:
        sys.exit(f"there is no footage in {arguments.realdata}; name it with --realdata DIR")
    folder = arguments.work / "near-duplicates"
    folder.mkdir(parents=True, exist_ok=True)
    cameras = read_cameras(arguments.realdata)
    timelines = [scan(path).timeline for path in paths]
    print_costs(paths, timelines)

    clips: list[Clip] = []
    copies: dict[str, list[Clip]] = {kind: [] for kind in KINDS}
    for number, (path, timeline) in enumerate(zip(paths, timelines, strict=True)):
        camera = cameras.get(path.name, path.parents[1].name)
        clips.append(load(path, path.name, number, camera, 0.0))
        for kind in KINDS:
            copy = folder / f"{number:02d}-{kind}.mp4"
            cut = make_copy(path, copy, kind, timeline)
            copies[kind].append(load(copy, copy.name, number, camera, cut))
    figures = {
        "motion": measure(clips, copies, by_motion),
        "hash": measure(clips, copies, by_hash),
    }
    print_margins(clips, copies)
    print_figures("near_duplicates", figures)


def read_cameras(realdata: Path) -> dict[str, str]:
    """Return the camera of each surveillance clip; the falls are told apart by person."""
    with (realdata / "surv-fights" / "sequence_recipe.csv").open(encoding="utf-8") as file:
        return {Path(row["clip"]).name: row["sequence"] for row in csv.DictReader(file)}


def make_copy(path: Path, target: Path, kind: str, timeline: FrameTimeline) -> float:
    """Write a copy, once, and return how many seconds it lacks at its start."""
    seconds = to_seconds(timeline.duration_us)
    cut = {"trim": min(3.0, 0.4 * seconds), "all": min(2.9, 0.37 * seconds)}.get(kind, 0.0)
    slow = "12" if timeline.average_frame_rate > 13 else "8"
    options = {
        "rate": ["-b:v", "200k"],
        "small": ["-vf", "scale=320:-2", "-crf", "26"],
        "fps": ["-r", slow, "-crf", "23"],
        "trim": ["-crf", "23"],
        "all": ["-vf", "scale=320:-2", "-r", "15", "-b:v", "200k"],
    }[kind]
    if not target.is_file():
        unfinished = target.with_suffix(".part.mp4")
        command = ["ffmpeg", "-v", "error", "-y", "-ss", f"{cut:.3f}", "-i", str(path), "-an"]
        encoder = ["-c:v", "libx264", "-preset", "veryfast", "-threads", "1"]
        subprocess.run([*command, *encoder, *options, str(unfinished)], check=True)
        unfinished.replace(target)
    return cut


def load(path: Path, name: str, source: int, camera: str, cut_s: float) -> Clip:
    """Return a clip with its signature."""
    signature = make_signature(path, scan(path).timeline)
    return Clip(name, source, camera, cut_s, signature, Motion(signature))


def by_motion(first: Clip, second: Clip) -> float | None:
    """Return the offset at which two clips share footage, as the program finds it; None if not."""
    shared = find_shared(first.motion, second.motion)
    return None if shared is None else to_seconds(shared.offset_us)


def by_hash(first: Clip, second: Clip) -> float | None:
    """Return the offset at which a run of difference hashes agrees; None if there is none.

    A run of at least half of the shorter clip's pictures, each at most `HASH_BITS_APART` bits away.
    """
    one, two = difference_hash(first.signature), difference_hash(second.signature)
    need = max(2, min(len(one), len(two)) // 2)
    agree = np.count_nonzero(one[:, None] != two[None], axis=2) <= HASH_BITS_APART
    longest, best = 0, 0
    for offset in range(-(len(two) - need), len(one) - need + 1):
        run = longest_run(np.diagonal(agree, -offset))
        if run > longest:
            longest, best = run, offset
    return best / RATE if longest >= need else None


def difference_hash(signature: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return `(K, 64)` bits: in each of 8 x 8 cells, whether it gets brighter to the right."""
    rows = signature.reshape(len(signature), 8, 2, 8, 2).astype(np.float32).mean(axis=2)
    brighter: NDArray[np.bool_] = (rows[..., 1] > rows[..., 0]).reshape(len(signature), 64)
    return brighter


def longest_run(flags: NDArray[np.bool_]) -> int:
    """Return how many in a row are true at most."""
    run = best = 0
    for flag in flags.tolist():
        run = run + 1 if flag else 0
        best = max(best, run)
    return best


def measure(
    clips: Sequence[Clip],
    copies: dict[str, list[Clip]],
    compare: Callable[[Clip, Clip], float | None],
) -> dict[str, object]:
    """Compare all pairs, print the counts and return them."""
    started = time.perf_counter()
    print(f"\n{compare.__name__}")
    found: dict[str, int] = {}
    for kind in KINDS:
        offsets = [compare(clips[copy.source], copy) for copy in copies[kind]]
        hits = [
            abs(offset - copy.cut_s)
            for offset, copy in zip(offsets, copies[kind], strict=True)
            if offset is not None
        ]
        missed = [
            clips[copy.source].name
            for offset, copy in zip(offsets, copies[kind], strict=True)
            if offset is None
        ]
        found[kind] = len(hits)
        away = f"offset off by {np.median(hits):.2f} s (median), {max(hits):.2f} s (most)"
        print(f"  {len(hits)}/{len(offsets)} found, {away}: {SAYS[kind]}")
        if missed:
            print(f"      missed: {', '.join(missed[:8])}")
    others = [
        *combinations(clips, 2),
        *(
            (clip, copy)
            for kind in KINDS
            for copy in copies[kind]
            for clip in clips
            if clip.source != copy.source
        ),
    ]
    flagged = {True: 0, False: 0}
    total = {True: 0, False: 0}
    for first, second in others:
        same = first.camera == second.camera
        total[same] += 1
        flagged[same] += compare(first, second) is not None
    true, false = sum(found.values()), sum(flagged.values())
    pairs = sum(len(items) for items in copies.values())
    print(f"  flagged wrongly: {flagged[True]} of {total[True]} pairs of one camera or person,")
    print(f"      {flagged[False]} of {total[False]} pairs of different ones")
    print(
        f"  recall {true}/{pairs} = {true / pairs:.3f}, precision {true}/{true + false} = ", end=""
    )
    print(f"{true / (true + false):.3f}, {time.perf_counter() - started:.1f} s for all pairs")
    return {
        "found": found,
        "true_pairs": pairs,
        "recall": round(true / pairs, 4),
        "precision": round(true / (true + false), 4),
        "wrong_same_camera": flagged[True],
        "same_camera_pairs": total[True],
        "wrong_other_camera": flagged[False],
        "other_camera_pairs": total[False],
    }


def print_margins(clips: Sequence[Clip], copies: dict[str, list[Clip]]) -> None:
    """Print how near the nearest wrong pair came, and the weakest true one."""
    wrong = [
        (shared.similarity, first.name, second.name)
        for first, second in combinations(clips, 2)
        if (shared := find_shared(first.motion, second.motion, least_similarity=0.0))
    ]
    true = [
        (shared.similarity, kind, clips[copy.source].name)
        for kind in KINDS
        for copy in copies[kind]
        if (shared := find_shared(clips[copy.source].motion, copy.motion, least_similarity=0.0))
    ]
    still = [clip.name for clip in clips if clip.motion.is_too_still]
    print(f"\nsimilarity that counts: {SIMILAR}")
    print(f"  highest of wrong pairs of clips: {max(wrong) if wrong else 'no stretch agrees'}")
    print(f"  lowest of true pairs: {sorted(true)[:4]}")
    print(f"  clips too still to compare: {still or 'none'}")


def print_costs(paths: Sequence[Path], timelines: Sequence[FrameTimeline]) -> None:
    """Print what one pass over all clips costs, and over their key frames alone."""
    seconds = sum(to_seconds(timeline.duration_us) for timeline in timelines)
    started = time.perf_counter()
    for path, timeline in zip(paths, timelines, strict=True):
        make_signature(path, timeline)
    whole = time.perf_counter() - started
    keys = [key_frames(path, timeline) for path, timeline in zip(paths, timelines, strict=True)]
    started = time.perf_counter()
    for path, timeline, places in zip(paths, timelines, keys, strict=True):
        with open_video(path, timeline=timeline, only_key_frames=True) as reader:
            for _frame in reader.read(places, size=(16, 16)):
                pass
    alone = time.perf_counter() - started
    per_clip = [len(places) for places in keys]
    print(f"{len(paths)} clips, {seconds:.0f} s of video")
    print(f"  {RATE} pictures a second: {whole:.1f} s, {seconds / whole:.0f} times real time")
    print(f"  key frames alone: {alone:.1f} s; but a clip has {min(per_clip)} to {max(per_clip)},")
    print(f"      {np.median(per_clip):.0f} in the middle: no movement is to be seen in them")


if __name__ == "__main__":
    main()
