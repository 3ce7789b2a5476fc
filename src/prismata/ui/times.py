"""Times as people type them, put on the frame they mean."""

from __future__ import annotations

import re
from decimal import Decimal

from prismata.core.errors import InvalidInputError
from prismata.core.time import MICROSECONDS, FrameTimeline, format_time

_TIME = re.compile(r"(?:(?:(\d{1,3}):)?(\d{1,4}):)?(\d{1,6}(?:[.,]\d{1,6})?)")
_SHOWN_PRECISION_US = 500
"""Times are shown in milliseconds, so what people copy may lie this much before its frame."""


def parse_time(text: str) -> int:
    """Return `m:ss.mmm`, `h:mm:ss` or plain seconds as microseconds.

    Raises:
        InvalidInputError: If it is none of them.
    """
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise InvalidInputError(
            f"{text.strip()!r} is not a time; write it as 1:02.500 or in seconds as 62.5"
        )
    hours, minutes, seconds = found.groups()
    exact = Decimal(seconds.replace(",", "."))
    if minutes is not None and exact >= 60:
        raise InvalidInputError(
            f"{text.strip()!r} has {seconds} seconds after the minutes; they end at 59.999"
        )
    whole = 3600 * int(hours or 0) + 60 * int(minutes or 0)
    return int((whole + exact) * MICROSECONDS)


def snap(timeline: FrameTimeline, time_us: int) -> int:
    """Return the start of the frame that a typed or shown time means; the end stays the end.

    Raises:
        InvalidInputError: If the time lies after the end of the video.
    """
    if time_us > timeline.duration_us + _SHOWN_PRECISION_US:
        raise InvalidInputError(
            f"{format_time(time_us)} lies after the end of the video, which lasts "
            f"{format_time(timeline.duration_us)}"
        )
    if time_us + _SHOWN_PRECISION_US >= timeline.duration_us:
        return timeline.duration_us
    return timeline.start_us(timeline.index_at(time_us + _SHOWN_PRECISION_US))


def middle_of_frame(timeline: FrameTimeline, time_us: int) -> int:
    """Return an instant well inside the frame on screen at `time_us`: seeking there shows it."""
    span = timeline.span(timeline.index_at(min(max(time_us, 0), timeline.duration_us - 1)))
    return (span.start_us + span.end_us) // 2
