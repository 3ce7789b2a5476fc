"""Cut a stream of per-sample items (features or frames) into the classic windows.

Window k is centred at sample `k * stride`; the last sample is always a centre. Samples before the
first and after the last are replicas of the edge, exactly as `postprocess.window_indices` plans
it for a whole video, so a stream and a file give the same windows (property-tested).
"""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Scalar = TypeVar("Scalar", bound=np.generic)


class WindowBuffer(Generic[Scalar]):
    """Collect items and hand out complete windows; keeps at most T items.

    Args:
        num_frames: T, items in a window.
        stride: Samples between neighbouring centres.
    """

    def __init__(self, num_frames: int, stride: int) -> None:
        self._before = num_frames // 2
        self._after = num_frames - 1 - self._before
        self._size = num_frames
        self._stride = stride
        self._items: deque[NDArray[Scalar]] = deque(maxlen=num_frames)
        self._count = 0
        self._last_centre = -1

    def push(self, item: NDArray[Scalar]) -> tuple[int, NDArray[Scalar]] | None:
        """Add one sample's item; return `(centre sample, (T, ...) window)` if one is complete."""
        if self._count == 0:
            self._items.extend([item] * self._before)
        self._items.append(item)
        self._count += 1
        centre = self._count - 1 - self._after
        if centre >= 0 and centre % self._stride == 0:
            self._last_centre = centre
            return centre, np.stack(self._items)
        return None

    def finish(self) -> list[tuple[int, NDArray[Scalar]]]:
        """Return the windows whose right side is the replicated last item."""
        windows: list[tuple[int, NDArray[Scalar]]] = []
        if self._count == 0:
            return windows
        last = self._items[-1]
        for replicas in range(1, self._after + 1):
            self._items.append(last)
            centre = self._count - 1 - self._after + replicas
            is_last = replicas == self._after
            if centre >= 0 and (centre % self._stride == 0 or is_last):
                windows.append((centre, np.stack(self._items)))
                self._last_centre = centre
        if self._last_centre != self._count - 1:
            # Only with T <= 2 is nothing replicated on the right; the last sample is a centre too.
            windows.append((self._count - 1, np.stack(self._items)))
        return windows
