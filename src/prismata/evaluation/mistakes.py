"""The worst mistakes of a model: what a person should look at first.

A confident false alarm is either a label that is missing or what the model confuses; an event that
hardly showed in the scores is either a label at the wrong place or what the model does not know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Literal

from prismata.core.events import Event, EventType
from prismata.core.scores import ScoreTrack
from prismata.core.time import TimeSpan
from prismata.evaluation.ignoring import without_ignored
from prismata.evaluation.matching import Criterion, EventsByVideo, match_events, of_type

MistakeKind = Literal["false_alarm", "missed"]


@dataclass(frozen=True, slots=True)
class Mistake:
    """One event that was invented, or not found."""

    video: str
    kind: MistakeKind
    event: Event
    """The detection, or the true event."""
    score: float
    """Of the detection; of a true event the highest score at any instant where a detection would
    have found it."""

    @property
    def badness(self) -> float:
        """How sure the model was of what is wrong, in [0, 1]."""
        return self.score if self.kind == "false_alarm" else 1.0 - self.score

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "video": self.video,
            "kind": self.kind,
            "event_type": self.event.event_type,
            "start_us": self.event.start_us,
            "end_us": self.event.end_us,
            "score": round(self.score, 6),
        }


def worst_mistakes(
    truth: EventsByVideo,
    detections: EventsByVideo,
    tracks: Mapping[str, ScoreTrack],
    criteria: Sequence[tuple[EventType, Criterion]],
    *,
    ignored: Mapping[str, Sequence[TimeSpan]],
    at_most: int = 20,
) -> list[Mistake]:
    """Return the worst mistakes, false alarms and missed events by turns, the worst of each first.

    Args:
        truth: Labels by video.
        detections: What the model shows at its threshold.
        tracks: Its scores by video.
        criteria: Event types, and what counts as found of each.
        ignored: Stretches of which nothing is known; what lies there is no mistake.
        at_most: How many.
    """
    found: list[Mistake] = []
    true_events, detected = without_ignored(truth, ignored), without_ignored(detections, ignored)
    for event_type, criterion in criteria:
        name = event_type.name
        for video in sorted(tracks):
            labelled = of_type(true_events, video, name)
            matches = match_events(labelled, of_type(detected, video, name), criterion)
            hits = [match.truth for match in matches if match.truth is not None]
            found += [
                Mistake(video, "false_alarm", match.detection, float(match.detection.score or 0.0))
                for match in matches
                if match.truth is None
            ]
            found += [
                Mistake(video, "missed", event, _best_score(tracks[video], event, criterion))
                for event in labelled
                if not any(event is hit for hit in hits)
            ]
    ranked = sorted(found, key=lambda item: (-item.badness, item.video, item.event.start_us))
    alarms, misses = (
        [item for item in ranked if item.kind == kind] for kind in ("false_alarm", "missed")
    )
    by_turns = [item for pair in zip_longest(alarms, misses) for item in pair if item is not None]
    return by_turns[:at_most]


def _best_score(track: ScoreTrack, event: Event, criterion: Criterion) -> float:
    """Return the highest score of the instants at which a point would hit, or of the segment."""
    first, last = event.start_us, event.end_us - 1
    if event.kind == "point":
        first, last = criterion.start_range_us(event, 0)  # as far from one side as from the other
    inside = (track.times_us >= first) & (track.times_us <= last)
    return float(track.column(event.event_type)[inside].max(initial=0.0))
