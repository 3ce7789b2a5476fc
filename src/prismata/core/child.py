"""The child's side of the protocol: what `detection` and `worker` processes run inside.

A child's `__main__` is one line: `sys.exit(child_main(handle))`. It answers requests, one JSON line
each, until its standard input ends; whoever wants one answer closes it after one line. A process
that works on the request of another one is a `helper_main`. Invariant: nothing but protocol lines
ever reaches the pipe that was standard output, whatever a library prints.
"""

from __future__ import annotations

import contextlib
import errno
import faulthandler
import gc
import json
import os
import resource
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from prismata.core.errors import InternalError, InvalidInputError, UserError
from prismata.core.jobs import FailureCause
from prismata.core.logs import log_as_told
from prismata.core.protocol import encode_message

EXIT_BUG = 70
EXIT_STORAGE = 74
EXIT_OUT_OF_MEMORY = 77
EXIT_STOPPED = 128 + signal.SIGTERM

_PROGRESS_INTERVAL_SECONDS = 0.2
_BYTES_PER_MB = 1024 * 1024
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)

# Composed before any work: when memory is gone there is none left to compose it.
_OUT_OF_MEMORY_LINE = encode_message(
    "error",
    cause=FailureCause.OUT_OF_MEMORY,
    message="There was not enough memory; allow more or use a smaller or shorter video.",
    reason=None,
).encode()


