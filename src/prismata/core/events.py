"""Events: something that happens in a video, at an instant (point) or over a stretch (segment)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self, TypeGuard, get_args

from prismata.core.errors import InvalidInputError
from prismata.core.time import TimeSpan, to_us

EventKind = Literal["point", "segment"]
"""A point event is one instant; a segment event is half-open `[start_us, end_us)`."""

AttributeKind = Literal["choice", "number", "text", "flag"]
"""One of given choices, a number, free text, or yes and no."""

RESERVED_ATTRIBUTES = ("note", "source")
"""Every event may have them: a person's free text, and what an accepted suggestion came from."""

_HOUR = 3600
_DAY = 86_400
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")

# Okabe and Ito's palette: distinguishable with every common colour blindness.
PALETTE = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#999999")


def check_name(name: str, what: str) -> str:
    """Return `name` if it is a stable identifier.

    Raises:
        InvalidInputError: If it is not lower-case snake case of at most 64 characters.
    """
    if not _NAME.fullmatch(name):
        raise InvalidInputError(
            f"{what} {name!r} cannot be used as a name; write lower-case letters, digits and "
            "underscores, starting with a letter"
        )
    return name


@dataclass(frozen=True, slots=True)
class Attribute:
    """Something that annotators say about one event, beside where it lies.

    Raises:
        InvalidInputError: If the name or the kind cannot be used, or the choices do not fit it.
    """

    name: str
    """Stable id, lower-case snake case."""
    kind: AttributeKind
    choices: tuple[str, ...] = ()
    """What a choice can be, in the order shown; empty for every other kind."""
    title: str = ""
    """What people read; by default the name with spaces."""
    guide: str = ""
    """One sentence for annotators."""

    def __post_init__(self) -> None:
        check_name(self.name, "attribute")
        if self.name in RESERVED_ATTRIBUTES:
            raise InvalidInputError(
                f"attribute {self.name!r} is there for every event; declare it under another name"
            )
        if self.kind not in get_args(AttributeKind):
            raise InvalidInputError(
                f"attribute {self.name!r} has kind {self.kind!r}; it can be 'choice', 'number', "
                "'text' or 'flag'"
            )
        self._check_choices()
        if not self.title:
            object.__setattr__(self, "title", _title_of(self.name))

    def _check_choices(self) -> None:
        # Plugins are files that people type, so the annotations promise nothing here.
        choices: object = self.choices
        if not isinstance(choices, tuple) or not all(
            isinstance(item, str) and item.strip() for item in choices
        ):
            raise InvalidInputError(
                f"attribute {self.name!r} has choices {self.choices!r}; write a tuple of words"
            )
        if self.kind != "choice" and self.choices:
            raise InvalidInputError(
                f"attribute {self.name!r} is a {self.kind}, so it has no choices; leave them out "
                "or make it a 'choice'"
            )
        if self.kind == "choice" and len(set(self.choices)) < max(2, len(self.choices)):
            raise InvalidInputError(
                f"attribute {self.name!r} needs at least two different choices, each once"
            )

    def problem(self, value: object) -> str | None:
        """Return a sentence if a value does not fit, else None."""
        if self.kind == "choice" and value not in self.choices:
            return f"{self.name!r} can be {', '.join(self.choices)}, not {value!r}"
        if self.kind == "number" and not _is_number(value):
            return f"{self.name!r} is a number, not {value!r}"
        if self.kind == "text" and not isinstance(value, str):
            return f"{self.name!r} is text, not {value!r}"
        if self.kind == "flag" and not isinstance(value, bool):
            return f"{self.name!r} is yes or no, not {value!r}"
        return None


