"""Decode in a thread of its own, so that decoding and inference overlap.

The queue between the two is bounded: memory stays flat however long the video and however slow
the model is.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import Full, Queue
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from prismata.core.time import FrameTimeline, SamplePlan
from prismata.media import open_video

QUEUE_BATCHES = 3

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, eq=False)
class FrameBatch:
    """Distinct frames in display order, and for how many samples each stands."""

    frames: NDArray[np.uint8]
    """`(N, H, W, 3)` uint8 RGB."""
    repeats: list[int]


def frame_batches(
    path: Path,
    plan: SamplePlan,
    *,
    timeline: FrameTimeline,
    size: tuple[int, int],
    batch: int,
    reader: str = "pyav",
) -> Iterator[FrameBatch]:
    """Yield the planned frames in batches, decoded ahead by a thread.

    Args:
        path: The video.
        plan: Which frames; a frame that stands for several samples is decoded once.
        timeline: The video's timeline.
        size: `(width, height)` of the frames.
        batch: Frames in a batch; the last may be smaller.
        reader: Which reader decodes.

    Raises:
        BadVideoError: If the video cannot be decoded.
    """
    return prefetch(_decode(path, plan, timeline, size, batch, reader), depth=QUEUE_BATCHES)


def _decode(
    path: Path,
    plan: SamplePlan,
    timeline: FrameTimeline,
    size: tuple[int, int],
    batch: int,
    reader: str,
) -> Iterator[FrameBatch]:
    indices, counts = np.unique(plan.frame_indices, return_counts=True)
    pixels: list[NDArray[np.uint8]] = []
    repeats: list[int] = []
    with open_video(path, timeline=timeline, reader=reader) as video:
        for frame, count in zip(video.read(indices, size=size), counts, strict=True):
            pixels.append(frame.pixels)
            repeats.append(int(count))
            if len(pixels) == batch:
                yield FrameBatch(np.stack(pixels), repeats)
                pixels, repeats = [], []
    if pixels:
        yield FrameBatch(np.stack(pixels), repeats)


def prefetch(source: Iterator[Item], *, depth: int) -> Iterator[Item]:
    """Run an iterator in a thread, at most `depth` items ahead; its exceptions arrive here."""
    queue: Queue[tuple[Item | None, BaseException | None]] = Queue(depth)
    stop = threading.Event()

    def put(item: Item | None, error: BaseException | None) -> None:
        while not stop.is_set():
            try:
                queue.put((item, error), timeout=0.2)
            except Full:
                continue
            return

    def produce() -> None:
        try:
            for item in source:
                put(item, None)
                if stop.is_set():
                    return
            put(None, None)
        except BaseException as error:  # noqa: BLE001 - carried to the consumer, which raises it
            put(None, error)

    thread = threading.Thread(target=produce, name="prefetch", daemon=True)
    thread.start()
    try:
        while True:
            item, error = queue.get()
            if error is not None:
                raise error
            if item is None:
                return
            yield item
    finally:
        stop.set()
        thread.join(timeout=10)
