"""The small process between the supervisor and one child: limits, peak memory, no orphans.

A program of its own, standard library only, started as `python -I -S warden.py PLAN COMMAND…`
(30 ms). It exists because three things cannot be done well from a big program with threads:

*   Limits must be set between fork and exec; code run there in a process with threads may deadlock
    (`subprocess` warns about `preexec_fn`). The warden has one thread.
*   `PR_SET_PDEATHSIG` fires when the *thread* that forked ends (prctl(2)), not the process. The
    warden's only thread lives as long as the warden.
*   `ru_maxrss` survives exec, so a child of 8 MB forked from an app of 400 MB reports 400 MB
    (measured). The warden has 11 MB.

PLAN is JSON: `{lifeline, supervisor, memory_mb, nice}`. On the `lifeline` socket the warden says
once how the child ended, `{exit_code, max_rss_bytes}`; the supervisor says "kill it" by closing its
side, which also happens when the supervisor itself dies. Either way the last act is to kill the
whole process group.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import sys
from types import FrameType
from typing import Any

EXIT_CANNOT_START = 127

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_PR_SET_PDEATHSIG = 1
_OOM_SCORE_ADJ = 800
_POLL_MILLISECONDS = 1000
_BYTES_PER_MB = 1024 * 1024


def main(arguments: list[str]) -> None:
    """Start the command, wait for it, tell how it ended, leave nothing running."""
    plan, command = json.loads(arguments[0]), arguments[1:]
    lifeline: int = plan["lifeline"]
    os.set_inheritable(lifeline, False)  # noqa: FBT003 - takes it by position only
    wake_up, wake_up_writer = os.pipe()
    os.set_blocking(wake_up_writer, False)
    signal.set_wakeup_fd(wake_up_writer, warn_on_full_buffer=False)
    # A handler, not SIG_IGN: the child inherits an ignored signal through exec, a handler not.
    for number in (*_STOP_SIGNALS, signal.SIGCHLD):
        signal.signal(number, _carry_on)
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
    warden = os.getpid()
    child = os.fork()
    if child == 0:
        _become(command, plan, warden)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)
    status, usage = _watch(child, lifeline, wake_up, supervisor=plan["supervisor"])
    report = {
        "exit_code": os.waitstatus_to_exitcode(status),
        "max_rss_bytes": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
    }
    with contextlib.suppress(OSError):  # the supervisor may be dead: then nobody needs the report
        os.write(lifeline, json.dumps(report).encode())
    os.killpg(0, signal.SIGKILL)


def _watch(
    child: int, lifeline: int, wake_up: int, *, supervisor: int
) -> tuple[int, resource.struct_rusage]:
    """Wait for the child's end; kill it as soon as the supervisor lets go."""
    # Not select(): the lifeline's number is above its 1024 when the app has many files open.
    poll = select.poll()
    poll.register(lifeline, select.POLLIN)
    poll.register(wake_up, select.POLLIN)
    while True:
        ready = [descriptor for descriptor, _ in poll.poll(_POLL_MILLISECONDS)]
        if wake_up in ready:
            os.read(wake_up, 512)
        ended, status, usage = os.wait4(child, os.WNOHANG)
        if ended:
            return status, usage
        # The parent is asked too, because a process that the supervisor forked without exec
        # would hold the other side of the lifeline open.
        if lifeline in ready or os.getppid() != supervisor:
            os.kill(child, signal.SIGKILL)
            _, status, usage = os.wait4(child, 0)
            return status, usage


def _become(command: list[str], plan: dict[str, Any], warden: int) -> None:
    """Limit this process and turn it into the command; never returns."""
    try:
        # CPython ignores SIGPIPE and SIGXFSZ at start; the command decides for itself.
        for number in (*_STOP_SIGNALS, signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.nice(plan["nice"])
        if sys.platform == "linux":
            _die_with(warden)
            _offer_to_the_oom_killer()
        if plan["memory_mb"]:
            _limit_memory(plan["memory_mb"] * _BYTES_PER_MB)
        os.execvp(command[0], command)  # noqa: S606 - from a list, never a shell
    except (OSError, ValueError) as error:
        os.write(2, f"cannot start {command[0]}: {error}\n".encode())
    os._exit(EXIT_CANNOT_START)


def _limit_memory(limit: int) -> None:
    """Bound the address space; a stricter bound that is already there stays."""
    _, allowed = resource.getrlimit(resource.RLIMIT_AS)
    if allowed != resource.RLIM_INFINITY:
        limit = min(limit, allowed)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _die_with(warden: int) -> None:
    """Have the kernel kill this process when the warden ends, however that happens."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != warden:  # it died before we asked
        os._exit(EXIT_CANNOT_START)


def _offer_to_the_oom_killer() -> None:
    """Prefer this process to the app when the machine runs out of memory."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:  # noqa: PTH123 - no pathlib at -S start-up cost
        score.write(str(_OOM_SCORE_ADJ))


def _carry_on(signal_number: int, frame: FrameType | None) -> None:
    """Outlive a stop signal to the group: it is meant for the child."""
    del signal_number, frame


if __name__ == "__main__":
    main(sys.argv[1:])
