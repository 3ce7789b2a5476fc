"""What a training will see: stretches of its videos as the model gets them, with their targets."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prismata.catalog import EventRecord, VideoRecord
from prismata.core.architectures import find_architecture
from prismata.core.events import Event
from prismata.core.targets import build_targets, choose_dilation
from prismata.core.time import SamplePlan, to_us
from prismata.domains import Domain
from prismata.media import open_video
from prismata.services.datasets import DatasetPlan
from prismata.services.workbench import Workbench

SAMPLES = 12
"""Neighbouring samples of one stretch; more would be too small to see."""


@dataclass(frozen=True, slots=True, eq=False)
class PreviewStretch:
    """Neighbouring samples of one training video."""

    video: VideoRecord
    about: Event | None
    """The label it was cut around; None: background."""
    times_us: NDArray[np.int64]
    """`(K,)`, K ≤ `SAMPLES`."""
    frames: NDArray[np.uint8]
    """`(K, H, W, 3)` RGB, in the model's size."""
    targets: NDArray[np.float32]
    """`(K, C)` 0 or 1."""
    weights: NDArray[np.float32]
    """`(K, C)`; 0 = unknown."""


def preview_training(
    bench: Workbench,
    domain: Domain,
    planned: DatasetPlan,
    *,
    architecture: str,
    count: int = 4,
    seed: int = 0,
) -> list[PreviewStretch]:
    """Return stretches as a training would see them: around labels, and the last one background.

    There is none of background if the video drawn for it has no place without a label.

    Args:
        bench: The workbench.
        domain: Declares how videos are sampled.
        planned: The dataset version that would be frozen now.
        architecture: A dense head marks fewer samples around a point than a window's centre.
        count: How many.
        seed: Another one shows others.

    Raises:
        BadVideoError: If a video cannot be decoded.
        NotFoundError: If one is missing from storage.
    """
    clip = domain.clip.changed(find_architecture(architecture).clip)
    videos = [item for item in planned.videos if planned.split.splits[item.id] == "train"]
    by_video: dict[str, list[EventRecord]] = {}
    for label in planned.labels:
        by_video.setdefault(label.video_id, []).append(label)
    samples = sum(round(video.duration_us * clip.target_fps / 1e6) for video in planned.videos)
    dilation = choose_dilation(architecture, None, events=len(planned.labels), samples=samples)
    dice = random.Random(seed)  # noqa: S311 - a reproducible choice, not a secret
    stretches = []
    for video, about in _chosen(videos, by_video, count, dice):
        timeline = bench.timeline(video)
        plan = timeline.sample(clip.target_fps)
        records = by_video.get(video.id, ())
        targets, weights = build_targets(
            plan.times_us,
            [item.event for item in records if item.review_state != "rejected"],
            domain.event_types,
            rejected=[item.event for item in records if item.review_state == "rejected"],
            tolerance_us=to_us(domain.tolerance_seconds),
            dilation=dilation,
            known=planned.known.get(video.id),
        )
        said = np.logical_or.reduce((targets > 0) | (weights > 1), axis=1)
        rows = _rows_around(plan, about) if about is not None else _rows_without(plan, said, dice)
        if not rows.size:
            continue
        indices = plan.frame_indices[rows]
        size = (clip.width, clip.height)
        with (
            bench.storage.local_copy(video.storage_key) as path,
            open_video(path, timeline=timeline, threads=1) as reader,
        ):
            pictures = {
                frame.index: frame.pixels.copy()
                for frame in reader.read(np.unique(indices), size=size)
            }
        frames = np.stack([pictures[int(index)] for index in indices])
        stretches.append(
            PreviewStretch(video, about, plan.times_us[rows], frames, targets[rows], weights[rows])
        )
    return stretches


def _chosen(
    videos: Sequence[VideoRecord],
    by_video: dict[str, list[EventRecord]],
    count: int,
    dice: random.Random,
) -> list[tuple[VideoRecord, Event | None]]:
    """Choose labels of training videos, of different videos first, and one place without any."""
    if not videos:
        return []
    shuffled = [
        (video, item.event)
        for video in videos
        for item in by_video.get(video.id, ())
        if item.review_state != "rejected"
    ]
    dice.shuffle(shuffled)
    seen: dict[str, int] = {}
    ranked = []
    for video, event in shuffled:
        seen[video.id] = seen.get(video.id, 0) + 1
        ranked.append((seen[video.id], video, event))
    ranked.sort(key=lambda item: item[0])
    chosen: list[tuple[VideoRecord, Event | None]] = [
        (video, event) for _, video, event in ranked[: max(1, count - 1)]
    ]
    return [*chosen, (dice.choice(list(videos)), None)]


def _rows_around(plan: SamplePlan, about: Event) -> NDArray[np.int64]:
    """Return neighbouring rows with the event's beginning a third into them."""
    first = int(np.searchsorted(plan.times_us, about.start_us)) - SAMPLES // 3
    return _rows_from(max(0, min(first, len(plan) - SAMPLES)), plan)


def _rows_without(
    plan: SamplePlan, said: NDArray[np.bool_], dice: random.Random
) -> NDArray[np.int64]:
    """Return neighbouring rows of which no label says anything; none if there is no such place."""
    last = max(0, len(plan) - SAMPLES)
    before = np.concatenate([[0], np.cumsum(said)])
    first = np.arange(last + 1)
    places = first[before[np.minimum(first + SAMPLES, len(plan))] == before[first]]
    if not places.size:
        return np.zeros(0, np.int64)
    return _rows_from(int(dice.choice(places.tolist())), plan)


def _rows_from(first: int, plan: SamplePlan) -> NDArray[np.int64]:
    return np.arange(first, min(len(plan), first + SAMPLES), dtype=np.int64)
