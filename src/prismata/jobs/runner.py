"""Run a job of the catalog: claim, child, heartbeat, end.

Invariant: a job this room has claimed gets a final state, or its lease runs out and whoever looks
next sees that it was lost; it never stays "running" for ever.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

from prismata.core.errors import ConflictError, NotFoundError, UnavailableError, UserError
from prismata.core.jobs import FailureCause, JobState
from prismata.core.ports import (
    ChildLimits,
    ChildOutcome,
    ChildRunner,
    ChildSessions,
    MessageHandler,
)
from prismata.core.protocol import Message
from prismata.jobs.lease import LEASE_SECONDS, JobStore, LeaseLostError, Pulse
from prismata.jobs.live import LiveRun
from prismata.jobs.outcomes import APP_STOPPED, both_attempts, failed, what_broke

logger = logging.getLogger(__name__)

_CLOSE_SECONDS = 20.0  # the supervisor's grace of 10 s and as much again
_FINISH_RETRIES = 3
_FINISH_RETRY_SECONDS = 2.0

SuccessHandler = Callable[[dict[str, Any]], dict[str, Any] | None]
FailureHandler = Callable[[ChildOutcome], None]
RetryHandler = Callable[[ChildOutcome], dict[str, Any] | None]


def _ignore_message(message: Message) -> None:
    del message


def _keep_result(result: dict[str, Any]) -> dict[str, Any]:
    return result


def _ignore_failure(outcome: ChildOutcome) -> None:
    del outcome


def _never_again(outcome: ChildOutcome) -> dict[str, Any] | None:
    del outcome
    return None


@dataclass(frozen=True, slots=True)
class _Work:
    argv: Sequence[str]
    request: dict[str, Any]
    limits: ChildLimits
    on_message: MessageHandler
    on_success: SuccessHandler
    on_failure: FailureHandler
    retry: RetryHandler
    runner: ChildRunner


class JobRunner:
    """Runs jobs, each in its own child, and stops them all when the app ends.

    Background threads are daemons with an `atexit` hook in front: a thread that is not a daemon is
    joined *before* `atexit` runs, so Ctrl-C would wait for hours of training.

    Args:
        job_store: The catalog's jobs.
        runner: Starts and watches children.
    """

    def __init__(self, job_store: JobStore, runner: ChildSessions) -> None:
        self._store = job_store
        self._runner = runner
        self._lock = threading.Lock()
        self._live: dict[str, LiveRun] = {}
        self._closed = threading.Event()
        atexit.register(self.close)

    def run_job(  # noqa: PLR0913 - one argument for each thing that may happen, all named
        self,
        job_id: str,
        argv: Sequence[str],
        request: dict[str, Any],
        *,
        limits: ChildLimits,
        on_message: MessageHandler = _ignore_message,
        on_success: SuccessHandler = _keep_result,
        on_failure: FailureHandler = _ignore_failure,
        retry: RetryHandler = _never_again,
        runner: ChildRunner | None = None,
    ) -> ChildOutcome:
        """Claim the job, run its child in this thread, write how it ended.

        The handlers run in this thread. A `UserError` or `OSError` of `on_message` or `on_success`
        fails the job with its message; any other exception fails it as our bug and is raised.

        Args:
            job_id: A queued job.
            argv: The child's program and arguments.
            request: What the child gets to read, JSON values.
            limits: Bounds of the child.
            on_message: Gets every protocol message.
            on_success: Gets the child's result before the job is finished, to store what belongs
                into other tables; returns what is kept with the job. It has 45 s.
            on_failure: Gets every other outcome before the job is finished, to clean up; not
                called if the job was taken away from us, because its new owner decides then.
            retry: Asked once, after a child that failed: returns the request of a second attempt
                within the same job, or None. The log then tells of both.
            runner: What to run the child with, from `session`; None = a child of its own.

        Raises:
            ConflictError: If the job is not to be had; nothing was started.
            UnavailableError: If this runner is closed.
        """
        chosen = runner or self._runner
        work = _Work(argv, request, limits, on_message, on_success, on_failure, retry, chosen)
        return self._execute(self._claim(job_id), work)

    def start_in_background(
        self,
        job_id: str,
        argv: Sequence[str],
        request: dict[str, Any],
        *,
        limits: ChildLimits,
        on_message: MessageHandler = _ignore_message,
        on_success: SuccessHandler = _keep_result,
        on_failure: FailureHandler = _ignore_failure,
        retry: RetryHandler = _never_again,
    ) -> LiveRun:
        """Claim the job here and now, do the rest of `run_job` in a thread of its own.

        Raises:
            ConflictError: If the job is not to be had; nothing was started.
            UnavailableError: If this runner is closed.
        """
        work = _Work(argv, request, limits, on_message, on_success, on_failure, retry, self._runner)
        live = self._claim(job_id)
        threading.Thread(
            target=self._execute_logged, args=(live, work), name=f"job-{job_id}", daemon=True
        ).start()
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
        live.cancel()
        return True

    def close(self) -> None:
        """Stop every child, mark its job as lost, refuse new jobs; safe to call twice."""
        self._closed.set()
        atexit.unregister(self.close)
        runs = self.live_runs()
        for live in runs:
            live.app_stopping.set()
        deadline = time.monotonic() + _CLOSE_SECONDS
        for live in runs:
            live.wait(max(0.0, deadline - time.monotonic()))

    def _claim(self, job_id: str) -> LiveRun:
        if self._closed.is_set():
            raise UnavailableError(
                f"Job {job_id} was not started because the app is shutting down; "
                "start it again when the app runs."
            )
        lease_token = self._store.claim(job_id, lease_seconds=LEASE_SECONDS).lease_token
        if lease_token is None:
            raise ConflictError(f"Job {job_id} is not leased to us, so it cannot be run here.")
        live = LiveRun(job_id, lease_token)
        with self._lock:
            self._live[job_id] = live
        if self._closed.is_set():  # while we claimed: it ends the way the others do
            live.app_stopping.set()
        return live

    def _execute_logged(self, live: LiveRun, work: _Work) -> None:
        try:
            self._execute(live, work)
        except Exception:
            logger.exception("job_broke job_id=%s", live.job_id)

    def _execute(self, live: LiveRun, work: _Work) -> ChildOutcome:
        ended = failed(FailureCause.LOST, APP_STOPPED)
        try:
            ended = self._run_and_record(live, work)
        except LeaseLostError:
            ended = failed(
                FailureCause.LOST,
                "This job was taken over or ended elsewhere, so its work here was stopped; "
                "look at the job for its present state.",
            )
        finally:
            with self._lock:
                self._live.pop(live.job_id, None)
            live.end(ended)
        return ended

    def _run_and_record(self, live: LiveRun, work: _Work) -> ChildOutcome:
        """Run the child and write how it ended, also when something of ours breaks."""
        broken: BaseException | None = None
        try:
            outcome, kept = self._attempt(live, work)
            if outcome.state is JobState.FAILED and not live.is_stopping:
                again = work.retry(outcome)
                if again is not None:
                    second, kept = self._attempt(live, replace(work, request=again))
                    outcome = both_attempts(outcome, second)
            if outcome.state is JobState.SUCCEEDED:
                self._finish(live, outcome, kept)
                return outcome
        except LeaseLostError:
            raise
        except BaseException as error:  # noqa: BLE001 - raised again below, once it is recorded
            outcome, broken = what_broke(error), error
        try:
            work.on_failure(outcome)
        finally:
            self._finish(live, outcome, None)
        if broken is not None and not isinstance(broken, UserError | OSError):
            live.end(outcome)
            raise broken
        return outcome

    def _attempt(self, live: LiveRun, work: _Work) -> tuple[ChildOutcome, dict[str, Any] | None]:
        """Run the child and take its result; return how it ended and what is kept with the job."""
        pulse = Pulse(self._store, live.job_id, live.lease_token)

        def on_message(message: Message) -> None:
            pulse.note(message)
            work.on_message(message)

        outcome = work.runner.run(
            work.argv,
            work.request,
            on_message=on_message,
            limits=work.limits,
            cancelled=lambda: pulse.is_cancel_requested() or live.is_stopping,
        )
        if outcome.state is JobState.SUCCEEDED and outcome.result is not None:
            pulse.beat()
            return outcome, work.on_success(outcome.result)
        if outcome.state is JobState.CANCELLED and live.app_stopping.is_set():
            outcome = replace(
                outcome, state=JobState.FAILED, cause=FailureCause.LOST, message=APP_STOPPED
            )
        return outcome, None

    def _finish(self, live: LiveRun, outcome: ChildOutcome, kept: dict[str, Any] | None) -> None:
        """Make the end final; a catalog that is busy for a moment is asked again."""
        for is_last_try in (False,) * _FINISH_RETRIES + (True,):
            try:
                self._store.finish(
                    live.job_id,
                    live.lease_token,
                    state=outcome.state,
                    cause=outcome.cause,
                    message=outcome.message,
                    result=kept,
                    peak_rss_mb=outcome.peak_rss_mb or None,
                    log_tail=outcome.log_tail,
                )
            except (ConflictError, NotFoundError) as error:
                raise LeaseLostError from error
            except UnavailableError:
                if is_last_try:
                    raise
                time.sleep(_FINISH_RETRY_SECONDS)
            else:
                return
