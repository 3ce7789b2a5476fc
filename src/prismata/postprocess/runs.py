"""What is known of one run while it grows; `streaming` says what a run is."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from prismata.core.events import Event


@dataclass(frozen=True, slots=True)
class Run:
    """An event under an id that it keeps from its first announcement to its end."""

    id: str
    event: Event


_Piece = tuple[NDArray[np.int64], NDArray[np.float32]]


@dataclass(slots=True)
class Stretch:
    """A stretch above `leave`, or several with gaps too small to part them."""

    start_us: int
    end_us: int = -1
    peak: float = 0.0
    last_us: int = -1
    """The last instant inside."""
    pieces: list[_Piece] = field(default_factory=list)
    """What a point's centre needs; stays empty for segments, so an endless run costs nothing."""
    count: int = 0
    times_sum: int = 0
    weight: float = 0.0
    moment: float = 0.0
    """Sums for where the centre seems to be while the run goes on; `pieces` decide in the end."""

    def take(self, times_us: NDArray[np.int64], scores: NDArray[np.float32]) -> None:
        """Grow by `(K,)` instants that follow, K > 0."""
        self.peak = max(self.peak, float(scores.max()))
        self.last_us = int(times_us[-1])

    def weigh(
        self, times_us: NDArray[np.int64], scores: NDArray[np.float32], leave: np.float32
    ) -> None:
        """Let `(K,)` instants count for the centre."""
        # Copies, so that the caller may reuse its arrays.
        self.pieces.append((times_us.copy(), scores.copy()))
        self.count += int(times_us.size)
        self.times_sum += int(times_us.sum())
        weights = scores.astype(np.float64) - float(leave)
        self.weight += float(weights.sum())
        self.moment += float((weights * times_us).sum())

    def absorb(self, later: Stretch) -> None:
        """Become one with a later stretch."""
        self._add(later)
        self.end_us = later.end_us
        self.pieces += later.pieces

    def joined(self, later: Stretch) -> Stretch:
        """Return what `absorb` would make of it, without the pieces: cheap for any length."""
        both = Stretch(
            self.start_us,
            peak=self.peak,
            count=self.count,
            times_sum=self.times_sum,
            weight=self.weight,
            moment=self.moment,
        )
        both._add(later)
        return both

    def _add(self, later: Stretch) -> None:
        self.peak = max(self.peak, later.peak)
        self.last_us = later.last_us
        self.count += later.count
        self.times_sum += later.times_sum
        self.weight += later.weight
        self.moment += later.moment

    def centre_so_far_us(self) -> int:
        """Return the centre to within a microsecond, from sums alone."""
        weighted = self.weight > 0
        mean = self.moment / self.weight if weighted else self.times_sum / self.count
        return round(min(max(mean, self.start_us), self.last_us))

    def centre_us(self, leave: np.float32) -> int:
        """Return the centre, the same however the run arrived."""
        # One array, so that rounding does not depend on the chunking.
        times = np.concatenate([piece[0] for piece in self.pieces])
        scores = np.concatenate([piece[1] for piece in self.pieces]).astype(np.float64)
        weights = scores - float(leave)
        offsets = (times - times[0]).astype(np.float64)
        total = float(weights.sum())
        mean = float((weights * offsets).sum()) / total if total > 0 else float(offsets.mean())
        return min(int(times[0]) + round(mean), int(times[-1]))
