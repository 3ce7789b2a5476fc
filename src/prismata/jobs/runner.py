"""Make attempts at jobs of the catalog: claim, child, heartbeat, end.

Invariant: a job this room has claimed gets an end of its attempt, or its lease runs out and whoever
looks next sees that it was lost; it never stays "running" for ever.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any

from prismata.catalog import Catalog, Claimant, JobRecord
from prismata.core.errors import ConflictError, NotFoundError, UnavailableError, UserError
from prismata.core.jobs import FailureCause, JobLease, JobState
from prismata.core.logs import log_ids, terms_for_child
from prismata.core.ports import (
    Assignment,
    ChildOutcome,
    ChildRunner,
    ChildSessions,
    MessageHandler,
    ignore_message,
)
from prismata.core.protocol import Message
from prismata.jobs.lease import LEASE_SECONDS, LeaseLostError, Pulse
from prismata.jobs.live import LiveRun, Wish
from prismata.jobs.outcomes import as_recorded, failed, given_back, what_broke

logger = logging.getLogger(__name__)

JobHandler = Callable[[JobRecord], Assignment]
"""Knows, for one kind of job, what an attempt consists of."""

_CLOSE_SECONDS = 80.0  # the longest `save_seconds`, and as much again as the supervisor's grace
_END_RETRIES = 3
_END_RETRY_SECONDS = 2.0
_FOLLOW_SECONDS = 0.3


@dataclass(slots=True)
class _Attempt:
    """What an attempt needs beside the job itself."""

    job: JobRecord
    """As it was claimed."""
    live: LiveRun
    on_message: MessageHandler
    runner: ChildRunner
    may_wait: bool
    """Another attempt may follow after a pause, because nobody sits and waits for it."""
    assignment: Assignment | None = field(default=None)


class JobRunner:
    """Makes attempts at jobs, each in its own child, and stops them all when the app ends.

    Background threads are daemons with an `atexit` hook in front: a thread that is not a daemon is
    joined *before* `atexit` runs, so Ctrl-C would wait for hours of training.

    Args:
        catalog: Where the jobs are.
        runner: Starts and watches children.
        claimant: Who this process is, for attempts that are written down.
    """

    def __init__(
        self, catalog: Catalog, runner: ChildSessions, claimant: Claimant | None = None
    ) -> None:
        self.handlers: Mapping[str, JobHandler] = {}
        """By kind of job; set once, by whoever introduces the rooms to each other."""
        self.claimant = claimant or Claimant()
        self._catalog = catalog
        self._leases = catalog.leases
        self._runner = runner
        self._lock = threading.Lock()
        self._live: dict[str, LiveRun] = {}
        self._closed = threading.Event()
        atexit.register(self.close)

    def run_job(
        self,
        job_id: str,
        *,
        on_message: MessageHandler = ignore_message,
        runner: ChildRunner | None = None,
    ) -> ChildOutcome:
        """Make attempts at a job in this thread until it has ended; return how.

        Somebody waits for it, so a failure that another attempt should follow only after a pause
        ends the job. If a worker takes it, before the first attempt or between two, this waits for
        its end all the same. An exception that is our bug is raised once it has been recorded.

        Args:
            job_id: A queued job.
            on_message: Gets every protocol message of the children started here.
            runner: What to run children with, from `session`; None = a child for each attempt.

        Raises:
            ConflictError: If the job is not to be had, as it has ended, is paused or runs in this
                process; nothing was started.
            UnavailableError: If this runner is closed.
        """
        try:
            claimed = self._claim(job_id)
        except ConflictError:
            # A workbench beside us looks for queued jobs, too, and may be quicker than whoever
            # queued this one.
            runs_here = any(live.job_id == job_id for live in self.live_runs())
            if runs_here or self._catalog.jobs.get(job_id).state is not JobState.RUNNING:
                raise
            return self._follow(job_id)
        while True:
            live = self._enter(claimed)
            attempt = _Attempt(claimed, live, on_message, runner or self._runner, may_wait=False)
            outcome = self._execute(attempt)
            job = self._catalog.jobs.get(job_id)
            if job.state.is_final or live.wish is not None:
                return outcome
            logger.info("job_goes_on job_id=%s after=%s", job_id, outcome.message)
            on_message({"type": "progress", "done": 0, "total": None, "note": "trying again"})
            try:
                claimed = self._claim(job_id)
            except ConflictError:
                return self._follow(job_id)

    def attempt_in_background(
        self, claimed: JobRecord, on_end: Callable[[], None] = lambda: None
    ) -> LiveRun:
        """Make one attempt at a job that has just been claimed, in a thread of its own.

        Args:
            claimed: What the claim returned.
            on_end: Called when the attempt is over, however it ended.
        """
        live = self._enter(claimed)

        def work() -> None:
            try:
                attempt = _Attempt(claimed, live, ignore_message, self._runner, may_wait=True)
                self._execute(attempt)
            except Exception:
                logger.exception("job_broke job_id=%s", live.job_id)
            finally:
                on_end()

        threading.Thread(target=work, name=f"job-{live.job_id}", daemon=True).start()
        return live

    def session(self) -> AbstractContextManager[ChildRunner]:
        """Return a runner for several `run_job`, one after the other, in one warm child.

        Each job stays its own: state, cause, cancellation and log. A child that fails ends with
        the job that it failed at; the next job gets a new one.
        """
        return self._runner.session()

    def live_runs(self) -> list[LiveRun]:
        """Return what runs in this process now."""
        with self._lock:
            return list(self._live.values())

    def cancel(self, job_id: str) -> bool:
        """Stop a job at once if it runs in this process; False if it does not."""
        with self._lock:
            live = self._live.get(job_id)
        if live is None:
            return False
        live.ask(Wish.CANCEL)
        return True

    def give_back(self, timeout_seconds: float = _CLOSE_SECONDS) -> None:
        """Stop every child, with time to save what it has, and put its job back into the queue."""
        runs = self.live_runs()
        for live in runs:
            live.ask(Wish.GIVE_BACK)
        deadline = time.monotonic() + timeout_seconds
        for live in runs:
            live.wait(max(0.0, deadline - time.monotonic()))

    def close(self) -> None:
        """Give all jobs back and refuse new ones; safe to call twice."""
        self._closed.set()
        atexit.unregister(self.close)
        self.give_back()

    def _claim(self, job_id: str) -> JobRecord:
        if self._closed.is_set():
            raise UnavailableError(
                f"Job {job_id} was not started because the app is shutting down; "
                "start it again when the app runs."
            )
        return self._leases.claim(job_id, lease_seconds=LEASE_SECONDS, claimant=self.claimant)

    def _enter(self, claimed: JobRecord) -> LiveRun:
        if claimed.lease_token is None:
            raise ConflictError(f"Job {claimed.id} is not leased to us, so it cannot be run here.")
        live = LiveRun(JobLease(claimed.id, claimed.lease_token))
        with self._lock:
            self._live[claimed.id] = live
        if self._closed.is_set():  # while we claimed: it ends the way the others do
            live.ask(Wish.GIVE_BACK)
        return live

    def _follow(self, job_id: str) -> ChildOutcome:
        """Wait for the end of a job that somebody else runs, or that was called off."""
        while not (job := self._catalog.jobs.get(job_id)).state.is_final:
            if self._closed.wait(_FOLLOW_SECONDS):
                break
        return as_recorded(job)

    def _execute(self, attempt: _Attempt) -> ChildOutcome:
        with log_ids(**_ids_of(attempt.job)):
            return self._execute_attempt(attempt)

    def _execute_attempt(self, attempt: _Attempt) -> ChildOutcome:
        live = attempt.live
        ended = failed(FailureCause.LOST, "This job was not run to its end.")
        try:
            ended = self._run_and_record(attempt)
        except LeaseLostError:
            ended = failed(
                FailureCause.LOST,
                "This job was taken over or ended elsewhere, so its work here was stopped; "
                "look at the job for its present state.",
            )
        finally:
            if attempt.assignment is not None:
                attempt.assignment.resources.close()
            with self._lock:
                self._live.pop(live.job_id, None)
            live.end(ended)
        return ended

    def _run_and_record(self, attempt: _Attempt) -> ChildOutcome:
        """Run the child and write how it ended, also when something of ours breaks."""
        broken: BaseException | None = None
        try:
            outcome, kept = self._run(attempt)
            if outcome.state is JobState.SUCCEEDED:
                self._end(attempt, outcome, kept)
                return outcome
        except LeaseLostError:
            raise
        except BaseException as error:  # noqa: BLE001 - raised again below, once it is recorded
            outcome, broken = what_broke(error), error
        job = self._end(attempt, outcome, None)
        logger.info("attempt_ended state=%s cause=%s", outcome.state, outcome.cause or "none")
        if job.state in (JobState.FAILED, JobState.CANCELLED) and attempt.assignment is not None:
            attempt.assignment.on_end(outcome)
        if broken is not None and not isinstance(broken, UserError | OSError):
            attempt.live.end(outcome)
            raise broken
        return outcome

    def _run(self, attempt: _Attempt) -> tuple[ChildOutcome, dict[str, Any] | None]:
        """Run the child and take its result; return how it ended and what is kept with the job."""
        live, job = attempt.live, attempt.job
        handler = self.handlers.get(job.kind)
        if handler is None:
            known = ", ".join(sorted(self.handlers)) or "none at all"
            raise UserError(f"nobody here knows how to do a {job.kind} job; known are {known}")
        assignment = attempt.assignment = handler(job)
        if assignment.finished is not None:
            return ChildOutcome(JobState.SUCCEEDED, result=assignment.finished), assignment.finished
        pulse = Pulse(self._leases, live.job_id, live.lease.token)

        def on_message(message: Message) -> None:
            pulse.note(message)
            assignment.on_message(message)
            attempt.on_message(message)

        outcome = attempt.runner.run(
            assignment.argv,
            _with_log_terms(assignment.request),
            on_message=on_message,
            limits=assignment.limits,
            cancelled=lambda: pulse.is_cancel_requested() or live.wish is Wish.CANCEL,
            given_back=lambda: live.wish is Wish.GIVE_BACK,
        )
        if outcome.state is JobState.SUCCEEDED and outcome.result is not None:
            pulse.beat()
            return outcome, assignment.on_success(outcome.result)
        if outcome.state is JobState.CANCELLED and live.wish is Wish.GIVE_BACK:
            outcome = given_back(outcome)
        if outcome.state is JobState.FAILED:
            outcome = replace(outcome, message=" ".join((outcome.message, *assignment.notes)))
        return outcome, None

    def _end(
        self, attempt: _Attempt, outcome: ChildOutcome, kept: dict[str, Any] | None
    ) -> JobRecord:
        """Write the end; a catalog that is busy for a moment is asked again."""
        live = attempt.live
        for is_last_try in (False,) * _END_RETRIES + (True,):
            try:
                return self._leases.end_attempt(
                    live.job_id,
                    live.lease.token,
                    state=outcome.state,
                    cause=outcome.cause,
                    message=outcome.message,
                    result=kept,
                    peak_rss_mb=outcome.peak_rss_mb or None,
                    exit_code=outcome.exit_code,
                    log_tail=outcome.log_tail,
                    may_wait=attempt.may_wait,
                )
            except (ConflictError, NotFoundError) as error:
                raise LeaseLostError from error
            except UnavailableError:
                if is_last_try:
                    raise
                time.sleep(_END_RETRY_SECONDS)
        raise AssertionError("unreachable")


def _ids_of(job: JobRecord) -> dict[str, str]:
    """Return what the log says of an attempt; its handler adds the run, where there is one."""
    return {"job_id": job.id, "job_kind": job.kind}


def _with_log_terms(request: dict[str, Any]) -> dict[str, Any]:
    terms = terms_for_child()
    return request if terms is None else {**request, "log": terms}
