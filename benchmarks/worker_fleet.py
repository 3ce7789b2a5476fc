"""Fifty videos through workers that are killed, and how much sooner more workers are done.

A workbench (`prismata serve`) and two workers (`prismata worker`) in processes of their own, with
PostgreSQL, Redis as Celery's broker, and an S3, all theirs. Part one: while fifty videos are gone
through, a worker is killed, the broker is emptied, the database is restarted as after a power cut,
and a spot machine gets notice; then every video must have been finished exactly once, and show
every event that is in it. Part two: the same videos again with one, two and four workers and
nothing in their way. Ends with one line of JSON.

    python benchmarks/worker_fleet.py [--videos 50] [--seconds 60] [--workers 1,2,4] [--repeats 1]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batch_kills import add_flash_model, write_plugin
from fleet import Fleet, health, wait_for

from prismata.catalog import JobRecord, VideoRecord
from prismata.core.errors import UnavailableError
from prismata.core.jobs import JobState
from prismata.services.detect import DetectRequest
from prismata.services.detect_queue import submit_detections
from prismata.services.ingest import ingest_file
from prismata.services.video_sources import LibrarySource
from prismata.testing.children import is_told_to_end
from prismata.testing.s3_server import TEST_CREDENTIALS
from prismata.testing.synth import render_flashes

DATABASE_AWAY_SECONDS = 2.0
HEALTH_SECONDS = 0.5
PATIENCE_SECONDS = 1800.0
CPU_CORES = os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Filmed:
    """A video of the library and how many events are in it."""

    video: VideoRecord
    events: int


def main() -> None:
    """Break everything once, then measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0, help="length of each video")
    parser.add_argument("--workers", default="1,2,4")
    parser.add_argument("--repeats", type=int, default=1)
    given = parser.parse_args()
    counts = [int(word) for word in given.workers.split(",") if word]
    os.environ.update(TEST_CREDENTIALS)
    with (
        tempfile.TemporaryDirectory(prefix="prismata-fleet-") as name,
        contextlib.ExitStack() as on,
    ):
        folder = Path(name)
        try:
            fleet = on.enter_context(Fleet(folder, write_plugin(folder), os.environ))
        except UnavailableError as error:
            sys.exit(str(error))
        filmed = film(fleet, given.videos, seconds=given.seconds, size=(320, 180), fps=25)
        print(f"{len(filmed)} videos of {given.seconds:g} s are in the library", flush=True)
        broken = break_everything(fleet, filmed, say=lambda words: print(words, flush=True))
        print(broken, flush=True)
        rows = [measure(fleet, filmed, workers) for _ in range(given.repeats) for workers in counts]
    told = {"faults": broken, "speed": efficiencies(rows), "cores": CPU_CORES}
    print(json.dumps({"worker_fleet": told}))
    if broken["not_once"] or broken["wrong_events"]:
        sys.exit(1)


def film(
    fleet: Fleet, count: int, *, seconds: float, size: tuple[int, int], fps: int
) -> list[Filmed]:
    """Take in a model that sees flashes, and so many videos with some."""
    bench = fleet.bench
    add_flash_model(bench, fleet.folder)
    filmed = []
    for number in range(count):
        path = fleet.folder / f"{number:03}.mp4"
        made = render_flashes(path, seconds=seconds, seed=number, size=size, fps=fps)
        taken = ingest_file(bench, path, domain="flashes").video
        if taken is None:
            sys.exit(f"{path.name} could not be taken in")
        filmed.append(Filmed(taken, len(made.events)))
        path.unlink()
    return filmed


def submit(fleet: Fleet, filmed: Sequence[Filmed]) -> list[JobRecord]:
    """Queue a detection of each, also of those that have one; every one must be taken."""
    sources = [LibrarySource(each.video) for each in filmed]
    asked = DetectRequest("", domain="flashes", runtime="onnxruntime")
    submission = submit_detections(fleet.bench, sources, asked, again=True)
    if len(submission.submitted) != len(filmed):
        sys.exit(f"not all were queued: {submission.sentence()}")
    return submission.submitted


