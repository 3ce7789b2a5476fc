"""What two models found in one video, event by event: found by both, lost, gained; right or wrong.

An event is one event, however the two models place it: two detections that found the same label
belong together even where they lie further apart than the criterion allows between them. Otherwise
one would be called lost and the other one gained, although nothing was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from prismata.core.events import Event
from prismata.core.time import TimeSpan
from prismata.evaluation.ignoring import without_ignored
from prismata.evaluation.matching import Criterion, match_events

Change = Literal["both", "lost", "gained"]
"""Found by both models, by the first one only, by the second one only."""

Verdict = Literal["true", "false", "differs", "unjudged"]
"""What labels say. `differs`: of two detections that belong together one is right; `unjudged`:
nobody knows what is there."""


@dataclass(frozen=True, slots=True)
class EventPair:
    """One event as the two models see it; at least one of them does."""

    first: Event | None
    second: Event | None
    first_verdict: Verdict = "unjudged"
    second_verdict: Verdict = "unjudged"

    @property
    def change(self) -> Change:
        """Who found it."""
        if self.first is None:
            return "gained"
        return "lost" if self.second is None else "both"

    @property
    def event(self) -> Event:
        """The event where the second model puts it; where the first one does, if it is lost."""
        event = self.second or self.first
        if event is None:
            raise AssertionError("a pair without any event was made")
        return event

    @property
    def verdict(self) -> Verdict:
        """What labels say of it; of a pair only what they say of both its detections."""
        if self.first is None:
            return self.second_verdict
        if self.second is None or self.first_verdict == self.second_verdict:
            return self.first_verdict
        known = "unjudged" not in (self.first_verdict, self.second_verdict)
        return "differs" if known else "unjudged"

    @property
    def is_changed(self) -> bool:
        """Whether another model changes anything: found by one only, or right in one only."""
        return self.change != "both" or self.verdict == "differs"

    @property
    def score_change(self) -> float | None:
        """Score of the second less that of the first; None if one of them is missing."""
        if self.first is None or self.second is None:
            return None
        if self.first.score is None or self.second.score is None:
            return None
        return self.second.score - self.first.score

    @property
    def start_change_us(self) -> int | None:
        """How much later the second begins; None if one of them is missing."""
        if self.first is None or self.second is None:
            return None
        return self.second.start_us - self.first.start_us

    @property
    def end_change_us(self) -> int | None:
        """How much later the second ends; None if one of them is missing."""
        if self.first is None or self.second is None:
            return None
        return self.second.end_us - self.first.end_us


def pair_events(
    first: Sequence[Event],
    second: Sequence[Event],
    criterion: Criterion,
    *,
    truth: Sequence[Event] = (),
    unknown: Sequence[TimeSpan] = (),
) -> list[EventPair]:
    """Pair the detections of two models, of one event type in one video, one to one.

    Args:
        first: Of one model, with scores.
        second: Of the other one, with scores.
        criterion: What counts as found, and as the same event.
        truth: What people marked of this type.
        unknown: Stretches of which nothing is known; a detection whose middle lies there is not
            judged.

    Returns:
        By the time at which an event begins.

    Raises:
        InvalidInputError: If a detection has no score.
    """
    found = [_judge(events, truth, criterion, unknown) for events in (first, second)]
    pairs: list[EventPair] = []
    left = [list(events) for events in (first, second)]

    def add(one: Event, other: Event) -> None:
        pairs.append(EventPair(one, other, found[0].verdict(one), found[1].verdict(other)))
        left[0].remove(one)
        left[1].remove(other)

    for label, one in found[0].by_label.items():
        if label in found[1].by_label:
            add(one, found[1].by_label[label])
    for match in match_events(left[0], left[1], criterion):
        if match.truth is not None:
            add(match.truth, match.detection)
    pairs += [EventPair(one, None, first_verdict=found[0].verdict(one)) for one in left[0]]
    pairs += [EventPair(None, other, second_verdict=found[1].verdict(other)) for other in left[1]]
    return sorted(pairs, key=lambda pair: (pair.event.start_us, pair.event.end_us, pair.change))


def count_verdicts(pairs: Iterable[EventPair], change: Change) -> dict[Verdict, int]:
    """Count the events of one change by what labels say of them; every verdict is named."""
    counts: dict[Verdict, int] = {"true": 0, "false": 0, "differs": 0, "unjudged": 0}
    for pair in pairs:
        if pair.change == change:
            counts[pair.verdict] += 1
    return counts


@dataclass(frozen=True, slots=True)
class _Judged:
    """One model's detections beside the labels."""

    by_label: Mapping[int, Event]
    """Position of a label → the detection that found it."""
    verdicts: Mapping[Event, Verdict]

    def verdict(self, event: Event) -> Verdict:
        return self.verdicts.get(event, "unjudged")


def _judge(
    events: Sequence[Event],
    truth: Sequence[Event],
    criterion: Criterion,
    unknown: Sequence[TimeSpan],
) -> _Judged:
    judged = without_ignored({"": events}, {"": unknown})[""]
    by_label: dict[int, Event] = {}
    verdicts: dict[Event, Verdict] = {}
    positions = {id(label): index for index, label in enumerate(truth)}
    for match in match_events(truth, judged, criterion):
        verdicts[match.detection] = "true" if match.truth is not None else "false"
        if match.truth is not None:
            by_label[positions[id(match.truth)]] = match.detection
    return _Judged(by_label, verdicts)
