"""Motion: how much frames differ, and the gate that lets still ones go without the encoder."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from prismata.core.recipes import MotionGate
from prismata.core.time import to_us

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Weights of red, green and blue (ITU-R BT.601)."""


def brightness_grid(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return `(N, GRID, GRID)` float32 mean brightness, 0 to 255, of `(N, H, W, 3)` uint8 RGB.

    H and W are at least `MotionGate.GRID`; each pixel belongs to exactly one cell.
    """
    count, height, width, _ = frames.shape
    rows, row_sizes = _cells(height)
    columns, column_sizes = _cells(width)
    # Rows first: whole lines are added to each other, which is what the processor does best.
    lines = np.add.reduceat(frames, rows, axis=1, dtype=np.uint16 if height <= 3598 else np.uint32)
    sums = np.add.reduceat(lines, columns, axis=2, dtype=np.uint32)
    area = np.outer(row_sizes, column_sizes).astype(np.float32)
    grid: NDArray[np.float32] = (sums.astype(np.float32) @ LUMA) / area
    return grid.reshape(count, MotionGate.GRID, MotionGate.GRID)


class MotionFilter:
    """Decides frame by frame, in order; how the frames are cut into calls changes nothing.

    Args:
        gate: How much is motion, and how long a frame may be stood in for.
    """

    def __init__(self, gate: MotionGate) -> None:
        self._threshold = np.float32(gate.threshold)
        self._hold_us = to_us(gate.max_hold_seconds)
        self._grid: NDArray[np.float32] | None = None
        self._since_us = 0

    def must_encode(
        self, frames: NDArray[np.uint8], times_us: Sequence[int] | NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Return `(N,)`: True for each of `(N, H, W, 3)` frames that must be encoded.

        The others may take over the features of the last frame that was. The first ever is True.
        """
        marks = np.zeros(len(frames), np.bool_)
        for number, grid in enumerate(brightness_grid(frames)):
            time_us = int(times_us[number])
            marks[number] = (
                self._grid is None
                or time_us - self._since_us >= self._hold_us
                or bool(np.any(np.abs(grid - self._grid) > self._threshold))
            )
            if marks[number]:
                self._grid, self._since_us = grid.copy(), time_us
        return marks


class MotionEnergy:
    """Tells frame by frame, in order, how much moves; cutting them into calls changes nothing."""

    def __init__(self) -> None:
        self._last: NDArray[np.float32] | None = None

    def of(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return `(N,)` float32 energies, 0 to 255, of `(N, H, W, 3)` uint8 RGB frames.

        The mean absolute difference of the brightness grid to the frame before; a grid, because
        noise of single pixels is no motion. The first frame ever has none before it: 0.
        """
        grids = brightness_grid(frames)
        if grids.shape[0] == 0:
            return np.zeros(0, np.float32)
        before = grids[:1] if self._last is None else self._last[None]
        self._last = grids[-1].copy()
        steps = np.abs(np.diff(np.concatenate([before, grids]), axis=0))
        energy: NDArray[np.float32] = steps.mean(axis=(1, 2), dtype=np.float32)
        return energy


def _cells(length: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where the cells of a side begin, and how long they are."""
    edges = np.linspace(0, length, MotionGate.GRID + 1).astype(np.int64)
    return edges[:-1], np.diff(edges)
