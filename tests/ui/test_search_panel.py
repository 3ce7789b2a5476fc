"""A search on the Train page: what it would try, how it goes, what came of it."""

import json

import pytest

from prismata.core.jobs import FailureCause, JobState
from prismata.services.ingest import ingest_file
from prismata.services.labels import add_label
from prismata.services.search import latest_search, search_prefix
from prismata.services.train import TrainRequest, prepare_training
from prismata.testing.synth import render_flashes

pytestmark = pytest.mark.torch

RUNGS = [{"trials": 4, "epochs": 2}, {"trials": 2, "epochs": 6}]
STANDINGS = [
    {"scores": [0.2], "curve": [0.1, 0.2], "seconds": 1.0, "failed": ""},
    {"scores": [0.4, 0.5], "curve": [0.1, 0.4, 0.2, 0.3, 0.5, 0.1], "seconds": 3.0, "failed": ""},
    {"scores": [0.3, 0.7], "curve": [0.3, 0.1, 0.2, 0.3, 0.7, 0.1], "seconds": 3.0, "failed": ""},
    {"scores": [], "curve": [], "seconds": 0.0, "failed": "its loss was not a number any more"},
]
STATE = {"rungs": RUNGS, "standings": STANDINGS, "ranking": [2, 1, 0, 3], "spent_seconds": 7.0}


@pytest.fixture
def labelled(bench, tmp_path):
    for number in (1, 2):
        room = render_flashes(tmp_path / f"room-{number}.mp4", seconds=2, seed=number)
        video = ingest_file(bench, room.path, domain="flashes", group=room.path.stem).video
        for event in room.events:
            add_label(bench, video, "flashes", event)
    return bench


@pytest.fixture
def waiting(labelled, monkeypatch):
    """Jobs that are asked for stay in the queue, for the test to play their worker."""
    monkeypatch.setattr(type(labelled.jobs), "start", lambda _engine, job: job)
    return labelled


def open_train(open_page):
    page = open_page("train")
    page.box("Domain").select("flashes")
    return page.run()


def values(page):
    return page.test.text_area[0]


def ask(page, text="head_lr=0.001,0.003\nmixup=0,0.2"):
    page.test.radio[0].set_value("exact").run()
    values(page).set_value(text).run()
    return page.press("Start search")


def play(bench, **end):
    job = latest_search(bench, "flashes")
    claimed = bench.catalog.leases.claim(job.id, lease_seconds=60)
    if end:
        bench.catalog.leases.end_attempt(job.id, claimed.lease_token, **end)
    return claimed


def test_what_would_be_tried_is_shown_and_follows_the_recipe(open_page, labelled):
    page = open_train(open_page)
    page.test.radio[0].set_value("exact").run()
    lines = values(page).value.splitlines()
    assert "head_lr=0.0003,0.001,0.003" in lines
    assert "mixup=0,0.2" in lines
    assert "combinations are drawn" in page.words
    page.test.radio[0].set_value("classic").run()
    assert not any(line.startswith("mixup") for line in values(page).value.splitlines())
    page.test.radio[0].set_value("tiny").run()
    assert "encoder_lr=0.0003,0.001,0.003" in values(page).value.splitlines()


def test_what_cannot_be_tried_says_so_where_it_is_typed(open_page, labelled):
    page = open_train(open_page)
    values(page).set_value("speed=1,2").run()
    assert any("no setting 'speed'" in item.value for item in page.test.error)
    button = next(item for item in page.test.button if item.label == "Start search")
    assert button.disabled
    values(page).set_value("architecture=cnn_lstm,spot_r18\nmixup=0,0.2").run()
    assert not page.test.error
    assert "All 3 combinations are tried" in page.words
    assert "mixup=0.2 with cnn_lstm: mixup blends stretches" in page.words


def test_a_search_is_followed_while_it_runs(open_page, waiting):
    page = ask(open_train(open_page))
    job = latest_search(waiting, "flashes")
    assert job.params["settings"][0] == {"head_lr": 0.001, "mixup": 0.0}
    assert job.params["recipes"][0]["architecture"] == "spot_r18"
    assert "Latest search" in page.words
    assert "Cancel" in page.buttons()
    play(waiting)
    from prismata.services.search import assign_search

    plan = assign_search(waiting, waiting.catalog.jobs.get(job.id)).request["plan"]
    waiting.storage.put(search_prefix("flashes", plan) + "state.json", json.dumps(STATE).encode())
    page.run()
    table = next(item.value for item in page.test.dataframe if "Trial" in item.value)
    assert table["Trial"].tolist() == [3, 2, 1, 4]
    assert "Train with these settings" not in page.buttons()


def test_what_came_of_it_is_told_and_trained_by_one_click(open_page, waiting):
    page = ask(open_train(open_page))
    play(waiting, state=JobState.SUCCEEDED, result={**STATE, "ended": "one_left"})
    page.run()
    table = next(item.value for item in page.test.dataframe if "Trial" in item.value)
    assert table["Trial"].tolist() == [3, 2, 1, 4]
    assert table["Rung"].tolist() == ["2 of 2", "2 of 2", "1 of 2", "failed"]
    assert len(page.test.get("vega_lite_chart")) == 1
    for sentence in (
        "One of 4 trials is left; the last ones were compared after 6 epochs.",
        "Trial 4 failed: its loss was not a number any more.",
        "chosen by its validation score, so that score is too good to be an estimate",
        "Rungs: 4 trials to epoch 2, then 2 trials to epoch 6.",
        "prismata train flashes --architecture spot_r18",
    ):
        assert sentence in page.words
    page.press("Train with these settings")
    (run,) = waiting.catalog.runs.list(domain="flashes")
    best = latest_search(waiting, "flashes").params["recipes"][2]
    assert run.recipe["training"] == {"seed": 0, **best}
    assert run.recipe["training"]["epochs"] == 30


def test_a_search_that_failed_says_why_and_offers_what_it_has(open_page, waiting):
    page = ask(open_train(open_page))
    cause = FailureCause.KILLED
    play(waiting, state=JobState.FAILED, cause=cause, message="somebody killed it", may_wait=False)
    job = latest_search(waiting, "flashes")
    if not job.state.is_final:  # a kill is tried again once
        play(waiting, state=JobState.FAILED, cause=cause, message="somebody killed it")
    page.run()
    assert any("somebody killed it" in item.value for item in page.test.error)
    assert "Train with these settings" not in page.buttons()


def test_a_training_that_runs_does_not_stand_in_the_way(open_page, waiting):
    prepare_training(waiting, TrainRequest("flashes"))
    ask(open_train(open_page))
    assert latest_search(waiting, "flashes") is not None
