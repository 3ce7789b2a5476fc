"""Cut a stream of per-sample items (features or frames) into the classic windows.

Window k is centred at sample `k * stride`; the last sample is always a centre. Samples before the
first and after the last are replicas of the edge, exactly as `postprocess.window_indices` plans
it for a whole video, so a stream and a file give the same windows (property-tested).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True, slots=True, eq=False)
class Windows(Generic[Scalar]):
    """Complete windows, in order."""

    centres: NDArray[np.int64]
    """`(M,)` sample numbers."""
    items: NDArray[Scalar]
    """`(M, T, ...)`, contiguous."""


class WindowBuffer(Generic[Scalar]):
    """Collect items and hand out complete windows; keeps T items.

    Args:
        num_frames: T, items in a window.
        stride: Samples between neighbouring centres.
    """

    def __init__(self, num_frames: int, stride: int) -> None:
        self._before = num_frames // 2
        self._after = num_frames - 1 - self._before
        self._size = num_frames
        self._stride = stride
        self._held: NDArray[Scalar] | None = None
        """The last T items, replicas before the first sample included."""
        self._count = 0
        self._last_centre = -1

    @property
    def count(self) -> int:
        """Items pushed so far."""
        return self._count

    def push(self, items: NDArray[Scalar]) -> Windows[Scalar]:
        """Add the `(N, ...)` items of the next N samples; return the windows they complete.

        The items are copied, so the caller may use their memory again.
        """
        if self._held is None and len(items):
            self._held = np.repeat(items[:1], self._before, axis=0)
        joined = items if self._held is None else np.concatenate([self._held, items])
        self._count += len(items)
        # The window that ends with the last item is centred `after` samples before it.
        windows = self._cut(joined, self._count - 1 - self._after, last_sample=-1)
        if self._held is not None:
            self._held = joined[-self._size :].copy()
        return windows

    def finish(self) -> Windows[Scalar]:
        """Return the windows whose right side is the replicated last item."""
        if self._held is None:
            return Windows(np.zeros(0, np.int64), np.zeros((0, self._size)))  # type: ignore[arg-type]
        joined = np.concatenate([self._held, np.repeat(self._held[-1:], self._after, axis=0)])
        return self._cut(joined, self._count - 1, last_sample=self._count - 1)

    def _cut(
        self, joined: NDArray[Scalar], last_centre: int, *, last_sample: int
    ) -> Windows[Scalar]:
        """Return the windows of `joined` that were not returned before and are wanted."""
        complete = max(0, len(joined) - self._size + 1)
        centres = np.arange(last_centre - complete + 1, last_centre + 1, dtype=np.int64)
        wanted = (centres % self._stride == 0) | (centres == last_sample)
        starts = np.flatnonzero(wanted & (centres > self._last_centre))
        if starts.size:
            self._last_centre = int(centres[starts[-1]])
        return Windows(centres[starts], joined[starts[:, np.newaxis] + np.arange(self._size)])


def repeated(
    rows: NDArray[Scalar], repeats: Sequence[int], *, at_most: int
) -> Iterator[NDArray[Scalar]]:
    """Yield one row for each sample, in arrays of at most `at_most` rows where rows repeat.

    A picture may stand still for hours; all its samples at once would not fit into memory.
    """
    if all(count == 1 for count in repeats):
        yield rows
        return
    sources = np.repeat(np.arange(len(rows)), repeats)
    for start in range(0, len(sources), at_most):
        yield rows[sources[start : start + at_most]]
