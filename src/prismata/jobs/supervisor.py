"""Run one child process to its end, whatever it does, and say what happened.

Invariant: when `ChildSupervisor.run` returns or raises, nothing it started is running any more.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any

from prismata.core.errors import InvalidInputError
from prismata.core.jobs import FailureCause, JobState
from prismata.core.ports import ChildLimits, ChildOutcome, MessageHandler
from prismata.core.protocol import Message, decode_message
from prismata.jobs import warden
from prismata.jobs.lines import LOG_LINE_CHARACTERS, LineSplitter, LogTail
from prismata.jobs.verdict import Ending, StopReason, count_oom_kills, find_oom_counter, judge

logger = logging.getLogger(__name__)

_POLL_SECONDS = 0.25
_CHUNK_BYTES = 256 * 1024
_MAX_MESSAGE_BYTES = 64 * 1024 * 1024
_MAX_DRAIN_BYTES = 4 * 1024 * 1024
_REAP_SECONDS = 10.0
_BYTES_PER_MB = 1024 * 1024


class ChildSupervisor:
    """The `ChildRunner` of this house; one object serves any number of threads.

    `run` stays in the calling thread until the child has ended, so a caller that needs its thread
    back starts it in one of its own (`JobRunner.start_in_background`).

    Args:
        subject: What people call the child, for messages.
        grace_seconds: Time between SIGTERM and SIGKILL for a child that is to stop; time to save a
            checkpoint.
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
    ) -> ChildOutcome:
        """Start the child, hand it `request` as one JSON line, relay its messages, return the end.

        Args:
            argv: Program and arguments; never a shell.
            request: JSON values.
            on_message: Called in this thread with every protocol message, the last one included.
            limits: Bounds of this child.
            cancelled: Asked in this thread several times a second.

        Raises:
            TypeError: If the request is not JSON.
            BaseException: What `on_message` or `cancelled` raise, after the child has been killed.
        """
        request_line = json.dumps(request).encode() + b"\n"
        oom_kills_before = count_oom_kills(self._oom_counter)
        try:
            process, lifeline = self._start(argv, limits)
        except OSError as error:
            return self._not_started(error)
        attempt = _Attempt(process, lifeline, request_line, on_message, limits)
        try:
            attempt.follow(cancelled, self._grace_seconds)
        finally:
            attempt.clean_up()
        return judge(
            attempt.ending(count_oom_kills(self._oom_counter) - oom_kills_before),
            limits,
            subject=self._subject,
        )

    def _start(
        self, argv: Sequence[str], limits: ChildLimits
    ) -> tuple[subprocess.Popen[bytes], socket.socket]:
        ours, theirs = socket.socketpair()
        plan = {
            "lifeline": theirs.fileno(),
            "supervisor": os.getpid(),
            "memory_mb": limits.memory_mb,
            "nice": self._nice,
        }
        with theirs:
            try:
                process = subprocess.Popen(
                    [sys.executable, "-I", "-S", warden.__file__, json.dumps(plan), *argv],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    bufsize=0,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                )
            except BaseException:
                ours.close()
                raise
        return process, ours

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


