"""Say how a child ended and why, in one sentence for a person."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from prismata.core.jobs import FailureCause, JobState
from prismata.core.ports import ChildLimits, ChildOutcome
from prismata.core.protocol import Message
from prismata.jobs.warden import EXIT_CANNOT_START

_EXIT_ON_SIGTERM = 128 + signal.SIGTERM
_LAST_WORDS_CHARACTERS = 160
_LINES_THAT_COUNT = 25

# What CPython, NumPy, libstdc++, ONNX Runtime, PyTorch (CPU and CUDA), OpenCV and libc say.
_MEMORY_WORDS = re.compile(
    r"\bMemoryError\b|std::bad_alloc|bad allocation|can(?:no|')t allocate memory"
    r"|OutOfMemoryError|CUDA out of memory|Insufficient memory|Failed to allocate memory"
    r"|can't start new thread|failed to map segment from shared object",
    re.IGNORECASE,
)


class StopReason(Enum):
    """Why we stopped a child ourselves."""

    CANCELLED = auto()
    STALLED = auto()
    OVERTIME = auto()


@dataclass(frozen=True, slots=True)
class Ending:
    """Everything known about a child that has ended."""

    result: Message | None
    error: Message | None
    exit_code: int | None
    """Negative: the number of the signal that ended it. None: nobody could find out."""
    stopped_for: StopReason | None
    oom_kills: int
    """Processes the kernel killed for memory around us while the child ran."""
    peak_rss_mb: float
    wall_seconds: float
    log_tail: tuple[str, ...]


def judge(ending: Ending, limits: ChildLimits, *, subject: str) -> ChildOutcome:
    """Turn an ending into an outcome.

    The child's own words outrank what we can tell from outside; a complete result with exit code 0
    outranks a stop that came too late.

    Args:
        ending: What happened.
        limits: What the child was allowed.
        subject: What people call the child, for the message: "detection process".
    """
    if ending.result is not None and ending.exit_code == 0:
        payload = {key: value for key, value in ending.result.items() if key not in ("type", "v")}
        return _outcome(ending, JobState.SUCCEEDED, result=payload)
    if ending.stopped_for is StopReason.CANCELLED:
        return _outcome(
            ending,
            JobState.CANCELLED,
            message=f"The {subject} was stopped because you asked for it.",
        )
    cause, message = _why(ending, limits, subject)
    return _outcome(ending, JobState.FAILED, cause=cause, message=message)


def _why(ending: Ending, limits: ChildLimits, subject: str) -> tuple[FailureCause, str]:
    if _was_memory(ending):
        return FailureCause.OUT_OF_MEMORY, _memory_message(ending, limits, subject)
    if ending.error is not None:
        return _cause_of(ending.error), str(ending.error.get("message") or "It gave no reason.")
    if ending.stopped_for is StopReason.STALLED:
        return FailureCause.STALLED, (
            f"The {subject} gave no sign of life for {limits.stall_seconds:g} seconds and was "
            "stopped; nothing else is affected. Start it again, or raise "
            "PRISMATA_STALL_SECONDS if this machine is slow."
        )
    if ending.stopped_for is StopReason.OVERTIME:
        return FailureCause.STALLED, (
            f"The {subject} was not done after the {limits.wall_seconds:g} seconds it may take and "
            "was stopped; nothing else is affected. Allow more time or give it less to do."
        )
    if ending.exit_code in (None, -signal.SIGKILL):
        return FailureCause.KILLED, (
            f"The {subject} was killed from outside (signal 9); nothing else is affected. "
            "Start it again; if it happens again, ask who or what stops processes here."
        )
    if ending.exit_code in (-signal.SIGTERM, _EXIT_ON_SIGTERM):
        return FailureCause.KILLED, (
            f"The {subject} was told to stop from outside (signal 15); nothing else is affected. "
            "Start it again."
        )
    return FailureCause.CRASHED, _crash_message(ending, subject)


def _crash_message(ending: Ending, subject: str) -> str:
    code = ending.exit_code or 0
    if code < 0:
        what = f"The {subject} crashed ({_signal_name(-code)})"
    elif code == EXIT_CANNOT_START:
        what = f"The {subject} could not be started"
    elif code == 0:
        what = f"The {subject} ended without a result"
    elif ending.result is not None:
        what = (
            f"The {subject} failed after its result (exit code {code}), so the result was not kept"
        )
    else:
        what = f"The {subject} failed (exit code {code})"
    said = ""
    if ending.log_tail:
        said = f" It said last: “{ending.log_tail[-1].strip()[:_LAST_WORDS_CHARACTERS]}”."
    return (
        f"{what}; nothing else is affected.{said} "
        "Start it again; if it happens again, report it with its log."
    )


def _was_memory(ending: Ending) -> bool:
    if ending.error is not None:
        cause = _cause_of(ending.error)
        if cause is FailureCause.OUT_OF_MEMORY:
            return True
        # Native libraries report lost memory as ordinary exceptions, which the child calls a bug.
        return cause is FailureCause.BUG and _mentions_memory([str(ending.error.get("message"))])
    if ending.stopped_for is not None or ending.exit_code == 0:
        return False
    if ending.exit_code == -signal.SIGKILL and ending.oom_kills > 0:
        return True
    return _mentions_memory(ending.log_tail[-_LINES_THAT_COUNT:])


def _mentions_memory(lines: Sequence[str]) -> bool:
    return any(_MEMORY_WORDS.search(line) for line in lines)


def _memory_message(ending: Ending, limits: ChildLimits, subject: str) -> str:
    if limits.memory_mb:
        fact = f"it needs more than the {limits.memory_mb} MB it may use"
        advice = "allow more (PRISMATA_CHILD_MEMORY_MB)"
    else:
        fact = f"this machine had no more to give when it used {ending.peak_rss_mb:.0f} MB"
        advice = "close other programs"
    return (
        f"The {subject} ran out of memory: {fact}; nothing else is affected. "
        f"To go on, {advice} or use a smaller or shorter video."
    )


def _cause_of(error: Message) -> FailureCause:
    try:
        return FailureCause(error.get("cause", FailureCause.BUG))
    except ValueError:
        return FailureCause.BUG


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _outcome(
    ending: Ending,
    state: JobState,
    *,
    cause: FailureCause | None = None,
    message: str = "",
    result: Message | None = None,
) -> ChildOutcome:
    return ChildOutcome(
        state=state,
        cause=cause,
        message=message,
        result=result,
        peak_rss_mb=round(ending.peak_rss_mb, 1),
        wall_seconds=ending.wall_seconds,
        exit_code=ending.exit_code,
        log_tail=ending.log_tail,
    )


def find_oom_counter(
    proc: Path = Path("/proc"), cgroup: Path = Path("/sys/fs/cgroup")
) -> Path | None:
    """Find the file whose `oom_kill` line counts the processes killed for memory around us.

    cgroup v2 `memory.events`, else v1 `memory.oom_control`, both of our own group and inside a
    container of the root it sees; else the machine's `/proc/vmstat`. None where there is none
    (macOS).
    """
    try:
        memberships = (proc / "self/cgroup").read_text().splitlines()
    except OSError:
        return None
    candidates = []
    for line in memberships:
        number, controllers, group = line.split(":", 2)
        if number == "0":
            candidates += [cgroup / group.lstrip("/") / "memory.events", cgroup / "memory.events"]
        elif "memory" in controllers.split(","):
            root = cgroup / "memory"
            candidates += [
                root / group.lstrip("/") / "memory.oom_control",
                root / "memory.oom_control",
            ]
    candidates.append(proc / "vmstat")
    return next((path for path in candidates if _read_counter(path) is not None), None)


def count_oom_kills(counter: Path | None) -> int:
    """Read the `oom_kill` line of a counter file; 0 where nothing counts."""
    return (_read_counter(counter) if counter else None) or 0


def _read_counter(path: Path) -> int | None:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    pairs = [line.split() for line in lines]
    return next((int(pair[1]) for pair in pairs if len(pair) == 2 and pair[0] == "oom_kill"), None)
