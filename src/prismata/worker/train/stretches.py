"""Which stretches of the validation videos are seen once more, and their frames.

The check of the 8-bit encoder and the cost of the motion gate need frames. After training on frozen
features there are none, so decoding is bounded: at most `MAX_CHECKED_SECONDS` of video.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from prismata.core.recipes import ClipSpec
from prismata.core.time import SamplePlan, TimeSpan, to_us
from prismata.detection.frames import FrameBatches
from prismata.services.workbench import Workbench
from prismata.training.data import LabelledVideo
from prismata.worker.train.gather import GatheredData

MAX_CHECKED_SECONDS = 1200.0
PIECE_SECONDS = 20.0
MARGIN_SECONDS = 5.0
"""What belongs to an event at least, on both sides."""
BATCH = 8


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Neighbouring samples of one video."""

    video: LabelledVideo
    first: int
    last: int
    """Row behind the last."""

    @property
    def times_us(self) -> NDArray[np.int64]:
        """`(K,)` instants of the samples."""
        return self.video.times_us[self.first : self.last]

    @property
    def span(self) -> TimeSpan:
        """From the first sample to the one behind the last; whole videos from 0 to their end."""
        times = self.video.times_us
        start = 0 if self.first == 0 else int(times[self.first])
        end = self.video.duration_us if self.last == times.size else int(times[self.last])
        return TimeSpan(start, end)


@dataclass(frozen=True, slots=True, eq=False)
class StretchBatch:
    """Distinct frames of a stretch, and for which samples they stand."""

    frames: NDArray[np.uint8]
    """`(N, H, W, 3)`; they hold until the next batch is asked for."""
    repeats: list[int]
    rows: NDArray[np.int64]
    """`(N,)` rows of the video at which each frame is shown first."""
    times_us: NDArray[np.int64]
    """`(N,)` instants of those rows."""


def choose_stretches(
    videos: Sequence[LabelledVideo],
    *,
    max_seconds: float = MAX_CHECKED_SECONDS,
    seed: int = 0,
) -> list[Stretch]:
    """Choose what is checked: all of it if that is little, else events and background, half each.

    An event is never cut: the pieces of 20 s that it touches, with 5 s on both sides, stay
    together. Pieces of which nothing is known are left out.

    Args:
        videos: The validation videos.
        max_seconds: Bound of what is chosen; a single longer event is taken whole.
        seed: The same seed chooses the same.

    Returns:
        Stretches by video and time; neighbours are one.
    """
    budget_us = to_us(max_seconds)
    if sum(video.duration_us for video in videos) <= budget_us:
        return [Stretch(video, 0, video.times_us.size) for video in videos]
    rng = np.random.default_rng(seed)
    pieces = [piece for video in videos for piece in _pieces(video)]
    shuffled = [pieces[i] for i in rng.permutation(len(pieces))]
    eventful = [piece for piece in shuffled if _holds_event(piece)]
    quiet = [piece for piece in shuffled if not _holds_event(piece)]
    taken, used = _take(eventful, budget_us // 2)
    more, spent = _take(quiet, budget_us - used)
    last, _ = _take(eventful[len(taken) :], budget_us - used - spent)
    order = {id(video): place for place, video in enumerate(videos)}
    taken = sorted([*taken, *more, *last], key=lambda part: (order[id(part.video)], part.first))
    return _joined(taken)


def _pieces(video: LabelledVideo) -> list[Stretch]:
    """Cut a video into pieces that cut no event."""
    edges = np.arange(0, video.duration_us, to_us(PIECE_SECONDS), dtype=np.int64)
    margin = to_us(MARGIN_SECONDS)
    for event in video.events:
        inside = (edges > event.start_us - margin) & (edges < event.end_us + margin)
        edges = edges[~inside | (edges == 0)]
    rows = [*np.searchsorted(video.times_us, edges).tolist(), video.times_us.size]
    known = video.weights.max(axis=1) > 0
    return [
        Stretch(video, first, last)
        for first, last in pairwise(rows)
        if first < last and known[first:last].any()
    ]


def _holds_event(piece: Stretch) -> bool:
    span = piece.span
    return any(span.contains((e.start_us + e.end_us) // 2) for e in piece.video.events)


def _take(pieces: list[Stretch], budget_us: int) -> tuple[list[Stretch], int]:
    """Take pieces from the front while they fit, but at least one if there is any budget."""
    taken: list[Stretch] = []
    used = 0
    for piece in pieces:
        if budget_us <= 0 or (taken and used + piece.span.duration_us > budget_us):
            break
        taken.append(piece)
        used += piece.span.duration_us
    return taken, used


def _joined(pieces: list[Stretch]) -> list[Stretch]:
    joined: list[Stretch] = []
    for piece in pieces:
        if joined and joined[-1].video is piece.video and joined[-1].last == piece.first:
            piece = Stretch(piece.video, joined.pop().first, piece.last)
        joined.append(piece)
    return joined


class StretchFrames:
    """Gives the frames of stretches: what training kept, or decoded once more.

    Args:
        bench: Where the videos are.
        data: What training gathered.
        clip: How videos are sampled.
    """

    def __init__(self, bench: Workbench, data: GatheredData, clip: ClipSpec) -> None:
        self._bench, self._data, self._clip = bench, data, clip

    def batches(self, stretch: Stretch) -> Iterator[StretchBatch]:
        """Yield the frames of a stretch in order.

        Raises:
            BadVideoError: If the video cannot be decoded any more.
        """
        if stretch.video.inputs.ndim == 4:
            yield from self._kept(stretch)
        else:
            yield from self._decoded(stretch)

    def _kept(self, stretch: Stretch) -> Iterator[StretchBatch]:
        video = stretch.video
        for start in range(stretch.first, stretch.last, BATCH):
            rows = np.arange(start, min(start + BATCH, stretch.last), dtype=np.int64)
            frames = np.array(video.inputs[rows[0] : rows[-1] + 1], dtype=np.uint8)
            yield StretchBatch(frames, [1] * len(rows), rows, video.times_us[rows])

    def _decoded(self, stretch: Stretch) -> Iterator[StretchBatch]:
        record = self._data.records[stretch.video.name]
        timeline = self._bench.timeline(record)
        whole = timeline.sample(self._clip.target_fps)
        part = slice(stretch.first, stretch.last)
        plan = SamplePlan(whole.times_us[part], whole.frame_indices[part])
        size = (self._clip.width, self._clip.height)
        with self._bench.storage.local_copy(record.storage_key) as path:
            batches = FrameBatches(path, plan, timeline=timeline, size=size, batch=BATCH)
            with closing(batches):
                for batch in batches:
                    rows = stretch.first + np.array(batch.first_samples, np.int64)
                    times = stretch.video.times_us[rows]
                    yield StretchBatch(batch.frames, batch.repeats, rows, times)
