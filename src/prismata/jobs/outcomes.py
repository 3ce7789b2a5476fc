"""How a job ended, where not the child alone says it."""

from __future__ import annotations

from dataclasses import replace

from prismata.core.errors import UnavailableError, UserError
from prismata.core.jobs import FailureCause, JobState
from prismata.core.ports import ChildOutcome
from prismata.jobs.lines import LOG_LINES

APP_STOPPED = "The app was stopped while this job was running; start it again."


def both_attempts(first: ChildOutcome, second: ChildOutcome) -> ChildOutcome:
    """Return how the second attempt ended, with a log that begins with the first."""
    between = f"--- first attempt: {first.message} --- second attempt:"
    kept = first.log_tail[-(LOG_LINES // 2 - 1) :]
    log_tail = (*kept, between, *second.log_tail)
    if len(log_tail) > LOG_LINES:
        rest = LOG_LINES - len(kept) - 1
        log_tail = (*kept, between, *second.log_tail[-rest:])
    return replace(second, log_tail=log_tail)


def failed(cause: FailureCause, message: str) -> ChildOutcome:
    """Return the outcome of a job that failed without a child's doing."""
    return ChildOutcome(state=JobState.FAILED, cause=cause, message=message)


def what_broke(error: BaseException) -> ChildOutcome:
    """Name what stopped a run from our side."""
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
    return failed(FailureCause.LOST, APP_STOPPED)
