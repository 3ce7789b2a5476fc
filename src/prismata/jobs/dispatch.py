"""Dispatchers: how a worker hears at once that there is work.

The queue is the catalog's table, and every worker looks at it by itself now and then. A dispatcher
only says "look now"; a word of it that gets lost costs a moment, never a job.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Protocol

from prismata.core.jobs import ResourceClass
from prismata.jobs.worker import Worker

logger = logging.getLogger(__name__)

_STOP_SECONDS = 25.0


class Dispatcher(Protocol):
    """Says "look now" to the workers that may take a job."""

    def begin(self) -> None:
        """Be ready, and have what is queued already looked at; safe to call twice."""
        ...

    def announce(self, job_id: str, resource_class: ResourceClass) -> None:
        """Tell that a job waits; never raises for a carrier that is down."""
        ...

    def close(self) -> None:
        """Stop what this started; jobs that run here are given back."""
        ...


class LocalDispatcher:
    """A worker in a thread of this process, started when it is first needed.

    Args:
        make_worker: Makes it.
    """

    def __init__(self, make_worker: Callable[[], Worker]) -> None:
        self._make_worker = make_worker
        self._lock = threading.Lock()
        self._worker: Worker | None = None
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Start the worker."""
        with self._lock:
            if self._worker is None:
                self._worker = self._make_worker()
                self._thread = threading.Thread(
                    target=self._worker.run, name="prismata-worker", daemon=True
                )
                self._thread.start()

    def announce(self, job_id: str, resource_class: ResourceClass) -> None:
        """Wake the worker."""
        del job_id, resource_class
        self.begin()
        if self._worker is not None:
            self._worker.wake()

    def close(self) -> None:
        """Stop the worker and give its jobs back."""
        with self._lock:
            if self._worker is not None and self._thread is not None:
                self._worker.stop()
                self._thread.join(_STOP_SECONDS)


class NoDispatcher:
    """Nobody is told: workers on this or another machine find the job when they look."""

    def begin(self) -> None:
        """Do nothing."""

    def announce(self, job_id: str, resource_class: ResourceClass) -> None:
        """Do nothing."""
        logger.debug("job_waits job_id=%s class=%s", job_id, resource_class)

    def close(self) -> None:
        """Do nothing."""
