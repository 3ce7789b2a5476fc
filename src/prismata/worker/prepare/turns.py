"""Turns: of many preparations that were started at once, few work at the same time.

A turn is a lock on a file, which the kernel gives back whatever becomes of its holder.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from prismata.storage.locking import try_file_lock

AT_ONCE = 2
LOOK_SECONDS = 0.5


@contextmanager
def turn(folder: Path, *, on_waiting: Callable[[], None]) -> Iterator[None]:
    """Wait until fewer than `AT_ONCE` others work, and keep the place.

    Args:
        folder: Where the places are; the same for all that share a machine's cores.
        on_waiting: Called again and again while waiting, as a sign of life.
    """
    folder.mkdir(parents=True, exist_ok=True)
    while True:
        for place in range(AT_ONCE):
            with ExitStack() as held:
                if held.enter_context(try_file_lock(folder / f"prepare-{place}.lock")):
                    yield
                    return
        on_waiting()
        time.sleep(LOOK_SECONDS)