class _Attempt:
    """One child from its start to its end."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        lifeline: socket.socket,
        request_line: bytes,
        on_message: MessageHandler,
        limits: ChildLimits,
    ) -> None:
        self._process = process
        self._lifeline = lifeline
        self._unsent = memoryview(request_line)
        self._on_message = on_message
        self._limits = limits
        self._log = LogTail()
        self._messages = LineSplitter(max_bytes=_MAX_MESSAGE_BYTES)
        # Progress bars end their lines with a carriage return.
        self._stderr_lines = LineSplitter(max_bytes=LOG_LINE_CHARACTERS, ends=b"\r\n")
        self._selector = selectors.DefaultSelector()
        self._started_at = time.monotonic()
        self._last_sign_at = self._started_at
        self._result: Message | None = None
        self._error: Message | None = None
        self._stopped_for: StopReason | None = None
        self._kill_at = float("inf")
        self._give_up_at = float("inf")
        self._exit_code: int | None = None
        self._has_ended = False
        self._peak_rss_mb = 0.0
        self._wall_seconds = 0.0

    def follow(self, cancelled: Callable[[], bool], grace_seconds: float) -> None:
        """Feed, listen and watch the limits until the child has ended."""
        for pipe in self._open_pipes():
            os.set_blocking(pipe.fileno(), False)
            serve: Callable[[], object]
            if pipe is self._process.stdin:
                serve, event = partial(self._send_request, pipe), selectors.EVENT_WRITE
            else:
                serve, event = partial(self._read, pipe), selectors.EVENT_READ
            self._selector.register(pipe, event, serve)
        self._selector.register(self._lifeline, selectors.EVENT_READ, self._hear_the_end)
        next_poll_at = 0.0
        while not self._has_ended:
            for key, _ in self._selector.select(_POLL_SECONDS):
                key.data()
            now = time.monotonic()
            if now >= next_poll_at:
                self._watch_limits(now, cancelled, grace_seconds)
                next_poll_at = now + _POLL_SECONDS
        self._drain()
        self._wall_seconds = time.monotonic() - self._started_at

    def ending(self, oom_kills: int) -> Ending:
        """Return what is known now that it is over."""
        return Ending(
            result=self._result,
            error=self._error,
            exit_code=self._process.returncode if self._exit_code is None else self._exit_code,
            stopped_for=self._stopped_for,
            oom_kills=oom_kills,
            peak_rss_mb=self._peak_rss_mb,
            wall_seconds=self._wall_seconds,
            log_tail=self._log.lines(),
        )

    def clean_up(self) -> None:
        """Kill whatever is left of the process group, reap it and close every pipe."""
        # The group's number stays ours until its leader, the warden, has been reaped below.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._lifeline.close()
        self._selector.close()
        for pipe in self._open_pipes():
            pipe.close()
        try:
            self._process.wait(_REAP_SECONDS)
        except subprocess.TimeoutExpired:
            logger.warning("child_not_reaped pid=%d", self._process.pid)

    def _open_pipes(self) -> list[IO[bytes]]:
        process = self._process
        pipes = (process.stdin, process.stdout, process.stderr)
        return [pipe for pipe in pipes if pipe is not None and not pipe.closed]

    def _send_request(self, stdin: IO[bytes]) -> None:
        try:
            self._unsent = self._unsent[os.write(stdin.fileno(), self._unsent[:_CHUNK_BYTES]) :]
        except BlockingIOError:
            return
        except BrokenPipeError:  # the child does not want the rest; how it ends tells why
            self._unsent = self._unsent[:0]
        if not self._unsent:
            self._selector.unregister(stdin)
            stdin.close()

    def _read(self, pipe: IO[bytes]) -> int:
        """Take what is there; return its size, 0 when there is nothing now."""
        try:
            chunk = os.read(pipe.fileno(), _CHUNK_BYTES)
        except BlockingIOError:
            return 0
        if not chunk:
            self._selector.unregister(pipe)
            pipe.close()
            return 0
        if pipe is self._process.stdout:
            for line in self._messages.feed(chunk):
                self._hear(line)
        else:
            for line in self._stderr_lines.feed(chunk):
                self._log.add(line)
        return len(chunk)

    def _hear(self, line: str) -> None:
        try:
            message = decode_message(line)
        except InvalidInputError as error:
            self._log.add(f"stdout: {line}" if not line.startswith("{") else str(error))
            return
        except (ValueError, RecursionError):  # a number or a nesting beyond what Python reads
            self._log.add(f"stdout: {line}")
            return
        kind = message["type"]
        if kind == "memory":
            self._note_peak(message.get("peak_rss_mb"))
        elif kind == "result" and self._result is None:
            self._result = message
        elif kind == "error" and self._error is None:
            self._error = message
        self._on_message(message)
        # After the handler: the time it takes is ours, not the child's silence.
        self._last_sign_at = time.monotonic()

    def _hear_the_end(self) -> None:
        """Read the warden's report; nothing to read means that the warden itself has died."""
        report = self._lifeline.recv(1024)
        if report:
            facts = json.loads(report)
            self._exit_code = facts["exit_code"]
            self._note_peak(facts["max_rss_bytes"] / _BYTES_PER_MB)
        self._has_ended = True

    def _note_peak(self, peak_rss_mb: object) -> None:
        if isinstance(peak_rss_mb, int | float):
            self._peak_rss_mb = max(self._peak_rss_mb, float(peak_rss_mb))

    def _watch_limits(
        self, now: float, cancelled: Callable[[], bool], grace_seconds: float
    ) -> None:
        if self._stopped_for is None:
            self._stopped_for = self._reason_to_stop(now, cancelled)
            if self._stopped_for is None:
                return
            self._kill_at = now + grace_seconds
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGTERM)
        elif now >= self._kill_at:
            # The warden takes the end of the lifeline as "kill it" and still reports how it ended.
            self._lifeline.shutdown(socket.SHUT_WR)
            self._kill_at, self._give_up_at = float("inf"), now + _REAP_SECONDS
        elif now >= self._give_up_at:  # the warden is stopped, or waits for a child stuck in I/O
            self._has_ended = True

    def _reason_to_stop(self, now: float, cancelled: Callable[[], bool]) -> StopReason | None:
        limits = self._limits
        if cancelled():
            return StopReason.CANCELLED
        if limits.stall_seconds and now - self._last_sign_at > limits.stall_seconds:
            return StopReason.STALLED
        if limits.wall_seconds and now - self._started_at > limits.wall_seconds:
            return StopReason.OVERTIME
        return None

    def _drain(self) -> None:
        """Take what the dead child left in the pipes.

        Only what is there: a process that escaped from the group may hold the pipe open for ever.
        """
        for pipe in (self._process.stdout, self._process.stderr):
            taken = 0
            while pipe is not None and not pipe.closed and taken < _MAX_DRAIN_BYTES:
                size = self._read(pipe)
                if not size:
                    break
                taken += size
        for line in self._messages.finish():
            self._hear(line)
        for line in self._stderr_lines.finish():
            self._log.add(line)
