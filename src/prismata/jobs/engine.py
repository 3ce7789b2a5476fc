"""The job engine as the rest of the house knows it: run a job here, or have it run."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, suppress

from prismata.catalog import Catalog, JobRecord
from prismata.core.errors import ConflictError
from prismata.core.ports import ChildOutcome, ChildRunner, MessageHandler, ignore_message
from prismata.jobs.dispatch import Dispatcher
from prismata.jobs.outcomes import as_recorded
from prismata.jobs.runner import JobRunner

_LOOK_SECONDS = 0.1


class JobEngine:
    """Runs jobs, and has them run.

    Args:
        catalog: Where the jobs are.
        runner: Makes attempts in this process.
        dispatcher: Tells workers.
    """

    def __init__(self, catalog: Catalog, runner: JobRunner, dispatcher: Dispatcher) -> None:
        self.runner = runner
        self._catalog = catalog
        self._dispatcher = dispatcher

    def begin(self) -> None:
        """Have jobs taken up that were queued before this process began."""
        self._dispatcher.begin()

    def run_job(
        self,
        job_id: str,
        *,
        on_message: MessageHandler = ignore_message,
        runner: ChildRunner | None = None,
    ) -> ChildOutcome:
        """Run a queued job in this thread and return how it ended; see `JobRunner.run_job`."""
        return self.runner.run_job(job_id, on_message=on_message, runner=runner)

    def start(self, job: JobRecord) -> FollowedJob:
        """Have a queued job run by a worker, here or elsewhere; returns at once."""
        self._dispatcher.announce(job.id, job.resource_class)
        return self.follow(job.id)

    def follow(self, job_id: str) -> FollowedJob:
        """Return a handle on a job, whoever runs it."""
        return FollowedJob(self, job_id)

    def session(self) -> AbstractContextManager[ChildRunner]:
        """Return a runner that keeps one child warm for jobs that follow each other."""
        return self.runner.session()

    def cancel(self, job_id: str) -> None:
        """Call a job off, wherever it is; nothing happens if it has ended."""
        if not self.runner.cancel(job_id):
            with suppress(ConflictError):
                self._catalog.jobs.request_cancel(job_id)

    def outcome_of(self, job_id: str) -> ChildOutcome | None:
        """Return how a job ended; None if it has not."""
        job = self._catalog.jobs.get(job_id)
        return as_recorded(job) if job.state.is_final else None

    def close(self) -> None:
        """Give back what runs here and refuse new jobs."""
        self._dispatcher.close()  # first, so that nobody here takes what is given back
        self.runner.close()


class FollowedJob:
    """A job that a worker runs, or will run, as whoever asked for it sees it.

    Args:
        engine: Of this process.
        job_id: The job.
    """

    def __init__(self, engine: JobEngine, job_id: str) -> None:
        self.job_id = job_id
        self._engine = engine

    @property
    def outcome(self) -> ChildOutcome | None:
        """How it ended; None while it waits or runs."""
        return self._engine.outcome_of(self.job_id)

    def cancel(self) -> None:
        """Ask for the end; returns at once."""
        self._engine.cancel(self.job_id)

    def wait(self, timeout_seconds: float | None = None) -> ChildOutcome | None:
        """Wait for the end; None if it has not come after `timeout_seconds`."""
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while (outcome := self.outcome) is None:
            if deadline is not None and time.monotonic() >= deadline:
                return None
            time.sleep(_LOOK_SECONDS)
        return outcome
