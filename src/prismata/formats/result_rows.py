"""Events with who found them and what was decided, on their way out: CSV, JSON, WebVTT.

The first columns of the CSV are those of `events_csv`, so a file of results can be imported as
labels; a row that was rejected then becomes a hard negative. The JSON is described in
docs/outputs.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TextIO

from prismata.core.events import Event, EventType
from prismata.core.time import to_seconds
from prismata.formats.events_csv import COLUMNS, guarded_cell, write_csv_lines
from prismata.formats.exports import JSON_VERSION, write_webvtt
from prismata.formats.table import ExportVideo, format_seconds

FURTHER_COLUMNS = (
    "title",
    "domain",
    "origin",
    "review_state",
    "reviewer",
    "author",
    "model",
    "created_at",
    "id",
)
DERIVED = "derived"
"""Origin of an event that nobody saw: a domain makes it from others, and it is never a label."""

CSV_COLUMNS = (*COLUMNS, *FURTHER_COLUMNS)


@dataclass(frozen=True, slots=True)
class ResultRow:
    """One event with everything that is told of it."""

    video: str
    event: Event
    title: str
    """What people read for the event type."""
    domain: str = ""
    start_frame: int | None = None
    end_frame: int | None = None
    """Last frame that belongs to it; None where the frame table is not known."""
    origin: str = "detection"
    review_state: str = "none"
    reviewer: str = ""
    author: str = ""
    model: str = ""
    created_at: datetime | None = None
    id: str = ""
    """In the catalog; empty for events of moved thresholds, which are stored nowhere."""

    @property
    def created_text(self) -> str:
        """When it was found or labelled, ISO 8601; empty if it is not known."""
        return "" if self.created_at is None else self.created_at.isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class ResultVideo:
    """What is told of a video beside its events."""

    sha256: str
    duration_us: int


@dataclass(slots=True)
class ResultCount:
    """How many rows went by, and of which videos."""

    rows: int = 0
    videos: set[str] = field(default_factory=set)

    def counted(self, rows: Iterable[ResultRow]) -> Iterator[ResultRow]:
        """Pass rows on and count them."""
        for row in rows:
            self.rows += 1
            self.videos.add(row.video)
            yield row


def write_result_csv(rows: Iterable[ResultRow], target: TextIO) -> None:
    """Write rows as CSV one by one, so memory stays flat; no cell can run as a formula."""
    write_csv_lines([CSV_COLUMNS], target)
    write_csv_lines((_cells(row) for row in rows), target)


def write_result_json(
    rows: Iterable[ResultRow],
    target: TextIO,
    *,
    videos: Mapping[str, ResultVideo],
    provenance: Mapping[str, Any],
) -> None:
    """Write rows as one JSON document, by video and time; rejected ones are `false_positives`.

    Args:
        rows: What to write; all of it is held in memory.
        target: Where to.
        videos: Name → facts, also of videos that have no event.
        provenance: What the events were made with, written as it is.
    """
    by_video: dict[str, list[ResultRow]] = {name: [] for name in videos}
    for row in rows:
        by_video.setdefault(row.video, []).append(row)
    document = {
        "format": "prismata-events",
        "version": JSON_VERSION,
        "provenance": dict(provenance),
        "videos": [_video_entry(name, found, videos.get(name)) for name, found in by_video.items()],
    }
    json.dump(document, target, indent=2, ensure_ascii=False)
    target.write("\n")


def write_result_vtt(rows: Sequence[ResultRow], video: str) -> str:
    """Return one video's rows as WebVTT; those that were rejected are left out."""
    kept = [row for row in rows if row.video == video and row.review_state != "rejected"]
    titles = {row.event.event_type: (row.event.kind, row.title) for row in kept}
    types = [EventType(name, kind, title=title) for name, (kind, title) in titles.items()]
    return write_webvtt(ExportVideo(video, tuple(row.event for row in kept)), types)


def _video_entry(name: str, rows: list[ResultRow], facts: ResultVideo | None) -> dict[str, Any]:
    ordered = sorted(rows, key=lambda row: (row.event.start_us, row.event.end_us, row.id))
    return {
        "video": name,
        "sha256": facts.sha256 if facts else None,
        "duration_us": facts.duration_us if facts else None,
        "events": [_entry(row) for row in ordered if row.review_state != "rejected"],
        "false_positives": [_entry(row) for row in ordered if row.review_state == "rejected"],
    }


def _entry(row: ResultRow) -> dict[str, Any]:
    event = row.event
    return {
        "event_type": event.event_type,
        "title": row.title,
        "domain": row.domain,
        "kind": event.kind,
        "start_us": event.start_us,
        "end_us": event.end_us,
        "start_seconds": to_seconds(event.start_us),
        "end_seconds": to_seconds(event.end_us),
        "start_frame": row.start_frame,
        "end_frame": row.end_frame,
        "score": event.score,
        "origin": row.origin,
        "review_state": row.review_state,
        "reviewer": row.reviewer,
        "author": row.author,
        "model": row.model,
        "created_at": row.created_text or None,
        "id": row.id or None,
    }


def _cells(row: ResultRow) -> list[str]:
    event = row.event
    exact = [
        event.kind,
        format_seconds(event.start_us),
        format_seconds(event.end_us),
        "" if row.start_frame is None else str(row.start_frame),
        "" if row.end_frame is None else str(row.end_frame),
        "" if event.score is None else f"{event.score:.6f}",
    ]
    told = [row.title, row.domain, row.origin, row.review_state, row.reviewer, row.author]
    names = [row.video, event.event_type]
    rest = [*told, row.model, row.created_text, row.id]
    return [*map(guarded_cell, names), *exact, *map(guarded_cell, rest)]
