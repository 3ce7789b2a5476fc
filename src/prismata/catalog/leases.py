"""Leases: who runs a job, for how long they may be silent, and how an attempt ended.

A running job is leased: whoever claims it gets a fresh fencing token and must renew the lease. A
supervisor that vanishes lets its lease run out, and the next reaper puts the job back or gives it
up. A supervisor that only slept finds its token stale and must stop writing. Leases are measured
with the database's clock, so the clocks of the machines that share a catalog need not agree.

Invariant: a state changes only by one UPDATE that names the state, and for a running job the
token, it expects; no row changed means that somebody else was first.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, case, or_, select, update
from sqlalchemy.orm import Session

from prismata.catalog.columns import check_json
from prismata.catalog.database import Database, new_id
from prismata.catalog.detections import end_detection_of
from prismata.catalog.fencing import check_lease, lease_lost
from prismata.catalog.job_rows import attempt_record, job_record
from prismata.catalog.lookup import get_row
from prismata.catalog.records import AttemptRecord, JobRecord
from prismata.catalog.runs import end_training_of
from prismata.catalog.schema import JobAttemptRow, JobRow
from prismata.core.errors import ConflictError, InvalidInputError
from prismata.core.jobs import (
    FailureCause,
    JobLease,
    JobState,
    ResourceClass,
    Verdict,
    after_failure,
    check_transition,
)
from prismata.core.processes import NOBODY, ProcessIdentity, is_alive

logger = logging.getLogger(__name__)

LOG_LINES = 100
"""Length of a stored log tail."""

MAX_BLOCKED_SECONDS = 600.0
"""How long smaller jobs may go before one that does not fit; then they wait with it."""

_NOBODYS_FAULT = (FailureCause.LOST, FailureCause.PREEMPTED)
"""Nothing went wrong with the work itself: where somebody wanted it cancelled, it is."""

_CANDIDATES = 32
_LOST = "the program or machine that ran it stopped without a word; start it again when that is up"


@dataclass(frozen=True, slots=True)
class Claimant:
    """Who claims: written down with the attempt, so that others can look whether it still runs."""

    name: str = ""
    process: ProcessIdentity = NOBODY


@dataclass(frozen=True, slots=True)
class Offer:
    """What a worker has to give to the next job."""

    kinds: Sequence[str]
    classes: Sequence[ResourceClass] = tuple(ResourceClass)
    free_mb: float | None = None
    """Memory for one more child; None: nobody can tell, so anything fits."""


UNNAMED = Claimant()
"""Nobody can look whether it still runs, so its lease alone decides."""

LostRule = Callable[[JobRecord, AttemptRecord | None], bool]
"""Says of a running job and its attempt whether nobody runs it any more."""


class LeaseRepository:
    """Claims, heartbeats and ends of one catalog's jobs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(
        self, job_id: str, *, lease_seconds: float, claimant: Claimant = UNNAMED
    ) -> JobRecord:
        """Take a queued job, also one that was to wait, and return it running, with a fresh token.

        Raises:
            NotFoundError: If there is no such job.
            ConflictError: If it is not queued, or paused.
            InvalidInputError: If the lease is not longer than 0 s.
        """
        lease = _lease(lease_seconds)
        with self._database.write() as session:
            claimed = self._take(session, job_id, lease, claimant)
            if claimed is None:
                row = get_row(session, JobRow, job_id, "job")
                check_transition(row.state, JobState.RUNNING)
                if row.held:
                    raise ConflictError(f"the job {job_id!r} is paused; resume it first")
                raise ConflictError(f"the job {job_id!r} was claimed by somebody else just now")
            return claimed

    def claim_next(
        self, offer: Offer, lease_seconds: float, claimant: Claimant = UNNAMED
    ) -> JobRecord | None:
        """Take the next queued job that fits, or return None when none does.

        Next is the lowest rank, then the oldest; paused ones are passed over. A job that needs more
        memory than there is stays queued and says so; others may go before it for
        `MAX_BLOCKED_SECONDS`.

        Raises:
            InvalidInputError: If the lease is not longer than 0 s.
        """
        lease = _lease(lease_seconds)
        with self._database.write() as session:
            now = self._database.time_of(session)
            # PostgreSQL: pass over what another worker is just taking. SQLite has one writer.
            next_ones = _queued(offer, now).with_for_update(skip_locked=True)
            for job_id, needs_mb, blocked_since in session.execute(next_ones).all():
                if offer.free_mb is None or needs_mb is None or needs_mb <= offer.free_mb:
                    taken = self._take(session, job_id, lease, claimant)
                    if taken is not None:
                        return taken
                    continue
                _block(session, job_id, needs_mb, offer.free_mb, blocked_since or now)
                if blocked_since and (now - blocked_since).total_seconds() > MAX_BLOCKED_SECONDS:
                    return None
            return None

    def _take(
        self, session: Session, job_id: str, lease: timedelta, claimant: Claimant
    ) -> JobRecord | None:
        check_transition(JobState.QUEUED, JobState.RUNNING)
        now = self._database.time_of(session)
        row = session.scalars(
            update(JobRow)
            .where(JobRow.id == job_id, JobRow.state == JobState.QUEUED, JobRow.held.is_(False))
            .values(
                state=JobState.RUNNING,
                lease_token=new_id(),
                lease_until=now + lease,
                attempt=JobRow.attempt + 1,
                not_before=None,
                blocked_since=None,
                blocked_note=None,
                progress=0.0,
                progress_note="",
                message="",
                started_at=now,
            )
            .returning(JobRow)
        ).one_or_none()
        if row is None:
            return None
        process = claimant.process
        session.add(
            JobAttemptRow(
                job_id=job_id,
                number=row.attempt,
                worker=claimant.name,
                home=process.home,
                pid=process.pid,
                process_started=process.started,
                started_at=now,
                state=JobState.RUNNING,
                message="",
                log_tail=[],
            )
        )
        session.flush()
        return job_record(row)

    def has_queued(self, offer: Offer) -> bool:
        """Say, without writing anything, whether `claim_next` is worth a try."""
        with self._database.read() as session:
            query = _queued(offer, self._database.time_of(session)).limit(1)
            return session.execute(query).first() is not None

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
        lease = _lease(lease_seconds)
        changes: dict[str, Any] = {}
        if progress is not None:
            changes["progress"] = progress
        if note is not None:
            changes["progress_note"] = note
        if peak_rss_mb is not None:
            changes["peak_rss_mb"] = _larger(peak_rss_mb)
        with self._database.write() as session:
            changes["lease_until"] = self._database.time_of(session) + lease
            return _change_running(session, job_id, token, changes).cancel_requested

    def check(self, lease: JobLease) -> None:
        """Check that an attempt may still write, before it stores something outside of the catalog.

        Raises:
            NotFoundError: If there is no such job.
            ConflictError: If the job is not running under this token.
        """
        with self._database.write() as session:
            check_lease(session, lease)

    def end_attempt(  # noqa: PLR0913 - one argument for each thing that is known, all named
        self,
        job_id: str,
        token: str,
        *,
        state: JobState,
        cause: FailureCause | None = None,
        message: str = "",
        result: Mapping[str, Any] | None = None,
        peak_rss_mb: float | None = None,
        exit_code: int | None = None,
        log_tail: Sequence[str] = (),
        may_wait: bool = True,
    ) -> JobRecord:
        """Write how an attempt ended: the job ends with it, or is queued for another one.

        Another one follows a failure whose `RetryRule` has not been used up, unless somebody asked
        to cancel; `message` then says what went wrong while the job waits. Runs that the job had
        started end with it, and the events they had found so far go, unless it succeeded.

        Args:
            job_id: The job.
            token: What its claim returned.
            state: How the attempt ended.
            cause: Why it failed.
            message: One sentence for a person.
            result: What is kept with a job that succeeded.
            peak_rss_mb: Highest resident memory of the child.
            exit_code: Of the child.
            log_tail: Last lines that it printed; at most `LOG_LINES` are kept.
            may_wait: Another attempt may follow after a pause; False: then none does.

        Raises:
            NotFoundError: If there is no such job.
            ConflictError: If the token is stale: somebody else decided how this attempt ended.
            InvalidInputError: If the state is not final, or a failure has no cause.
        """
        if not state.is_final:
            raise InvalidInputError(f"a job cannot finish as {state}; that is not an end")
        if state is JobState.FAILED and cause is None:
            raise InvalidInputError("a job that failed needs a cause")
        changes: dict[str, Any] = {
            "message": message,
            "result": None if result is None else check_json(result, "the result"),
            "log_tail": list(log_tail)[-LOG_LINES:],
        }
        if state is JobState.SUCCEEDED:
            changes["progress"] = 1.0
        if peak_rss_mb is not None:
            changes["peak_rss_mb"] = _larger(peak_rss_mb)
        with self._database.write() as session:
            now = self._database.time_of(session)
            row = get_row(session, JobRow, job_id, "job", lock=True)
            changes |= _after(row, state, cause, now, may_wait=may_wait)
            check_transition(JobState.RUNNING, changes["state"])
            row = _change_running(session, job_id, token, changes)
            ended = {
                "state": state,
                "cause": cause,
                "message": message,
                "exit_code": exit_code,
                "peak_rss_mb": peak_rss_mb,
                "log_tail": changes["log_tail"],
                "ended_at": now,
            }
            _end_attempt_row(session, row, ended)
            if row.state is JobState.FAILED or row.state is JobState.CANCELLED:
                end_runs_of(session, row, now, peak_rss_mb)
            record = job_record(row)
        self._database.job_ends.tell([record])
        return record

    def reap(self, is_lost: LostRule | None = None) -> list[JobRecord]:
        """Take running jobs back that nobody runs any more; return them as they stand now.

        They are queued again, or fail once `RETRY_RULES` say that it has happened too often; the
        runs they had started, and the events found so far, then end with them.

        Args:
            is_lost: Who decides; None: what can be known at one look, which is that the process
                which ran it is gone from this machine, or, if it lives elsewhere, that the lease
                has run out.
        """
        with self._database.write() as session:
            reaped = reap_lost(session, self._database, is_lost)
        return self._database.job_ends.tell(reaped)

    def running(self) -> list[tuple[JobRecord, AttemptRecord | None]]:
        """Return the running jobs, each with the attempt that is being made."""
        with self._database.read() as session:
            return [
                (job_record(job), None if attempt is None else attempt_record(attempt))
                for job, attempt in session.execute(_running())
            ]


