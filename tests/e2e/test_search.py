"""A search in a real child: stopped, killed or left alone, it ends with the same ranking."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal

import pytest

pytest.importorskip("torch", reason="torch is not installed: nothing can be trained")

from prismata.cli.main import run_command
from prismata.core.child import EXIT_STOPPED
from prismata.core.jobs import JobState
from prismata.core.ports import MessageHandler
from prismata.services.ingest import ingest_file
from prismata.services.labels import add_label
from prismata.services.search import (
    SearchRequest,
    prepare_search,
    read_search,
    run_search,
    search_prefix,
)
from prismata.services.search_space import check_space
from prismata.services.train import TrainRequest
from prismata.services.workbench import Workbench
from prismata.settings import Settings
from prismata.testing.synth import render_flashes
from prismata.training.recipe import Recipe
from prismata.wiring import open_workbench

pytestmark = pytest.mark.torch

RECIPE = {
    "architecture": "spot_r18",
    "encoder": "tiny",
    "frozen": False,
    "weights": "none",
    "epochs": 6,
    "patience": 6,
    "head": {"hidden": 4},
    "quantize": "never",
    "chunk_samples": 8,
    "batch_chunks": 2,
    "ema_decay": 0.8,
}
SPACE = check_space({"head_lr": (1e-3, 1e-2), "mixup": (0.0, 0.2)})
RUNGS = ((4, 2), (2, 6))


@pytest.fixture(scope="module")
def rooms(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rooms")
    return [
        render_flashes(folder / f"room-{n}.mp4", seconds=4, seed=n, size=(64, 48)) for n in (1, 2)
    ]


@pytest.fixture
def new_bench(tmp_path, plugins, rooms):
    """Open a workbench with two labelled videos, each in a place of its own."""
    opened = []

    def make(name: str) -> Workbench:
        settings = Settings(data_dir=tmp_path / name, domains_dirs=str(plugins), user="tester")
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


def search(bench, on_message: MessageHandler = lambda _message: None):
    training = TrainRequest("flashes", RECIPE, fixed_groups={"room-2": "val"})
    prepared = prepare_search(bench, SearchRequest(training, SPACE, trials=4, minutes=10))
    outcome = run_search(bench, prepared, on_message=on_message)
    return outcome, read_search(bench, bench.catalog.jobs.get(prepared.job.id))


def without_time(report):
    return [
        {key: value for key, value in trial.to_dict().items() if key != "seconds"}
        for trial in report.trials
    ]


class Kill:
    """Ends each child by a signal, as soon as so many pieces are done in all."""

    def __init__(self, *after_pieces, by=signal.SIGKILL):
        self.after_pieces = list(after_pieces)
        self.by = by
        self.pids: list[int] = []
        self.pieces: list[tuple[int, int]] = []

    def __call__(self, message):
        if message["type"] == "started":
            self.pids.append(message["pid"])
        if message["type"] != "event":
            return
        self.pieces.append((message["event"]["trial"], message["event"]["rung"]))
        if self.after_pieces and len(self.pieces) == self.after_pieces[0]:
            self.after_pieces.pop(0)
            os.kill(self.pids[-1], self.by)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, plugins, rooms):
    """What a search says that nobody disturbs, and its workbench."""
    folder = tmp_path_factory.mktemp("whole")
    settings = Settings(data_dir=folder, domains_dirs=str(plugins), user="tester")
    with open_workbench(settings) as bench:
        for room in rooms:
            video = ingest_file(bench, room.path, domain="flashes", group=room.path.stem).video
            for event in room.events:
                add_label(bench, video, "flashes", event)
        outcome, report = search(bench)
        assert outcome.state is JobState.SUCCEEDED, outcome
        assert bench.catalog.runs.list(domain="flashes") == []
        assert bench.catalog.models.list("flashes") == []
        yield bench, report


def test_every_trial_is_compared_after_as_many_epochs_and_nothing_else_is_left(whole):
    bench, report = whole
    assert (report.ended, report.rungs) == ("one_left", RUNGS)
    assert [len(trial.scores) for trial in report.trials] == [2, 2, 1, 1]
    assert [len(trial.curve) for trial in report.trials] == [6, 6, 2, 2]
    for trial in report.trials:
        assert list(trial.scores) == [max(trial.curve[:n]) for _, n in RUNGS[: len(trial.scores)]]
    firsts = [trial.scores[0] for trial in sorted(report.trials, key=lambda trial: trial.number)]
    went_on = {trial.number for trial in report.trials[:2]}
    order = sorted(range(4), key=lambda place: (-firsts[place], place))
    assert went_on == {place + 1 for place in order[:2]}
    left = [item.key for item in bench.storage.list(search_prefix("flashes"))]
    assert [key.rpartition("/")[2] for key in left] == ["state.json"]
    told = " ".join(report.sentences())
    assert "chosen by its validation score, so that score is too good" in told


def test_a_search_that_is_killed_goes_on_to_the_same_ranking(whole, new_bench):
    """Once in the first rung, once in the last; then on a machine that has nothing but storage."""
    bench = new_bench("killed")
    kill = Kill(2, 5)
    outcome, report = search(bench, on_message=kill)
    assert outcome.state is JobState.FAILED
    job = bench.catalog.jobs.get(report.job.id)
    assert (job.attempt, job.failures) == (2, {"killed": 2})
    assert report.ended == ""
    assert "stopped before its end" in " ".join(report.sentences())
    shutil.rmtree(bench.settings.cache_dir / "searches")
    outcome, report = search(bench, on_message=kill)
    assert outcome.state is JobState.SUCCEEDED, outcome
    assert without_time(report) == without_time(whole[1])
    assert len(kill.pids) == 3
    assert len(kill.pieces) == len(set(kill.pieces)) == 6, "no piece is done twice"


def test_a_search_that_is_told_to_stop_saves_its_place_and_goes_on(whole, new_bench):
    """It stops inside an epoch, between two steps, and goes on with the third."""
    bench = new_bench("stopped")
    kill = Kill(3, by=signal.SIGTERM)
    outcome, report = search(bench, on_message=kill)
    assert outcome.state is JobState.SUCCEEDED, outcome
    attempts = bench.catalog.jobs.attempts(report.job.id)
    assert [item.exit_code for item in attempts] == [EXIT_STOPPED, 0], "it left by itself"
    assert without_time(report) == without_time(whole[1])
    assert len(kill.pids) == 2
    assert len(kill.pieces) == len(set(kill.pieces)) == 6, "no piece is done twice"


def test_the_command_that_is_told_trains_the_best_trial_to_its_end(whole, monkeypatch, capsys):
    bench, report = whole
    for name in ("data_dir", "domains_dirs", "user"):
        monkeypatch.setenv(f"PRISMATA_{name.upper()}", str(getattr(bench.settings, name)))
    program, *arguments = shlex.split(report.train_command())
    assert program == "prismata"
    assert run_command([*arguments, "--json"]) == 0
    run = bench.catalog.runs.find(json.loads(capsys.readouterr().out)["run"])
    wanted = report.training()
    assert Recipe.resolved(run.recipe["training"]) == Recipe.resolved(wanted.recipe)
    # The trial reached the last rung on the very way that the training alone goes.
    assert [row["val_score"] for row in run.history] == list(report.best.curve)
    assert bench.catalog.datasets.get(run.dataset_version_id).name == report.job.params["dataset"]
