"""Which frames of the training videos calibrate the 8-bit encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prismata.core.recipes import ClipSpec
from prismata.media import open_video
from prismata.services.workbench import Workbench
from prismata.training.data import LabelledVideo
from prismata.worker.train.gather import GatheredData

CALIBRATION_FRAMES = 128
"""Twice as many moved the features of real encoders by less than a hundredth of their error."""

MAX_VIDEOS = 32
"""More would cost more opening and seeking than they add."""

AROUND_US = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationFrames:
    """What an encoder is calibrated with."""

    frames: NDArray[np.uint8]
    """`(N, H, W, 3)`."""
    videos: int
    near_events: int
    """How many of the N lie around labelled events."""


def choose_calibration_rows(
    videos: Sequence[LabelledVideo], *, count: int = CALIBRATION_FRAMES, seed: int = 0
) -> dict[str, NDArray[np.int64]]:
    """Choose samples for calibration: half of them around events, spread over videos.

    What only events show, for example a player close to the camera, must be within the ranges
    although it is rare. If there are too few frames of one half, the other gets its place.

    Args:
        videos: The training videos.
        count: How many samples at most.
        seed: The same seed chooses the same.

    Returns:
        Video name → `(K,)` increasing rows; videos of which nothing is used are not in it.
    """
    rng = np.random.default_rng(seed)
    by_name = sorted(videos, key=lambda video: video.name)
    order = [by_name[i] for i in rng.permutation(len(by_name))]
    # Videos with events first: with many videos, the others would push them out.
    order.sort(key=lambda video: not video.events)
    with_events = [video for video in order if video.events][: MAX_VIDEOS // 2]
    rest = [video for video in order if video not in with_events]
    used = with_events + rest[: MAX_VIDEOS - len(with_events)]
    queues: dict[bool, list[list[tuple[str, int]]]] = {True: [], False: []}
    for video in used:
        near = near_events(video)
        for wanted in (True, False):
            rows = np.flatnonzero(near == wanted)
            queues[wanted].append([(video.name, int(row)) for row in rng.permutation(rows)])
    around, elsewhere = (_in_turn(queues[wanted]) for wanted in (True, False))
    taken = around[: max(count // 2, count - len(elsewhere))]
    taken += elsewhere[: count - len(taken)]
    chosen: dict[str, list[int]] = {}
    for name, row in taken:
        chosen.setdefault(name, []).append(row)
    return {name: np.array(sorted(rows), np.int64) for name, rows in sorted(chosen.items())}


def near_events(video: LabelledVideo) -> NDArray[np.bool_]:
    """Return `(K,)`: which samples lie within a second of a labelled event."""
    near = np.zeros(video.times_us.size, np.bool_)
    for event in video.events:
        near |= (video.times_us >= event.start_us - AROUND_US) & (
            video.times_us <= event.end_us + AROUND_US
        )
    return near


def read_calibration_frames(
    bench: Workbench, data: GatheredData, clip: ClipSpec, *, seed: int
) -> CalibrationFrames:
    """Read the chosen frames, from what training kept or from the videos; nothing else is decoded.

    Raises:
        BadVideoError: If a video cannot be decoded any more.
    """
    videos = data.videos["train"]
    chosen = choose_calibration_rows(videos, seed=seed)
    by_name = {video.name: video for video in videos}
    parts, near = [], 0
    for name, rows in chosen.items():
        video = by_name[name]
        near += int(near_events(video)[rows].sum())
        if video.inputs.ndim == 4:
            parts.append(np.array(video.inputs[rows], dtype=np.uint8))
            continue
        record = data.records[name]
        timeline = bench.timeline(record)
        indices = timeline.sample(clip.target_fps).frame_indices[rows]
        with (
            bench.storage.local_copy(record.storage_key) as path,
            open_video(path, timeline=timeline) as reader,
        ):
            size = (clip.width, clip.height)
            parts.append(np.stack([frame.pixels for frame in reader.read(indices, size=size)]))
    return CalibrationFrames(np.concatenate(parts), len(parts), near)


def _in_turn(queues: list[list[tuple[str, int]]]) -> list[tuple[str, int]]:
    """Return one item of each queue, then another of each, until all are empty."""
    longest = max(map(len, queues), default=0)
    return [queue[i] for i in range(longest) for queue in queues if i < len(queue)]
