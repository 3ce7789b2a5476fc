"""A worker: takes jobs from the queue as long as it has room, and looks after lost ones."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from prismata.catalog import Catalog, JobRecord, Offer
from prismata.core.errors import NotFoundError, UnavailableError
from prismata.core.jobs import ResourceClass
from prismata.core.machine import available_memory_mb
from prismata.jobs.lease import LEASE_SECONDS
from prismata.jobs.lost import Reaper
from prismata.jobs.runner import JobRunner

logger = logging.getLogger(__name__)

ROUND_SECONDS = 5.0
"""How often a worker says that it is there, and looks for jobs whose supervisor is lost."""

_RESERVED_MB = 100.0
"""Left to everything else on the machine when a child is weighed."""


@dataclass(frozen=True, slots=True)
class WorkerTerms:
    """What a worker has to offer."""

    slots: Mapping[ResourceClass, int]
    """How many jobs of a class it runs at once."""
    poll_seconds: float = 0.5
    """How often it looks for work that nobody told it about."""
    version: str = ""
    idle_seconds: float = 0.0
    """It leaves after so long without a job; 0 = it stays."""


class Worker:
    """Runs jobs of the queue in this process; see `run`.

    Args:
        catalog: Where the jobs are.
        runner: Makes the attempts.
        terms: What is offered.
        free_memory_mb: Tells the memory that is free; None = nobody can tell, then anything fits.
    """

    def __init__(
        self,
        catalog: Catalog,
        runner: JobRunner,
        terms: WorkerTerms,
        free_memory_mb: Callable[[], float | None] = available_memory_mb,
    ) -> None:
        self._catalog = catalog
        self._runner = runner
        self._terms = terms
        self._free_memory_mb = free_memory_mb
        self._reaper = Reaper(catalog.leases)
        self._lock = threading.Lock()
        self._claiming = threading.Lock()
        """Held from the look whether it may take a job until that job runs."""
        self._busy: Counter[ResourceClass] = Counter()
        self._promised_mb: dict[str, float] = {}
        """Job → memory it was let in with; its child has not taken all of it yet."""
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._drain = threading.Event()
        self._id = ""
        self._next_round_at = 0.0
        self._look_again_at = 0.0
        self._busy_until = 0.0
        """When it last had a job, or began to look for one."""

    @property
    def is_draining(self) -> bool:
        """Whether it takes no more jobs."""
        return self._drain.is_set()

    def run(self) -> None:
        """Work until `stop`, or until one that drains or may leave when idle has nothing to do.

        A catalog that cannot be reached is asked again; nothing that runs is given up for it. A
        bug of ours is logged, and the worker goes on: it may concern one job of many.
        """
        claimant = self._runner.claimant
        self._busy_until = time.monotonic()
        try:
            while not self._stop.is_set():
                try:
                    self._round(claimant.name or "worker")
                    while self._take_one():
                        pass
                except UnavailableError as error:
                    self._busy_until = time.monotonic()  # nobody knows whether there is work
                    logger.warning("worker_waits_for_catalog reason=%s", error)
                except Exception:
                    self._busy_until = time.monotonic()
                    logger.exception("worker_round_failed")
                    self._stop.wait(ROUND_SECONDS)
                if not self._has_reason_to_stay():
                    break
                self._wake.wait(self._terms.poll_seconds)
                self._wake.clear()
        finally:
            self._leave()

    def wake(self) -> None:
        """Have it look for work now."""
        self._look_again_at = 0.0
        self._wake.set()

    def drain(self) -> None:
        """Take no more jobs; what runs goes on."""
        self._drain.set()
        self._next_round_at = 0.0
        self.wake()

    def stop(self) -> None:
        """Give back what runs, with time to save what it has, and end `run`."""
        with self._claiming:  # else what is given back could be claimed here once more
            self._drain.set()
        self._runner.give_back()
        self._stop.set()
        self.wake()

    def _has_reason_to_stay(self) -> bool:
        now = time.monotonic()
        if self._runner.live_runs():
            self._busy_until = now
            return True
        idle_seconds = self._terms.idle_seconds
        if not self.is_draining and idle_seconds and now - self._busy_until >= idle_seconds:
            logger.warning("worker_leaves idle_seconds=%g", idle_seconds)
            self._drain.set()
        return not self.is_draining

    def _round(self, name: str) -> None:
        if time.monotonic() < self._next_round_at:
            return
        self._next_round_at = time.monotonic() + ROUND_SECONDS
        workers = self._catalog.workers
        try:
            if self._id:
                workers.beat(self._id, draining=self.is_draining)
        except NotFoundError:  # forgotten, as after a day without a catalog
            self._id = ""
        if not self._id:
            process = self._runner.claimant.process
            terms = self._terms
            self._id = workers.add(name, process, terms.slots, version=terms.version).id
        for job in self._reaper.look():
            logger.warning("job_taken_back job_id=%s state=%s", job.id, job.state)

    def _take_one(self) -> bool:
        """Start the next job that there is room for; False when there is none."""
        with self._claiming:
            return self._claim_and_start()

    def _claim_and_start(self) -> bool:
        if self.is_draining or self._stop.is_set() or time.monotonic() < self._look_again_at:
            return False
        with self._lock:
            free = [kind for kind, slots in self._terms.slots.items() if self._busy[kind] < slots]
        offer = Offer(tuple(self._runner.handlers), tuple(free))
        leases = self._catalog.leases
        if not free or not leases.has_queued(offer):
            return False
        offer = replace(offer, free_mb=self._memory_to_give())
        job = leases.claim_next(offer, LEASE_SECONDS, self._runner.claimant)
        if job is None:
            # What waits does not fit; that is not written down twice a second.
            self._look_again_at = time.monotonic() + ROUND_SECONDS
            return False
        with self._lock:
            self._busy[job.resource_class] += 1
            self._promised_mb[job.id] = job.needs_mb or 0.0
        self._runner.attempt_in_background(job, on_end=lambda: self._gone(job))
        return True

    def _gone(self, job: JobRecord) -> None:
        with self._lock:
            self._busy[job.resource_class] -= 1
            self._promised_mb.pop(job.id, None)
        self.wake()

    def _memory_to_give(self) -> float | None:
        """Memory for one more child, less what was promised and has not been taken yet."""
        free = self._free_memory_mb()
        if free is None:
            return None
        with self._lock:
            promised = dict(self._promised_mb)
        for job_id, mb in promised.items():
            taken = self._catalog.jobs.get(job_id).peak_rss_mb or 0.0
            free -= max(0.0, mb - taken)
        return max(0.0, free - _RESERVED_MB)

    def _leave(self) -> None:
        if not self._id:
            return
        try:
            self._catalog.workers.remove(self._id)
        except UnavailableError:
            logger.warning("worker_left_without_a_word id=%s", self._id)
