"""Decode in a thread of its own, so that decoding and inference overlap.

Frames are written once, straight from the resizer into the batch that the encoder gets. Batches are
used again in a ring, and the queue between the two sides is bounded: memory stays flat however long
the video and however slow the model is.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import Full, Queue
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from prismata.core.machine import usable_cores
from prismata.core.time import FrameTimeline, SamplePlan
from prismata.media import VideoReader, open_video

QUEUE_BATCHES = 3
CORES_PER_DECODER_THREAD = 4
"""On so many cores one decoder thread keeps up with the encoder beside it. More threads are more
work in all (frame threads of H.264: 5 to 20 % more, measured), which the encoder then lacks."""

PATIENCE_SECONDS = 1.0
"""A batch that takes longer than this to fill goes out as it is, if somebody waits for it."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, eq=False)
class FrameBatch:
    """Distinct frames in display order, and for which samples each stands.

    The frames belong to a ring: they hold until the next batch is asked for.
    """

    frames: NDArray[np.uint8]
    """`(N, H, W, 3)` uint8 RGB."""
    repeats: list[int]
    """For how many samples each frame stands."""
    first_samples: list[int]
    """Number of the first of them."""


class FrameBatches:
    """The planned frames in batches, decoded ahead by a thread; iterate over it once.

    Args:
        path: The video.
        plan: Which frames; a frame that stands for several samples is decoded once.
        timeline: The video's timeline.
        size: `(width, height)` of the frames.
        batch: Frames in a batch; the last may be smaller, and others where decoding is so slow that
            events would be told late.
        reader: Which reader decodes.
        threads: Decoder threads; 0 = one, or more on a machine with many cores.
        only_key_frames: The plan asks for key frames only.

    Raises:
        BadVideoError: While iterating, if the video cannot be decoded.
    """

    def __init__(
        self,
        path: Path,
        plan: SamplePlan,
        *,
        timeline: FrameTimeline,
        size: tuple[int, int],
        batch: int,
        reader: str = "pyav",
        threads: int = 0,
        only_key_frames: bool = False,
    ) -> None:
        open_reader = partial(
            open_video,
            path,
            timeline=timeline,
            reader=reader,
            threads=threads or max(1, usable_cores() // CORES_PER_DECODER_THREAD),
            only_key_frames=only_key_frames,
        )
        # The thread knows the filler and not us: when we are dropped, it stops.
        self._filler = _Filler(open_reader, plan, size, batch)
        self._batches = prefetch(self._filler.batches(), depth=QUEUE_BATCHES)

    @property
    def seconds(self) -> dict[str, float]:
        """What the thread has spent so far; waiting for the other side is not in it."""
        return dict(self._filler.seconds)

    @property
    def decoded_frames(self) -> int:
        """Frames that the decoder has given so far, wanted or not."""
        return self._filler.decoded_frames

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> FrameBatch:
        self._filler.awaited = True
        try:
            return next(self._batches)
        finally:
            self._filler.awaited = False

    def close(self) -> None:
        """Stop the thread and let go of the file; needed only by those who stop early."""
        self._batches.close()


class _Filler:
    """What the thread does: read frames straight into a ring of batches."""

    def __init__(
        self,
        open_reader: Callable[[], VideoReader],
        plan: SamplePlan,
        size: tuple[int, int],
        batch: int,
    ) -> None:
        self.seconds = {"decode": 0.0, "resize": 0.0}
        self.decoded_frames = 0
        self.awaited = False
        """Whether the other side has nothing to do until the next batch comes."""
        self._open_reader, self._plan, self._size = open_reader, plan, size
        width, height = size
        # In flight: those that wait, one at the consumer, one being filled.
        self._ring = np.empty((QUEUE_BATCHES + 2, batch, height, width, 3), np.uint8)

    def batches(self) -> Iterator[FrameBatch]:
        indices, firsts, counts = np.unique(
            self._plan.frame_indices, return_index=True, return_counts=True
        )
        turn, filled, read_seconds = 0, 0, 0.0
        since = time.monotonic()

        def slot() -> NDArray[np.uint8]:
            frame: NDArray[np.uint8] = self._ring[turn, filled]
            return frame

        with self._open_reader() as video:
            frames = video.read(indices, size=self._size, slots=slot)
            for end in range(1, len(indices) + 1):
                started = time.perf_counter()
                next(frames)
                read_seconds += time.perf_counter() - started
                filled += 1
                overdue = self.awaited and time.monotonic() - since >= PATIENCE_SECONDS
                if filled == self._ring.shape[1] or end == len(indices) or overdue:
                    self.decoded_frames = video.decoded_frames
                    self.seconds["resize"] = video.resize_seconds
                    self.seconds["decode"] = read_seconds - video.resize_seconds
                    rows = slice(end - filled, end)
                    yield FrameBatch(
                        self._ring[turn, :filled], counts[rows].tolist(), firsts[rows].tolist()
                    )
                    turn, filled = (turn + 1) % len(self._ring), 0
                    since = time.monotonic()


def prefetch(source: Iterator[Item], *, depth: int) -> Generator[Item, None, None]:
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
        finally:
            if isinstance(source, Generator):
                source.close()

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
