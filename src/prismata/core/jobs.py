"""Jobs: long work with a state that anybody can read and few may change.

A job is tried in attempts. What follows an attempt that failed depends on why it did: a mistake of
the person who asked is told at once, a machine that went away is no reason to give up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
    """Why an attempt failed; each needs different advice, and has its own `RetryRule`."""

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
    PREEMPTED = "preempted"
    """Its machine was told to stop, and gave the job back in good order."""
    STORAGE = "storage"
    """A disk that is full, or a storage that cannot be reached."""
    BUG = "bug"
    """An unexpected exception of ours; the log has the traceback."""


class ResourceClass(StrEnum):
    """What a job mostly takes; workers say which they have to offer."""

    CPU = "cpu"
    GPU = "gpu"
    IO = "io"


@dataclass(frozen=True, slots=True)
class JobLease:
    """What an attempt shows with everything it stores: nobody else has been given its job since."""

    job_id: str
    token: str


@dataclass(frozen=True, slots=True)
class RetryRule:
    """What follows an attempt that failed for one cause."""

    retries: int | None
    """Attempts that may follow failures of this cause within one job; None: any number."""
    delay_seconds: float = 0.0
    """Pause before the first of them; it doubles with each that follows."""


RETRY_RULES: Mapping[FailureCause, RetryRule] = {
    FailureCause.USER_ERROR: RetryRule(0),
    FailureCause.BUG: RetryRule(0),
    # The same again would end the same way: whoever runs it makes the second attempt smaller.
    FailureCause.OUT_OF_MEMORY: RetryRule(1),
    FailureCause.CRASHED: RetryRule(1),
    FailureCause.KILLED: RetryRule(1),
    FailureCause.STALLED: RetryRule(1),
    # Three machines in a row: then the job itself is what stops them.
    FailureCause.LOST: RetryRule(3),
    FailureCause.PREEMPTED: RetryRule(None),
    FailureCause.STORAGE: RetryRule(5, delay_seconds=5.0),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether another attempt follows, and how long it waits."""

    again: bool
    delay_seconds: float = 0.0


def after_failure(cause: FailureCause, earlier: Mapping[str, int]) -> Verdict:
    """Decide what follows an attempt that failed.

    Args:
        cause: Why it failed.
        earlier: How often attempts at this job have failed before, by cause.
    """
    rule = RETRY_RULES[cause]
    failed_before = earlier.get(cause, 0)
    if rule.retries is not None and failed_before >= rule.retries:
        return Verdict(again=False)
    return Verdict(again=True, delay_seconds=rule.delay_seconds * 2**failed_before)


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
