"""Which process something belongs to, told so that another one on this machine can look for it.

A process id alone says little: ids are used again, and a container counts its own. So the machine's
boot, the namespace that ids are counted in and the moment a process began go with it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_STATE_FIELD, _START_FIELD = 0, 19
"""In `/proc/<pid>/stat`, behind the command's name; proc(5) counts from 1, so 3 and 22."""
_GONE_STATES = ("Z", "X")
_PR_SET_PDEATHSIG = 1
_LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """One process of one boot of one machine."""

    home: str
    """Where its id means something: boot and namespace of ids; empty where nobody can tell."""
    pid: int
    started: str
    """When it began, in the machine's own ticks since it booted."""


NOBODY = ProcessIdentity("", 0, "")
"""Where it was not written down who it was."""


def this_process() -> ProcessIdentity:
    """Return the process that asks; without a home where the system does not tell (only Linux)."""
    pid = os.getpid()
    started = _start_of(pid)
    return ProcessIdentity(_home() if started else "", pid, started or "")


def is_alive(identity: ProcessIdentity) -> bool | None:
    """Tell whether a process still runs; None if it lives elsewhere, where we cannot look."""
    if not identity.home or identity.home != _home():
        return None
    return _start_of(identity.pid) == identity.started


def die_with_parent(parent: int) -> None:
    """Have this process killed when its parent ends, however that happens.

    By the kernel on Linux, where the parent's *thread* that forked must live as long as the parent
    (prctl(2)); elsewhere by a thread that looks twice a second.

    Args:
        parent: The process id that the parent had when it started this one.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    else:
        threading.Thread(target=_watch_parent, args=(parent,), daemon=True).start()
    if os.getppid() != parent:  # it ended before we asked
        os.kill(os.getpid(), signal.SIGKILL)


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


def _home() -> str:
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        namespace = (_PROC / "self/ns/pid").readlink()
    except OSError:
        return ""
    return f"{boot} {namespace}"


def _start_of(pid: int) -> str | None:
    """Return when a process began; None if there is none, or only its entry is left."""
    try:
        # The command's name stands in parentheses and may hold anything, parentheses included.
        fields = (_PROC / f"{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[_STATE_FIELD] in _GONE_STATES else fields[_START_FIELD]
