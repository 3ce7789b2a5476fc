"""What else a domain declares: how its videos are taken in, and what its events are called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from prismata.core.errors import InvalidInputError
from prismata.domains.relations import MOST_SECONDS, is_seconds

Emphasis = Literal["points", "segments", "recall", "precision", "false_alarms"]
"""The figure that matters most: the mean average precision of instants or of stretches, or, at the
chosen threshold, recall, precision or false alarms per hour."""

EMPHASES: tuple[str, ...] = get_args(Emphasis)


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """How videos of a domain are taken in.

    Raises:
        InvalidInputError: If a value cannot be used.
    """

    always_proxy: bool = False
    """Make a proxy of every video, of those that browsers play exactly, too: for footage that is
    heavy to seek in."""
    longest_seconds: float | None = None
    """Refuse a longer video, which is no clip of this domain; None: take any."""

    def __post_init__(self) -> None:
        proxy: object = self.always_proxy
        if not isinstance(proxy, bool):
            raise InvalidInputError(f"always_proxy is yes or no, not {proxy!r}")
        seconds: object = self.longest_seconds
        if seconds is not None and not (is_seconds(seconds) and seconds > 0):
            raise InvalidInputError(
                f"longest_seconds must lie in (0, {MOST_SECONDS}], or be left out, not {seconds!r}"
            )


@dataclass(frozen=True, slots=True)
class Wording:
    """What the events of a domain are called where results are told.

    Raises:
        InvalidInputError: If one of them is not a phrase.
    """

    one: str = "event"
    """As in "1 event"."""
    many: str = "events"
    """As in "3 events"."""
    none: str = ""
    """What it means that a model found none in a video it looked at to the end, as a sentence
    without its full stop; by default that nothing reached the threshold."""

    def __post_init__(self) -> None:
        for name, most in (("one", 40), ("many", 40), ("none", 200)):
            value: object = getattr(self, name)
            if not isinstance(value, str) or len(value) > most or value != value.strip():
                raise InvalidInputError(
                    f"the wording has {name} = {value!r}; write a phrase of at most {most} "
                    "characters"
                )
            if name != "none" and not value:
                raise InvalidInputError(f"the wording has no word for {name!r}; leave it out")

    def count(self, number: int) -> str:
        """Return a number with what it counts."""
        return f"{number} {self.one if number == 1 else self.many}"

    @property
    def nothing(self) -> str:
        """What it means that nothing was found, as a sentence without its full stop."""
        found = "nothing" if self.one == "event" else f"no {self.one}"
        return self.none or f"{found} reached the threshold"
