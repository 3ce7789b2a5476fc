"""Coverage: which stretches of a video somebody looked at, and what is known because of it.

Where nobody looked, nothing is known: training gives such time no weight, evaluation does not
score it. A passed-over stretch is on purpose not looked at, so it is unknown too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from prismata.core.errors import InvalidInputError
from prismata.core.events import Event
from prismata.core.time import TimeSpan

CoverageState = Literal["watched", "skipped"]
"""`watched`: seen, and where no label stands there is nothing; `skipped`: passed over on purpose.

Time that has neither was never seen.
"""

_STATES: tuple[str, ...] = get_args(CoverageState)


@dataclass(frozen=True, slots=True, order=True)
class CoverageSpan:
    """A half-open stretch of one video, `[start_us, end_us)`, and whether it was looked at.

    Raises:
        InvalidInputError: If it starts before the video, is empty, or has another state.
    """

    start_us: int
    end_us: int
    state: CoverageState

    def __post_init__(self) -> None:
        if self.state not in _STATES:
            raise InvalidInputError(
                f"coverage has the state {self.state!r}; it can be 'watched' or 'skipped', and "
                "time that was never seen is left out"
            )
        if self.start_us < 0:
            raise InvalidInputError(
                f"coverage cannot start before the video does ({self.start_us} us)"
            )
        if self.end_us <= self.start_us:
            raise InvalidInputError(
                f"coverage must end after it starts, but runs from {self.start_us} to "
                f"{self.end_us} us"
            )

    @property
    def span(self) -> TimeSpan:
        """The stretch without its state."""
        return TimeSpan(self.start_us, self.end_us)


def paint(
    spans: Iterable[CoverageSpan], start_us: int, end_us: int, inside: Iterable[CoverageSpan]
) -> tuple[CoverageSpan, ...]:
    """Return the coverage in which `[start_us, end_us)` holds exactly `inside`.

    Args:
        spans: The coverage so far.
        start_us: Where painting begins; what lies before stays as it is.
        end_us: Where painting ends, exclusive; what lies after stays as it is.
        inside: What the stretch shall hold; parts beyond it are cut off. None makes it unseen.

    Returns:
        Sorted, disjoint spans; neighbours of equal state are joined.

    Raises:
        InvalidInputError: If the stretch ends before it starts, or two spans contradict.
    """
    TimeSpan(start_us, end_us)
    kept: list[CoverageSpan] = []
    for span in spans:
        if span.start_us < start_us:
            before = min(span.end_us, start_us)
            kept.append(CoverageSpan(span.start_us, before, span.state))
        if span.end_us > end_us:
            after = max(span.start_us, end_us)
            kept.append(CoverageSpan(after, span.end_us, span.state))
    return _joined([*kept, *cut(inside, start_us, end_us)])


def cut(spans: Iterable[CoverageSpan], start_us: int, end_us: int) -> tuple[CoverageSpan, ...]:
    """Return the part of the coverage inside `[start_us, end_us)`, sorted and joined.

    Raises:
        InvalidInputError: If two spans contradict each other.
    """
    clipped = ((max(s.start_us, start_us), min(s.end_us, end_us), s.state) for s in spans)
    return _joined([CoverageSpan(a, b, state) for a, b, state in clipped if a < b])


def covered_us(spans: Iterable[CoverageSpan], state: CoverageState | None = None) -> int:
    """Return how much time is covered, in microseconds; of one state or of both."""
    joined = _joined(list(spans))
    return sum(s.end_us - s.start_us for s in joined if state is None or s.state == state)


def coverage_to_json(spans: Iterable[CoverageSpan]) -> list[list[int | str]]:
    """Return `[[start_us, end_us, state], …]`, the form in files and on the wire."""
    return [[span.start_us, span.end_us, span.state] for span in spans]


def coverage_from_json(data: object) -> tuple[CoverageSpan, ...]:
    """Return the coverage that `coverage_to_json` wrote, sorted and joined.

    Raises:
        InvalidInputError: If it is not a list of `[start_us, end_us, state]`, or two spans
            contradict each other.
    """
    if not isinstance(data, list | tuple):
        raise InvalidInputError(
            "coverage is a list of [start_us, end_us, state], not "
            f"{'nothing' if data is None else type(data).__name__}"
        )
    return _joined([_span_from_json(item) for item in data])


def known_spans(
    coverage: Iterable[CoverageSpan],
    events: Iterable[Event],
    *,
    duration_us: int,
    tolerance_us: int,
    tolerances_us: Mapping[str, int] | None = None,
) -> tuple[TimeSpan, ...]:
    """Return the time of which something is known: what was watched, and labelled events.

    Args:
        coverage: What somebody looked at; skipped stretches say nothing.
        events: Labels of the video, rejected ones too: a segment is known where it lies, a
            point as far as the tolerance reaches to both sides.
        duration_us: Length of the video.
        tolerance_us: Half the width that a point makes known.
        tolerances_us: The same by event type, where one has its own.

    Returns:
        Sorted, disjoint stretches inside the video, none empty.
    """
    known = [span.span for span in coverage if span.state == "watched"]
    for event in events:
        own = (tolerances_us or {}).get(event.event_type, tolerance_us)
        margin = own if event.kind == "point" else 0
        known.append(TimeSpan(event.start_us - margin, event.end_us + margin))
    return _united(known, duration_us)


def unknown_spans(known: Iterable[TimeSpan], *, duration_us: int) -> tuple[TimeSpan, ...]:
    """Return the rest of the video: the stretches of `[0, duration_us)` that are not known."""
    unknown = []
    at = 0
    for span in _united(known, duration_us):
        if span.start_us > at:
            unknown.append(TimeSpan(at, span.start_us))
        at = span.end_us
    if at < duration_us:
        unknown.append(TimeSpan(at, duration_us))
    return tuple(unknown)


def _united(spans: Iterable[TimeSpan], duration_us: int) -> tuple[TimeSpan, ...]:
    united: list[TimeSpan] = []
    for span in sorted(span.clamped(duration_us) for span in spans):
        if not span.duration_us:
            continue
        if united and span.start_us <= united[-1].end_us:
            end_us = max(united[-1].end_us, span.end_us)
            united[-1] = TimeSpan(united[-1].start_us, end_us)
        else:
            united.append(span)
    return tuple(united)


def _joined(spans: list[CoverageSpan]) -> tuple[CoverageSpan, ...]:
    joined: list[CoverageSpan] = []
    for span in sorted(spans):
        last = joined[-1] if joined else None
        if last is None or span.start_us > last.end_us:
            joined.append(span)
        elif span.state == last.state:
            joined[-1] = CoverageSpan(last.start_us, max(last.end_us, span.end_us), last.state)
        elif span.start_us < last.end_us:
            raise InvalidInputError(
                f"coverage says both {last.state} and {span.state} of the time from "
                f"{span.start_us} to {min(last.end_us, span.end_us)} us; it can be one of them"
            )
        else:
            joined.append(span)
    return tuple(joined)


def _span_from_json(item: object) -> CoverageSpan:
    if not isinstance(item, list | tuple) or len(item) != 3:
        raise InvalidInputError(
            f"one stretch of coverage is [start_us, end_us, state], not {item!r}"
        )
    start_us, end_us, state = item
    for value in (start_us, end_us):
        if isinstance(value, bool) or not isinstance(value, int):
            raise InvalidInputError(
                f"coverage starts and ends at whole microseconds, not at {value!r}"
            )
    return CoverageSpan(start_us, end_us, state)
