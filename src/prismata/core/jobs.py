"""Jobs: long work with a state that anybody can read and few may change."""

from __future__ import annotations

from enum import StrEnum

from prismata.core.errors import ConflictError


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing can change any more."""
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


class FailureCause(StrEnum):
    """Why a job failed; each needs different advice."""

    USER_ERROR = "user_error"
    """Bad file or bad parameters: the message says what to change."""
    OUT_OF_MEMORY = "out_of_memory"
    CRASHED = "crashed"
    """The child died of a signal or left without a result."""
    KILLED = "killed"
    """Somebody outside (or the kernel) sent SIGKILL."""
    STALLED = "stalled"
    """No sign of progress for too long; we killed it."""
    LOST = "lost"
    """Its supervisor vanished: the machine or the app was stopped."""
    STORAGE = "storage"
    BUG = "bug"
    """An unexpected exception of ours; the log has the traceback."""


_TRANSITIONS = {
    JobState.QUEUED: {JobState.RUNNING, JobState.CANCELLED, JobState.FAILED},
    JobState.RUNNING: {
        JobState.SUCCEEDED,
        JobState.FAILED,
        JobState.CANCELLED,
        JobState.QUEUED,
    },
}


def check_transition(current: JobState, new: JobState) -> None:
    """Allow a legal change of state.

    Raises:
        ConflictError: If a job cannot go from `current` to `new`.
    """
    if new not in _TRANSITIONS.get(current, set()):
        raise ConflictError(f"a job that is {current} cannot become {new}")