def reap_lost(
    session: Session,
    database: Database,
    is_lost: LostRule | None = None,
    *,
    cause: FailureCause = FailureCause.LOST,
    message: str = _LOST,
) -> list[JobRecord]:
    """Do what `LeaseRepository.reap` says, as part of the caller's transaction."""
    now = database.time_of(session)

    def at_one_look(job: JobRecord, attempt: AttemptRecord | None) -> bool:
        alive = None if attempt is None else is_alive(attempt.process)
        if alive is None:
            return job.lease_until is not None and job.lease_until < now
        return not alive

    decide = is_lost or at_one_look
    reaped = []
    for row, attempt_row in session.execute(_running().with_for_update(of=JobRow)):
        attempt = None if attempt_row is None else attempt_record(attempt_row)
        if not decide(job_record(row), attempt):
            continue
        changes = _after(row, JobState.FAILED, cause, now)
        check_transition(JobState.RUNNING, changes["state"])
        changed = _change_running(
            session, row.id, str(row.lease_token), {**changes, "message": message}
        )
        ended = {"state": JobState.FAILED, "cause": cause, "message": message, "ended_at": now}
        _end_attempt_row(session, changed, ended)
        if changed.state is JobState.FAILED:
            end_runs_of(session, changed, now)
        logger.warning(
            "job.lost id=%s kind=%s attempt=%d now=%s",
            changed.id,
            changed.kind,
            changed.attempt,
            changed.state,
        )
        reaped.append(job_record(changed))
    return reaped


