"""A training that is stopped or killed goes on in the same run and ends as if nothing was."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed: nothing can be trained")

from prismata.core.jobs import FailureCause, JobState
from prismata.core.ports import MessageHandler
from prismata.services.ingest import ingest_file
from prismata.services.labels import add_label
from prismata.services.train import (
    TrainRequest,
    assign_training,
    prepare_resume,
    prepare_training,
    run_training,
    trained_model,
)
from prismata.services.workbench import Workbench
from prismata.settings import Settings
from prismata.testing.children import PATIENCE_SECONDS
from prismata.testing.synth import render_flashes
from prismata.training.checkpoint import how_far
from prismata.wiring import open_workbench
from prismata.worker.train.run import take_newer_checkpoint

pytestmark = pytest.mark.torch

RECIPE = {
    "encoder": "tiny",
    "frozen": False,
    "weights": "none",
    "epochs": 6,
    "patience": 6,
    "head": {"hidden": 8},
    "quantize": "never",
    "chunk_samples": 8,
    "batch_chunks": 1,
}
STOP_IN_EPOCH = 3


@pytest.fixture(scope="module")
def rooms(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rooms")
    return [
        render_flashes(folder / f"room-{n}.mp4", seconds=6, seed=n, size=(64, 48)) for n in (1, 2)
    ]


@pytest.fixture
def new_bench(tmp_path, plugins, rooms):
    """Open a workbench with two labelled videos, each in a place of its own."""
    opened = []

    def make(name: str, **others: str) -> Workbench:
        settings = Settings(
            data_dir=tmp_path / name, domains_dirs=str(plugins), user="tester", **others
        )
        bench = open_workbench(settings)
        opened.append(bench)
        for room in rooms:
            video = ingest_file(bench, room.path, domain="flashes", group=room.path.stem).video
            for event in room.events:
                add_label(bench, video, "flashes", event)
        return bench

    yield make
    for bench in opened:
        bench.close()


def train(bench: Workbench, on_message: MessageHandler = lambda _message: None):
    request = TrainRequest("flashes", RECIPE, fixed_groups={"room-2": "val"})
    prepared = prepare_training(bench, request)
    outcome = run_training(bench, prepared, on_message=on_message)
    return prepared, outcome


def without_time(history):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in history]


def stop_by(how: str, bench: Workbench) -> MessageHandler:
    """Stop the child once, in the middle of an epoch that has a checkpoint before it."""
    pids: list[int] = []
    stopped = threading.Event()

    def on_message(message):
        if message["type"] == "started":
            pids.append(message["pid"])
        is_time = message["type"] == "event" and message["event"].get("epoch") == STOP_IN_EPOCH - 1
        if is_time and not stopped.is_set():
            stopped.set()
            os.kill(pids[-1], signal.SIGKILL if how == "kill" else signal.SIGTERM)

    return on_message


@pytest.mark.parametrize("how", ["kill", "term"])
def test_a_training_child_that_ends_early_goes_on_to_the_same_model(new_bench, how):
    whole_bench, bench = new_bench("whole"), new_bench("stopped")
    whole, outcome = train(whole_bench)
    assert outcome.state is JobState.SUCCEEDED, outcome
    stopped, outcome = train(bench, stop_by(how, bench))
    assert outcome.state is JobState.SUCCEEDED, outcome
    job = bench.catalog.jobs.get(stopped.job.id)
    assert (job.attempt, job.failures) == (2, {"killed": 1})
    left = whole_bench.catalog.runs.get(whole.run.id)
    right = bench.catalog.runs.get(stopped.run.id)
    assert [row["epoch"] for row in right.history] == list(range(1, len(left.history) + 1))
    assert without_time(right.history) == without_time(left.history)
    assert right.metrics["val"]["types"] == left.metrics["val"]["types"]
    (model,) = bench.catalog.models.list("flashes")
    (other,) = whole_bench.catalog.models.list("flashes")
    assert model.card["files"] == other.card["files"], "the same weights, byte for byte"


def test_a_workbench_that_closes_gives_its_training_to_the_next_one(new_bench, tmp_path, plugins):
    bench = new_bench("first")
    request = TrainRequest("flashes", {**RECIPE, "epochs": 40}, fixed_groups={"room-2": "val"})
    prepared = prepare_training(bench, request)
    bench.jobs.start(prepared.job)
    deadline = threading.Event()
    while len(bench.catalog.runs.get(prepared.run.id).history) < 2:
        assert not deadline.wait(0.1)
        assert not bench.catalog.jobs.get(prepared.job.id).state.is_final
    bench.close()

    settings = Settings(data_dir=Path(tmp_path / "first"), domains_dirs=str(plugins), user="tester")
    with open_workbench(settings) as again:
        given_back = again.catalog.jobs.get(prepared.job.id)
        assert (given_back.state, given_back.failures) == (JobState.QUEUED, {"preempted": 1})
        known = again.catalog.runs.get(prepared.run.id)
        assert (known.state, known.checkpoint_key != "") == (JobState.RUNNING, True)
        again.jobs.begin()
        outcome = again.jobs.follow(prepared.job.id).wait(PATIENCE_SECONDS * 2)
        assert outcome is not None
        assert outcome.state is JobState.SUCCEEDED, outcome
        history = again.catalog.runs.get(prepared.run.id).history
        assert [row["epoch"] for row in history] == list(range(1, len(history) + 1))
        assert len(again.catalog.jobs.attempts(prepared.job.id)) == 2


def test_an_attempt_that_finds_everything_published_says_what_the_first_would_have(new_bench):
    """Whoever published was stopped before it could say so."""
    bench = new_bench("first")
    prepared, outcome = train(bench)
    assert outcome.state is JobState.SUCCEEDED, outcome
    again = assign_training(bench, bench.catalog.jobs.get(prepared.job.id))
    said = bench.catalog.jobs.get(prepared.job.id).result
    assert again.finished == said
    assert said["model_id"] == trained_model(bench, outcome).id


def test_the_checkpoint_that_has_come_further_is_gone_on_from(new_bench):
    """On this machine lies an old one, because an attempt elsewhere came between."""
    bench = new_bench("first")
    request = TrainRequest("flashes", RECIPE, fixed_groups={"room-2": "val"})
    prepared = prepare_training(bench, request)
    stop = stop_by("term", bench)
    bench.jobs.run_job(prepared.job.id, on_message=stop)
    run = bench.catalog.runs.get(prepared.run.id)
    here = bench.settings.cache_dir / "training" / run.id / "checkpoint.pt"
    newest = here.read_bytes()
    assert how_far(here) == (RECIPE["epochs"], 0)

    here.write_bytes(b"damaged")
    take_newer_checkpoint(bench, run.checkpoint_key, here)
    assert here.read_bytes() == newest
    bench.storage.put(run.checkpoint_key, b"damaged")
    take_newer_checkpoint(bench, run.checkpoint_key, here)
    assert here.read_bytes() == newest
    assert [item.name for item in here.parent.iterdir() if "stored" in item.name] == []


@pytest.fixture
def small_disk(tmp_path):
    """Mount a disk of 40 MB, which a test can fill: for all but the database."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=40m", "prismata-test", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root may mount a small disk here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_training_whose_disk_is_full_goes_on_when_there_is_room(new_bench, small_disk, tmp_path):
    database = f"sqlite:///{tmp_path / 'full.db'}"
    whole_bench, bench = new_bench("whole"), new_bench("small/full", database_url=database)
    whole, outcome = train(whole_bench)
    assert outcome.state is JobState.SUCCEEDED, outcome
    filler = small_disk / "filler"

    def on_message(message):
        if message["type"] == "event" and message["event"].get("epoch") == STOP_IN_EPOCH - 1:
            with filler.open("wb", buffering=0) as target, contextlib.suppress(OSError):
                while target.write(bytes(65_536)):
                    pass

    full, outcome = train(bench, on_message)
    assert outcome.state is JobState.FAILED
    assert outcome.cause is FailureCause.STORAGE
    assert outcome.message.startswith("The disk is full")
    assert not bench.catalog.models.list("flashes")
    filler.unlink()
    resumed = prepare_resume(bench, full.run.name)
    outcome = run_training(bench, resumed)
    assert outcome.state is JobState.SUCCEEDED, outcome
    left = whole_bench.catalog.runs.get(whole.run.id)
    right = bench.catalog.runs.get(resumed.run.id)
    rest = without_time(right.history)
    assert 0 < len(rest) <= len(left.history) - STOP_IN_EPOCH + 1, "it goes on, not anew"
    assert rest == without_time(left.history)[-len(rest) :]
    (model,) = bench.catalog.models.list("flashes")
    (other,) = whole_bench.catalog.models.list("flashes")
    assert model.card["files"] == other.card["files"], "the same weights, byte for byte"
