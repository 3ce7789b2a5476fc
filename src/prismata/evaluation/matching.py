"""Which detection finds which true event: greedy, by falling score.

Every metric of this room starts from these matches, so they cannot disagree about what a hit is.
A match stays inside one video and one event type, and every true event is found at most once:
a second detection of it is a false alarm.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from prismata.core.errors import InvalidInputError
from prismata.core.events import Event, EventKind

EventsByVideo = Mapping[str, Sequence[Event]]
"""Video id → its events of any type, in any order."""


class Criterion(Protocol):
    """When a detection is close enough to a true event, and how close it is."""

    @property
    def kind(self) -> EventKind:
        """The kind of events it compares."""
        ...

    @property
    def key(self) -> str:
        """Short name for JSON, for example `0.5`."""
        ...

    @property
    def title(self) -> str:
        """What people read, for example `±0.5 s`."""
        ...

    def closeness(self, detection: Event, truth: Event) -> float | None:
        """Return how well they agree, larger is better, or None if it is not a hit."""
        ...

    def start_range_us(self, detection: Event, longest_us: int) -> tuple[int, int]:
        """Return the first and last start at which a true event can be hit.

        Args:
            detection: The detection.
            longest_us: Length of the longest true event of the video.
        """
        ...


@dataclass(frozen=True, slots=True)
class Match:
    """One detection and the true event it found; None means a false alarm."""

    detection: Event
    truth: Event | None


def match_events(
    truth: Sequence[Event], detections: Sequence[Event], criterion: Criterion
) -> list[Match]:
    """Match the detections of one event type in one video, best score first.

    Each detection takes the closest true event that is still free and that the criterion allows.
    Among equal scores the earlier detection chooses first; among equally close true events it takes
    the earlier one.

    Raises:
        InvalidInputError: If a detection has no score.
    """
    ordered = sorted(truth, key=lambda event: (event.start_us, event.end_us))
    starts = [event.start_us for event in ordered]
    longest_us = max((event.end_us - event.start_us for event in ordered), default=0)
    free = [True] * len(ordered)
    matches = []
    for detection in sorted(detections, key=_rank):
        first, last = criterion.start_range_us(detection, longest_us)
        best, best_closeness = -1, 0.0
        for index in range(bisect_left(starts, first), bisect_right(starts, last)):
            if not free[index]:
                continue
            closeness = criterion.closeness(detection, ordered[index])
            if closeness is not None and (best < 0 or closeness > best_closeness):
                best, best_closeness = index, closeness
        if best < 0:
            matches.append(Match(detection, None))
        else:
            free[best] = False
            matches.append(Match(detection, ordered[best]))
    return matches


def of_type(events: EventsByVideo, video_id: str, event_type: str) -> list[Event]:
    """Return one video's events of one type."""
    return [event for event in events.get(video_id, ()) if event.event_type == event_type]


def _rank(detection: Event) -> tuple[float, int, int]:
    if detection.score is None:
        raise InvalidInputError(
            f"the detection {detection.event_type!r} at {detection.start_us} us has no score, "
            "so it cannot be ranked; give every detection its score"
        )
    return -detection.score, detection.start_us, detection.end_us
