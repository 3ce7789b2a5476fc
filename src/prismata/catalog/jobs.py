"""Jobs as people see them: ask for one, look at it, call it off.

Who runs them and how they end is written by `leases`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import case, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from prismata.catalog.columns import check_json, check_label, check_text
from prismata.catalog.database import Database, new_id
from prismata.catalog.detections import NewDetectionRun, insert_detection
from prismata.catalog.job_rows import attempt_record, job_record
from prismata.catalog.leases import end_runs_of, reap_lost
from prismata.catalog.lookup import get_row
from prismata.catalog.records import AttemptRecord, JobRecord
from prismata.catalog.runs import NewTrainingRun, insert_training
from prismata.catalog.schema import JobAttemptRow, JobRow
from prismata.core.errors import BusyError, ConflictError, InvalidInputError, NotFoundError
from prismata.core.events import check_name
from prismata.core.jobs import JobState, ResourceClass, check_transition

_ACTIVE = (JobState.QUEUED, JobState.RUNNING)
_RACES = 5
_CANCELLED_EARLY = "cancelled before it started"
_CANCELLED_BETWEEN = "cancelled before its next attempt"


class JobRepository:
    """Jobs of one catalog."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def submit(  # noqa: PLR0913 - one argument for each thing that is said of a job, all named
        self,
        kind: str,
        params: Mapping[str, Any],
        *,
        author: str,
        dedupe_key: str | None = None,
        resource_class: ResourceClass = ResourceClass.CPU,
        rank: int = 0,
        needs_mb: float | None = None,
        detection: NewDetectionRun | None = None,
        training: NewTrainingRun | None = None,
    ) -> JobRecord:
        """Queue a job; jobs whose supervisor is gone are put back or ended first.

        Args:
            kind: What is to be done; a worker knows how.
            params: Everything an attempt has to know, on whatever machine it is made.
            author: Who asks.
            dedupe_key: No two queued or running jobs share it.
            resource_class: What it mostly takes.
            rank: Lower goes first.
            needs_mb: Memory an attempt is expected to take.
            detection: A detection run that begins, and ends, with the job.
            training: Likewise a training run.

        Raises:
            NotFoundError: If something that a run refers to does not exist.
            BusyError: If a queued or running job has the same `dedupe_key`; it says which.
            InvalidInputError: If the kind or the author cannot be used, or `params` is not JSON.
        """
        if needs_mb is not None and not needs_mb > 0:
            raise InvalidInputError(f"a job takes more than 0 MB, not {needs_mb}")
        row_values: dict[str, Any] = {
            "kind": check_name(kind, "kind of job"),
            "params": check_json(params, "the parameters of a job"),
            "author": check_label(author, "author"),
            "dedupe_key": dedupe_key,
            "resource_class": resource_class,
            "rank": rank,
            "needs_mb": needs_mb,
        }
        with self._database.write() as session:
            reaped = reap_lost(session, self._database)  # by itself: a refusal below would undo it
        self._database.job_ends.tell(reaped)
        for _ in range(_RACES):
            try:
                with self._database.write() as session:
                    if dedupe_key is not None:
                        self._check_free(session, dedupe_key)
                    row = JobRow(**row_values, **_fresh_columns(self._database.now()))
                    session.add(row)
                    _insert(session)
                    # Together with the job: whoever claims it the next moment finds its run.
                    if detection is not None:
                        insert_detection(session, {**detection, "job_id": row.id}, row.created_at)
                    if training is not None:
                        insert_training(session, {**training, "job_id": row.id}, row.created_at)
                    return job_record(row)
            except _SameJobError:
                # PostgreSQL: the partial unique index stopped us, so somebody submitted the same
                # after our look. The next look finds that job, unless it has ended by then.
                continue
        raise BusyError(f"the same {kind} is being started by others right now; try again")

    def _check_free(self, session: Session, dedupe_key: str) -> None:
        query = select(JobRow).where(JobRow.dedupe_key == dedupe_key, JobRow.state.in_(_ACTIVE))
        active = session.scalars(query).one_or_none()
        if active is not None:
            raise BusyError(_busy_sentence(active, self._database.now()))

    def request_cancel(self, job_id: str) -> JobRecord:
        """Cancel a queued job at once, or ask the supervisor of a running one to stop it.

        Runs entered for a job that is not running end with it.

        Raises:
            NotFoundError: If there is no such job.
            ConflictError: If it has ended already.
        """
        now = self._database.now()
        with self._database.write() as session:
            # One statement decides between the two, so a claim at the same moment is no gap.
            queued = JobRow.state == JobState.QUEUED
            message = case((JobRow.attempt > 0, _CANCELLED_BETWEEN), else_=_CANCELLED_EARLY)
            row = session.scalars(
                update(JobRow)
                .where(JobRow.id == job_id, JobRow.state.in_(_ACTIVE))
                .values(
                    cancel_requested=True,
                    state=case((queued, JobState.CANCELLED), else_=JobRow.state),
                    message=case((queued, message), else_=JobRow.message),
                    finished_at=case((queued, now), else_=JobRow.finished_at),
                )
                .returning(JobRow)
            ).one_or_none()
            if row is None:
                found = get_row(session, JobRow, job_id, "job")
                check_transition(found.state, JobState.CANCELLED)
                raise ConflictError(f"the job {job_id!r} has just been changed; try again")
            if row.state is JobState.CANCELLED:
                end_runs_of(session, row, now)
            record = job_record(row)
        self._database.job_ends.tell([record])
        return record

    def get(self, job_id: str) -> JobRecord:
        """Return the job with this id.

        Raises:
            NotFoundError: If there is none.
        """
        with self._database.read() as session:
            return job_record(get_row(session, JobRow, job_id, "job"))

    def find(self, id_or_start: str) -> JobRecord:
        """Return the job with this id, or the only one whose id begins like this.

        Raises:
            NotFoundError: If there is none.
            InvalidInputError: If several begin like this.
        """
        wanted = check_text(id_or_start).strip()
        query = select(JobRow).where(JobRow.id.startswith(wanted, autoescape=True)).limit(2)
        with self._database.read() as session:
            found = list(session.scalars(query)) if wanted else []
            if len(found) > 1:
                raise InvalidInputError(f"several jobs begin with {wanted!r}; write more of the id")
            if not found:
                raise NotFoundError(f"there is no job {wanted!r}; `prismata jobs list` shows them")
            return job_record(found[0])

    def attempts(self, job_id: str) -> list[AttemptRecord]:
        """Return the attempts at a job, the first one first."""
        query = (
            select(JobAttemptRow)
            .where(JobAttemptRow.job_id == job_id)
            .order_by(JobAttemptRow.number)
        )
        with self._database.read() as session:
            return [attempt_record(row) for row in session.scalars(query)]

    def list(
        self,
        kind: str | None = None,
        state: JobState | None = None,
        *,
        dedupe_key: str | None = None,
        limit: int | None = None,
    ) -> list[JobRecord]:
        """Return the jobs that fit every condition given, newest first, at most `limit`."""
        query = select(JobRow).order_by(JobRow.created_at.desc(), JobRow.id).limit(limit)
        if kind is not None:
            query = query.where(JobRow.kind == kind)
        if state is not None:
            query = query.where(JobRow.state == state)
        if dedupe_key is not None:
            query = query.where(JobRow.dedupe_key == dedupe_key)
        with self._database.read() as session:
            return [job_record(row) for row in session.scalars(query)]


class _SameJobError(Exception):
    """Somebody else has just submitted the same job."""


def _insert(session: Session) -> None:
    try:
        session.flush()
    except IntegrityError as error:
        raise _SameJobError from error


def _fresh_columns(now: datetime) -> dict[str, Any]:
    return {
        "id": new_id(),
        "state": JobState.QUEUED,
        "attempt": 0,
        "progress": 0.0,
        "progress_note": "",
        "message": "",
        "log_tail": [],
        "created_at": now,
        "cancel_requested": False,
    }


def _busy_sentence(active: JobRow, now: datetime) -> str:
    minutes = max(0, int((now - active.created_at).total_seconds() // 60))
    when = "just now" if minutes == 0 else f"{minutes} min ago"
    waits = "is paused" if active.held else "is waiting"
    doing = waits if active.state is JobState.QUEUED else f"is {active.progress:.0%} done"
    return (
        f"this {active.kind} job is already {active.state}: {active.author} started it {when} "
        f"and it {doing} (job {active.id}); please wait for it or cancel it first"
    )
