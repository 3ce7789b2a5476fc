"""How a job ended, where not the child alone says it."""

from __future__ import annotations

from dataclasses import replace

from prismata.catalog import JobRecord
from prismata.core.errors import UnavailableError, UserError
from prismata.core.jobs import FailureCause, JobState
from prismata.core.ports import ChildOutcome

APP_STOPPED = "The app was stopped while this job was running, so it waits for its next attempt."


def failed(cause: FailureCause, message: str) -> ChildOutcome:
    """Return the outcome of a job that failed without a child's doing."""
    return ChildOutcome(state=JobState.FAILED, cause=cause, message=message)


def given_back(outcome: ChildOutcome) -> ChildOutcome:
    """Return what becomes of a child that was stopped because this process stops."""
    return replace(
        outcome, state=JobState.FAILED, cause=FailureCause.PREEMPTED, message=APP_STOPPED
    )


def as_recorded(job: JobRecord) -> ChildOutcome:
    """Return how a job ended that somebody else ran, as the catalog tells it."""
    seconds = 0.0
    if job.started_at and job.finished_at:
        seconds = (job.finished_at - job.started_at).total_seconds()
    return ChildOutcome(
        state=job.state,
        cause=job.cause,
        message=job.message,
        result=(job.result or {}) if job.state is JobState.SUCCEEDED else None,
        peak_rss_mb=job.peak_rss_mb or 0.0,
        wall_seconds=seconds,
        log_tail=job.log_tail,
    )


def what_broke(error: BaseException) -> ChildOutcome:
    """Name what stopped an attempt from our side."""
    if isinstance(error, UnavailableError):
        return failed(FailureCause.STORAGE, str(error))
    if isinstance(error, UserError):
        return failed(FailureCause.USER_ERROR, str(error))
    if isinstance(error, OSError):
        return failed(
            FailureCause.STORAGE,
            f"The results could not be stored ({error}); nothing was kept of this run. "
            "Look at the disk or the storage, then start it again.",
        )
    if isinstance(error, KeyboardInterrupt):
        return ChildOutcome(state=JobState.CANCELLED, message="The job was stopped with Ctrl-C.")
    if isinstance(error, Exception):
        return failed(
            FailureCause.BUG,
            f"Something went wrong that should not ({type(error).__name__}: {error}); "
            "nothing was kept of this run. The app's log has the details for a bug report.",
        )
    return failed(FailureCause.PREEMPTED, APP_STOPPED)
