"""Write events to files: CSV, JSON, Parquet, WebVTT; whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, get_args

from prismata.core.errors import InvalidInputError
from prismata.core.files import check_new_file, written_whole
from prismata.formats.parquet import check_parquet, write_result_parquet
from prismata.formats.result_rows import (
    ResultCount,
    ResultRow,
    ResultVideo,
    write_result_csv,
    write_result_json,
    write_result_vtt,
)
from prismata.services.outgoing import Outgoing

EventFormat = Literal["csv", "json", "parquet", "vtt"]
MIME_TYPES: Mapping[EventFormat, str] = {
    "csv": "text/csv",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
    "vtt": "text/vtt",
}
EVENT_FORMATS: tuple[EventFormat, ...] = get_args(EventFormat)


def parse_event_format(name: str) -> EventFormat:
    """Return the format that is called so.

    Raises:
        InvalidInputError: If there is none; lists those there are.
    """
    for known in EVENT_FORMATS:
        if name == known:
            return known
    raise InvalidInputError(
        f"events cannot be written as {name!r}; there is {', '.join(EVENT_FORMATS)}"
    )


def export_events(
    outgoing: Iterable[Outgoing],
    path: Path,
    file_format: EventFormat,
    *,
    provenance: Mapping[str, Any],
) -> ResultCount:
    """Write events into a new file and return how many there were.

    CSV and Parquet are written as events come; JSON and WebVTT hold all of them first.

    Args:
        outgoing: The events.
        path: A file that does not exist.
        file_format: One of `EVENT_FORMATS`; WebVTT holds one video.
        provenance: What the events were made with; CSV and WebVTT have no place for it.

    Raises:
        ConflictError: If the file exists.
        InvalidInputError: If WebVTT is asked for and there is not exactly one video.
        UnavailableError: If Parquet is asked for and pyarrow is not installed.
    """
    check_new_file(path)
    if file_format == "parquet":
        check_parquet()  # before anything is searched
    count = ResultCount()
    rows = count.counted(item.row for item in outgoing)
    with written_whole(path) as unfinished:
        if file_format == "parquet":
            write_result_parquet(rows, unfinished, provenance=provenance)
            return count
        with unfinished.open("w", encoding="utf-8", newline="") as target:
            if file_format == "csv":
                write_result_csv(rows, target)
            elif file_format == "json":
                held = list(outgoing)
                videos = {
                    item.row.video: ResultVideo(item.video.sha256, item.video.duration_us)
                    for item in held
                }
                listed = count.counted(item.row for item in held)
                write_result_json(listed, target, videos=videos, provenance=provenance)
            else:
                target.write(_captions(list(rows), count))
    return count


def exported(
    outgoing: Iterable[Outgoing], file_format: EventFormat, *, provenance: Mapping[str, Any]
) -> bytes:
    """Return what `export_events` would write, for a download.

    Raises:
        UserError: As `export_events`.
    """
    with TemporaryDirectory(prefix="prismata-export-") as folder:
        path = Path(folder) / "events"
        export_events(outgoing, path, file_format, provenance=provenance)
        return path.read_bytes()


def _captions(rows: list[ResultRow], count: ResultCount) -> str:
    if len(count.videos) != 1:
        found = f"events of {len(count.videos)} videos" if rows else "no event"
        raise InvalidInputError(
            f"a WebVTT file holds the events of one video, but there is {found}; choose one "
            "with --video, or export csv or json"
        )
    return write_result_vtt(rows, next(iter(count.videos)))
