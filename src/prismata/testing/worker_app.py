"""A worker whose jobs are as small as can be: for tests and benchmarks of the job engine.

`python -m prismata.testing.worker_app CATALOG_URL [--broker URL] [--spot URL] [--slots N]
[--idle SECONDS]`. It knows one kind of job, `probe`, whose parameters say what its child does.
"""

from __future__ import annotations

import argparse
import os
import sys

from prismata.catalog import Claimant, JobRecord, open_catalog
from prismata.core.jobs import ResourceClass
from prismata.core.ports import Assignment, ChildLimits
from prismata.core.processes import this_process
from prismata.jobs import ChildSupervisor, JobRunner, Worker, WorkerTerms
from prismata.jobs.serving import heed_spot_notice, serve_jobs

CLASSES = (ResourceClass.CPU,)

# Without the site module and the package: it starts in a few hundredths of a second.
_CHILD = """\
import json, os, signal, sys, time

def say(kind, **fields):
    os.write(1, (json.dumps({"type": kind, "v": 1, **fields}) + "\\n").encode())

request = json.loads(sys.stdin.readline())
steps = max(1, round(request["seconds"] / 0.05))
say("started", pid=os.getpid())
if request["poison"]:
    os.kill(request["worker_pid"], signal.SIGKILL)
for step in range(steps):
    say("progress", done=step, total=steps, note="probing")
    time.sleep(request["seconds"] / steps)
say("result", attempt=request["attempt"])
"""


def assign_probe(job: JobRecord) -> Assignment:
    """Return an attempt at a `probe`: `seconds` of waiting; `poison` kills its worker."""
    request = {
        "seconds": float(job.params.get("seconds", 0.0)),
        "poison": bool(job.params.get("poison")),
        "worker_pid": os.getpid(),
        "attempt": job.attempt,
    }
    argv = (sys.executable, "-I", "-S", "-c", _CHILD)
    return Assignment(argv, request, ChildLimits(stall_seconds=60.0))


def main() -> None:
    """Work until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("catalog_url")
    parser.add_argument("--broker", default="")
    parser.add_argument("--spot", default="")
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--idle", type=float, default=0.0)
    given = parser.parse_args()
    with open_catalog(given.catalog_url, migrate=False) as catalog:
        claimant = Claimant(f"probe:{os.getpid()}", this_process())
        runner = JobRunner(catalog, ChildSupervisor(nice=0), claimant)
        runner.handlers = {"probe": assign_probe}
        terms = WorkerTerms(dict.fromkeys(CLASSES, given.slots), idle_seconds=given.idle)
        worker = Worker(catalog, runner, terms, free_memory_mb=lambda: None)
        if given.spot:
            heed_spot_notice(worker, given.spot)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        serve_jobs(worker, CLASSES, given.broker)
        runner.close()


if __name__ == "__main__":
    main()
