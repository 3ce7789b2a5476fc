"""`python -m prismata.worker.train.launch N`: one training in N processes, under torchrun.

The child of an attempt at a training that several processes share. torchrun starts the ranks,
watches them and ends them all when one fails; this program is torchrun with the ranks' command
filled in, and ends the way the rank did that failed first, so that whoever judges the attempt sees
the cause. N may be `auto`, the number of GPUs that torch sees; for one process it becomes the plain
child.

torchrun puts every rank into a session of its own, where a signal to the attempt's process group
does not reach it: torchrun hands SIGTERM on, and when it is killed the kernel kills the ranks
(`die_with_parent`).
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

from prismata.core.child import EXIT_STOPPED, leave_after, loading
from prismata.core.machine import usable_cores
from prismata.worker.train.rank import EXIT_RANK_LOST

if TYPE_CHECKING:
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError


def main(arguments: list[str]) -> int:
    """Run the ranks to their end; return the exit code of the one that failed, or 0."""
    with loading():
        import torch  # the request waits in the pipe meanwhile

    (processes,) = arguments
    count = torch.cuda.device_count() if processes == "auto" else int(processes)
    if count <= 1:
        os.execv(sys.executable, [sys.executable, "-m", "prismata.worker.train"])  # noqa: S606
    return _run_ranks(count)


def _run_ranks(count: int) -> int:
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    _prepare_environment(count)
    ranks = ["prismata.worker.train.rank", "${local_rank}", str(count), str(os.getpid())]
    torchrun = ["--standalone", "--local-addr=127.0.0.1", f"--nproc-per-node={count}"]
    try:
        run.run(run.parse_args([*torchrun, "--module", *ranks]))  # type: ignore[no-untyped-call]
    except SignalException as stopped:
        return 128 + stopped.sigval if stopped.sigval != signal.SIGTERM else EXIT_STOPPED
    except ChildFailedError as failed:
        return _end_like(failed)
    return 0


def _prepare_environment(count: int) -> None:
    """Say what the ranks' libraries read from the environment when they start."""
    defaults = {"OMP_NUM_THREADS": str(max(1, usable_cores() // count))}
    if sys.platform == "linux":
        # All ranks are on this machine, whose own name need not lead anywhere.
        defaults["GLOO_SOCKET_IFNAME"] = "lo"
    for name, value in defaults.items():
        os.environ.setdefault(name, value)  # noqa: TID251 - handed on, not read


def _end_like(failed: ChildFailedError) -> int:
    """Return the exit code of the rank that failed by itself; die of the signal that it died of."""
    codes = [failure.exitcode for failure in failed.failures.values()]
    code = next((code for code in codes if code != EXIT_RANK_LOST), EXIT_RANK_LOST)
    if code < 0:
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


if __name__ == "__main__":
    leave_after(lambda: main(sys.argv[1:]))
