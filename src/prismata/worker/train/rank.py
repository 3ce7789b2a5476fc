"""`python -m prismata.worker.train.rank NUMBER COUNT LAUNCHER`: one of the processes of a training.

The first rank is the child that the protocol knows: it reads the request and speaks. The others get
the request from it and say only why they failed, if they did by themselves.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prismata.core.child import ChildReporter, child_main, helper_main, leave_after, loading
from prismata.core.errors import InvalidInputError
from prismata.core.processes import die_with_parent

EXIT_RANK_LOST = 75
"""This rank ends because another one did, which knows why."""

_WAIT_SECONDS = 10.0


def _work(arguments: list[str]) -> int:
    number, count, launcher = map(int, arguments)
    die_with_parent(launcher)
    if number == 0:
        return child_main(lambda request, reporter: _lead(count, launcher, request, reporter))
    return helper_main(lambda reporter: _follow(count, reporter))


def _lead(
    count: int, launcher: int, request: dict[str, Any], reporter: ChildReporter
) -> dict[str, Any]:
    with loading():
        from prismata.training.ranks import joined
        from prismata.worker.train.run import run_training

    with _lost_is_no_bug(), joined(use_gpus=_use_gpus(count)) as ranks:
        ranks.from_first(request)
        others = ranks.tell_all(os.getpid())[1:]
        reporter.count_memory_of([launcher, *others])
        return run_training(request, reporter, ranks)


def _follow(count: int, reporter: ChildReporter) -> None:
    with loading():
        from prismata.training.ranks import joined
        from prismata.worker.train.run import run_training

    with _lost_is_no_bug(), joined(use_gpus=_use_gpus(count)) as ranks:
        request: dict[str, Any] = ranks.from_first({})
        ranks.tell_all(os.getpid())
        run_training(request, reporter, ranks)


def _use_gpus(count: int) -> bool:
    """Tell whether there is a GPU for each rank.

    Raises:
        InvalidInputError: If there are some, but too few.
    """
    import torch

    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if 0 < gpus < count:
        raise InvalidInputError(
            f"this training was to run in {count} processes, but there are only {gpus} GPUs here, "
            "and each process takes one; choose as many with --processes or "
            "PRISMATA_TRAIN_PROCESSES"
        )
    return gpus > 0


@contextmanager
def _lost_is_no_bug() -> Iterator[None]:
    """End without a word when another rank has; give the launcher time to see which one it was.

    Raises:
        SystemExit: With `EXIT_RANK_LOST`.
    """
    from prismata.training.ranks import RankLostError

    try:
        yield
    except RankLostError:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        traceback.print_exc()
        sys.stderr.flush()
        time.sleep(_WAIT_SECONDS)
        raise SystemExit(EXIT_RANK_LOST) from None


if __name__ == "__main__":
    leave_after(lambda: _work(sys.argv[1:]))
