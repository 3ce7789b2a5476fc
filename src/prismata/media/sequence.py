"""What the three readers share: one pass over checked indices, each picture made once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from prismata.core.time import FrameTimeline
from prismata.media.pixels import Frame
from prismata.media.readers import check_size, checked_indices


class SequentialReader(ABC):
    """A `VideoReader` that only has to say how one picture is got."""

    timeline: FrameTimeline

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Release the file."""

    @abstractmethod
    def _picture(self, index: int, size: tuple[int, int] | None) -> NDArray[np.uint8]:
        """Return the frame's `(H, W, 3)` uint8 RGB as displayed; cheapest going forward."""

    def read(
        self,
        frame_indices: Sequence[int] | NDArray[np.int64],
        *,
        size: tuple[int, int] | None = None,
    ) -> Iterator[Frame]:
        """See `VideoReader.read`."""
        indices = checked_indices(frame_indices, self.timeline)
        check_size(size)
        return self._deliver(indices, size)

    def frame(self, frame_index: int, *, size: tuple[int, int] | None = None) -> Frame:
        """See `VideoReader.frame`."""
        return next(self.read([frame_index], size=size))

    def _deliver(self, indices: list[int], size: tuple[int, int] | None) -> Iterator[Frame]:
        last: Frame | None = None
        for index in indices:
            if last is None or last.index != index:
                pixels = self._picture(index, size)
                last = Frame(index, self.timeline.start_us(index), pixels)
            yield last
