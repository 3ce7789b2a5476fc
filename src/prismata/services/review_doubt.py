"""Doubt: how much a person's answer about a candidate event would teach, and why.

Doubts of several kinds add up as independent chances do: `1 - (1 - w1 x1)(1 - w2 x2) …`. A score at
the threshold, edges that are not clear, another model that disagrees, pictures unlike any that are
labelled, and a recording of which nothing is labelled yet: each says something else, and a person
is told which.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from prismata.core.events import Event
from prismata.core.scores import ScoreTrack
from prismata.core.time import TimeSpan
from prismata.evaluation import confidence_of

DoubtKind = Literal["score", "edges", "models", "place", "novelty"]

WEIGHTS: dict[DoubtKind, float] = {
    "score": 1.0,
    "models": 0.7,
    "edges": 0.4,
    "novelty": 0.4,
    "place": 0.3,
}
"""The score's own doubt leads; the others raise what it leaves open."""
WORTH_SAYING = 0.3
"""A part of the doubt that is smaller is no reason to show it."""

_EPSILON = 1e-4


@dataclass(frozen=True, slots=True)
class Doubt:
    """How doubtful a candidate is, and what of."""

    value: float
    """In [0, 1]."""
    parts: dict[DoubtKind, float]
    """Each in [0, 1], before its weight."""

    @property
    def reasons(self) -> list[DoubtKind]:
        """What is worth saying, strongest first."""
        said = [name for name, part in self.parts.items() if part >= WORTH_SAYING]
        return sorted(said, key=lambda name: -WEIGHTS[name] * self.parts[name])


def probability(
    event: Event, threshold: float, calibration: Mapping[str, Mapping[str, Any]]
) -> float:
    """Return how likely a candidate is a true event, in (0, 1).

    What the model's calibration says; where it has none, a score at the threshold counts as one
    chance in two, and odds grow with the score's own.
    """
    score = event.score or 0.0
    confidence = confidence_of(calibration, event.event_type, score)
    if confidence is None:
        confidence = 1.0 / (1.0 + math.exp(_logit(threshold) - _logit(score)))
    return min(1.0 - _EPSILON, max(_EPSILON, confidence))


def entropy(share: float) -> float:
    """Return the entropy of a yes-or-no question in bits: 1 where both are equally likely."""
    return -(share * math.log2(share) + (1.0 - share) * math.log2(1.0 - share))


def edge_doubt(event: Event, track: ScoreTrack, *, tolerance_us: int) -> float:
    """Return how unclear the borders of a candidate are, in [0, 1].

    The score rises from a quarter to three quarters of its peak at each edge of a segment, and
    stays above half of it around a point. The longer that takes, the less is known about where the
    event is: twice the tolerance costs nothing, ten times as much is as unclear as it gets.

    Args:
        event: A candidate of this track.
        track: The scores.
        tolerance_us: What the domain calls the same instant.
    """
    times = track.times_us
    if len(track) < 3:
        return 0.0
    column = track.column(event.event_type).astype(np.float64)
    inside = np.searchsorted(times, [event.start_us, event.end_us + 1])
    first, last = int(inside[0]), max(int(inside[0]) + 1, int(inside[1]))
    first = min(first, len(track) - 1)
    part = column[first : min(last, len(track))]
    at = first + int(part.argmax()) if part.size else first
    peak = float(column[at])
    if event.kind == "point":
        level = peak / 2
        left, right = _reach(column, at, -1, level), _reach(column, at, 1, level)
        width = float(times[right] - times[left])
    else:
        widths = []
        for step in (-1, 1):
            high, low = _reach(column, at, step, 0.75 * peak), _reach(column, at, step, peak / 4)
            widths.append(abs(float(times[low] - times[high])))
        width = max(widths)
    clear, unclear = 2.0 * tolerance_us, 10.0 * tolerance_us
    return min(1.0, max(0.0, (width - clear) / (unclear - clear)))


def disagreement(
    event: Event,
    mine: float,
    other: ScoreTrack,
    *,
    threshold: float,
    calibration: Mapping[str, Mapping[str, Any]],
    tolerance_us: int,
) -> float:
    """Return how far another model is from this one on the same event, in [0, 1].

    Args:
        event: The candidate.
        mine: How likely the model that found it takes it to be.
        other: Scores of the other model on the same video.
        threshold: Of the other model.
        calibration: Of the other model.
        tolerance_us: How far around the event the other one is asked.
    """
    if event.event_type not in other.event_types:
        return 0.0
    span = TimeSpan(max(0, event.start_us - tolerance_us), event.end_us + tolerance_us + 1)
    first, last = np.searchsorted(other.times_us, [span.start_us, span.end_us])
    part = other.column(event.event_type)[int(first) : int(last)]
    if not part.size:
        return 0.0
    seen = Event(event.start_us, event.end_us, event.event_type, event.kind, float(part.max()))
    return abs(mine - probability(seen, threshold, calibration))


def add_up(parts: Mapping[DoubtKind, float]) -> Doubt:
    """Return the doubt that several kinds come to together."""
    left = 1.0
    for name, part in parts.items():
        left *= 1.0 - WEIGHTS[name] * min(1.0, max(0.0, part))
    return Doubt(1.0 - left, dict(parts))


def _reach(column: Sequence[float] | Any, at: int, step: int, level: float) -> int:  # noqa: ANN401
    """Return the first index from `at` in a direction where the score is below a level."""
    index = at
    while 0 <= index + step < len(column) and column[index] >= level:
        index += step
    return index


def _logit(share: float) -> float:
    share = min(1.0 - _EPSILON, max(_EPSILON, share))
    return math.log(share / (1.0 - share))
