"""From a source timestamp back to the frame's place in the timeline."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from prismata.core.time import FrameTimeline, to_us

ROUNDING_US = 1
"""The timeline keeps its zero in whole microseconds, so a position may be off by this much."""


class FrameMatcher:
    """Looks timestamps up in a timeline; exact but for the rounding of its zero.

    Args:
        timeline: Of the same file.
        time_base: Seconds per tick.
    """

    def __init__(self, timeline: FrameTimeline, time_base: Fraction) -> None:
        self._starts_us = timeline.starts_us
        self._first_pts_us = timeline.first_pts_us
        self._time_base = time_base

    def index_of_tick(self, tick: int) -> int | None:
        """Return which frame has this timestamp, None if the timeline has none there."""
        return self.index_of_time(to_us(tick * self._time_base) - self._first_pts_us)

    def index_of_time(self, time_us: int, *, tolerance_us: int = ROUNDING_US) -> int | None:
        """Return which frame appears at this instant, None if none does."""
        after = int(np.searchsorted(self._starts_us, time_us))
        found, distance = None, tolerance_us + 1
        for index in (after - 1, after):
            if 0 <= index < self._starts_us.size:
                gap = abs(int(self._starts_us[index]) - time_us)
                if gap < distance:
                    found, distance = index, gap
        return found

    def tick_of(self, frame_index: int) -> int:
        """Return a frame's timestamp in ticks, rounded down by up to a tick."""
        time_us = int(self._starts_us[frame_index]) + self._first_pts_us
        return (Fraction(time_us, 1_000_000) / self._time_base).__floor__()