@dataclass(frozen=True, slots=True)
class EventType:
    """One class of events that a domain knows.

    Raises:
        InvalidInputError: If the name, the kind, the key or an attribute cannot be used.
    """

    name: str
    """Stable id, lower-case snake case; never renamed, never reused."""
    kind: EventKind = "point"
    title: str = ""
    """What people read; by default the name with spaces."""
    hotkey: str = ""
    """One letter or digit that marks this event in the label station; may be empty."""
    guide: str = ""
    """One sentence for annotators: which frame exactly."""
    color: str = ""
    """`#RRGGBB`; by default the next of the colour-blind-safe palette."""
    attributes: tuple[Attribute, ...] = ()
    """What annotators may say about each event of this type."""
    min_seconds: float | None = None
    """A shorter segment is worth a second look; None: any length will do."""
    max_seconds: float | None = None
    """A longer segment is worth a second look; None: any length will do."""
    tolerance_seconds: float | None = None
    """How far a found point may lie from the labelled one; None: as far as the domain says."""

    def __post_init__(self) -> None:
        check_name(self.name, "event type")
        if self.kind not in ("point", "segment"):
            raise InvalidInputError(
                f"event type {self.name!r} has kind {self.kind!r}; it can be 'point' or 'segment'"
            )
        if self.hotkey and not (len(self.hotkey) == 1 and self.hotkey.isalnum()):
            raise InvalidInputError(
                f"event type {self.name!r} has hotkey {self.hotkey!r}; "
                "it must be one letter or digit"
            )
        self._check_attributes()
        self._check_seconds()
        if not self.title:
            object.__setattr__(self, "title", _title_of(self.name))

    def tolerance_us(self, domain_us: int) -> int:
        """Return how far a found point may lie from the labelled one, in microseconds.

        Args:
            domain_us: What the domain says, for types that do not say it themselves.
        """
        return domain_us if self.tolerance_seconds is None else to_us(self.tolerance_seconds)

    def _check_seconds(self) -> None:
        bounds = {"min_seconds": _DAY, "max_seconds": _DAY, "tolerance_seconds": _HOUR}
        for name, most in bounds.items():
            value: object = getattr(self, name)
            if value is None:
                continue
            if not (_is_number(value) and 0 < value <= most):
                raise InvalidInputError(
                    f"event type {self.name!r} has {name} = {value!r}; it must lie in (0, {most}], "
                    "or be left out"
                )
            if (self.kind == "point") is (name != "tolerance_seconds"):
                wanted = "a segment has a length" if self.kind == "point" else "a point has one"
                raise InvalidInputError(
                    f"event type {self.name!r} is a {self.kind}, so it has no {name}; only {wanted}"
                )
        if self.min_seconds and self.max_seconds and self.min_seconds > self.max_seconds:
            raise InvalidInputError(
                f"event type {self.name!r} lasts {self.min_seconds} s at least and "
                f"{self.max_seconds} s at most; swap them"
            )

    def _check_attributes(self) -> None:
        attributes: object = self.attributes
        if not isinstance(attributes, tuple) or not all(
            isinstance(item, Attribute) for item in attributes
        ):
            raise InvalidInputError(
                f"event type {self.name!r} has attributes {self.attributes!r}; write "
                "`attributes=(Attribute(...),)`"
            )
        names = [item.name for item in self.attributes]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise InvalidInputError(
                f"event type {self.name!r} declares attribute {twice!r} twice; rename one of them"
            )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the event type that `dataclasses.asdict` turned into plain values.

        Raises:
            InvalidInputError: If a value cannot be used.
            TypeError: If a field is missing or unknown.
        """
        attributes = tuple(
            Attribute(**{**item, "choices": tuple(item.get("choices", ()))})
            for item in data.get("attributes", ())
        )
        return cls(**{**data, "attributes": attributes})


def check_attributes(event_type: EventType, attributes: Mapping[str, object]) -> str | None:
    """Return a sentence if what an event says does not fit its type, else None.

    Args:
        event_type: What the domain declares.
        attributes: Name → value; `note` (text) and `source` may always be there, None is absent.
    """
    declared = {item.name: item for item in event_type.attributes}
    for name, value in attributes.items():
        if value is None or name == "source":
            continue
        if name == "note":
            if not isinstance(value, str):
                return f"'note' is text, not {value!r}"
        elif name not in declared:
            known = f"it has {', '.join(declared)}" if declared else "it declares none"
            return f"event type {event_type.name!r} has no attribute {name!r}; {known}"
        elif problem := declared[name].problem(value):
            return problem
    return None


def _is_number(value: object) -> TypeGuard[float]:
    # A flag is an int to Python; that is not what a person meant by a number.
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _title_of(name: str) -> str:
    return name.replace("_", " ").capitalize()


@dataclass(frozen=True, slots=True, order=True)
class Event:
    """One event on a video's timeline, asserted by a person (no score) or a model (score).

    A point has `end_us == start_us`; a segment has `end_us > start_us`.

    Raises:
        InvalidInputError: If the times do not fit the kind, or the score leaves [0, 1].
    """

    start_us: int
    end_us: int
    event_type: str
    kind: EventKind
    score: float | None = None

    def __post_init__(self) -> None:
        if self.kind == "point" and self.end_us != self.start_us:
            raise InvalidInputError(
                f"a point event is one instant, but {self.event_type!r} runs from "
                f"{self.start_us} to {self.end_us} us"
            )
        if self.kind == "segment" and self.end_us <= self.start_us:
            raise InvalidInputError(
                f"a segment must end after it starts, but {self.event_type!r} runs from "
                f"{self.start_us} to {self.end_us} us"
            )
        if self.score is not None and not 0.0 <= self.score <= 1.0:
            raise InvalidInputError(f"a score lies in [0, 1], not {self.score}")

    @classmethod
    def point(cls, event_type: str, time_us: int, score: float | None = None) -> Event:
        """Return a point event."""
        return cls(time_us, time_us, event_type, "point", score)

    @classmethod
    def segment(
        cls, event_type: str, start_us: int, end_us: int, score: float | None = None
    ) -> Event:
        """Return a segment event."""
        return cls(start_us, end_us, event_type, "segment", score)

    @property
    def span(self) -> TimeSpan:
        """The stretch it covers; empty for a point."""
        return TimeSpan(self.start_us, self.end_us)

    @property
    def attributes(self) -> Mapping[str, object]:
        """What people said about it; an event of its own says nothing, see `DescribedEvent`."""
        return {}


@dataclass(frozen=True, slots=True, eq=False)
class DescribedEvent(Event):
    """An event with what people said about it, as the hooks of a domain get it.

    Two of them are equal if they are the same event, whatever was said.
    """

    attributes: Mapping[str, object] = field(default_factory=dict)
    """Name of an attribute → value."""

    @classmethod
    def of(cls, event: Event, attributes: Mapping[str, object]) -> Self:
        """Return an event with its attributes."""
        return cls(
            event.start_us, event.end_us, event.event_type, event.kind, event.score, attributes
        )
