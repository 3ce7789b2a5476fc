"""Rules between events: which never overlap, and which never come alone.

Invariant: they are data. They say what is worth a second look and forbid nothing: what happens in
a video may break any rule.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeGuard, get_args

from prismata.core.errors import InvalidInputError
from prismata.core.events import Event, EventType, check_name
from prismata.core.time import format_time, to_us

Anchor = Literal["start", "end", "anywhere"]
"""Which part of an event another one must be near."""

Order = Literal["either", "before", "after"]
"""On which side of an event another one must be."""

MOST_SECONDS = 86_400
"""A day: nothing that a domain declares in seconds is longer."""


@dataclass(frozen=True, slots=True)
class Remark:
    """A sentence about labels that are worth a second look."""

    sentence: str
    """What looks wrong, for a person."""
    event: Event | None = None
    """The label it is about; None: the video as a whole."""


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Two event types that never overlap; one type named twice never overlaps itself.

    A point overlaps a segment that it lies in, and a point at the same instant.

    Raises:
        InvalidInputError: If a name cannot be one.
    """

    first: str
    second: str

    def __post_init__(self) -> None:
        check_name(self.first, "event type")
        check_name(self.second, "event type")

    @property
    def event_types(self) -> tuple[str, ...]:
        """The event types it speaks of."""
        return self.first, self.second

    def check(self, events: Sequence[Event], types: dict[str, EventType]) -> Iterator[Remark]:
        """Yield a remark for each event that overlaps one before it.

        Args:
            events: Of one video, in order of time.
            types: Name → event type, of the domain.
        """
        # The one of each type that reaches furthest is enough: what overlaps any overlaps it, or
        # has been told of that overlap already.
        furthest: dict[str, Event] = {}
        for event in events:
            if event.event_type not in self.event_types:
                continue
            other = self.second if event.event_type == self.first else self.first
            before = furthest.get(other)
            if before is not None and _overlap(before, event):
                yield Remark(
                    f"{_name(event, types)} overlaps {_name(before, types)}, and these never "
                    "overlap",
                    event,
                )
            known = furthest.get(event.event_type)
            if known is None or _reach(event) >= _reach(known):
                furthest[event.event_type] = event


@dataclass(frozen=True, slots=True)
class Implication:
    """Each event of a type has another one near it: a flight begins with a release.

    Raises:
        InvalidInputError: If a name, the time, the anchor or the order cannot be used.
    """

    event: str
    """Event type that never comes alone."""
    needs: str
    """Event type that goes with it."""
    within_seconds: float
    """How far the other one may lie away; 0: at the same instant."""
    near: Anchor = "start"
    """From where that is measured to where the other one starts; `anywhere`: the gap between the
    two, which is none where they overlap."""
    order: Order = "either"
    """`before`: the other one starts at that instant or earlier; `after`: then or later. With
    `anywhere` the instant is the start."""

    def __post_init__(self) -> None:
        check_name(self.event, "event type")
        check_name(self.needs, "event type")
        # Plugins are files that people type, so the annotations promise nothing here.
        if not is_seconds(self.within_seconds):
            raise InvalidInputError(
                f"the implication of {self.event!r} has within_seconds = {self.within_seconds!r}; "
                f"it must lie in 0..{MOST_SECONDS}"
            )
        for name, value, words in (
            ("near", self.near, get_args(Anchor)),
            ("order", self.order, get_args(Order)),
        ):
            if value not in words:
                raise InvalidInputError(
                    f"the implication of {self.event!r} has {name} = {value!r}; it can be "
                    f"{', '.join(words)}"
                )
        if self.event == self.needs and self.order == "either":
            raise InvalidInputError(
                f"{self.event!r} would go with itself, which it always does; name another event "
                "type"
            )

    @property
    def event_types(self) -> tuple[str, ...]:
        """The event types it speaks of."""
        return self.event, self.needs

    def check(self, events: Sequence[Event], types: dict[str, EventType]) -> Iterator[Remark]:
        """Yield a remark for each event that comes alone.

        Args:
            events: Of one video, in order of time.
            types: Name → event type, of the domain.
        """
        others = [event for event in events if event.event_type == self.needs]
        starts = [event.start_us for event in others]
        longest_us = max((other.span.duration_us for other in others), default=0)
        for event in events:
            if event.event_type == self.event and not self._has(event, others, starts, longest_us):
                yield Remark(
                    f"{_name(event, types)} has no {types[self.needs].title!r} {self._where()}",
                    event,
                )

    def _has(
        self, event: Event, others: Sequence[Event], starts: Sequence[int], longest_us: int
    ) -> bool:
        margin = to_us(self.within_seconds)
        at = event.end_us if self.near == "end" else event.start_us
        low, high = at - margin, at + margin
        if self.near == "anywhere":
            low, high = event.start_us - margin - longest_us, event.end_us + margin
        if self.order == "before":
            high = min(high, at)
        elif self.order == "after":
            low = max(low, at)
        for other in others[bisect_left(starts, low) : bisect_right(starts, high)]:
            if other is not event and (
                self.near != "anywhere" or other.end_us >= event.start_us - margin
            ):
                return True
        return False

    def _where(self) -> str:
        if self.near == "anywhere":
            where = f"within {self.within_seconds:g} s of it" if self.within_seconds else "with it"
        elif self.within_seconds:
            where = f"within {self.within_seconds:g} s of its {self.near}"
        else:
            where = f"at its {self.near}"
        return where if self.order == "either" else f"{self.order} it, {where}"


Relation = Exclusion | Implication
"""A rule between events."""


def is_seconds(value: object) -> TypeGuard[float]:
    """Say whether a value that a person typed is a time in seconds, 0 to a day."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return math.isfinite(value) and 0 <= value <= MOST_SECONDS


def check_length(event: Event, event_type: EventType) -> Remark | None:
    """Return a remark if a segment is shorter or longer than its type says, else None."""
    seconds = event.span.duration_us / 1e6
    said = f"{event_type.title!r} at {format_time(event.start_us)} lasts {seconds:.3g} s"
    if event_type.min_seconds is not None and event.span.duration_us < to_us(
        event_type.min_seconds
    ):
        return Remark(f"{said}, less than {event_type.min_seconds:g} s", event)
    if event_type.max_seconds is not None and event.span.duration_us > to_us(
        event_type.max_seconds
    ):
        return Remark(f"{said}, more than {event_type.max_seconds:g} s", event)
    return None


def _overlap(before: Event, event: Event) -> bool:
    """Say whether an event overlaps one that does not start after it."""
    if before.kind == "point" or event.start_us == before.start_us:
        return event.start_us == before.start_us
    return event.start_us < before.end_us


def _reach(event: Event) -> int:
    # A point still covers its own instant.
    return event.end_us + (event.kind == "point")


def _name(event: Event, types: dict[str, EventType]) -> str:
    return f"{types[event.event_type].title!r} at {format_time(event.start_us)}"
