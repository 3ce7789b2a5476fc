"""A look at a catalog that creates and migrates nothing: for whoever checks before they begin."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from prismata.catalog.database import Database, describe_url, parse_url
from prismata.catalog.job_rows import worker_record
from prismata.catalog.records import WorkerRecord
from prismata.catalog.schema import DetectionRunRow, JobRow, VideoRow, WorkerRow
from prismata.catalog.upgrades import check_revision_known, revision_of, steps_behind
from prismata.core.jobs import JobState, ResourceClass

_RUNS_LOOKED_AT = 50


@dataclass(frozen=True, slots=True)
class CatalogState:
    """What can be told of a catalog; what needs this program's schema is empty without it."""

    where: str
    revision: str | None
    """Number of its schema; None: there is no catalog yet."""
    steps_behind: int
    """Migrations that this program would make first."""
    clock_ahead_seconds: float | None = None
    """How far the database server's clock is ahead of this machine's; None: it has none."""
    videos: int = 0
    waiting: dict[ResourceClass, int] | None = None
    """Queued jobs that are not paused; None: not known."""
    workers: tuple[WorkerRecord, ...] = ()
    """Seen lately."""
    largest_detection_mb: float | None = None
    """What the latest detections took at most; None: none ran."""


def look_at_catalog(url: str, *, seen_within_seconds: float) -> CatalogState:
    """Look at the catalog at `url`.

    Args:
        url: As `open_catalog` takes it.
        seen_within_seconds: How lately a worker counts as there.

    Raises:
        InvalidInputError: If the address is of another kind, or the file is not a database.
        UnavailableError: If psycopg is not installed or the database cannot be reached.
        UserError: If the catalog is newer than this program.
    """
    parsed = parse_url(url)
    is_file = parsed.get_backend_name() == "sqlite"
    if is_file and not Path(parsed.database or "").exists():
        return CatalogState(describe_url(parsed), None, steps_behind(None))
    database = Database(parsed)
    try:
        with database.read_connection() as connection:
            revision = revision_of(connection)
            check_revision_known(database, revision)
            behind = steps_behind(revision)
            ahead = None if is_file else _clock_ahead(Session(connection))
            if revision is None or behind:
                return CatalogState(database.where, revision, behind, ahead)
        with database.read() as session:
            since = database.time_of(session) - timedelta(seconds=seen_within_seconds)
            waiting = (
                select(JobRow.resource_class, func.count())
                .where(JobRow.state == JobState.QUEUED, JobRow.held.is_(False))
                .group_by(JobRow.resource_class)
            )
            peaks = (
                select(DetectionRunRow.peak_rss_mb)
                .where(DetectionRunRow.state == JobState.SUCCEEDED)
                .order_by(DetectionRunRow.created_at.desc())
                .limit(_RUNS_LOOKED_AT)
            )
            workers = select(WorkerRow).where(WorkerRow.last_seen >= since).order_by(WorkerRow.name)
            known = [peak for peak in session.scalars(peaks) if peak]
            return CatalogState(
                database.where,
                revision,
                behind,
                ahead,
                session.scalar(select(func.count()).select_from(VideoRow)) or 0,
                {resource: number for resource, number in session.execute(waiting)},  # noqa: C416 - rows are no pairs to mypy
                tuple(worker_record(row) for row in session.scalars(workers)),
                max(known, default=None),
            )
    finally:
        database.close()


def _clock_ahead(session: Session) -> float | None:
    before = datetime.now(UTC)
    theirs: datetime | None = session.scalar(select(func.clock_timestamp()))
    after = datetime.now(UTC)
    if theirs is None:
        return None
    return (theirs.astimezone(UTC) - (before + (after - before) / 2)).total_seconds()
