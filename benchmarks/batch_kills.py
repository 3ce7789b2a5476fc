"""A batch of videos whose detection child, workbench and database are killed in the middle.

A PostgreSQL of its own, a workbench with `prismata serve`, and a batch in its queue. After a few
videos the child is killed, later the workbench (it is started again), later the database as in a
power cut (it is started again). Said is how long it took until every job that is said to run is run
by a process that lives, how much processor time the new workbench used for that (whoever else uses
the machine), and what became of each video. Ends with one line of JSON.

    python benchmarks/batch_kills.py [--videos 20]
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fleet import cpu_seconds

from prismata.core.errors import UnavailableError
from prismata.core.jobs import JobState
from prismata.core.processes import is_alive
from prismata.services.detect import DetectRequest
from prismata.services.detect_queue import submit_detections
from prismata.services.ingest import ingest_file
from prismata.services.video_sources import LibrarySource
from prismata.services.workbench import Workbench
from prismata.settings import Settings
from prismata.testing.private_servers import PrivatePostgres, free_port
from prismata.testing.synth import render_flashes
from prismata.testing.tiny_onnx import write_flash_bundle
from prismata.wiring import open_workbench

PATIENCE_SECONDS = 600.0
PLUGIN = """
from prismata.domains import ClipSpec, Domain, EventType, GroupingRule, register_domain


@register_domain
class Flashes(Domain):
    name = "flashes"
    event_types = (EventType("flash", "point", hotkey="f"),)
    clip = ClipSpec(target_fps=20, num_frames=4, window_stride=1, width=32, height=32)
    rules = {"flash": GroupingRule(threshold=0.5, min_gap_seconds=0.3)}
"""


def main() -> None:
    """Kill what can be killed and say what became of the batch."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=int, default=20)
    count = parser.parse_args().videos
    with tempfile.TemporaryDirectory(prefix="prismata-batch-kills-") as name:
        folder = Path(name)
        try:
            postgres = PrivatePostgres()
        except UnavailableError as error:
            sys.exit(str(error))
        with postgres:
            told = _measure(folder, postgres, count)
    print(json.dumps({"batch_kills": told}))


def _measure(folder: Path, postgres: PrivatePostgres, count: int) -> dict[str, Any]:
    plugins = write_plugin(folder)
    settings = Settings(
        data_dir=folder / "data",
        database_url=postgres.url,
        domains_dirs=str(plugins),
        dispatcher="none",
        feature_cache_gb=0,
    )
    with open_workbench(settings) as bench:
        sources = add_flashes(bench, folder, count)
        app = _serve(folder, postgres)
        jobs = submit_detections(bench, sources, DetectRequest("", domain="flashes")).submitted
        print(f"{len(jobs)} videos are queued", flush=True)
        seconds = {}

        def done() -> int:
            return sum(bench.catalog.jobs.get(job.id).state.is_final for job in jobs)

        _wait(lambda: done() >= count // 5 and _child())
        os.kill(_child(), signal.SIGKILL)
        seconds["child"] = _until_true(bench)
        _wait(lambda: done() >= 2 * count // 5)
        app.kill()
        app.wait()
        app = _serve(folder, postgres)
        seconds["workbench"] = _until_true(bench)
        used = cpu_seconds(app.pid)
        _wait(lambda: done() >= 3 * count // 5)
        postgres.stop()
        time.sleep(3)
        postgres.start()
        seconds["database"] = _until_true(bench)
        _wait(lambda: done() == count)
        app.send_signal(signal.SIGTERM)
        app.wait()
        told = _what_became(bench, sources, jobs)
    for what, took in seconds.items():
        print(f"{what} killed: states true after {took:.1f} s", flush=True)
    print(f"the new workbench took {used:.1f} s of processor time for that", flush=True)
    print(told, flush=True)
    return {
        "videos": count,
        "seconds_until_true": seconds,
        "workbench_cpu_seconds": used,
        "load_1min": round(os.getloadavg()[0], 1),
        **told,
    }


def write_plugin(folder: Path) -> Path:
    """Write a domain of flashes and return the folder that plugins are found in."""
    plugin = folder / "plugins" / "flashes" / "domain.py"
    plugin.parent.mkdir(parents=True)
    plugin.write_text(PLUGIN)
    return plugin.parents[1]


def add_flash_model(bench: Workbench, folder: Path) -> None:
    """Take in a model that sees flashes."""
    bundle = write_flash_bundle(folder / "bundle")
    for path in bundle.iterdir():
        bench.storage.put_file(f"models/flash/{path.name}", path)
    bench.catalog.models.add(
        name="flash-detector",
        domain="flashes",
        domain_version=1,
        bundle_key="models/flash/",
        kind="bundle",
        card=json.loads((bundle / "card.json").read_text()),
    )


def add_flashes(bench: Workbench, folder: Path, count: int) -> list[LibrarySource]:
    """Take in a model that sees flashes, and so many videos of a minute with some."""
    add_flash_model(bench, folder)
    sources = []
    for number in range(count):
        video = render_flashes(
            folder / f"{number}.mp4", seconds=60, seed=number, size=(96, 64), fps=20
        )
        taken = ingest_file(bench, video.path, domain="flashes").video
        if taken is None:
            sys.exit(f"{video.path.name} could not be taken in")
        sources.append(LibrarySource(taken))
    return sources


def _serve(folder: Path, postgres: PrivatePostgres) -> subprocess.Popen[bytes]:
    environment = dict(
        os.environ,
        PRISMATA_DATA_DIR=str(folder / "data"),
        PRISMATA_DATABASE_URL=postgres.url,
        PRISMATA_DOMAINS_DIRS=str(folder / "plugins"),
        PRISMATA_DETECT_THREADS="1",
        PRISMATA_FEATURE_CACHE_GB="0",
    )
    with (folder / "serve.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "prismata", "serve", "--port", str(free_port())],
            env=environment,
            stdout=log,
            stderr=log,
        )


def _child() -> int:
    """Return the process that detects; the one before it, which guards it, is not it."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().decode().split("\0")
        except OSError:
            continue
        if words[1:3] == ["-m", "prismata.detection"]:
            return int(entry.parent.name)
    return 0


def _until_true(bench: Workbench) -> float:
    """Wait until every job that is said to run is run by a process that lives; return seconds."""
    began = time.monotonic()

    def is_true() -> bool:
        try:
            running = bench.catalog.leases.running()
        except UnavailableError:
            return False
        return all(attempt and is_alive(attempt.process) is not False for _, attempt in running)

    _wait(is_true)
    return round(time.monotonic() - began, 2)


def _what_became(bench: Workbench, sources: list[LibrarySource], jobs: list[Any]) -> dict[str, Any]:
    catalog = bench.catalog
    states = [catalog.jobs.get(job.id).state for job in jobs]
    good = [
        sum(attempt.state is JobState.SUCCEEDED for attempt in catalog.jobs.attempts(job.id))
        for job in jobs
    ]
    runs = [catalog.detections.list(video_id=source.video.id) for source in sources]
    return {
        "succeeded": sum(state is JobState.SUCCEEDED for state in states),
        "finished_twice": sum(number > 1 for number in good),
        "runs_per_video": sorted({len(each) for each in runs}),
        "attempts": sum(len(catalog.jobs.attempts(job.id)) for job in jobs),
        "provisional_events_left": sum(
            item.provisional for item in catalog.events.list(domain="flashes")
        ),
    }


def _wait(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            if condition():
                return
        except UnavailableError:
            pass
        if time.monotonic() > deadline:
            sys.exit("it never happened")
        time.sleep(0.05)


if __name__ == "__main__":
    main()
