"""The fence: what an attempt stores is refused once its job belongs to somebody else."""

from __future__ import annotations

from sqlalchemy.orm import Session

from prismata.catalog.lookup import get_row
from prismata.catalog.schema import JobRow
from prismata.core.errors import ConflictError
from prismata.core.jobs import JobLease, JobState


def check_lease(session: Session, lease: JobLease | None) -> None:
    """Check, as part of the caller's transaction, that an attempt may still write.

    Args:
        session: The transaction in which something is stored.
        lease: Of the attempt; None: it is not an attempt at a job that stores this.

    Raises:
        NotFoundError: If there is no such job.
        ConflictError: If the job is not running under this token.
    """
    if lease is None:
        return
    row = get_row(session, JobRow, lease.job_id, "job", lock=True)
    if row.state is not JobState.RUNNING or row.lease_token != lease.token:
        raise lease_lost(row)


def lease_lost(job: JobRow) -> ConflictError:
    """Return what a supervisor is told whose job has another owner."""
    return ConflictError(
        f"the lease of the {job.kind} job {job.id!r} was lost: it is {job.state} now; "
        "stop the work, nothing more of it is stored"
    )
