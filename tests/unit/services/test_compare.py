"""Two models on the same videos, with real detections."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from prismata.core.errors import InvalidInputError, NotFoundError
from prismata.core.jobs import JobState
from prismata.services.compare import compare_models
from prismata.services.detect import DetectRequest, prepare_detection, run_detection
from prismata.services.ingest import ingest_file
from prismata.services.labels import add_label
from prismata.testing.synth import render_flashes


@pytest.fixture
def rooms(bench, tmp_path):
    videos = []
    for number in (1, 2, 3):
        room = render_flashes(tmp_path / f"{number}.mp4", seconds=3, seed=number, size=(64, 48))
        videos.append(ingest_file(bench, room.path, domain="flashes").video)
        for event in room.events:
            add_label(bench, videos[-1], "flashes", event)
    return videos


def detect(bench, model, videos):
    for video in videos:
        prepared = prepare_detection(bench, DetectRequest(video.id, model.id))
        assert run_detection(bench, prepared).state is JobState.SUCCEEDED


def test_a_model_is_as_good_as_itself_and_the_interval_knows_it(bench, rooms, add_bundle):
    one, other = add_bundle("one"), add_bundle("other")
    for model in (one, other):
        detect(bench, model, rooms)
    found = compare_models(bench, "one", "other", rooms)
    assert found.segments is None
    assert found.points.first == found.points.second == found.first.report.points.mean > 0.5
    assert (found.points.difference, found.points.interval) == (0.0, (0.0, 0.0))
    assert not found.points.is_certain


def test_a_model_that_was_not_run_is_not_compared(bench, rooms, add_bundle):
    detect(bench, add_bundle("one"), rooms)
    add_bundle("other")
    with pytest.raises(NotFoundError, match="'other' has not been run on"):
        compare_models(bench, "one", "other", rooms)


def test_models_of_different_events_are_not_compared(bench, video, add_bundle, watch, monkeypatch):
    one, other = add_bundle("one"), add_bundle("other")
    watch(video)  # nothing is labelled, so either model can be evaluated
    for model in (one, other):
        detect(bench, model, [video])
    text = json.dumps(other.card).replace('"flash"', '"bang"')
    real = bench.catalog.models.find

    def find(name):
        found = real(name)
        return replace(found, card=json.loads(text)) if found.name == "other" else found

    monkeypatch.setattr(bench.catalog.models, "find", find)
    with pytest.raises(InvalidInputError, match="that know the same event types"):
        compare_models(bench, "one", "other", [video])