def break_everything(
    fleet: Fleet, filmed: Sequence[Filmed], *, say: Callable[[str], None] = lambda _words: None
) -> dict[str, Any]:
    """Kill, empty, restart and take away in the middle of the work; return what became of it."""
    app = fleet.start_app()
    order = fleet.bench.catalog.queue_order
    jobs = submit(fleet, filmed)
    parts = len(FAULTS) + 1
    bounds = [len(jobs) * number // parts for number in range(parts + 1)]
    for job in jobs[bounds[1] :]:  # so that there is work left for every fault
        order.hold(job.id)
    for _ in range(2):
        fleet.start_worker("--class", "cpu")
    began = time.monotonic()
    with watched(app) as answers:
        for number, (what, fault) in enumerate(FAULTS.items()):
            begin, end = bounds[number : number + 2]
            _wait_until_done(fleet, jobs, begin + (end - begin - 1) // 2)
            say(f"{ended(fleet, jobs)} are done; {what}")
            fault(fleet)
            for job in jobs[end : bounds[number + 2]]:
                order.release(job.id)
        _wait_until_done(fleet, jobs, len(jobs))
        seconds = round(time.monotonic() - began, 1)
        wait_for(lambda: health(app) == 200, "the app is well")
    fleet.stop_workers()
    return {"seconds": seconds, "app_answers": dict(answers), **judge(fleet, filmed, jobs)}


def kill_worker(fleet: Fleet) -> None:
    """Kill a worker that runs a job, and start another one."""
    worker, _ = fleet.halt_detection()
    worker.process.kill()
    worker.process.wait()
    fleet.workers.remove(worker)
    fleet.start_worker("--class", "cpu")


def flush_broker(fleet: Fleet) -> None:
    """Empty the broker."""
    fleet.redis.flush()


def restart_database(fleet: Fleet) -> None:
    """Have the database go down as in a power cut, and come back."""
    _, child = fleet.halt_detection()
    fleet.postgres.stop()
    time.sleep(DATABASE_AWAY_SECONDS)
    fleet.postgres.start()
    with contextlib.suppress(ProcessLookupError):  # its worker may have given it up
        os.kill(child, signal.SIGCONT)


def take_spot_machine(fleet: Fleet) -> None:
    """Give notice to a spot machine with a job; when it has left, start another one."""
    worker, child = fleet.halt_detection()
    worker.metadata.interrupt()
    wait_for(lambda: is_told_to_end(child), "its child is told to end")
    os.kill(child, signal.SIGCONT)
    if worker.process.wait(60):
        raise AssertionError(f"it ended with {worker.process.returncode}: see {worker.folder}.log")
    fleet.workers.remove(worker)
    fleet.start_worker("--class", "cpu")


FAULTS: Mapping[str, Callable[[Fleet], None]] = {
    "a spot machine gets notice": take_spot_machine,
    "one worker is killed": kill_worker,
    "the broker is emptied": flush_broker,
    "the database is restarted": restart_database,
}


def judge(fleet: Fleet, filmed: Sequence[Filmed], jobs: Sequence[JobRecord]) -> dict[str, Any]:
    """Return how each job ended, and what must not be."""
    catalog = fleet.bench.catalog
    causes: Counter[str] = Counter()
    not_once, wrong_events, attempts = [], [], 0
    kept = {item.key for item in fleet.bench.storage.list("detections/")}
    for each, job in zip(filmed, jobs, strict=True):
        made = catalog.jobs.attempts(job.id)
        attempts += len(made)
        causes.update(attempt.cause.value for attempt in made if attempt.cause)
        good = sum(attempt.state is JobState.SUCCEEDED for attempt in made)
        runs = [
            run for run in catalog.detections.list(video_id=each.video.id) if run.job_id == job.id
        ]
        is_once = (
            catalog.jobs.get(job.id).state is JobState.SUCCEEDED
            and good == 1
            and [run.state for run in runs] == [JobState.SUCCEEDED]
            and {runs[0].result_key, runs[0].scores_key} <= kept
        )
        found = catalog.events.list(detection_run_id=runs[0].id) if runs else []
        if not is_once:
            not_once.append(each.video.name)
        if len(found) != each.events or any(event.provisional for event in found):
            wrong_events.append(each.video.name)
    return {
        "videos": len(jobs),
        "finished_once": len(jobs) - len(not_once),
        "not_once": not_once,
        "wrong_events": wrong_events,
        "attempts": attempts,
        "attempts_that_failed": dict(causes),
    }


def ended(fleet: Fleet, jobs: Sequence[JobRecord]) -> int:
    """Return how many jobs have ended."""
    asked = {job.id for job in jobs}
    known = fleet.bench.catalog.jobs.list("detect")
    return sum(job.id in asked and job.state.is_final for job in known)


def _wait_until_done(fleet: Fleet, jobs: Sequence[JobRecord], count: int) -> None:
    wait_for(lambda: ended(fleet, jobs) >= count, f"{count} are done", PATIENCE_SECONDS)


@contextlib.contextmanager
def watched(app: str) -> Iterator[Counter[str]]:
    """Ask the app for its health all the while; gives the answers, counted."""
    answers: Counter[str] = Counter()
    over = threading.Event()

    def watch() -> None:
        while not over.wait(HEALTH_SECONDS):
            answers[str(health(app) or "none")] += 1

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield answers
    finally:
        over.set()
        thread.join()


def measure(fleet: Fleet, filmed: Sequence[Filmed], workers: int) -> dict[str, Any]:
    """Go through all videos with so many workers that were waiting; return what it took."""
    for _ in range(workers):
        fleet.start_worker("--class", "cpu")
    fleet.wait_for_workers(workers)
    load = os.getloadavg()[0]
    before = _cpu_seconds()
    began = time.monotonic()
    jobs = submit(fleet, filmed)
    _wait_until_done(fleet, jobs, len(jobs))
    wall = time.monotonic() - began
    fleet.stop_workers()
    row = {
        "workers": workers,
        "seconds": round(wall, 1),
        "cpu_seconds": round(_cpu_seconds() - before, 1),
        "load_before": round(load, 1),
        **{
            key: len(value)
            for key, value in judge(fleet, filmed, jobs).items()
            if key == "not_once"
        },
    }
    print(row, flush=True)
    return row


def efficiencies(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the fastest of each number of workers, against the fastest of the fewest."""
    best: dict[int, Mapping[str, Any]] = {}
    for row in rows:
        if row["workers"] not in best or row["seconds"] < best[row["workers"]]["seconds"]:
            best[row["workers"]] = row
    if not best:
        return []
    fewest = min(best)
    alone = best[fewest]["seconds"] * fewest
    told = []
    for workers, row in sorted(best.items()):
        speedup = alone / row["seconds"]
        told.append(
            {
                **row,
                "speedup": round(speedup, 2),
                "efficiency_per_process": round(speedup / workers, 2),
                "efficiency_per_core": round(speedup / min(workers, CPU_CORES), 2),
                "cores_busy_with_workers": round(row["cpu_seconds"] / row["seconds"], 2),
            }
        )
        print(told[-1])
    return told


def _cpu_seconds() -> float:
    """Return processor time of processes that were waited for: workers, with all they ran."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
