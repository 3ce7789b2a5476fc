"""The clip that people look at; never the event itself."""

from __future__ import annotations

from prismata.core.events import Event
from prismata.core.recipes import GroupingRule
from prismata.core.time import TimeSpan, to_us


def view_clip(event: Event, rule: GroupingRule, duration_us: int) -> TimeSpan:
    """Return the event with the rule's `buffer_seconds` on both sides, inside the video."""
    buffer_us = to_us(rule.buffer_seconds)
    return TimeSpan(event.start_us - buffer_us, event.end_us + buffer_us).clamped(duration_us)
