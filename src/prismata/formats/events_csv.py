"""CSV with one event a line: `video,label,kind,start_s,end_s`.

`kind` is `point` or one of `segment`, `interval`, `clip` (all three a stretch); without the column
a row with an end after its start is a segment. Further columns are ignored. Comma, semicolon and
tab separate; with semicolons a decimal comma is understood. Where a column `review_state` says
`rejected`, the row is a stretch that is surely not the event. Cells that a spreadsheet would run as
a formula are written with a leading apostrophe, which reading removes again.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import TextIO

from prismata.core.events import EventKind
from prismata.formats.table import (
    EventRow,
    EventTable,
    ExportVideo,
    TableError,
    decode_text,
    format_seconds,
    parse_seconds,
)

COLUMNS = ("video", "label", "kind", "start_s", "end_s", "start_frame", "end_frame", "score")
_REQUIRED = ("video", "label", "start_s")
_KINDS: dict[str, EventKind] = {
    "point": "point",
    "segment": "segment",
    "interval": "segment",
    "clip": "segment",
}
_WIDE = ("\uff1d", "\uff0b", "\uff0d", "\uff20")
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", *_WIDE)
"""As OWASP lists them ("CSV Injection"); spreadsheets take the wide forms for the narrow ones."""


def read_events_csv(data: bytes | str, source: str = "the CSV file") -> EventTable:
    """Read a table of events.

    Raises:
        TableError: If a column is missing or a line cannot be read; it names every such line.
    """
    text = decode_text(data, source) if isinstance(data, bytes) else data.removeprefix("\ufeff")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    try:
        lines = [(reader.line_num, cells) for cells in reader]
    except csv.Error as error:
        raise TableError(source, [f"line {reader.line_num}: {error}"]) from error
    lines = [(number, cells) for number, cells in lines if any(cell.strip() for cell in cells)]
    if not lines:
        raise TableError(
            source, [f"it is empty; the first line must name {', '.join(COLUMNS[:5])}"]
        )
    header = [cell.strip().lower() for cell in lines[0][1]]
    missing = [name for name in _REQUIRED if name not in header]
    if missing:
        raise TableError(
            source,
            [
                f"the first line lacks the column{'s' if len(missing) > 1 else ''} "
                f"{', '.join(missing)}; it has {', '.join(header)}"
            ],
        )
    rows: list[EventRow] = []
    problems: list[str] = []
    for number, cells in lines[1:]:
        if len(cells) > len(header):
            problems.append(f"line {number}: {len(cells)} cells, but {len(header)} columns")
            continue
        values = dict(zip(header, [_unguarded(cell) for cell in cells], strict=False))
        if values.get("origin") == "derived":
            continue  # it follows from the others, and is worked out anew wherever they are
        try:
            rows.append(_row(values, number))
        except ValueError as error:
            problems.append(f"line {number}: {error}")
    if problems:
        raise TableError(source, problems)
    return EventTable(source, tuple(rows))


def write_events_csv(videos: Sequence[ExportVideo]) -> str:
    """Return all events as CSV; times are exact, frames are there if the timeline is known.

    `end_frame` is the last frame of a segment; a point has its frame in both columns.
    """
    return _write(_export_lines(videos))


def _export_lines(videos: Sequence[ExportVideo]) -> Iterable[list[str]]:
    yield list(COLUMNS)
    for video in videos:
        for event in sorted(video.events, key=lambda item: item.start_us):
            first = last = ""
            if video.timeline is not None:
                first = str(video.timeline.index_at(event.start_us))
                inside_us = max(event.start_us, event.end_us - 1)
                last = str(video.timeline.index_at(inside_us))
            yield [
                guarded_cell(video.name),
                guarded_cell(event.event_type),
                event.kind,
                format_seconds(event.start_us),
                format_seconds(event.end_us),
                first,
                last,
                "" if event.score is None else f"{event.score:.6f}",
            ]


def _write(lines: Iterable[list[str]]) -> str:
    buffer = io.StringIO(newline="")
    write_csv_lines(lines, buffer)
    return buffer.getvalue()


def write_csv_lines(lines: Iterable[Sequence[str]], target: TextIO) -> None:
    """Write lines of cells as CSV, one after the other (RFC 4180, but with plain line ends)."""
    for line in lines:
        target.write(",".join(_quoted(cell) for cell in line) + "\n")


def _quoted(cell: str) -> str:
    # Not `csv.writer`: with plain line ends it leaves a carriage return unquoted, and readers
    # would see two lines.
    if any(mark in cell for mark in ',;"\r\n'):
        return '"' + cell.replace('"', '""') + '"'
    return cell


def _delimiter(text: str) -> str:
    """Return the separator that the header line uses most."""
    header = next((line for line in text.splitlines() if line.strip()), "")
    return max(",;\t", key=header.count)


def _row(values: dict[str, str], number: int) -> EventRow:
    for name in _REQUIRED:
        if not values.get(name):
            raise ValueError(f"{name} is empty")
    start_us = _time(values["start_s"], "start_s")
    end_text = values.get("end_s") or ""
    end_us = _time(end_text, "end_s") if end_text else None
    kind_text = (values.get("kind") or "").lower()
    if kind_text and kind_text not in _KINDS:
        raise ValueError(f"kind {kind_text!r} is not one of {', '.join(_KINDS)}")
    if kind_text:
        kind = _KINDS[kind_text]
    else:
        kind = "point" if end_us is None or end_us == start_us else "segment"
    if kind == "segment" and end_us is None:
        raise ValueError("a segment needs an end_s")
    return EventRow(
        video=values["video"],
        label=values["label"],
        kind=kind,
        start_us=start_us,
        end_us=start_us if kind == "point" else end_us,
        false_positive=values.get("review_state") == "rejected",
        source_line=number,
    )


def _time(text: str, column: str) -> int:
    try:
        return parse_seconds(text.replace(",", "."))
    except ValueError as error:
        raise ValueError(f"{column} {error}") from error


def guarded_cell(cell: str) -> str:
    """Keep a spreadsheet from running a cell (CWE-1236); `read_events_csv` undoes it exactly."""
    return f"'{cell}" if _needs_guard(cell) else cell


def _needs_guard(cell: str) -> bool:
    """Say whether a cell could run, or would not come back as it is."""
    return cell.lstrip().startswith((*_FORMULA_STARTS, "'")) or cell != cell.strip()


def _unguarded(cell: str) -> str:
    for shown in (cell, cell.strip()):
        if shown.startswith("'") and _needs_guard(shown[1:]):
            return shown[1:]
    return cell.strip()
