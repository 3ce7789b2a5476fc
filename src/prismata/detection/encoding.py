"""Frames to features, each frame once; behind a motion gate, still ones not at all.

Most encoders see one frame at a time. Those that look at neighbours get blocks, which always begin
at the same samples of a video: a feature does not depend on how the frames came.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from prismata.core.recipes import MotionGate
from prismata.detection.motion import MotionFilter
from prismata.detection.runtimes import FrameEncoder
from prismata.detection.windows import repeated

MAX_WAIT_SECONDS = 0.5
"""Frames wait no longer than this for their batch to fill up behind a motion gate."""


PIECE_FRAMES = 8
"""A frame that stands for more samples than this goes into a block in pieces."""


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """What came out of an encoder, in order."""

    rows: NDArray[np.float32]
    """`(M, F)`."""
    repeats: list[int]
    """For how many samples each row stands."""


class FeatureStream(Protocol):
    """Frames in, features out. They come in the same order, but may come later."""

    encoded: int
    """Frames that went through the encoder so far."""
    seconds: dict[str, float]
    """Wall time by stage."""

    def push(
        self, frames: NDArray[np.uint8], repeats: Sequence[int], times_us: Sequence[int]
    ) -> Iterable[Features]:
        """Take `(N, H, W, 3)` distinct frames, and for how many samples each stands.

        What comes out has to be used up before the next call. `times_us`, the instants of the N
        first samples, may be empty without a motion gate.
        """
        ...

    def finish(self) -> Features:
        """Return what was still waiting."""
        ...


class FrameFeatures:
    """Encodes each distinct frame on its own.

    Without a gate, features come at once. With one, the frames that are to be encoded are collected
    until they fill a batch, so features may come a few frames later.

    Args:
        encoder: Of the model.
        batch: Frames the encoder takes at a time.
        gate: When a frame may take over features; None = never.
    """

    def __init__(
        self, encoder: FrameEncoder, *, batch: int = 8, gate: MotionGate | None = None
    ) -> None:
        self.encoded = 0
        self.seconds = {"motion": 0.0, "encode": 0.0} if gate else {"encode": 0.0}
        self._encoder = encoder
        self._filter = MotionFilter(gate) if gate is not None else None
        self._collected = np.empty((batch, encoder.height, encoder.width, 3), np.uint8)
        self._filled = 0
        self._since = 0.0
        self._left = time.monotonic()
        self._waiting: list[bool] = []
        """For each frame without features yet: whether it is in the collected batch."""
        self._repeats: deque[int] = deque()
        """Of the frames without features yet."""
        self._last: NDArray[np.float32] | None = None

    def push(
        self, frames: NDArray[np.uint8], repeats: Sequence[int], times_us: Sequence[int]
    ) -> list[Features]:
        """Take frames; return the features that are ready, which continue where the last ended."""
        self._repeats.extend(repeats)
        if self._filter is None:
            return [self._with_repeats(self._encode(frames))]
        pause = time.monotonic() - self._left
        started = time.perf_counter()
        moved = self._filter.must_encode(frames, times_us)
        self.seconds["motion"] += time.perf_counter() - started
        ready = []
        for frame, is_new in zip(frames, moved.tolist(), strict=True):
            self._waiting.append(is_new)
            if is_new:
                if self._filled == 0:
                    self._since = time.monotonic()
                self._collected[self._filled] = frame
                self._filled += 1
                if self._filled == len(self._collected):
                    ready.append(self._release())
        # Frames that come slowly will do so again: then nothing is held for the next ones.
        if not self._filled or time.monotonic() - self._since + pause > MAX_WAIT_SECONDS:
            ready.append(self._release())
        self._left = time.monotonic()
        return [self._with_repeats(self._joined(ready))]

    def finish(self) -> Features:
        """Return the features of the frames that were still waiting."""
        return self._with_repeats(self._release() if self._waiting else self._joined([]))

    def _with_repeats(self, rows: NDArray[np.float32]) -> Features:
        return Features(rows, [self._repeats.popleft() for _ in range(len(rows))])

    def _release(self) -> NDArray[np.float32]:
        """Give all waiting frames their features."""
        fresh = iter(self._encode(self._collected[: self._filled]))
        rows = np.empty((len(self._waiting), self._encoder.feature_size), np.float32)
        for row, is_new in zip(rows, self._waiting, strict=True):
            if is_new:
                self._last = next(fresh)
            row[:] = self._last
        if self._last is not None:
            self._last = self._last.copy()  # not a view that keeps its whole batch alive
        self._filled = 0
        self._waiting.clear()
        return rows

    def _encode(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        started = time.perf_counter()
        features = self._encoder.encode(frames)
        self.seconds["encode"] += time.perf_counter() - started
        self.encoded += len(frames)
        return features

    def _joined(self, parts: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        if len(parts) == 1:
            return parts[0]
        return np.concatenate([np.zeros((0, self._encoder.feature_size), np.float32), *parts])


class BlockFeatures:
    """Encodes neighbouring samples of the grid together, so a frame may be encoded several times.

    Blocks begin at the first sample; the last one is filled up with its last frame.

    Args:
        encoder: Of the model, opened for a block at a time.
        block: Samples in a block.
    """

    def __init__(self, encoder: FrameEncoder, block: int) -> None:
        self.encoded = 0
        self.seconds = {"encode": 0.0}
        self._encoder = encoder
        self._collected = np.empty((block, encoder.height, encoder.width, 3), np.uint8)
        self._filled = 0

    def push(
        self, frames: NDArray[np.uint8], repeats: Sequence[int], times_us: Sequence[int]
    ) -> Iterator[Features]:
        """Take frames; yield the features of each block that they complete."""
        del times_us
        block = len(self._collected)
        for samples in repeated(frames, repeats, at_most=PIECE_FRAMES):
            while len(samples):
                fitting = samples[: block - self._filled]
                self._collected[self._filled : self._filled + len(fitting)] = fitting
                self._filled += len(fitting)
                samples = samples[len(fitting) :]
                if self._filled == block:
                    yield self._encode()

    def finish(self) -> Features:
        """Return the features of the block that was not full."""
        if self._filled == 0:
            return Features(np.zeros((0, self._encoder.feature_size), np.float32), [])
        self._collected[self._filled :] = self._collected[self._filled - 1]
        return self._encode()

    def _encode(self) -> Features:
        started = time.perf_counter()
        rows = self._encoder.encode(self._collected)[: self._filled]
        self.seconds["encode"] += time.perf_counter() - started
        self.encoded += self._filled
        self._filled = 0
        return Features(rows, [1] * len(rows))
