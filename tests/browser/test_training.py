"""From labels to a model that is used, in the browser, with an app that is killed on the way."""

import re

import pytest

pytest.importorskip("torch", reason="torch is not installed: nothing can be trained")

from prismata.core.jobs import JobState
from prismata.services.ingest import ingest_file
from prismata.services.labels import add_label
from prismata.testing.synth import render_flashes

pytestmark = pytest.mark.torch

TRAINING_MS = 240_000


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


def open_train(page, server):
    page.goto(f"{server.url}/train")
    page.get_by_role("combobox", name=re.compile("Domain")).click()
    page.get_by_role("option", name="Flashes").click()


def test_a_training_outlives_the_app_and_its_model_is_used(page, server, bench, rooms):
    open_train(page, server)
    page.get_by_text("Train the encoder too").click()
    page.get_by_role("button", name="Start training").click()
    page.get_by_text(re.compile(r"Epoch [2-9] · loss")).wait_for(timeout=TRAINING_MS)
    server.kill()
    (run,) = bench.catalog.runs.list(domain="flashes")
    known = [row["epoch"] for row in run.history]

    server.start_again()
    open_train(page, server)
    page.get_by_text(run.name).wait_for()
    page.get_by_role("button", name="Promote").wait_for(timeout=TRAINING_MS)
    job = bench.catalog.jobs.get(run.job_id)
    assert (job.state, job.failures) == (JobState.SUCCEEDED, {"lost": 1})
    history = [row["epoch"] for row in bench.catalog.runs.get(run.id).history]
    assert history == list(range(1, len(history) + 1))
    assert history[: len(known)] == known, "it went on where it was"

    page.get_by_role("button", name="Promote").click()
    page.get_by_text(re.compile("is what flashes uses from now on")).wait_for()
    (model,) = bench.catalog.models.list(domain="flashes", stage="production")
    page.goto(f"{server.url}/analyze")
    page.get_by_role("button", name="Run detection").click()
    page.get_by_text(re.compile(r"events? in room-\d\.mp4")).wait_for()
    (detection,) = bench.catalog.detections.list(model_id=model.id)
    assert detection.event_count > 0
