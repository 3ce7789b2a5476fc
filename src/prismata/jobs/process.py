"""One child process under its warden: its pipes, its log, its end.

Invariant: after `close` nothing that was started here is running any more.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import IO

from prismata.jobs import warden
from prismata.jobs.lines import LineSplitter

logger = logging.getLogger(__name__)

_CHUNK_BYTES = 256 * 1024
_MAX_MESSAGE_BYTES = 64 * 1024 * 1024
_MAX_LOG_LINE_BYTES = 64 * 1024  # a record with its traceback
_MAX_DRAIN_BYTES = 4 * 1024 * 1024
_REAP_SECONDS = 10.0
_BYTES_PER_MB = 1024 * 1024

LineHandler = Callable[[str], None]


def _drop(line: str) -> None:
    del line


class ChildProcess:
    """A running child with its warden; lines go to `on_line` (protocol) and `on_log`.

    Args:
        argv: Program and arguments; never a shell.
        memory_mb: Address-space limit; 0 = none.
        nice: Added to the child's niceness.

    Raises:
        OSError: If no process can be started.
    """

    def __init__(self, argv: Sequence[str], *, memory_mb: int, nice: int) -> None:
        self.on_line: LineHandler = _drop
        self.on_log: LineHandler = _drop
        self.has_ended = False
        self.exit_code: int | None = None
        """Negative: the number of the signal that ended it. None: it runs, or nobody knows."""
        self.max_rss_mb = 0.0
        """What the warden says at the end."""
        self._unsent = memoryview(b"")
        self._closes_input = False
        self._lines = LineSplitter(max_bytes=_MAX_MESSAGE_BYTES)
        # Progress bars end their lines with a carriage return.
        self._log_lines = LineSplitter(max_bytes=_MAX_LOG_LINE_BYTES, ends=b"\r\n")
        self._process, self._lifeline = _start(argv, memory_mb=memory_mb, nice=nice)
        self._selector = selectors.DefaultSelector()
        for pipe in self._open_pipes():
            os.set_blocking(pipe.fileno(), False)
            if pipe is not self._process.stdin:
                self._selector.register(pipe, selectors.EVENT_READ, partial(self._read, pipe))
        self._selector.register(self._lifeline, selectors.EVENT_READ, self._hear_the_end)

    @property
    def has_read_everything(self) -> bool:
        """Whether all that was sent has left our hands."""
        return not self._unsent

    def send(self, line: bytes, *, last: bool) -> None:
        """Have a line sent while we listen; after the last one the child's input ends."""
        stdin = self._process.stdin
        if stdin is None or stdin.closed:
            return
        self._unsent, self._closes_input = memoryview(line), last
        self._selector.register(stdin, selectors.EVENT_WRITE, partial(self._send_some, stdin))

    def listen(self, timeout_seconds: float) -> None:
        """Wait for something to happen, at most so long, and deal with it."""
        for key, _ in self._selector.select(timeout_seconds):
            key.data()

    def take_log(self) -> None:
        """Take what the child has printed so far, a line without an end included."""
        self._take(self._process.stderr)
        for line in self._log_lines.finish():
            self.on_log(line)

    def finish_lines(self) -> None:
        """Take what a dead child left in its pipes.

        Only what is there: a process that escaped from the group may hold the pipe open for ever.
        """
        self._take(self._process.stdout)
        self._take(self._process.stderr)
        for line in self._lines.finish():
            self.on_line(line)
        for line in self._log_lines.finish():
            self.on_log(line)

    def stop(self) -> None:
        """Ask the whole group to end."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)

    def kill(self) -> None:
        """Have the warden kill the child; it still reports how it ended."""
        self._lifeline.shutdown(socket.SHUT_WR)

    def close(self) -> None:
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
        if self.exit_code is None:
            self.exit_code = self._process.returncode

    def _open_pipes(self) -> list[IO[bytes]]:
        process = self._process
        pipes = (process.stdin, process.stdout, process.stderr)
        return [pipe for pipe in pipes if pipe is not None and not pipe.closed]

    def _send_some(self, stdin: IO[bytes]) -> None:
        try:
            self._unsent = self._unsent[os.write(stdin.fileno(), self._unsent[:_CHUNK_BYTES]) :]
        except BlockingIOError:
            return
        except BrokenPipeError:  # the child does not want the rest; how it ends tells why
            self._unsent, self._closes_input = self._unsent[:0], True
        if not self._unsent:
            self._selector.unregister(stdin)
            if self._closes_input:
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
            for line in self._lines.feed(chunk):
                self.on_line(line)
        else:
            for line in self._log_lines.feed(chunk):
                self.on_log(line)
        return len(chunk)

    def _take(self, pipe: IO[bytes] | None) -> None:
        taken = 0
        while pipe is not None and not pipe.closed and taken < _MAX_DRAIN_BYTES:
            size = self._read(pipe)
            if not size:
                break
            taken += size

    def _hear_the_end(self) -> None:
        """Read the warden's report; nothing to read means that the warden itself has died."""
        report = self._lifeline.recv(1024)
        if report:
            facts = json.loads(report)
            self.exit_code = facts["exit_code"]
            self.max_rss_mb = facts["max_rss_bytes"] / _BYTES_PER_MB
        self.has_ended = True


# Threads that wait for each other sleep instead of turning on the spot: beside anything else on two
# cores a training step takes half the time and half the processor's.
_ENVIRONMENT = {"OMP_WAIT_POLICY": "PASSIVE"}


def _start(
    argv: Sequence[str], *, memory_mb: int, nice: int
) -> tuple[subprocess.Popen[bytes], socket.socket]:
    ours, theirs = socket.socketpair()
    plan = {
        "lifeline": theirs.fileno(),
        "supervisor": os.getpid(),
        "memory_mb": memory_mb,
        "nice": nice,
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
                env={**_ENVIRONMENT, **os.environ},  # noqa: TID251 - handed on, not read
            )
        except BaseException:
            ours.close()
            raise
    return process, ours
