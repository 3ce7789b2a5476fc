"""A training that several processes share: as a job, with everything that can end one of them."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed: nothing can be trained")

from prismata.core.errors import InvalidInputError
from prismata.core.jobs import JobState
from prismata.services.ingest import ingest_file
from prismata.services.labels import add_label
from prismata.services.train import (
    TRAIN_CHILD,
    TRAIN_TOGETHER,
    TrainRequest,
    assign_training,
    prepare_training,
    run_training,
)
from prismata.settings import Settings
from prismata.testing.children import wait_until_gone
from prismata.testing.synth import render_flashes
from prismata.wiring import open_workbench

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(sys.platform != "linux", reason="looks for the processes in /proc"),
]

RECIPE = {
    "encoder": "tiny",
    "frozen": False,
    "weights": "none",
    "epochs": 4,
    "patience": 4,
    "head": {"hidden": 8, "dropout": 0.0},
    "quantize": "never",
    "chunk_samples": 8,
    "batch_chunks": 2,
}
REQUEST = TrainRequest("flashes", RECIPE, fixed_groups={"room-2": "val"}, processes=2)


@pytest.fixture(scope="module")
def rooms(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rooms")
    return [
        render_flashes(folder / f"room-{n}.mp4", seconds=6, seed=n, size=(64, 48)) for n in (1, 2)
    ]


@pytest.fixture
def bench(tmp_path, plugins, rooms):
    settings = Settings(data_dir=tmp_path / "data", domains_dirs=str(plugins), user="tester")
    with open_workbench(settings) as opened:
        for room in rooms:
            video = ingest_file(opened, room.path, domain="flashes", group=room.path.stem).video
            for event in room.events:
                add_label(opened, video, "flashes", event)
        yield opened


class Watcher:
    """Notes the processes of a training, and does something to them once, after an epoch."""

    def __init__(self, act=lambda ranks: None, after_epoch=2):
        self.ranks: list[int] = []
        self.launcher = 0
        self._act, self._after_epoch = act, after_epoch

    def __call__(self, message):
        if message["type"] == "started" and not self.ranks:
            self.launcher = parent_of(message["pid"])
            self.ranks = children_of(self.launcher)
            assert message["pid"] in self.ranks
            assert len(self.ranks) == 2
        elif message["type"] == "event" and message["event"].get("epoch") == self._after_epoch:
            act, self._act = self._act, lambda ranks: None
            act(self.ranks)


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def children_of(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return sorted(map(int, listed.split()))


def history_of(bench, prepared):
    return bench.catalog.runs.get(prepared.run.id).history


def test_two_processes_of_which_one_is_killed_come_to_the_model_of_one(bench):
    together = prepare_training(bench, REQUEST)
    watcher = Watcher(lambda ranks: os.kill(ranks[1], signal.SIGKILL))
    outcome = run_training(bench, together, on_message=watcher)
    assert outcome.state is JobState.SUCCEEDED, outcome
    for pid in (watcher.launcher, *watcher.ranks):
        wait_until_gone(pid)
    job = bench.catalog.jobs.get(together.job.id)
    assert (job.attempt, job.failures) == (2, {"killed": 1}), "and not what it was for the other"

    alone = prepare_training(bench, replace(REQUEST, processes=1))
    outcome_of_one = run_training(bench, alone)
    for left, right in zip(history_of(bench, together), history_of(bench, alone), strict=True):
        assert left["epoch"] == right["epoch"], "each once, from the checkpoint on"
        assert left["train_loss"] == pytest.approx(right["train_loss"], rel=1e-3)
        assert left["val_loss"] == pytest.approx(right["val_loss"], rel=1e-3)
    trainings = [model.card["training"] for model in bench.catalog.models.list("flashes")]
    assert sorted(training["processes"] for training in trainings) == [1, 2]
    assert trainings[0]["recipe"] == trainings[1]["recipe"]
    assert outcome.peak_rss_mb > 1.5 * outcome_of_one.peak_rss_mb, "of all processes"


@pytest.mark.parametrize("can_listen", [True, False])
def test_a_training_that_is_called_off_leaves_no_process(bench, can_listen):
    def call_off(ranks):
        for pid in () if can_listen else ranks:
            os.kill(pid, signal.SIGSTOP)
        bench.catalog.jobs.request_cancel(prepared.job.id)

    watcher = Watcher(call_off, after_epoch=1)
    prepared = prepare_training(bench, REQUEST)
    outcome = run_training(bench, prepared, on_message=watcher)
    assert outcome.state is JobState.CANCELLED, outcome
    for pid in (watcher.launcher, *watcher.ranks):
        wait_until_gone(pid)
    if can_listen:
        run = bench.catalog.runs.get(prepared.run.id)
        assert bench.storage.exists(run.checkpoint_key), "what it had come to is kept"


def test_how_many_processes_is_the_jobs_word_or_the_settings(bench):
    with pytest.raises(InvalidInputError, match="at least one process, not 0"):
        prepare_training(bench, replace(REQUEST, processes=0))
    job = prepare_training(bench, replace(REQUEST, processes=1)).job
    assert assign_training(bench, job).argv == TRAIN_CHILD
    free = replace(job, params=job.params | {"processes": None})
    three = replace(bench, settings=bench.settings.model_copy(update={"train_processes": "3"}))
    assert assign_training(three, free).argv == (*TRAIN_TOGETHER, "3")
    assert assign_training(three, job).argv == TRAIN_CHILD
