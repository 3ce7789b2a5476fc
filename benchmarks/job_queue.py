"""How fast the queue is: claims a second, and how long a job waits before its attempt begins.

Claims: threads that claim and end jobs of one catalog as fast as they can, on SQLite in a file and,
if one is named, on PostgreSQL. Start: an app with a worker in a thread and nothing else to do; from
submission to the claim, and to the first word of the child. Ends with one line of JSON.

    python benchmarks/job_queue.py [--jobs 2000] [--starts 60] [--postgres postgresql://…]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from prismata.catalog import Catalog, Offer, open_catalog
from prismata.core.jobs import JobState, ResourceClass
from prismata.core.ports import Assignment
from prismata.core.protocol import Message
from prismata.jobs import ChildSupervisor, JobEngine, JobRunner, Worker, WorkerTerms
from prismata.jobs.dispatch import LocalDispatcher
from prismata.testing.worker_app import assign_probe

OFFER = Offer(("probe",))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--starts", type=int, default=60)
    parser.add_argument("--postgres", default="")
    given = parser.parse_args()
    figures: dict[str, Any] = {"load": os.getloadavg()}
    with tempfile.TemporaryDirectory() as folder:
        urls = {"sqlite": f"sqlite:///{Path(folder) / 'catalog.db'}"}
        if given.postgres:
            urls["postgresql"] = given.postgres
        for name, url in urls.items():
            with open_catalog(url) as catalog:
                for threads in (1, 4):
                    rate = claims_a_second(catalog, given.jobs, threads)
                    figures[f"{name}_claims_per_s_{threads}_threads"] = round(rate, 1)
                    print(f"{name}, {threads} threads: {rate:.0f} jobs claimed and ended a second")
        with open_catalog(urls["sqlite"]) as catalog:
            figures["start_ms"] = starts(catalog, given.starts)
    for what, row in figures["start_ms"].items():
        print(f"from submission to {what}: median {row['median']:.0f} ms, p95 {row['p95']:.0f} ms")
    print(json.dumps({"job_queue": figures}))


def claims_a_second(catalog: Catalog, jobs: int, threads: int) -> float:
    """Claim and end `jobs` jobs and return how many a second."""
    for _ in range(jobs):
        catalog.jobs.submit("probe", {}, author="queue")

    def work(_: int) -> int:
        done = 0
        while (job := catalog.leases.claim_next(OFFER, 45)) is not None:
            token = job.lease_token or ""
            catalog.leases.end_attempt(job.id, token, state=JobState.SUCCEEDED, result={})
            done += 1
        return done

    started = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        ended = sum(pool.map(work, range(threads)))
    seconds = time.perf_counter() - started
    assert ended == jobs, f"{ended} of {jobs} jobs were claimed"  # noqa: S101 - a check of this program
    return jobs / seconds


def starts(catalog: Catalog, count: int) -> dict[str, dict[str, float]]:
    """Submit jobs one after the other to an app that has nothing else to do."""
    spoke = threading.Event()

    def assign(job: Any) -> Assignment:  # noqa: ANN401 - a JobRecord
        assignment = assign_probe(job)

        def on_message(message: Message) -> None:
            del message
            spoke.set()

        assignment.on_message = on_message
        return assignment

    runner = JobRunner(catalog, ChildSupervisor(nice=0))
    runner.handlers = {"probe": assign}
    terms = WorkerTerms({ResourceClass.CPU: 1})
    engine = JobEngine(catalog, runner, LocalDispatcher(lambda: Worker(catalog, runner, terms)))
    engine.begin()
    time.sleep(0.5)
    waits: dict[str, list[float]] = {"claim": [], "the child's first word": []}
    for _ in range(count):
        spoke.clear()
        job = catalog.jobs.submit("probe", {}, author="queue")
        submitted = time.perf_counter()
        live = engine.start(job)
        spoke.wait(30)
        waits["the child's first word"].append(time.perf_counter() - submitted)
        live.wait(30)
        claimed = catalog.jobs.get(job.id).started_at
        if claimed is not None:
            waits["claim"].append((claimed - job.created_at).total_seconds())
    engine.close()
    return {what: in_ms(seconds) for what, seconds in waits.items()}


def in_ms(seconds: list[float]) -> dict[str, float]:
    """Return median and 95th percentile in milliseconds."""
    ordered = sorted(seconds)
    p95 = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
    return {
        "median": round(1000 * statistics.median(ordered), 1),
        "p95": round(1000 * p95, 1),
    }


if __name__ == "__main__":
    main()