class _ProtocolPipe:
    """The pipe to the supervisor: whole lines, from whatever thread."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lock = threading.Lock()

    def write(self, line: bytes) -> None:
        with self._lock:
            rest = memoryview(line)
            while rest:
                try:
                    rest = rest[os.write(self._fd, rest) :]
                except BrokenPipeError:
                    # Nobody listens any more: working on would only heat the room.
                    raise SystemExit(EXIT_STOPPED) from None


class ChildReporter:
    """Tell the supervisor what is going on; safe to call from any thread of the child.

    It speaks for one request. What a thread that outlived its request still says goes nowhere, so
    that nobody takes it for news of the next one.

    Args:
        pipe: The protocol pipe.
    """

    def __init__(self, pipe: _ProtocolPipe) -> None:
        self._pipe = pipe
        self._over = False
        self._last_progress: float | None = None
        self._last_note = ""
        self._phase: tuple[float, float, float] | None = None
        self._helpers: tuple[int, ...] = ()

    def count_memory_of(self, pids: Sequence[int]) -> None:
        """Add the memory of other processes that work on this request to what is told.

        Pages that they share are counted once for each, so it is rather too much than too little.
        """
        self._helpers = tuple(pids)

    def started(self, **facts: Any) -> None:  # noqa: ANN401 - JSON values
        """Say that work begins; `facts` are what was really loaded (`runtime`, `versions`)."""
        self._send("started", pid=os.getpid(), **facts)

    def progress(self, done: float, total: float | None = None, note: str = "") -> None:
        """Say how far the work is; call it as often as you like, at most five a second go out.

        The first, the last (`done >= total`) and a changed `note` always go out, so keep the note
        the same within one phase. Each sign goes with the memory used. It is also the sign of
        life: a child that is silent for longer than its limit is stopped.

        Args:
            done: Units finished, in the caller's unit.
            total: All units; None if nobody can know.
            note: What is being done, for a person.
        """
        now = time.monotonic()
        changed = note != self._last_note
        finished = total is not None and done >= total
        due = self._last_progress is None or now - self._last_progress >= _PROGRESS_INTERVAL_SECONDS
        if not (due or changed or finished):
            return
        eta_seconds = self._eta(now, done, total)
        self._last_progress, self._last_note = now, note
        self._send("progress", done=done, total=total, note=note, eta_s=eta_seconds)
        self._send_memory()

    def event(self, event: dict[str, Any], run_id: str = "") -> None:
        """Hand over a provisional event, as JSON values; `run_id` if it was announced before."""
        self._send("event", event=event, **({"id": run_id} if run_id else {}))

    def open_event(self, event: dict[str, Any], run_id: str) -> None:
        """Announce an event that is still going on, or what has become of it since."""
        self._send("open_event", event=event, id=run_id)

    def scores(self, times_us: Sequence[int], scores: Sequence[Sequence[float]]) -> None:
        """Hand over K scored instants, each with one score for each event type, as they come."""
        self._send("scores", times_us=list(times_us), scores=[list(row) for row in scores])

    def _eta(self, now: float, done: float, total: float | None) -> float | None:
        """Seconds left at the speed since this total was first seen; None while nobody can know."""
        if total is None:
            self._phase = None
            return None
        if self._phase is None or self._phase[2] != total or done < self._phase[1]:
            self._phase = (now, done, total)
        began, done_then, _ = self._phase
        if done <= done_then:
            return None
        return round((now - began) / (done - done_then) * max(0.0, total - done), 1)

    def _send_memory(self) -> None:
        now, peak = current_rss_mb(), peak_rss_mb()
        for pid in self._helpers:
            now = None if now is None else round(now + (current_rss_mb(pid) or 0.0), 1)
            peak = round(peak + _peak_rss_mb_of(pid), 1)
        self._send("memory", rss_mb=now, peak_rss_mb=peak)

    def _send(self, message_type: str, **fields: Any) -> None:  # noqa: ANN401 - JSON values
        self._write(encode_message(message_type, **fields).encode())

    def _write(self, line: bytes) -> None:
        if not self._over:
            self._pipe.write(line)

    def _succeed(self, last_line: bytes) -> None:
        self._send_memory()
        self._conclude(last_line)

    def _conclude(self, line: bytes) -> None:
        """Write the last line of this request; what was printed before it has arrived by then."""
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):  # closed, or nobody reads it
                stream.flush()
        self._write(line)
        self._over = True


class _HelpersReporter(ChildReporter):
    """Says nothing but why it failed."""

    def _send(self, message_type: str, **fields: Any) -> None:  # noqa: ANN401 - JSON values
        pass

    def _succeed(self, last_line: bytes) -> None:
        del last_line


@contextlib.contextmanager
def asked_to_stop() -> Iterator[threading.Event]:
    """Let SIGTERM set an event instead of ending the process where it stands.

    For work that must not be left in the middle of a step; whoever uses this looks at the event
    often, as the supervisor kills after its grace.
    """
    stop = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    try:
        yield stop
    finally:
        signal.signal(signal.SIGTERM, before)


Handler = Callable[[dict[str, Any], ChildReporter], dict[str, Any]]


def child_main(handler: Handler) -> int:
    """Run `handler` on each request from standard input and report how it went.

    Takes over the process: standard output becomes standard error (the protocol keeps a private
    copy of the pipe), and SIGTERM becomes `SystemExit` in the main thread, so that `finally` blocks
    run and a handler may save a checkpoint before it passes the exception on.

    A `UserError` ends its request only. After lost memory, a full disk or a bug nobody knows what
    state the process is in, so it ends with them. What a handler keeps between requests (a model
    that is open) is its own affair.

    Args:
        handler: Does the work; gets the request and a reporter, returns the fields of `result`.

    Returns:
        Exit code after the last request: 0, a `UserError`'s own code, 74 disk full, 77 out of
        memory, 70 our bug.
    """
    pipe = _take_over_process()
    line = sys.stdin.buffer.readline()
    while True:
        exit_code, goes_on = _answer(handler, line, ChildReporter(pipe))
        if not goes_on or not (line := sys.stdin.buffer.readline()):
            return exit_code
        gc.collect()
        _forget_peak_rss()


def helper_main(work: Callable[[ChildReporter], None]) -> int:
    """Take part in the request of another child, which speaks for both; read nothing.

    As `child_main`, but the reporter passes on nothing, and this process says only why it failed.
    Lines this short reach a pipe that is shared in one piece (pipe(7)).

    Args:
        work: Does it.

    Returns:
        Exit code as of `child_main`.
    """

    def handle(_request: dict[str, Any], reporter: ChildReporter) -> dict[str, Any]:
        work(reporter)
        return {}

    return _answer(handle, b"{}", _HelpersReporter(_take_over_process()))[0]


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """Import without looking for garbage, and leave what was imported out of every later look.

    Modules leave hardly any garbage, but a large library has so many objects that looking through
    them again and again takes a fifth of its import (measured with torch).
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()


def leave_after(work: Callable[[], int]) -> NoReturn:
    """Do `work` and end this process with the exit code it returns, or was stopped with.

    At once: all that has to be closed is by then, and Python takes seconds to unload torch, for
    which everybody waits who started a child.
    """
    try:
        code = work()
    except SystemExit as asked:
        code = asked.code if isinstance(asked.code, int) else 1
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # closed, or nobody reads it
            stream.flush()
    os._exit(code)


def _take_over_process() -> _ProtocolPipe:
    faulthandler.enable(all_threads=True)
    signal.signal(signal.SIGTERM, _stop)
    return _ProtocolPipe(_take_over_stdout())


