"""Events: something that happens in a video, at an instant (point) or over a stretch (segment)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from prismata.core.errors import InvalidInputError
from prismata.core.time import TimeSpan

EventKind = Literal["point", "segment"]
"""A point event is one instant; a segment event is half-open `[start_us, end_us)`."""

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
class EventType:
    """One class of events that a domain knows.

    Raises:
        InvalidInputError: If the name, the kind or the key cannot be used.
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
        if not self.title:
            object.__setattr__(self, "title", self.name.replace("_", " ").capitalize())


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
