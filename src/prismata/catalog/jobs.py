"""Jobs: the one table that says what long work there is, who runs it and how it ended.

A running job is leased: whoever claims it gets a fresh fencing token and must renew the lease.
A supervisor that vanishes lets its lease run out, and the next reaper says so. A supervisor that
only slept finds its token stale and must stop writing. Leases compare the clocks of the machines
that share a catalog, so those must agree to well under a lease (NTP does).

Invariant: a state changes only by one UPDATE that names the state, and for a running job the
token, it expects; no row changed means that somebody else was first.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import case, or_, select, update
from sqlalchemy.orm import Session

from prismata.catalog.columns import check_json, check_label
from prismata.catalog.database import Database, new_id
from prismata.catalog.detections import end_detections_of_jobs
from prismata.catalog.lookup import get_row
from prismata.catalog.records import JobRecord
from prismata.catalog.runs import end_runs_of_jobs
from prismata.catalog.schema import JobRow
from prismata.core.errors import BusyError, ConflictError, InvalidInputError
from prismata.core.events import check_name
from prismata.core.jobs import FailureCause, JobState, check_transition

logger = logging.getLogger(__name__)

LOG_LINES = 100
"""Length of a stored log tail."""

_ACTIVE = (JobState.QUEUED, JobState.RUNNING)
_RACES = 5
_CANCELLED_EARLY = "cancelled before it started"

JobRecords = list[JobRecord]


class JobRepository:
    """Jobs of one catalog."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def submit(
        self,
        kind: str,
        params: Mapping[str, Any],
        *,
        author: str,
        dedupe_key: str | None = None,
    ) -> JobRecord:
        """Queue a job; jobs whose lease ran out are reaped first.

        Raises:
            BusyError: If a queued or running job has the same `dedupe_key`; it says which.
            InvalidInputError: If the kind or the author cannot be used, or `params` is not JSON.
        """
        row_values: dict[str, Any] = {
            "kind": check_name(kind, "kind of job"),
            "params": check_json(params, "the parameters of a job"),
            "author": check_label(author, "author"),
            "dedupe_key": dedupe_key,
        }
        for _ in range(_RACES):
            try:
                with self._database.write() as session:
                    self._reap(session)
                    if dedupe_key is not None:
                        self._check_free(session, dedupe_key)
                    row = JobRow(**row_values, **_fresh_columns(self._database.now()))
                    session.add(row)
                    session.flush()
                    return _to_record(row)
            except ConflictError:
                # PostgreSQL: the partial unique index stopped us, so somebody submitted the same
                # after our look. The next look finds that job, unless it has ended by then.
                continue
        raise BusyError(f"the same {kind} is being started by others right now; try again")

    def _check_free(self, session: Session, dedupe_key: str) -> None:
        query = select(JobRow).where(JobRow.dedupe_key == dedupe_key, JobRow.state.in_(_ACTIVE))
        active = session.scalars(query).one_or_none()
        if active is not None:
            raise BusyError(_busy_sentence(active, self._database.now()))

    def claim(self, job_id: str, *, lease_seconds: float) -> JobRecord:
        """Take a queued job and return it running, with a fresh token.

        Raises:
            NotFoundError: If there is no such job.
            ConflictError: If it is not queued.
            InvalidInputError: If the lease is not longer than 0 s.
        """
        lease = _lease(lease_seconds)
        with self._database.write() as session:
            claimed = self._take(session, job_id, lease)
            if claimed is None:
                row = get_row(session, JobRow, job_id, "job")
                check_transition(row.state, JobState.RUNNING)
                raise ConflictError(f"the job {job_id!r} was claimed by somebody else just now")
            return claimed

    def claim_next(self, kinds: Sequence[str], lease_seconds: float) -> JobRecord | None:
        """Take the oldest queued job of these kinds, or return None when none waits.

        Raises:
            InvalidInputError: If the lease is not longer than 0 s.
        """
        lease = _lease(lease_seconds)
        oldest = (
            select(JobRow.id)
            .where(JobRow.state == JobState.QUEUED, JobRow.kind.in_(kinds))
            .order_by(JobRow.created_at, JobRow.id)
            .limit(1)
            # PostgreSQL: pass over what another worker is just taking. SQLite has one writer.
            .with_for_update(skip_locked=True)
        )
        with self._database.write() as session:
            job_id = session.scalar(oldest)
            return None if job_id is None else self._take(session, job_id, lease)

    def _take(self, session: Session, job_id: str, lease: timedelta) -> JobRecord | None:
        check_transition(JobState.QUEUED, JobState.RUNNING)
        now = self._database.now()
        row = session.scalars(
            update(JobRow)
            .where(JobRow.id == job_id, JobRow.state == JobState.QUEUED)
            .values(
                state=JobState.RUNNING,
                lease_token=new_id(),
                lease_until=now + lease,
                attempt=JobRow.attempt + 1,
                progress=0.0,
                progress_note="",
                started_at=now,
            )
            .returning(JobRow)
        ).one_or_none()
        return None if row is None else _to_record(row)

    def heartbeat(
        self,
        job_id: str,
        token: str,
        *,
        lease_seconds: float,
        progress: float | None = None,
        note: str | None = None,
        peak_rss_mb: float | None = None,
    ) -> bool:
        """Renew the lease, store what is given, and return whether somebody asked to cancel.

        Raises:
            NotFoundError: If there is no such job.
            ConflictError: If the token is stale: stop the work and write nothing more.
            InvalidInputError: If the progress leaves [0, 1] or the lease is not longer than 0 s.
        """
        if progress is not None and not 0.0 <= progress <= 1.0:
            raise InvalidInputError(f"the progress of a job lies in [0, 1], not {progress}")
        changes: dict[str, Any] = {"lease_until": self._database.now() + _lease(lease_seconds)}
        if progress is not None:
            changes["progress"] = progress
        if note is not None:
            changes["progress_note"] = note
        if peak_rss_mb is not None:
            changes["peak_rss_mb"] = _larger(peak_rss_mb)
        with self._database.write() as session:
            return self._change_running(session, job_id, token, changes).cancel_requested

    def finish(
        self,
        job_id: str,
        token: str,
        *,
        state: JobState,
        cause: FailureCause | None = None,
        message: str = "",
        result: Mapping[str, Any] | None = None,
        peak_rss_mb: float | None = None,
        log_tail: Sequence[str] = (),
    ) -> JobRecord:
        """End a running job for good.

        Raises:
            NotFoundError: If there is no such job.
            ConflictError: If the token is stale: somebody else decided how this job ended.
            InvalidInputError: If the state is not final, or a failure has no cause.
        """
        if not state.is_final:
            raise InvalidInputError(f"a job cannot finish as {state}; that is not an end")
        if state is JobState.FAILED and cause is None:
            raise InvalidInputError("a job that failed needs a cause")
        check_transition(JobState.RUNNING, state)
        changes: dict[str, Any] = {
            **_ended_columns(state, self._database.now()),
            "cause": cause,
            "message": message,
            "result": None if result is None else check_json(result, "the result"),
            "log_tail": list(log_tail)[-LOG_LINES:],
        }
        if state is JobState.SUCCEEDED:
            changes["progress"] = 1.0
        if peak_rss_mb is not None:
            changes["peak_rss_mb"] = _larger(peak_rss_mb)
        with self._database.write() as session:
            return _to_record(self._change_running(session, job_id, token, changes))

    def release(self, job_id: str, token: str, *, note: str = "") -> JobRecord:
        """Put a running job back into the queue, for another attempt.

        Raises:
            NotFoundError: If there is no such job.
            ConflictError: If the token is stale.
        """
        check_transition(JobState.RUNNING, JobState.QUEUED)
        changes = {
            "state": JobState.QUEUED,
            "lease_token": None,
            "lease_until": None,
            "progress": 0.0,
            "progress_note": note,
        }
        with self._database.write() as session:
            return _to_record(self._change_running(session, job_id, token, changes))

    def _change_running(
        self, session: Session, job_id: str, token: str, changes: dict[str, Any]
    ) -> JobRow:
        row = session.scalars(
            update(JobRow)
            .where(
                JobRow.id == job_id,
                JobRow.state == JobState.RUNNING,
                JobRow.lease_token == token,
            )
            .values(**changes)
            .returning(JobRow)
        ).one_or_none()
        if row is None:
            found = get_row(session, JobRow, job_id, "job")
            raise ConflictError(
                f"the lease of the {found.kind} job {job_id!r} was lost: it is {found.state} now; "
                "stop the work, nothing more of it is stored"
            )
        return row

    def request_cancel(self, job_id: str) -> JobRecord:
        """Cancel a queued job at once, or ask the supervisor of a running one to stop it.

        Runs entered for a job that never started end with it.

        Raises:
            NotFoundError: If there is no such job.
            ConflictError: If it has ended already.
        """
        now = self._database.now()
        with self._database.write() as session:
            # One statement decides between the two, so a claim at the same moment is no gap.
            queued = JobRow.state == JobState.QUEUED
            row = session.scalars(
                update(JobRow)
                .where(JobRow.id == job_id, JobRow.state.in_(_ACTIVE))
                .values(
                    cancel_requested=True,
                    state=case((queued, JobState.CANCELLED), else_=JobRow.state),
                    message=case((queued, _CANCELLED_EARLY), else_=JobRow.message),
                    finished_at=case((queued, now), else_=JobRow.finished_at),
                )
                .returning(JobRow)
            ).one_or_none()
            if row is None:
                found = get_row(session, JobRow, job_id, "job")
                check_transition(found.state, JobState.CANCELLED)
                raise ConflictError(f"the job {job_id!r} has just been changed; try again")
            if row.state is JobState.CANCELLED:
                self._end_runs(session, [job_id], JobState.CANCELLED, _CANCELLED_EARLY)
            return _to_record(row)

    def _end_runs(
        self, session: Session, job_ids: Sequence[str], state: JobState, message: str
    ) -> None:
        now = self._database.now()
        end_runs_of_jobs(session, job_ids, state, message, now)
        end_detections_of_jobs(session, job_ids, state, message, now)

    def reap(self) -> JobRecords:
        """Fail the running jobs whose lease ran out, with the runs they had started.

        Events that a lost detection had found so far go with it. Returns the jobs lost.
        """
        with self._database.write() as session:
            return self._reap(session)

    def _reap(self, session: Session) -> JobRecords:
        check_transition(JobState.RUNNING, JobState.FAILED)
        now = self._database.now()
        message = (
            "the program or machine that ran it stopped without a word; start it again when that "
            "is up"
        )
        rows = session.scalars(
            update(JobRow)
            .where(JobRow.state == JobState.RUNNING, JobRow.lease_until < now)
            .values(
                **_ended_columns(JobState.FAILED, now), cause=FailureCause.LOST, message=message
            )
            .returning(JobRow)
        ).all()
        if rows:
            self._end_runs(session, [row.id for row in rows], JobState.FAILED, message)
        for row in rows:
            logger.warning("job.lost id=%s kind=%s attempt=%d", row.id, row.kind, row.attempt)
        return [_to_record(row) for row in rows]

    def get(self, job_id: str) -> JobRecord:
        """Return the job with this id.

        Raises:
            NotFoundError: If there is none.
        """
        with self._database.read() as session:
            return _to_record(get_row(session, JobRow, job_id, "job"))

    def list(
        self,
        kind: str | None = None,
        state: JobState | None = None,
        *,
        dedupe_key: str | None = None,
        limit: int | None = None,
    ) -> JobRecords:
        """Return the jobs that fit every condition given, newest first, at most `limit`."""
        query = select(JobRow).order_by(JobRow.created_at.desc(), JobRow.id).limit(limit)
        if kind is not None:
            query = query.where(JobRow.kind == kind)
        if state is not None:
            query = query.where(JobRow.state == state)
        if dedupe_key is not None:
            query = query.where(JobRow.dedupe_key == dedupe_key)
        with self._database.read() as session:
            return [_to_record(row) for row in session.scalars(query)]


