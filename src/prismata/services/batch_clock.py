"""How far a batch of videos is and how long it will take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """Where a batch stands."""

    number: int
    """The video at hand, counted from 1."""
    count: int
    name: str
    note: str
    """What is being done with it."""
    share: float
    """Of this video, in [0, 1]."""
    total_share: float
    """Of all videos that need work, in [0, 1], by their length."""
    eta_seconds: float | None
    """For all that is left; None while nobody can know."""


class BatchClock:
    """Measures speed in seconds of video for a second of work, and tells the time left.

    A video whose length nobody knows yet counts as long as the others are on average. One that
    needs no work (skipped, refused, or answered from the cache) counts nothing.

    Args:
        lengths: Of each video, in seconds; None = not known yet.
        clock: Seconds that only go forward.
    """

    def __init__(
        self, lengths: Sequence[float | None], *, clock: Callable[[], float] = monotonic
    ) -> None:
        self._lengths = list(lengths)
        self._counts = [True] * len(lengths)
        self._clock = clock
        self._done: set[int] = set()
        self._worked_seconds = 0.0
        self._worked_length = 0.0
        self._at: int | None = None
        self._began = 0.0
        self._share = 0.0

    def begin(self, index: int) -> None:
        """Begin a video."""
        self._at, self._began, self._share = index, self._clock(), 0.0

    def know(self, index: int, length: float) -> None:
        """Learn the length of a video in seconds."""
        self._lengths[index] = length

    def move(self, share: float) -> None:
        """Note how much of the video at hand is done."""
        self._share = min(1.0, max(0.0, share))

    def end(self, *, counts: bool) -> None:
        """End the video at hand; `counts`: it was work, and says how fast work is."""
        if self._at is None:
            return
        self._done.add(self._at)
        self._counts[self._at] = counts
        if counts:
            self._worked_seconds += self._clock() - self._began
            self._worked_length += self._length(self._at)
        self._at = None

    def eta_seconds(self) -> float | None:
        """Return the seconds left; None before anything is known of the speed."""
        seconds, length = self._worked_seconds, self._worked_length
        if self._at is not None:
            seconds += self._clock() - self._began
            length += self._share * self._length(self._at)
        if length <= 0:
            return None
        return self._left() * seconds / length

    def total_share(self) -> float:
        """Return how much of all work is done, in [0, 1]."""
        total = sum(self._length(index) for index, yes in enumerate(self._counts) if yes)
        return 1.0 if total <= 0 else max(0.0, 1.0 - self._left() / total)

    def _left(self) -> float:
        left = sum(
            self._length(index) for index in range(len(self._lengths)) if index not in self._done
        )
        return left - (self._share * self._length(self._at) if self._at is not None else 0.0)

    def _length(self, index: int) -> float:
        length = self._lengths[index]
        if length is not None:
            return length
        known = [item for item in self._lengths if item is not None]
        return sum(known) / len(known) if known else 1.0
