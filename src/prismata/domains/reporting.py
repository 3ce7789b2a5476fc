"""What a domain adds to a report: it gets plain facts and returns a small value, never markup.

Invariant: what a section holds is text. It is escaped where a page is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prismata.core.errors import InvalidInputError
from prismata.core.events import Event

MAX_PARAGRAPHS = 20
MAX_COLUMNS = 12
MAX_ROWS = 500
MAX_CHARACTERS = 2000
"""Of one paragraph, title or cell; a page must stay one that opens."""


@dataclass(frozen=True, slots=True)
class DerivedEvent:
    """An event that follows from others, with what people read.

    It is never trained and never stored: it is worked out anew whenever the others change.
    """

    event: Event
    """Of one of the domain's derived types."""
    title: str = ""
    """What this one is called, as "over 3"; by default the title of its type."""


@dataclass(frozen=True, slots=True)
class ReportVideo:
    """What a report knows of one video."""

    name: str
    duration_us: int
    events: tuple[Event, ...]
    """What was found, by time, with score and with what people said about it (`attributes`)."""
    derived: tuple[DerivedEvent, ...] = ()
    """What follows from it, by time."""
    truth: tuple[Event, ...] | None = None
    """The labels, where the report measures; None where it only tells what was found."""


@dataclass(frozen=True, slots=True)
class ReportTable:
    """A small table of text; the first column is the heading of its row.

    Raises:
        InvalidInputError: If it is too large, has no columns, or a row has another number of cells.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str

    def __post_init__(self) -> None:
        width, rows = len(self.head), len(self.rows)
        if not 1 <= width <= MAX_COLUMNS:
            raise InvalidInputError(f"a table has 1 to {MAX_COLUMNS} columns, not {width}")
        if rows > MAX_ROWS:
            raise InvalidInputError(f"a table has at most {MAX_ROWS} rows, not {rows}")
        for row in self.rows:
            if isinstance(row, str) or len(row) != width:
                raise InvalidInputError(f"each row of the table has {width} cells, not {row!r:.80}")
        _check_text(self.caption, *self.head, *(cell for row in self.rows for cell in row))


@dataclass(frozen=True, slots=True)
class ReportSection:
    """A section of a report.

    Raises:
        InvalidInputError: If it has no title, is too long, or holds something else than text.
    """

    title: str
    paragraphs: Sequence[str] = ()
    table: ReportTable | None = None

    def __post_init__(self) -> None:
        table: object = self.table
        if isinstance(self.paragraphs, str):
            raise InvalidInputError("a section has a tuple of paragraphs; write `(text,)`")
        if len(self.paragraphs) > MAX_PARAGRAPHS:
            raise InvalidInputError(
                f"a section has at most {MAX_PARAGRAPHS} paragraphs, not {len(self.paragraphs)}"
            )
        if table is not None and not isinstance(table, ReportTable):
            raise InvalidInputError(f"a section has a ReportTable, not {table!r:.80}")
        _check_text(self.title, *self.paragraphs)
        if not self.title.strip():
            raise InvalidInputError("a section needs a title")


def _check_text(*texts: object) -> None:
    for text in texts:
        if not isinstance(text, str):
            raise InvalidInputError(f"a section holds text, not {text!r:.80}; write str(...)")
        if len(text) > MAX_CHARACTERS:
            raise InvalidInputError(
                f"a text of a section has at most {MAX_CHARACTERS} characters, not {len(text)}"
            )
