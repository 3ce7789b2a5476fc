"""Who is taken for lost: a supervisor that is gone, or that has been silent for a whole lease.

Clocks may jump, so a long-lived process measures silence itself, with a clock that only goes
forward: it looks at every running job every few seconds and counts how long a lease has not been
renewed. Where the supervisor lived on this machine, one look at its process tells at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from prismata.catalog import AttemptRecord, JobRecord, LeaseRepository
from prismata.core.processes import is_alive
from prismata.jobs.lease import LEASE_SECONDS


class Reaper:
    """Takes jobs back whose supervisor is lost; look regularly.

    Args:
        leases: Of the catalog.
        silence_seconds: How long a lease may go without being renewed.
        clock: Seconds that never go back.
    """

    def __init__(
        self,
        leases: LeaseRepository,
        *,
        silence_seconds: float = LEASE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._leases = leases
        self._silence_seconds = silence_seconds
        self._clock = clock
        self._seen: dict[str, tuple[str | None, datetime | None, float]] = {}
        """Job → token and end of its lease, and when we saw them first."""

    def look(self) -> list[JobRecord]:
        """Look at every running job; return those that were taken back."""
        lost = set()
        running = self._leases.running()
        for job, attempt in running:
            if self._is_lost(job, attempt):
                lost.add((job.id, job.lease_token))
        self._seen = {job.id: self._seen[job.id] for job, _ in running}
        if not lost:
            return []
        return self._leases.reap(
            lambda job, attempt: (job.id, job.lease_token) in lost and self._is_lost(job, attempt)
        )

    def _is_lost(self, job: JobRecord, attempt: AttemptRecord | None) -> bool:
        now = self._clock()
        lease = (job.lease_token, job.lease_until)
        token, until, first_seen = self._seen.get(job.id, (None, None, now))
        if (token, until) != lease:
            self._seen[job.id] = (*lease, now)
            first_seen = now
        if attempt is not None and is_alive(attempt.process) is False:
            return True
        return now - first_seen > self._silence_seconds
