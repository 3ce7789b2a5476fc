"""Segment events: a hit overlaps the true segment enough (AP@tIoU)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from prismata.core.errors import InvalidInputError
from prismata.core.events import Event
from prismata.evaluation.matching import EventsByVideo
from prismata.evaluation.ranking import average_precision, rank_hits

SEGMENT_TIOUS = (0.3, 0.4, 0.5, 0.6, 0.7)
"""Reported overlaps: those of THUMOS14."""


@dataclass(frozen=True, slots=True)
class MinTiou:
    """A detection hits if intersection over union is at least `tiou`.

    Raises:
        InvalidInputError: If it does not lie in (0, 1].
    """

    tiou: float

    def __post_init__(self) -> None:
        if not 0 < self.tiou <= 1:
            raise InvalidInputError(f"a tIoU threshold lies in (0, 1], not {self.tiou}")

    @property
    def kind(self) -> Literal["segment"]:
        """Compares segments."""
        return "segment"

    @property
    def key(self) -> str:
        """For example `0.5`."""
        return f"{self.tiou:g}"

    @property
    def title(self) -> str:
        """For example `tIoU 0.5`."""
        return f"tIoU {self.key}"

    def closeness(self, detection: Event, truth: Event) -> float | None:
        """Return the tIoU, or None below the threshold."""
        tiou = detection.span.tiou(truth.span)
        return tiou if tiou >= self.tiou else None

    def start_range_us(self, detection: Event, longest_us: int) -> tuple[int, int]:
        """Return the starts at which a true segment can overlap."""
        return detection.start_us - longest_us, detection.end_us


def segment_average_precision(
    truth: EventsByVideo, detections: EventsByVideo, event_type: str, tiou: float
) -> float | None:
    """Return AP@tIoU of one segment event type, or None if nobody marked one.

    Detections in order of falling score each take the free true segment of their video with the
    highest tIoU, if it reaches the threshold; then all-point interpolated average precision (VOC
    2011). Source: the THUMOS14 / ActivityNet protocol as in ActionFormer (`libs/utils/metrics.py`).

    Raises:
        InvalidInputError: If a detection has no score or the threshold is out of range.
    """
    return average_precision(rank_hits(truth, detections, event_type, MinTiou(tiou)))