def end_runs_of(
    session: Session, job: JobRow, now: datetime, peak_rss_mb: float | None = None
) -> None:
    """End the runs that go down with a job that ended without success, as it did."""
    end_training_of(session, job, now)
    end_detection_of(session, job, now, peak_rss_mb)


def _queued(offer: Offer, now: datetime) -> Select[str, float | None, datetime | None]:
    due: ColumnElement[bool] = or_(JobRow.not_before.is_(None), JobRow.not_before <= now)
    return (
        select(JobRow.id, JobRow.needs_mb, JobRow.blocked_since)
        .where(
            JobRow.state == JobState.QUEUED,
            JobRow.kind.in_(offer.kinds),
            JobRow.resource_class.in_(offer.classes),
            JobRow.held.is_(False),
            due,
        )
        .order_by(JobRow.rank, JobRow.created_at, JobRow.id)
        # Where anything fits, the first one is it.
        .limit(1 if offer.free_mb is None else _CANDIDATES)
    )


def _running() -> Select[JobRow, JobAttemptRow | None]:
    attempt = (JobAttemptRow.job_id == JobRow.id) & (JobAttemptRow.number == JobRow.attempt)
    return (
        select(JobRow, JobAttemptRow)
        .outerjoin(JobAttemptRow, attempt)
        .where(JobRow.state == JobState.RUNNING)
        .order_by(JobRow.id)
    )


