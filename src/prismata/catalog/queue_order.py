"""The order in which people want queued jobs done: pause, resume, one before the other.

Only jobs that wait are touched, so a job that is claimed at the same moment is not taken from
anybody; who was too late is told so.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.orm import Session

from prismata.catalog.database import Database
from prismata.catalog.job_rows import job_record
from prismata.catalog.lookup import get_row
from prismata.catalog.records import JobRecord
from prismata.catalog.schema import JobRow
from prismata.core.errors import ConflictError
from prismata.core.jobs import JobState


class QueueOrder:
    """Pauses and order of one catalog's queued jobs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def hold(self, job_id: str) -> JobRecord:
        """Pause a queued job: nobody claims it until it is released.

        Raises:
            NotFoundError: If there is no such job.
            ConflictError: If it does not wait any more.
        """
        with self._database.write() as session:
            return _change_queued(session, job_id, {"held": True}, "paused")

    def release(self, job_id: str) -> JobRecord:
        """Let a paused job be claimed again, where it stood.

        Raises:
            NotFoundError: If there is no such job.
            ConflictError: If it does not wait any more.
        """
        with self._database.write() as session:
            return _change_queued(session, job_id, {"held": False}, "resumed")

    def move_first(self, job_id: str) -> JobRecord:
        """Put a queued job before all others that wait.

        Raises:
            NotFoundError: If there is no such job.
            ConflictError: If it does not wait any more.
        """
        with self._database.write() as session:
            others = select(func.min(JobRow.rank)).where(
                JobRow.state == JobState.QUEUED, JobRow.id != job_id
            )
            lowest = session.scalar(others)
            row = get_row(session, JobRow, job_id, "job")
            rank = row.rank if lowest is None else min(row.rank, lowest - 1)
            return _change_queued(session, job_id, {"rank": rank}, "moved")

    def move_before(self, job_id: str, other_id: str) -> JobRecord:
        """Put a queued job right before another one that waits; the order of the rest stays.

        Raises:
            NotFoundError: If there is no such job.
            ConflictError: If one of them does not wait any more.
        """
        with self._database.write() as session:
            other = get_row(session, JobRow, other_id, "job", lock=True)
            if other.state is not JobState.QUEUED:
                raise ConflictError(f"the job {other_id!r} does not wait any more; look again")
            if job_id == other_id:
                return job_record(other)
            # Ranks are whole numbers: those before the other one make room for one more.
            session.execute(
                update(JobRow)
                .where(JobRow.state == JobState.QUEUED, JobRow.id != job_id, _is_before(other))
                .values(rank=JobRow.rank - 2)
            )
            return _change_queued(session, job_id, {"rank": other.rank - 1}, "moved")


def _is_before(other: JobRow) -> ColumnElement[bool]:
    """Say of a job whether it is claimed before this one: by rank, then age, then id."""
    same_rank = JobRow.rank == other.rank
    same_age = JobRow.created_at == other.created_at
    return or_(
        JobRow.rank < other.rank,
        and_(same_rank, JobRow.created_at < other.created_at),
        and_(same_rank, same_age, JobRow.id < other.id),
    )


def _change_queued(
    session: Session, job_id: str, changes: dict[str, int | bool], what: str
) -> JobRecord:
    row = session.scalars(
        update(JobRow)
        .where(JobRow.id == job_id, JobRow.state == JobState.QUEUED)
        .values(**changes)
        .returning(JobRow)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        found = get_row(session, JobRow, job_id, "job")
        raise ConflictError(
            f"this {found.kind} job is {found.state}, so it cannot be {what}; only jobs that wait "
            "can"
        )
    return job_record(row)
