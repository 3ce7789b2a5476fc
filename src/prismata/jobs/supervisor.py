"""Run children to their end, whatever they do, and say what happened.

Invariant: when `ChildSupervisor.run` returns or raises, and when a session has been closed, nothing
they started is running any more.
"""

from __future__ import annotations

import errno
import json
import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

from prismata.core.jobs import FailureCause, JobState
from prismata.core.ports import ChildLimits, ChildOutcome, MessageHandler
from prismata.jobs.attempt import Attempt, StopQuestions
from prismata.jobs.process import ChildProcess
from prismata.jobs.verdict import count_oom_kills, find_oom_counter, judge

logger = logging.getLogger(__name__)


class ChildSupervisor:
    """The `ChildRunner` of this house; one object serves any number of threads.

    `run` stays in the calling thread until the child has ended, so a caller that needs its thread
    back starts it in one of its own (`JobRunner.start_in_background`).

    Args:
        subject: What people call the child, for messages.
        grace_seconds: Time between SIGTERM and SIGKILL for a child that is to stop; one whose job
            is given back has `ChildLimits.save_seconds`.
        nice: Added to the child's niceness, so that the app stays quick.
        oom_counter: File with an `oom_kill` line; None = the one of our control group.
    """

    def __init__(
        self,
        *,
        subject: str = "process",
        grace_seconds: float = 10.0,
        nice: int = 10,
        oom_counter: Path | None = None,
    ) -> None:
        self._subject = subject
        self._grace_seconds = grace_seconds
        self._nice = nice
        self._oom_counter = oom_counter or find_oom_counter()

    def run(
        self,
        argv: Sequence[str],
        request: dict[str, Any],
        *,
        on_message: MessageHandler,
        limits: ChildLimits,
        cancelled: Callable[[], bool] = lambda: False,
        given_back: Callable[[], bool] = lambda: False,
    ) -> ChildOutcome:
        """Start the child, hand it `request` as one JSON line, relay its messages, return the end.

        Args:
            argv: Program and arguments; never a shell.
            request: JSON values.
            on_message: Called in this thread with every protocol message, the last one included.
            limits: Bounds of this child.
            cancelled: Asked in this thread several times a second: is nobody interested any more?
            given_back: Asked likewise: is somebody else to go on? Then it has as long as its limits
                say to save what it has; the outcome is that of a cancelled child.

        Raises:
            TypeError: If the request is not JSON.
            BaseException: What `on_message` or `cancelled` raise, after the child has been killed.
        """
        with ChildSession(self, stays=False) as session:
            return session.run(
                argv,
                request,
                on_message=on_message,
                limits=limits,
                cancelled=cancelled,
                given_back=given_back,
            )

    def session(self) -> ChildSession:
        """Return a runner that keeps its child alive from one request to the next."""
        return ChildSession(self, stays=True)

    def _start(self, argv: Sequence[str], limits: ChildLimits) -> ChildProcess:
        return ChildProcess(argv, memory_mb=limits.memory_mb, nice=self._nice)

    def _not_started(self, error: OSError) -> ChildOutcome:
        out_of_memory = error.errno in (errno.ENOMEM, errno.EAGAIN)
        return ChildOutcome(
            state=JobState.FAILED,
            cause=FailureCause.OUT_OF_MEMORY if out_of_memory else FailureCause.CRASHED,
            message=(
                f"The {self._subject} could not be started ({error.strerror}); nothing has "
                "changed. Close other programs and start it again."
            ),
        )


class ChildSession:
    """A `ChildRunner` whose child stays alive from one request to the next; close it when done.

    A request that does not end with an answer ends its child, is judged for itself alone, and the
    next request starts a new child. So does another program or another memory limit. One request
    at a time: a second thread waits.

    Args:
        supervisor: Whose manners it has.
        stays: False: the child gets one request and its end is part of the answer.
    """

    def __init__(self, supervisor: ChildSupervisor, *, stays: bool) -> None:
        self._supervisor = supervisor
        self._stays = stays
        self._lock = threading.Lock()
        self._child: ChildProcess | None = None
        self._made_with: tuple[tuple[str, ...], int] = ((), 0)

    def run(
        self,
        argv: Sequence[str],
        request: dict[str, Any],
        *,
        on_message: MessageHandler,
        limits: ChildLimits,
        cancelled: Callable[[], bool] = lambda: False,
        given_back: Callable[[], bool] = lambda: False,
    ) -> ChildOutcome:
        """Hand `request` to the child, a new one if need be, and return how it was answered.

        Same arguments, same exceptions as `ChildSupervisor.run`.
        """
        request_line = json.dumps(request).encode() + b"\n"
        supervisor = self._supervisor
        with self._lock:
            oom_kills_before = count_oom_kills(supervisor._oom_counter)
            try:
                child = self._child_for(argv, limits)
            except OSError as error:
                return supervisor._not_started(error)
            attempt = Attempt(child, on_message, limits, stays=self._stays)
            stops = StopQuestions(cancelled, given_back)
            try:
                attempt.follow(request_line, stops, supervisor._grace_seconds)
            finally:
                if not attempt.child_can_go_on:
                    self._retire()
            oom_kills = count_oom_kills(supervisor._oom_counter) - oom_kills_before
        return judge(attempt.ending(oom_kills), limits, subject=supervisor._subject)

    def close(self) -> None:
        """End the child, which has nothing to do any more; safe to call twice."""
        with self._lock:
            self._retire()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _child_for(self, argv: Sequence[str], limits: ChildLimits) -> ChildProcess:
        wanted = (tuple(argv), limits.memory_mb)
        if self._child is not None and (wanted != self._made_with or not _is_ready(self._child)):
            self._retire()
        if self._child is None:
            self._child = self._supervisor._start(argv, limits)
            self._made_with = wanted
        return self._child

    def _retire(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.close()


def _is_ready(child: ChildProcess) -> bool:
    """Whether a child that waited for its next request is still there.

    What it said meanwhile belongs to no request.
    """
    child.on_line = child.on_log = lambda line: logger.debug("child_said_idle line=%s", line)
    child.listen(0)
    if child.has_ended:
        logger.warning("idle_child_ended exit_code=%s", child.exit_code)
    return not child.has_ended
