"""Frames to features, each frame once; behind a motion gate, still ones not at all."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from prismata.core.recipes import MotionGate
from prismata.detection.motion import MotionFilter
from prismata.detection.runtimes import FrameEncoder

MAX_WAIT_SECONDS = 0.5
"""Frames wait no longer than this for their batch to fill up behind a motion gate."""


class FrameFeatures:
    """Encodes distinct frames in order.

    Without a gate, features come at once. With one, the frames that are to be encoded are collected
    until they fill a batch, so features may come a few frames later; their order never changes.

    Args:
        encoder: Of the model.
        batch: Frames the encoder takes at a time.
        gate: When a frame may take over features; None = never.
    """

    def __init__(
        self, encoder: FrameEncoder, *, batch: int = 8, gate: MotionGate | None = None
    ) -> None:
        self.encoded = 0
        """Frames encoded so far."""
        self.seconds = {"motion": 0.0, "encode": 0.0} if gate else {"encode": 0.0}
        self._encoder = encoder
        self._filter = MotionFilter(gate) if gate is not None else None
        self._collected = np.empty((batch, encoder.height, encoder.width, 3), np.uint8)
        self._filled = 0
        self._since = 0.0
        self._left = time.monotonic()
        self._waiting: list[bool] = []
        """For each frame without features yet: whether it is in the collected batch."""
        self._last: NDArray[np.float32] | None = None

    def push(self, frames: NDArray[np.uint8], times_us: Sequence[int]) -> NDArray[np.float32]:
        """Take `(N, H, W, 3)` frames at N instants; return `(M, F)` features that are ready.

        They continue where the last call ended; M may be larger or smaller than N.
        """
        if self._filter is None:
            return self._encode(frames)
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
        return self._joined(ready)

    def finish(self) -> NDArray[np.float32]:
        """Return `(M, F)` features of the frames that were still waiting."""
        return self._release() if self._waiting else self._joined([])

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
