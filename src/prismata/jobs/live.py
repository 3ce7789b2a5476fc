"""A job that runs in this process, as whoever started it sees it."""

from __future__ import annotations

import threading
from enum import Enum

from prismata.core.jobs import JobLease
from prismata.core.ports import ChildOutcome


class Wish(Enum):
    """Why an attempt that runs here is to end."""

    CANCEL = "cancel"
    """Somebody here does not want the job any more."""
    GIVE_BACK = "give back"
    """This process stops; the job is for another one to go on with."""


class LiveRun:
    """An attempt that runs in this process right now.

    Args:
        lease: What its claim returned.
    """

    def __init__(self, lease: JobLease) -> None:
        self.lease = lease
        self.outcome: ChildOutcome | None = None
        """How it ended; None while it runs."""
        self._wish: Wish | None = None
        self._ended = threading.Event()

    @property
    def job_id(self) -> str:
        """The job."""
        return self.lease.job_id

    @property
    def wish(self) -> Wish | None:
        """What somebody here asked for; the first wish counts."""
        return self._wish

    def ask(self, wish: Wish) -> None:
        """Ask for the end; returns at once."""
        self._wish = self._wish or wish

    def wait(self, timeout_seconds: float | None = None) -> ChildOutcome | None:
        """Wait for the end; None if it still runs after `timeout_seconds`."""
        self._ended.wait(timeout_seconds)
        return self.outcome

    def end(self, outcome: ChildOutcome) -> None:
        """Let those who wait go on; the first end counts."""
        if not self._ended.is_set():
            self.outcome = outcome
            self._ended.set()
