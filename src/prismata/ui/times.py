"""Times of the page, put on the frame they mean."""

from __future__ import annotations

from dataclasses import dataclass

from prismata.core.time import FrameTimeline


@dataclass(frozen=True, slots=True)
class Seek:
    """An instant that a player is to show, once per id."""

    us: int
    id: str


def middle_of_frame(timeline: FrameTimeline, time_us: int) -> int:
    """Return an instant well inside the frame on screen at `time_us`: seeking there shows it."""
    span = timeline.span(timeline.index_at(min(max(time_us, 0), timeline.duration_us - 1)))
    return (span.start_us + span.end_us) // 2
