"""Records of the label log: sheets, changes, and a video's labels as one table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from prismata.core.coverage import CoverageSpan
from prismata.core.operations import OperationKind, SheetStatus, State

LogOutcome = Literal["applied", "conflict"]
"""What the log says of an operation; one that is refused is not in it."""

LABEL_FIELDS = (
    "id",
    "start_us",
    "end_us",
    "event_type",
    "kind",
    "review_state",
    "attributes",
    "frame_index",
    "source_pts",
    "author",
    "revision",
)
"""Columns of `LoadedLabels.rows`, in this order."""


@dataclass(frozen=True, slots=True)
class SheetRecord:
    """What is known of one video in one domain beside its events."""

    video_id: str
    domain: str
    seq: int
    """Number of the last change; 0 where nothing was changed yet."""
    coverage: tuple[CoverageSpan, ...]
    """Sorted and disjoint; time that is in none was never seen."""
    status: SheetStatus
    assignee: str
    note: str
    mirrored_seq: int
    """Number of the last change in the JSON mirror; -1 where there is no mirror."""
    updated_at: datetime | None
    """None where nothing was stored yet."""


@dataclass(frozen=True, slots=True)
class LoadedLabels:
    """All labels of one video in one domain, in the form that travels."""

    sheet: SheetRecord
    rows: list[list[Any]]
    """One row an event, by start; its columns are `LABEL_FIELDS`."""


@dataclass(frozen=True, slots=True)
class Change:
    """What one operation did, as the log has it."""

    seq: int
    op: str
    """Id of the operation."""
    client: str
    author: str
    kind: OperationKind
    event_id: str
    before: State | None
    """The whole state before, as the catalog had it; None where there was no event."""
    after: State | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Changes:
    """What happened after a number that a client knows."""

    seq: int
    """Number of the last change."""
    changes: tuple[Change, ...] | None
    """In order; None where there are too many, or the client knows of more than there is: then it
    loads everything again."""


@dataclass(frozen=True, slots=True)
class AnnotatorRecord:
    """What one person prefers in the label station."""

    name: str
    preferences: dict[str, Any]
    updated_at: datetime