def _block(session: Session, job_id: str, needs_mb: float, free_mb: float, since: datetime) -> None:
    note = f"needs {needs_mb:.0f} MB, free {free_mb:.0f} MB"
    session.execute(
        update(JobRow)
        .where(JobRow.id == job_id, JobRow.state == JobState.QUEUED)
        .values(blocked_since=since, blocked_note=note)
    )


def _after(
    row: JobRow,
    state: JobState,
    cause: FailureCause | None,
    now: datetime,
    *,
    may_wait: bool = True,
) -> dict[str, Any]:
    """Return the columns that say what follows an attempt that ended like this."""
    ended: dict[str, Any] = {
        "state": state,
        "cause": cause,
        "lease_token": None,
        "lease_until": None,
        "finished_at": now,
    }
    if state is not JobState.FAILED or cause is None:
        return ended
    before = row.failures or {}
    failures = {**before, cause.value: before.get(cause, 0) + 1}
    verdict = after_failure(cause, before)
    if row.cancel_requested and cause in _NOBODYS_FAULT:
        return {**ended, "failures": failures, "state": JobState.CANCELLED, "cause": None}
    if row.cancel_requested or (verdict.delay_seconds and not may_wait):
        verdict = Verdict(again=False)
    if not verdict.again:
        return {**ended, "failures": failures}
    wait = timedelta(seconds=verdict.delay_seconds)
    return {
        "state": JobState.QUEUED,
        "cause": None,
        "lease_token": None,
        "lease_until": None,
        "failures": failures,
        "not_before": now + wait if wait else None,
        "progress": 0.0,
        "progress_note": "",
    }


def _change_running(session: Session, job_id: str, token: str, changes: dict[str, Any]) -> JobRow:
    row = session.scalars(
        update(JobRow)
        .where(
            JobRow.id == job_id,
            JobRow.state == JobState.RUNNING,
            JobRow.lease_token == token,
        )
        .values(**changes)
        .returning(JobRow)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        raise lease_lost(get_row(session, JobRow, job_id, "job"))
    return row


def _end_attempt_row(session: Session, job: JobRow, ended: dict[str, Any]) -> None:
    session.execute(
        update(JobAttemptRow)
        .where(JobAttemptRow.job_id == job.id, JobAttemptRow.number == job.attempt)
        .values(**ended)
    )


def _lease(seconds: float) -> timedelta:
    if not seconds > 0:
        raise InvalidInputError(f"a lease lasts longer than 0 s, not {seconds}")
    return timedelta(seconds=seconds)


def _larger(peak_rss_mb: float) -> Any:  # noqa: ANN401 - an SQL expression
    # A peak never sinks; max() of two values is spelled differently on the two databases.
    known = or_(JobRow.peak_rss_mb.is_(None), JobRow.peak_rss_mb < peak_rss_mb)
    return case((known, peak_rss_mb), else_=JobRow.peak_rss_mb)
