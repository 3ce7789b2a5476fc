"""Ten thousand races for one job: does a job ever have two winners?

Processes that claim as workers do wait for a common start, then all claim at once while exactly one
job is queued; the winner ends it. In every other race two jobs are queued, so that who comes second
must get the other one. A win is a claim that returned a job; the rows are looked at, too: every job
must have exactly one attempt. Ends with one line of JSON.

    python benchmarks/job_races.py [--races 10000] [--claimers 4] [--postgres postgresql://…]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from prismata.catalog import Offer, open_catalog
from prismata.core.jobs import JobState

OFFER = Offer(("race",))
PATIENCE_SECONDS = 120.0


def main() -> None:
    """Race on each database and report; fail if a job was won twice or by nobody."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--races", type=int, default=10_000)
    parser.add_argument("--claimers", type=int, default=4)
    parser.add_argument("--postgres", default="")
    given = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        urls = {"sqlite": f"sqlite:///{Path(folder) / 'catalog.db'}"}
        if given.postgres:
            urls["postgresql"] = given.postgres
        for name, url in urls.items():
            rows.append({"database": name, **race(url, given.races, given.claimers)})
            print(rows[-1], flush=True)
    print(json.dumps({"job_races": rows, "load": os.getloadavg()}))
    if any(row["double_wins"] or row["not_won"] or row["attempts_too_many"] for row in rows):
        sys.exit(1)


def race(url: str, races: int, claimers: int) -> dict[str, Any]:
    """Hold the races and count; a race is over when nothing is queued any more."""
    context = multiprocessing.get_context("spawn")
    ready, over = context.Barrier(claimers + 1), context.Barrier(claimers + 1)
    with open_catalog(url) as catalog, tempfile.TemporaryDirectory() as folder:
        processes = [
            context.Process(
                target=claim, args=(url, races, ready, over, Path(folder) / f"{number}")
            )
            for number in range(claimers)
        ]
        for process in processes:
            process.start()
        asked = []
        started = time.perf_counter()
        try:
            for number in range(races):
                waiting = range(1 + number % 2)
                asked += [catalog.jobs.submit("race", {}, author="races").id for _ in waiting]
                ready.wait(PATIENCE_SECONDS)
                over.wait(PATIENCE_SECONDS)
        finally:
            for process in processes:
                process.join(5)
                process.kill()
        seconds = time.perf_counter() - started
        wins = [json.loads((Path(folder) / f"{number}").read_text()) for number in range(claimers)]
        won = Counter(job_id for ids in wins for job_id in ids)
        attempts = [len(catalog.jobs.attempts(job_id)) for job_id in asked]
        return {
            "races": races,
            "claimers": claimers,
            "jobs": len(asked),
            "wins": won.total(),
            "wins_of_each": sorted(map(len, wins)),
            "double_wins": sum(count > 1 for count in won.values()),
            "not_won": len(set(asked) - won.keys()),
            "attempts_too_many": sum(count != 1 for count in attempts),
            "seconds": round(seconds, 1),
        }


def claim(url: str, races: int, ready: Barrier, over: Barrier, told: Path) -> None:
    """Claim once in each race, as a worker in a process of its own, and end what was won."""
    won: list[str] = []
    with open_catalog(url, migrate=False) as catalog:

        def try_once() -> bool:
            job = catalog.leases.claim_next(OFFER, 45)
            if job is not None:
                won.append(job.id)
                token = job.lease_token or ""
                catalog.leases.end_attempt(job.id, token, state=JobState.SUCCEEDED, result={})
            return job is not None

        for _ in range(races):
            ready.wait(PATIENCE_SECONDS)
            try_once()
            over.wait(PATIENCE_SECONDS)
        while try_once():  # a second job that nobody came for in its race
            pass
    told.write_text(json.dumps(won))


if __name__ == "__main__":
    main()
