"""Telling others that a job has ended, once that is written.

Whoever writes an end tells it, and an end is written once; so each is told once, whichever process
made the last attempt, took a lost job back or called a waiting one off.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from prismata.catalog.records import JobRecord

logger = logging.getLogger(__name__)

EndListener = Callable[[JobRecord], None]
"""Gets a job that has ended; must return at once, as the work goes on behind it."""


class JobEnds:
    """The listeners of one catalog in one process."""

    def __init__(self) -> None:
        self._listeners: list[EndListener] = []

    def listen(self, listener: EndListener) -> None:
        """Have every job told that ends from now on."""
        self._listeners.append(listener)

    def tell(self, jobs: list[JobRecord]) -> list[JobRecord]:
        """Tell those of the jobs that have ended, after the commit; return all of them.

        A listener that breaks is logged: the end it was told of is written all the same.
        """
        for job in jobs:
            for listener in self._listeners if job.state.is_final else ():
                try:
                    listener(job)
                except Exception:
                    logger.exception("job_end_listener_broke job_id=%s", job.id)
        return jobs