def _lease(seconds: float) -> timedelta:
    if not seconds > 0:
        raise InvalidInputError(f"a lease lasts longer than 0 s, not {seconds}")
    return timedelta(seconds=seconds)


def _larger(peak_rss_mb: float) -> Any:  # noqa: ANN401 - an SQL expression
    # A peak never sinks; max() of two values is spelled differently on the two databases.
    known = or_(JobRow.peak_rss_mb.is_(None), JobRow.peak_rss_mb < peak_rss_mb)
    return case((known, peak_rss_mb), else_=JobRow.peak_rss_mb)


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


def _ended_columns(state: JobState, now: datetime) -> dict[str, Any]:
    return {"state": state, "lease_token": None, "lease_until": None, "finished_at": now}


def _busy_sentence(active: JobRow, now: datetime) -> str:
    minutes = max(0, int((now - active.created_at).total_seconds() // 60))
    when = "just now" if minutes == 0 else f"{minutes} min ago"
    doing = "is waiting" if active.state is JobState.QUEUED else f"is {active.progress:.0%} done"
    return (
        f"this {active.kind} job is already {active.state}: {active.author} started it {when} "
        f"and it {doing} (job {active.id}); please wait for it or cancel it first"
    )


def _to_record(row: JobRow) -> JobRecord:
    return JobRecord(
        id=row.id,
        kind=row.kind,
        params=row.params,
        state=row.state,
        dedupe_key=row.dedupe_key,
        lease_token=row.lease_token,
        lease_until=row.lease_until,
        attempt=row.attempt,
        progress=row.progress,
        progress_note=row.progress_note,
        peak_rss_mb=row.peak_rss_mb,
        cause=row.cause,
        message=row.message,
        log_tail=tuple(row.log_tail),
        result=row.result,
        author=row.author,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        cancel_requested=row.cancel_requested,
    )
