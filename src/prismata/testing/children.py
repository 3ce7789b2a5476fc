"""Tiny real child processes, for tests of whatever starts, feeds, watches and kills them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from pathlib import Path

PATIENCE_SECONDS = 60
"""How long a test waits for what must happen; only a broken program needs so long."""

_SPEAKING = """\
import json, os, pathlib, signal, sys, time

def say(kind, **fields):
    os.write(1, (json.dumps({"type": kind, "v": 1, **fields}) + "\\n").encode())

"""
_HANDLING = """\
import os, pathlib, signal, sys, time
from prismata.core.child import child_main

def handle(request, reporter):
    reporter.started()
"""


def speaking_child(body: str) -> list[str]:
    """Return the command of a child that writes the protocol by itself, so that it may break it.

    Args:
        body: Python statements that may call `say(type, **fields)` and use `json`, `os`,
            `pathlib`, `signal`, `sys` and `time`.
    """
    return [sys.executable, "-c", _SPEAKING + textwrap.dedent(body)]


def handling_child(body: str) -> list[str]:
    """Return the command of a child inside `child_main`, as ours are.

    Args:
        body: What its handler does with `request` and `reporter` once it has said `started`.
    """
    handler = _HANDLING + textwrap.indent(textwrap.dedent(body), "    ")
    return [sys.executable, "-c", handler + "\nsys.exit(child_main(handle))\n"]


def is_running(pid: int) -> bool:
    """Tell whether a process exists and does not just wait to be reaped."""
    answer = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)],  # noqa: S607 - its folder differs by system
        capture_output=True,
        text=True,
        check=False,
    )
    state = answer.stdout.strip()
    return bool(state) and not state.startswith("Z")


def halt_descendant(pid: int, module: str) -> int | None:
    """Halt (SIGSTOP) the process below `pid` that was started with `-m module`; return its id.

    So that what a test does next happens in the middle of its work, however fast the machine is;
    SIGCONT lets it go on. None if there is no such process at this moment. Linux.
    """
    below = [pid]
    while below:
        for child in _children_of(below.pop()):
            with suppress(OSError):
                words = Path(f"/proc/{child}/cmdline").read_text().split("\0")
                if words[1:3] == ["-m", module]:  # its guard has them too, further behind
                    os.kill(child, signal.SIGSTOP)
                    return child
            below.append(child)
    return None


def is_told_to_end(pid: int) -> bool:
    """Tell whether a process that is halted has a SIGTERM waiting. Linux."""
    rows = Path(f"/proc/{pid}/status").read_text().splitlines()
    waiting = next(row for row in rows if row.startswith("ShdPnd:")).split()[1]
    return bool(int(waiting, 16) & 1 << (signal.SIGTERM - 1))


def _children_of(pid: int) -> list[int]:
    """Return the processes that any thread of a process has started."""
    found: list[int] = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found


def wait_until_gone(pid: int) -> None:
    """Wait for the end of a process.

    Raises:
        AssertionError: If it still runs after `PATIENCE_SECONDS`.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while is_running(pid):
        assert time.monotonic() < deadline, f"process {pid} is still running"
        time.sleep(0.05)
