"""From labels to a model that is used, in the browser, with an app that is killed on the way."""

import os
import re
import signal
import time

import pytest

pytest.importorskip("torch", reason="torch is not installed: nothing can be trained")

from prismata.core.jobs import JobState
from prismata.services.ingest import ingest_file
from prismata.services.labels import add_label
from prismata.testing.children import wait_until_gone
from prismata.testing.synth import render_flashes

pytestmark = pytest.mark.torch

TRAINING_SECONDS = 240


@pytest.fixture
def rooms(bench, tmp_path):
    videos = []
    for number in (1, 2):
        room = render_flashes(
            tmp_path / f"room-{number}.mp4", seconds=6, seed=number, size=(64, 48)
        )
        videos.append(ingest_file(bench, room.path, domain="flashes").video)
        for event in room.events:
            add_label(bench, videos[-1], "flashes", event)
    return videos


def epochs_of(bench):
    runs = bench.catalog.runs.list(domain="flashes")
    return [row["epoch"] for row in runs[0].history] if runs else []


def open_train(page, server):
    page.goto(f"{server.url}/train")
    page.get_by_role("combobox", name=re.compile("Domain")).click()
    page.get_by_role("option", name="Flashes").click()


def test_a_training_outlives_the_app_and_its_model_is_used(page, server, bench, rooms):
    open_train(page, server)
    page.get_by_text("Train the encoder too").click()
    page.get_by_role("button", name="Start training").click()
    child = server.child("prismata.worker.train")
    while len(known := epochs_of(bench)) < 2:
        (job,) = bench.catalog.jobs.list(kind="train")
        assert not job.state.is_final, job.message
        time.sleep(0.01)
    os.kill(child, signal.SIGSTOP)  # so that it does not end before the app does
    page.get_by_text(re.compile(r"Epoch \d+ · loss")).wait_for()
    known = epochs_of(bench)
    (run,) = bench.catalog.runs.list(domain="flashes")
    assert run.state is JobState.RUNNING
    server.kill()
    wait_until_gone(child)

    server.start_again()
    open_train(page, server)
    page.get_by_text(run.name).wait_for()
    assert bench.jobs.follow(run.job_id).wait(TRAINING_SECONDS) is not None
    job = bench.catalog.jobs.get(run.job_id)
    assert (job.state, job.failures) == (JobState.SUCCEEDED, {"lost": 1})
    history = epochs_of(bench)
    assert history == list(range(1, len(history) + 1))
    assert history[: len(known)] == known, "it went on where it was"

    page.get_by_role("button", name="Promote").click()
    page.get_by_text(re.compile("is what flashes uses from now on")).wait_for()
    (model,) = bench.catalog.models.list(domain="flashes", stage="production")
    page.goto(f"{server.url}/analyze")
    page.get_by_role("button", name="Run detection").click()
    page.get_by_text(re.compile(r"events? in room-\d\.mp4")).wait_for()
    (detection,) = bench.catalog.detections.list(model_id=model.id)
    assert detection.state is JobState.SUCCEEDED
