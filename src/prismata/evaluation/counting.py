"""Hits, false alarms and misses of a finished detection, as a user of the list sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prismata.evaluation.matching import Criterion, EventsByVideo, match_events, of_type


@dataclass(frozen=True, slots=True)
class EventCounts:
    """How many events were found, invented and missed; ratios without a basis are None."""

    hits: int
    false_alarms: int
    misses: int
    mean_abs_error_us: float | None
    """Of the hits: distance of the instants, or mean distance of both segment edges."""

    @property
    def precision(self) -> float | None:
        """Share of the detections that are right; None if nothing was detected."""
        detected = self.hits + self.false_alarms
        return self.hits / detected if detected else None

    @property
    def recall(self) -> float | None:
        """Share of the true events that were found; None if there are none."""
        true_events = self.hits + self.misses
        return self.hits / true_events if true_events else None

    @property
    def f1(self) -> float | None:
        """`2 hits / (2 hits + false alarms + misses)`; None if there was nothing at all."""
        total = 2 * self.hits + self.false_alarms + self.misses
        return 2 * self.hits / total if total else None


def count_events(
    truth: EventsByVideo,
    detections: EventsByVideo,
    event_type: str,
    criterion: Criterion,
    *,
    videos: Sequence[str] | None = None,
) -> EventCounts:
    """Count over all videos, matching as the average precision does.

    Raises:
        InvalidInputError: If a detection has no score.
    """
    hits = false_alarms = misses = 0
    error_us = 0.0
    for video_id in sorted({*truth, *detections}) if videos is None else videos:
        true_events = of_type(truth, video_id, event_type)
        matches = match_events(true_events, of_type(detections, video_id, event_type), criterion)
        found = [match for match in matches if match.truth is not None]
        hits += len(found)
        false_alarms += len(matches) - len(found)
        misses += len(true_events) - len(found)
        for match in found:
            if match.truth is not None:
                start_error = abs(match.detection.start_us - match.truth.start_us)
                end_error = abs(match.detection.end_us - match.truth.end_us)
                error_us += (start_error + end_error) / 2
    return EventCounts(hits, false_alarms, misses, error_us / hits if hits else None)
