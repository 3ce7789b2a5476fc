"""Gathering a dataset version: unseen time reaches training as time without weight."""

from dataclasses import replace
from uuid import uuid4

import numpy as np
import pytest

from prismata.core.child import ChildReporter
from prismata.core.errors import InvalidInputError
from prismata.core.events import Event
from prismata.core.operations import Operation
from prismata.core.time import TimeSpan
from prismata.services.annotate import DomainRules
from prismata.services.datasets import create_dataset
from prismata.services.ingest import ingest_file
from prismata.services.labels import add_label
from prismata.testing.synth import render_flashes
from prismata.training.data import check_trainable
from prismata.training.recipe import Recipe
from prismata.worker.train.encoder_setup import EncoderSetup
from prismata.worker.train.gather import gather

SECOND = 1_000_000


class Quiet(ChildReporter):
    """Says nothing; nobody listens to a child here."""

    def __init__(self):
        pass

    def progress(self, *_arguments):
        pass


@pytest.fixture
def video(bench, flashes):
    taken = ingest_file(bench, flashes.path, domain="flashes").video
    add_label(bench, taken, "flashes", Event.point("flash", 3 * SECOND))
    return taken


def watch(bench, video, end_us):
    states = [
        {"start_us": 0, "end_us": end_us, "spans": spans}
        for spans in ([], [[0, end_us, "watched"]])
    ]
    operation = Operation(uuid4().hex, "0" * 16, 0, "cover", "", *states)
    rules = DomainRules(bench.domain("flashes"), video, bench.timeline(video))
    bench.catalog.labels.apply(video.id, "flashes", [operation], "anna", rules)


def gathered(bench):
    domain = bench.domain("flashes")
    version, _ = create_dataset(bench, "flashes")
    setup = EncoderSetup(None, None, "", None, "none", None)
    data = gather(bench, version, domain, domain.clip, Recipe(), setup, Quiet())
    (video,) = data.videos["train"]
    return video


def test_only_what_was_watched_or_labelled_has_weight(bench, video):
    watch(bench, video, SECOND)
    found = gathered(bench)
    times, weights = found.times_us, found.weights[:, 0]
    # The tolerance of the domain is 0.1 s to both sides of the label.
    seen = (times < SECOND) | ((times >= 2_900_000) & (times < 3_100_000))
    assert seen.sum() > 20
    assert np.array_equal(weights > 0, seen)
    assert found.unknown == (
        TimeSpan(SECOND, 2_900_000),
        TimeSpan(3_100_000, video.duration_us),
    )
    negatives = (weights > 0) & (found.targets[:, 0] == 0)
    assert times[negatives].max() < 3_100_000


def test_a_video_watched_to_its_end_has_weight_everywhere(bench, video):
    watch(bench, video, video.duration_us)
    found = gathered(bench)
    assert found.weights.all()
    assert found.unknown == ()


def test_a_video_of_which_only_the_event_is_known_cannot_be_trained_on(bench, video):
    domain = bench.domain("flashes")
    found = gathered(bench)
    only_the_event = replace(found, weights=found.targets.copy())
    with pytest.raises(InvalidInputError, match="nobody watched a moment of the training videos"):
        check_trainable([only_the_event], domain.event_types)


def test_videos_come_in_the_order_of_their_content_in_every_library(bench, tmp_path):
    """Their ids are drawn anew in each library; what is drawn from them at random must not be."""
    taken = []
    for seed in range(5):
        film = render_flashes(tmp_path / f"{seed}.mp4", seconds=2, seed=seed, size=(32, 32))
        taken.append(ingest_file(bench, film.path, domain="flashes").video)
        add_label(bench, taken[-1], "flashes", Event.point("flash", SECOND // 2))
        watch(bench, taken[-1], SECOND // 2)
    domain = bench.domain("flashes")
    version, _ = create_dataset(bench, "flashes", val_share=0)
    setup = EncoderSetup(None, None, "", None, "none", None)
    data = gather(bench, version, domain, domain.clip, Recipe(), setup, Quiet())
    by_content = sorted(taken, key=lambda video: video.sha256)
    assert [video.name for video in data.videos["train"]] == [video.id for video in by_content]
