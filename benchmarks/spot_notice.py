"""A training on a spot machine that gets notice: how long until everything of it is safe?

`prismata worker --class gpu` in a process of its own trains a ResNet18 from scratch on synthetic
videos, with PostgreSQL, Redis and an S3 of the fleet's own. After its second epoch, in the middle
of the third, its metadata service tells that the machine is taken away, with every token ended.
Told are the seconds from there until the checkpoint is in S3, until the job waits again, and until
the process has ended, of the two minutes that there are; then until a second machine, whose folder
is empty, has ended the next epoch. There is no GPU here: the steps run on the processor.
Ends with one line of JSON.

    python benchmarks/spot_notice.py [--times 3] [--encoder resnet18]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from batch_kills import write_plugin
from fleet import Fleet, wait_for

from prismata.core.errors import UnavailableError
from prismata.core.jobs import JobState
from prismata.services.ingest import ingest_file
from prismata.services.labels import add_label
from prismata.services.train import TrainRequest, prepare_training
from prismata.testing.s3_server import TEST_CREDENTIALS
from prismata.testing.synth import render_flashes

EPOCHS = 50
NOTICE_SECONDS = 120


def main() -> None:
    """Take the machine away so many times, and say how long things took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--encoder", default="resnet18")
    given = parser.parse_args()
    os.environ.update(TEST_CREDENTIALS)
    rows = []
    for number in range(given.times):
        with contextlib.ExitStack() as on:
            folder = Path(on.enter_context(tempfile.TemporaryDirectory(prefix="prismata-spot-")))
            try:
                fleet = on.enter_context(
                    Fleet(folder, write_plugin(folder), os.environ, train_on="gpu")
                )
            except UnavailableError as error:
                sys.exit(str(error))
            rows.append(take_away(fleet, given.encoder))
            print(f"{number + 1} of {given.times}: {rows[-1]}", flush=True)
    most = {what: max(row[what] for row in rows) for what in rows[0]}
    median = {what: statistics.median(row[what] for row in rows) for what in rows[0]}
    print(json.dumps({"spot_notice": {"encoder": given.encoder, "median": median, "most": most}}))


def take_away(fleet: Fleet, encoder: str) -> dict[str, Any]:
    """Train, give notice, watch; return seconds since the notice."""
    bench = fleet.bench
    for number in (1, 2):
        path = fleet.folder / f"room-{number}.mp4"
        made = render_flashes(path, seconds=12, seed=number, size=(64, 48))
        video = ingest_file(bench, path, domain="flashes", group=path.stem).video
        if video is None:
            sys.exit(f"{path.name} could not be taken in")
        for event in made.events:
            add_label(bench, video, "flashes", event)
    recipe = {
        "encoder": encoder,
        "frozen": False,
        "weights": "none",
        "epochs": EPOCHS,
        "patience": EPOCHS,
        "quantize": "never",
    }
    request = TrainRequest("flashes", recipe, fixed_groups={"room-2": "val"})
    prepared = prepare_training(bench, request)
    job, run = prepared.job.id, prepared.run.id
    first = fleet.start_worker("--class", "gpu")
    wait_for(lambda: len(bench.catalog.runs.get(run).history) >= 2, "two epochs")
    key = f"checkpoints/{prepared.run.name}/checkpoint.pt"
    etag = etag_of(fleet, key)
    first.metadata.expire_tokens()
    first.metadata.interrupt()
    began = time.monotonic()
    told: dict[str, float] = {}
    wait_for(lambda: etag_of(fleet, key) != etag, "a checkpoint")
    told["checkpoint_stored"] = round(time.monotonic() - began, 1)
    wait_for(lambda: bench.catalog.jobs.get(job).state is JobState.QUEUED, "it waits again")
    told["waits_again"] = round(time.monotonic() - began, 1)
    (stored,) = bench.storage.list(key)
    if not stored.size:
        sys.exit("the checkpoint is empty")
    first.process.wait(NOTICE_SECONDS)
    told["process_ended"] = round(time.monotonic() - began, 1)
    told["checkpoint_mb"] = round(stored.size / 10**6, 1)
    told["preempted"] = bench.catalog.jobs.get(job).failures.get("preempted", 0)
    fleet.workers.clear()
    before = len(bench.catalog.runs.get(run).history)
    again = time.monotonic()
    fleet.start_worker("--class", "gpu")
    wait_for(lambda: len(bench.catalog.runs.get(run).history) > before, "the next epoch")
    told["next_machine_next_epoch"] = round(time.monotonic() - again, 1)
    bench.catalog.jobs.request_cancel(job)
    fleet.stop_workers()
    return told


def etag_of(fleet: Fleet, key: str) -> str:
    """Return which version of an object is stored; empty if none is."""
    return next((item.etag for item in fleet.bench.storage.list(key)), "")


if __name__ == "__main__":
    main()
