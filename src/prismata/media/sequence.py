"""What the three readers share: one pass over checked indices, each picture made once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from prismata.core.time import FrameTimeline
from prismata.media.pixels import Frame, Resizer
from prismata.media.readers import check_size, checked_indices


class SequentialReader(ABC):
    """A `VideoReader` that only has to say how one picture is got."""

    timeline: FrameTimeline
    decoded_frames = 0
    _resizer: Resizer

    @property
    def resize_seconds(self) -> float:
        """See `VideoReader`."""
        return self._resizer.seconds

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
    def _picture(
        self, index: int, size: tuple[int, int] | None, out: NDArray[np.uint8] | None
    ) -> NDArray[np.uint8]:
        """Return the frame's `(H, W, 3)` uint8 RGB as displayed; cheapest going forward.

        Args:
            index: Of the frame.
            size: `(width, height)`, None for the displayed size.
            out: Where to write it; None for an array of its own.
        """

    def _look_ahead(self, indices: list[int]) -> None:  # noqa: B027 - most readers need not know
        """Hear which frames one pass will ask for, before the first of them is asked for."""

    def read(
        self,
        frame_indices: Sequence[int] | NDArray[np.int64],
        *,
        size: tuple[int, int] | None = None,
        slots: Callable[[], NDArray[np.uint8]] | None = None,
    ) -> Iterator[Frame]:
        """See `VideoReader.read`."""
        indices = checked_indices(frame_indices, self.timeline)
        check_size(size)
        return self._deliver(indices, size, slots)

    def frame(self, frame_index: int, *, size: tuple[int, int] | None = None) -> Frame:
        """See `VideoReader.frame`."""
        return next(self.read([frame_index], size=size))

    def _deliver(
        self,
        indices: list[int],
        size: tuple[int, int] | None,
        slots: Callable[[], NDArray[np.uint8]] | None,
    ) -> Iterator[Frame]:
        self._look_ahead(indices)
        last: Frame | None = None
        for index in indices:
            if last is None or last.index != index:
                pixels = self._picture(index, size, slots() if slots else None)
                last = Frame(index, self.timeline.start_us(index), pixels)
            yield last
