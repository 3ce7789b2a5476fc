"""Rows of jobs, attempts and workers as the records that leave this room."""

from __future__ import annotations

from prismata.catalog.records import AttemptRecord, JobRecord, WorkerRecord
from prismata.catalog.schema import JobAttemptRow, JobRow, WorkerRow
from prismata.core.jobs import ResourceClass
from prismata.core.processes import ProcessIdentity


def job_record(row: JobRow) -> JobRecord:
    """Return a job as it stands."""
    return JobRecord(
        id=row.id,
        kind=row.kind,
        params=row.params,
        resource_class=row.resource_class,
        rank=row.rank,
        held=row.held,
        needs_mb=row.needs_mb,
        state=row.state,
        dedupe_key=row.dedupe_key,
        lease_token=row.lease_token,
        lease_until=row.lease_until,
        attempt=row.attempt,
        failures=dict(row.failures or {}),
        not_before=row.not_before,
        blocked_since=row.blocked_since,
        blocked_note=row.blocked_note or "",
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


def attempt_record(row: JobAttemptRow) -> AttemptRecord:
    """Return an attempt as it stands."""
    return AttemptRecord(
        job_id=row.job_id,
        number=row.number,
        worker=row.worker,
        process=ProcessIdentity(row.home, row.pid, row.process_started),
        started_at=row.started_at,
        ended_at=row.ended_at,
        state=row.state,
        cause=row.cause,
        message=row.message,
        exit_code=row.exit_code,
        peak_rss_mb=row.peak_rss_mb,
        log_tail=tuple(row.log_tail),
    )


def worker_record(row: WorkerRow) -> WorkerRecord:
    """Return a worker as it was last seen."""
    return WorkerRecord(
        id=row.id,
        name=row.name,
        process=ProcessIdentity(row.home, row.pid, row.process_started),
        slots={ResourceClass(name): number for name, number in row.slots.items()},
        version=row.version,
        started_at=row.started_at,
        last_seen=row.last_seen,
        draining=row.draining,
    )
