"""A job that runs in this process, as whoever started it sees it."""

from __future__ import annotations

import threading

from prismata.core.ports import ChildOutcome


class LiveRun:
    """A job that runs in this process right now."""

    def __init__(self, job_id: str, lease_token: str) -> None:
        self.job_id = job_id
        self.lease_token = lease_token
        self.outcome: ChildOutcome | None = None
        """How it ended; None while it runs."""
        self.app_stopping = threading.Event()
        self._cancelled = threading.Event()
        self._ended = threading.Event()

    @property
    def is_stopping(self) -> bool:
        """Whether somebody here asked for the end."""
        return self._cancelled.is_set() or self.app_stopping.is_set()

    def cancel(self) -> None:
        """Ask for the end; returns at once."""
        self._cancelled.set()

    def wait(self, timeout_seconds: float | None = None) -> ChildOutcome | None:
        """Wait for the end; None if it still runs after `timeout_seconds`."""
        self._ended.wait(timeout_seconds)
        return self.outcome

    def end(self, outcome: ChildOutcome) -> None:
        """Let those who wait go on; the first end counts."""
        if not self._ended.is_set():
            self.outcome = outcome
            self._ended.set()
