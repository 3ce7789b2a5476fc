"""A process that is nothing but a worker: how it hears of work, and how it is told to stop."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType

from prismata.core.jobs import ResourceClass
from prismata.jobs.spot import METADATA_URL, SpotWatcher
from prismata.jobs.worker import Worker


def serve_jobs(worker: Worker, classes: Sequence[ResourceClass], broker_url: str = "") -> None:
    """Work until SIGTERM or Ctrl-C, then give back what runs; to be called in the main thread.

    Also ends when the worker leaves by itself: drained, or idle for as long as its terms allow.

    Args:
        worker: Takes the jobs.
        classes: Whose announcements to listen to.
        broker_url: Where they come from; empty = from nowhere, the worker just looks.
    """
    if not broker_url:
        _work_until_told(worker)
        return
    from prismata.jobs.celery_dispatch import listen

    # Celery has handlers of its own, but work may have begun long before it is ready.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    told = threading.Event()

    def work() -> None:
        worker.run()
        if not told.is_set():  # it left by itself, and Celery would listen for ever
            os.kill(os.getpid(), signal.SIGTERM)

    def stop() -> None:
        told.set()
        worker.stop()

    thread = threading.Thread(target=work, name="worker", daemon=True)
    thread.start()
    try:
        with suppress(_ToldToStopError):
            listen(broker_url, classes, on_word=worker.wake, on_stop=stop)
    finally:
        stop()
        thread.join()


class _ToldToStopError(BaseException):
    """Not an `Exception`: nothing on the way out of somebody else's set-up may keep it."""


def _leave(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise _ToldToStopError


def heed_spot_notice(worker: Worker, url: str = METADATA_URL) -> SpotWatcher:
    """Have this process stop by itself when its machine is to be taken away.

    When that has only become likely, it takes no new jobs and goes on with what it has.
    """
    watcher = SpotWatcher(
        on_interruption=lambda: os.kill(os.getpid(), signal.SIGTERM),
        on_rebalance=worker.drain,
        url=url,
    )
    watcher.start()
    return watcher


def _work_until_told(worker: Worker) -> None:
    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        # In a thread: giving back waits for children, and a handler interrupts who knows what.
        threading.Thread(target=worker.stop, name="stop-worker").start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    worker.run()
