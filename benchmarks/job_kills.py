"""Two thousand random kills for each way that workers hear of work: what is lost or done twice?

Workers in processes of their own run small jobs while children, wardens and whole workers are
killed at random; killed workers are started again. At the end every job must have an end, and a job
that succeeded exactly one attempt that did. Ends with one line of JSON.

    python benchmarks/job_kills.py [--kills 2000] [--dispatcher local,redis,rabbitmq]
        [--catalog sqlite|postgresql://…] [--seed 1]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from pathlib import Path
from typing import Any

from prismata.catalog import Catalog, JobRecord, open_catalog
from prismata.core.jobs import JobState
from prismata.jobs import ChildSupervisor, JobEngine, JobRunner
from prismata.jobs.celery_dispatch import CeleryDispatcher
from prismata.jobs.dispatch import Dispatcher, NoDispatcher

BROKERS = {
    "local": "",
    "redis": os.environ.get("PRISMATA_TEST_REDIS_URL", "redis://127.0.0.1:6379/9"),
    "rabbitmq": os.environ.get("PRISMATA_TEST_RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672//"),
}
WORKERS = 2
JOBS_AT_HAND = 8
PATIENCE_SECONDS = 300.0


class Workers:
    """Worker processes that are replaced when they die."""

    def __init__(self, url: str, broker: str) -> None:
        options = ["--broker", broker] if broker else []
        self._command = [sys.executable, "-m", "prismata.testing.worker_app", url, *options]
        self._processes = [self._start() for _ in range(WORKERS)]

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._command, stdout=subprocess.DEVNULL)

    def restart_the_dead(self) -> None:
        """Start a new worker in the place of each that has ended."""
        for number, process in enumerate(self._processes):
            if process.poll() is not None:
                self._processes[number] = self._start()

    def kill_one(self, dice: random.Random) -> str:
        """Kill something at random; return what it was, empty if there was nothing to kill."""
        what = dice.choices(["child", "warden", "worker"], [70, 20, 10])[0]
        pid = dice.choice(self._processes).pid
        depth = {"worker": 0, "warden": 1, "child": 2}[what]
        for _ in range(depth):
            below = children_of(pid)
            if not below:
                return ""
            pid = dice.choice(below)
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return ""
        return what

    def stop(self) -> None:
        """Kill them all."""
        for process in self._processes:
            process.kill()
            process.wait()


def main() -> None:
    """Run each dispatcher and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=2000)
    parser.add_argument("--dispatcher", default="local,redis,rabbitmq")
    parser.add_argument("--catalog", default="sqlite")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    figures = []
    for name in given.dispatcher.split(","):
        with tempfile.TemporaryDirectory() as folder:
            url = f"sqlite:///{Path(folder) / 'catalog.db'}"
            url = url if given.catalog == "sqlite" else given.catalog
            figures.append({"dispatcher": name, **run(url, BROKERS[name], given.kills, given.seed)})
            print(figures[-1])
    print(json.dumps({"job_kills": figures, "load": os.getloadavg()}))
    if any(row["lost"] or row["finished_twice"] for row in figures):
        sys.exit(1)


def run(url: str, broker: str, kills: int, seed: int) -> dict[str, Any]:
    """Submit, kill, wait for the end of every job, count."""
    dice = random.Random(seed)  # noqa: S311 - a dice
    counts: Counter[str] = Counter()
    started = time.monotonic()
    with open_catalog(url) as catalog:
        dispatcher: Dispatcher = CeleryDispatcher(broker) if broker else NoDispatcher()
        engine = JobEngine(catalog, JobRunner(catalog, ChildSupervisor()), dispatcher)
        workers = Workers(url, broker)
        jobs: list[JobRecord] = []
        at_hand: deque[JobRecord] = deque()
        try:
            while counts.total() < kills:
                at_hand = deque(job for job in at_hand if not is_final(catalog, job))
                while len(at_hand) < JOBS_AT_HAND:
                    params = {"seconds": dice.uniform(0.0, 0.4)}
                    at_hand.append(catalog.jobs.submit("probe", params, author="kills"))
                    jobs.append(at_hand[-1])
                    engine.start(at_hand[-1])
                time.sleep(dice.uniform(0.0, 0.1))
                if what := workers.kill_one(dice):
                    counts[what] += 1
                workers.restart_the_dead()
            give_up = time.monotonic() + PATIENCE_SECONDS
            while any(not is_final(catalog, job) for job in at_hand):
                if time.monotonic() > give_up:
                    break
                workers.restart_the_dead()
                time.sleep(0.2)
        finally:
            workers.stop()
            engine.close()
        return {**count(catalog, jobs), "kills": dict(counts), "seconds": elapsed(started)}


def count(catalog: Catalog, jobs: list[JobRecord]) -> dict[str, int]:
    """Return how the jobs ended, and what must not be."""
    states: Counter[str] = Counter()
    attempts_made = lost = twice = 0
    for job in jobs:
        now = catalog.jobs.get(job.id)
        attempts = catalog.jobs.attempts(job.id)
        succeeded = sum(attempt.state is JobState.SUCCEEDED for attempt in attempts)
        states[now.state.value] += 1
        attempts_made += len(attempts)
        lost += not now.state.is_final or (now.state is JobState.SUCCEEDED and not succeeded)
        twice += succeeded > 1
    return {
        "jobs": len(jobs),
        "attempts": attempts_made,
        **states,
        "lost": lost,
        "finished_twice": twice,
    }


def is_final(catalog: Catalog, job: JobRecord) -> bool:
    """Whether a job has ended."""
    return catalog.jobs.get(job.id).state.is_final


def children_of(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    try:
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        others = [
            task.joinpath("children").read_text()
            for task in Path(f"/proc/{pid}/task").iterdir()
            if task.name != str(pid)
        ]
    except OSError:
        return []
    return [int(word) for word in " ".join([listed, *others]).split()]


def elapsed(since: float) -> float:
    """Return seconds since then."""
    return round(time.monotonic() - since, 1)


if __name__ == "__main__":
    main()
