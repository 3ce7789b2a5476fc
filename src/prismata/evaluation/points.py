"""Point events: a hit lies within a half width of the true instant (AP@δ)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from prismata.core.errors import InvalidInputError
from prismata.core.events import Event
from prismata.core.time import to_seconds
from prismata.evaluation.matching import EventsByVideo
from prismata.evaluation.ranking import average_precision, rank_hits

POINT_TOLERANCES_US = (100_000, 200_000, 500_000, 1_000_000)
"""Reported half widths: 0.1, 0.2, 0.5 and 1 s."""


@dataclass(frozen=True, slots=True)
class PointTolerance:
    """A detection hits if `|t - t_true| <= tolerance_us`: a half width, the border included.

    SoccerNet's δ is a full width; its "mAP@1 s" is our ±0.5 s. The two never share a column.

    Raises:
        InvalidInputError: If the tolerance is negative.
    """

    tolerance_us: int

    def __post_init__(self) -> None:
        if self.tolerance_us < 0:
            raise InvalidInputError(f"a tolerance cannot be negative: {self.tolerance_us} us")

    @property
    def kind(self) -> Literal["point"]:
        """Compares points."""
        return "point"

    @property
    def key(self) -> str:
        """Seconds, for example `0.5`."""
        return f"{to_seconds(self.tolerance_us):g}"

    @property
    def title(self) -> str:
        """For example `±0.5 s`."""
        return f"±{self.key} s"

    def closeness(self, detection: Event, truth: Event) -> float | None:
        """Return minus the distance in microseconds, or None beyond the tolerance."""
        distance = abs(detection.start_us - truth.start_us)
        return -float(distance) if distance <= self.tolerance_us else None

    def start_range_us(self, detection: Event, longest_us: int) -> tuple[int, int]:
        """Return the instants within the tolerance."""
        del longest_us
        return detection.start_us - self.tolerance_us, detection.start_us + self.tolerance_us


def point_average_precision(
    truth: EventsByVideo, detections: EventsByVideo, event_type: str, tolerance_us: int
) -> float | None:
    """Return AP@δ of one point event type, or None if nobody marked one.

    Detections in order of falling score each take the closest free true event of their video
    within ±δ; then all-point interpolated average precision. Source: E2E-Spot (Hong et al., ECCV
    2022, `util/score.py`), whose tolerance is in frames; ours is in microseconds.

    Raises:
        InvalidInputError: If a detection has no score or the tolerance is negative.
    """
    criterion = PointTolerance(tolerance_us)
    return average_precision(rank_hits(truth, detections, event_type, criterion))