def _answer(handler: Handler, line: bytes, reporter: ChildReporter) -> tuple[int, bool]:
    """Handle one request; return the exit code it stands for and whether another may follow."""
    try:
        request = _parse_request(line)
        if terms := request.pop("log", None):
            log_as_told(terms)
        result = handler(request, reporter)
        if reserved := {"type", "v"} & result.keys():
            raise InternalError(f"a result may not have the fields {sorted(reserved)}")
        last_line = encode_message("result", **result).encode()
    except MemoryError:
        reporter._write(_OUT_OF_MEMORY_LINE)
        traceback.print_exc()
        return EXIT_OUT_OF_MEMORY, False
    except UserError as error:
        _report(reporter, FailureCause.USER_ERROR, str(error), getattr(error, "reason", None))
        return error.exit_code, True
    except OSError as error:
        traceback.print_exc()
        if error.errno in _DISK_FULL:
            message = (
                f"The disk is full ({error.filename or 'no file named'}), so this could not go on; "
                "what was kept before stays. Free some space and try again."
            )
            _report(reporter, FailureCause.STORAGE, message, None)
            return EXIT_STORAGE, False
        return _report_bug(reporter, error), False
    except Exception as error:  # noqa: BLE001 - the process ends here; log and supervisor record it
        traceback.print_exc()
        return _report_bug(reporter, error), False
    reporter._succeed(last_line)
    return 0, True


def current_rss_mb(pid: int | None = None) -> float | None:
    """Resident memory now, in MB; None where the system does not tell (only Linux does).

    Args:
        pid: Whose, by default this process's; None is returned if it has ended.
    """
    try:
        pages = Path(f"/proc/{pid or 'self'}/statm").read_text().split()[1]
    except (FileNotFoundError, ProcessLookupError):
        return None
    resident_pages = int(pages)
    return round(resident_pages * os.sysconf("SC_PAGE_SIZE") / _BYTES_PER_MB, 1)


def peak_rss_mb() -> float:
    """Highest resident memory of this program so far, in MB; in `child_main`: in this request.

    `ru_maxrss` survives exec (getrusage(2), measured: a child of 8 MB started by a process of 400
    MB claims 400 MB), so on Linux the high-water mark of this program's own memory map counts.
    """
    try:
        status = Path("/proc/self/status").read_text()
    except FileNotFoundError:  # macOS, where ru_maxrss is in bytes
        return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _BYTES_PER_MB, 1)
    return _high_water_mark_mb(status)


def _peak_rss_mb_of(pid: int) -> float:
    """Return the same of another process; 0 if it has ended or the system does not tell."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return _high_water_mark_mb(status) if "VmHWM:" in status else 0.0  # a zombie has none


def _high_water_mark_mb(status: str) -> float:
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return round(int(fields["VmHWM"].split()[0]) / 1024, 1)


def _forget_peak_rss() -> None:
    """Let the high-water mark begin anew (proc(5), clear_refs); elsewhere it stays the process's.

    `ru_maxrss`, which the supervisor hears about at the end, follows the same mark (measured).
    """
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _take_over_stdout() -> int:
    """Keep the protocol pipe for ourselves and send what is printed to standard error."""
    sys.stdout.flush()
    protocol_fd = os.dup(1)
    os.dup2(2, 1)
    return protocol_fd


def _parse_request(line: bytes) -> dict[str, Any]:
    try:
        request = json.loads(line)
    except ValueError as error:
        raise InvalidInputError(
            "The child expects one JSON object on each line of its standard input and got "
            f"{line[:80]!r}; start it through the supervisor."
        ) from error
    if not isinstance(request, dict):
        raise InvalidInputError(
            f"The request must be a JSON object, not {type(request).__name__}; "
            "start the child through the supervisor."
        )
    return request


def _report(reporter: ChildReporter, cause: FailureCause, message: str, reason: str | None) -> None:
    line = encode_message("error", cause=cause, message=message, reason=reason)
    reporter._conclude(line.encode())


def _report_bug(reporter: ChildReporter, error: Exception) -> int:
    message = (
        f"Something went wrong that should not ({type(error).__name__}: {error}); "
        "nothing was kept of this run, and its log has the details for a bug report."
    )
    _report(reporter, FailureCause.BUG, message, None)
    return EXIT_BUG


def _stop(signal_number: int, frame: FrameType | None) -> NoReturn:
    del signal_number, frame
    raise SystemExit(EXIT_STOPPED)
