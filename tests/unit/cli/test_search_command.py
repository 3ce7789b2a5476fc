"""`prismata search`: what is refused before anything is trained, and what is told of one."""

from __future__ import annotations

import shlex

import pytest

from prismata.core.jobs import JobState
from prismata.services.ingest import ingest_file
from prismata.services.labels import add_label
from prismata.services.search import SearchRequest, latest_search, prepare_search, read_search
from prismata.services.search_space import check_space
from prismata.services.train import TrainRequest
from prismata.testing.synth import render_flashes


@pytest.fixture
def rooms(bench, tmp_path):
    for number in (1, 2):
        room = render_flashes(tmp_path / f"room-{number}.mp4", seconds=2, seed=number)
        video = ingest_file(bench, room.path, domain="flashes", group=room.path.stem).video
        for event in room.events:
            add_label(bench, video, "flashes", event)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--minutes", "0"], "a time budget of 0 minutes leaves no time to train"),
        (["--set", "mining_folds=3"], "a search compares trainings that do without mining"),
        (["--trials", "1"], "a search compares 2 to 200 trials, not 1"),
        (["--try", "speed=1,2"], "there is no setting 'speed' that a search can vary"),
        (["--try", "head_lr"], "a setting to try is written NAME=V1,V2"),
        (["--try", "mixup=0,0.2"], "these values make 1; mixup=0.2 with cnn_lstm:"),
        (["--val-share", "0"], "a search chooses by validation videos, and 'flashes' has none"),
        (["--set", "mixup"], "--set takes NAME=VALUE"),
        (["--architecture", "huge"], "there is no architecture 'huge'"),
    ],
)
def test_what_cannot_be_searched_is_refused_in_one_sentence(
    prismata, bench, rooms, options, sentence
):
    told = prismata("search", "flashes", *options)
    assert told.code != 0
    assert sentence in told.err
    assert told.err.count("\n") == 1
    assert bench.catalog.jobs.list() == []
    assert bench.catalog.datasets.list() == []


@pytest.mark.torch
def test_a_search_that_failed_has_its_exit_code_and_its_sentence(prismata, bench, rooms):
    """There are no weights here, which its child finds out before it reads a video."""
    told = prismata(
        "search", "flashes", "--encoder", "nobody_has_this", "--try", "hidden=4,8", "--json"
    )
    assert told.code == 65
    answer = told.json
    assert answer["search"]["state"] == "failed"
    assert "nobody_has_this" in answer["search"]["message"]
    assert (answer["best"], answer["train_command"], answer["ended"]) == (None, None, None)
    assert [trial["settings"]["hidden"] for trial in answer["trials"]] == [4, 8]
    assert latest_search(bench, "flashes").state is JobState.FAILED


def test_the_command_holds_all_that_differs_and_nothing_else(bench, rooms):
    training = TrainRequest(
        "flashes",
        {"architecture": "spot_r18", "frozen": False, "head": {"layers": 2}, "seed": 5},
        val_share=0.5,
        test_share=0.1,
        fixed_groups={"room-2": "val"},
        seed=3,
    )
    space = check_space({"hidden": (64, 32), "dilation": (None, 2)})
    prepared = prepare_search(bench, SearchRequest(training, space))
    job = bench.catalog.leases.claim(prepared.job.id, lease_seconds=60)
    standing = {"scores": [0.5], "curve": [0.5], "seconds": 1.0, "failed": ""}
    job = bench.catalog.leases.end_attempt(
        job.id,
        job.lease_token,
        state=JobState.SUCCEEDED,
        result={
            "rungs": [{"trials": 4, "epochs": 1}],
            "standings": [standing] * 4,
            "ranking": [0, 1, 2, 3],
            "spent_seconds": 4.0,
            "ended": "one_left",
        },
    )
    report = read_search(bench, job)
    words = shlex.split(report.train_command())
    settings = report.best.settings
    assert words[:5] == ["prismata", "train", "flashes", "--architecture", "spot_r18"]
    dilation = "null" if settings["dilation"] is None else settings["dilation"]
    assert set(words[5::2]) == {"--set", "--seed", "--val-share", "--test-share", "--val-group"}
    assert set(words[6::2]) == {
        "frozen=false",
        f'head={{"layers": 2, "hidden": {settings["hidden"]}}}',
        f"dilation={dilation}",
        "seed=5",
        "3",
        "0.5",
        "0.1",
        "room-2",
    }
    assert "Trials 1, 2, 3, 4 have the same score" in " ".join(report.sentences())
