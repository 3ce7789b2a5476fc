"""The neutral event table that every import format is read into and every export is written from.

Invariant: rows say what the file says, exactly (integer microseconds or frame numbers, the line it
came from); whether that makes sense for our videos and event types is decided by `plan`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction

from prismata.core.errors import InvalidInputError
from prismata.core.events import Event, EventKind
from prismata.core.time import FrameTimeline, to_us

MAX_SHOWN_PROBLEMS = 20


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event as a file states it: in microseconds, or in frames of the video.

    Where both are given the frames win, because they survive rounding.
    """

    video: str
    """Name or path of the video as written in the file."""
    label: str
    kind: EventKind
    start_us: int | None = None
    end_us: int | None = None
    """End, exclusive; equal to the start for points."""
    start_frame: int | None = None
    end_frame: int | None = None
    """Last frame that belongs to the event: inclusive, as people count frames."""
    false_positive: bool = False
    """A stretch that somebody checked and found not to be the event: a hard negative."""
    source_line: int = 0
    """1-based line, or position in the list for formats without lines."""
    source_id: str = ""


@dataclass(frozen=True, slots=True)
class EventTable:
    """All rows of one file."""

    source: str
    """Name of the file, for messages."""
    rows: tuple[EventRow, ...]

    @property
    def videos(self) -> tuple[str, ...]:
        """Names of the videos, in order of appearance."""
        return tuple(dict.fromkeys(row.video for row in self.rows))

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels, in order of appearance."""
        return tuple(dict.fromkeys(row.label for row in self.rows))


class TableError(InvalidInputError):
    """A file that cannot be read as events; lists every problem, not only the first.

    Args:
        source: Name of the file.
        problems: One clause each, for example `line 7: …`.
    """

    def __init__(self, source: str, problems: Sequence[str]) -> None:
        shown = "; ".join(problems[:MAX_SHOWN_PROBLEMS])
        rest = len(problems) - MAX_SHOWN_PROBLEMS
        more = f"; and {rest} more" if rest > 0 else ""
        super().__init__(f"{source} cannot be imported: {shown}{more}")
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class ExportVideo:
    """One video's events on their way out."""

    name: str
    """Name or path that the reader of the export knows the video by."""
    events: tuple[Event, ...]
    timeline: FrameTimeline | None = None
    """Gives frame numbers; formats that need them refuse to go without."""
    width: int = 0
    height: int = 0
    false_positives: tuple[Event, ...] = ()


def decode_text(data: bytes, source: str) -> str:
    """Return the text of a file, with or without a byte order mark.

    Raises:
        TableError: If it is not UTF-8 (or UTF-16 with its mark, as spreadsheets save it).
    """
    is_utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        return data.decode("utf-16" if is_utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise TableError(
            source, [f"it is not UTF-8 text (byte {error.start}); save it as UTF-8"]
        ) from error


def parse_seconds(text: str) -> int:
    """Return decimal seconds, or `h:mm:ss.sss`, as exact microseconds rounded half to even.

    Raises:
        ValueError: If it is not such a time.
    """
    sign = -1 if text.strip().startswith("-") else 1
    parts = text.strip().removeprefix("-").split(":")
    try:
        numbers = [Decimal(part) for part in parts]
    except InvalidOperation as error:
        raise ValueError(f"{text!r} is not a time in seconds") from error
    if len(parts) > 3 or not all(number.is_finite() and number >= 0 for number in numbers):
        raise ValueError(f"{text!r} is not a time in seconds")
    total = Fraction(0)
    for number in numbers:
        total = total * 60 + Fraction(number)
    if total > 10_000_000:
        raise ValueError(f"{text!r} is longer than any video")
    return sign * to_us(total)


def format_seconds(time_us: int) -> str:
    """Return exact decimal seconds with six digits, such as `1.500000`."""
    sign = "-" if time_us < 0 else ""
    whole, rest = divmod(abs(time_us), 1_000_000)
    return f"{sign}{whole}.{rest:06d}"
