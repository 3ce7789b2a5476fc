"""Stretches of video of which nothing is known: neither right nor wrong, so not scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prismata.core.events import Event
from prismata.core.time import TimeSpan
from prismata.evaluation.matching import EventsByVideo


def without_ignored(
    events: EventsByVideo, ignored: Mapping[str, Sequence[TimeSpan]]
) -> dict[str, list[Event]]:
    """Return the events whose middle does not lie in an ignored stretch."""
    return {
        video_id: [event for event in found if not _is_ignored(event, ignored.get(video_id, ()))]
        for video_id, found in events.items()
    }


def clipped_union_us(spans: Sequence[TimeSpan], duration_us: int) -> int:
    """Return how much of a video the stretches cover, overlaps counted once."""
    covered = reached = 0
    for span in sorted(span.clamped(duration_us) for span in spans):
        covered += max(0, span.end_us - max(span.start_us, reached))
        reached = max(reached, span.end_us)
    return covered


def _is_ignored(event: Event, spans: Sequence[TimeSpan]) -> bool:
    middle_us = (event.start_us + event.end_us) // 2
    return any(span.contains(middle_us) for span in spans)
