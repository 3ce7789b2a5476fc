"""What a training will see, before it begins."""

import numpy as np
import pytest

from prismata.catalog import EventDraft
from prismata.core.events import Event
from prismata.services.datasets import plan_dataset
from prismata.services.ingest import ingest_file
from prismata.services.training_preview import SAMPLES, preview_training

SECOND = 1_000_000


@pytest.fixture
def labelled(bench, flashes, uneven_flashes):
    """Two videos; every white frame is labelled, and one place is surely none."""
    for item in (flashes, uneven_flashes):
        video = ingest_file(bench, item.path, domain="flashes").video
        drafts = [EventDraft(event) for event in item.events]
        beside = item.events[0].start_us + 250_000
        drafts.append(EventDraft(Event.point("flash", beside), review_state="rejected"))
        bench.catalog.events.add_annotations(video.id, "flashes", 1, drafts, "tester")
    return plan_dataset(bench, "flashes", val_share=0.4)


def seen(bench, planned, **options):
    options.setdefault("architecture", "spot_r18")
    return preview_training(bench, bench.domain("flashes"), planned, **options)


def test_only_training_videos_are_shown_in_the_models_size(bench, labelled):
    clip = bench.domain("flashes").clip
    for stretch in seen(bench, labelled):
        assert labelled.split.splits[stretch.video.id] == "train"
        assert stretch.frames.shape == (SAMPLES, clip.height, clip.width, 3)
        assert np.all(np.diff(stretch.times_us) > 0)


def test_what_is_marked_is_where_the_flash_is_to_be_seen(bench, labelled):
    around = [item for item in seen(bench, labelled, count=5) if item.about is not None]
    assert len(around) > 1
    for stretch in around:
        marked = np.flatnonzero(stretch.targets[:, 0])
        nearest = np.argmin(np.abs(stretch.times_us - stretch.about.start_us))
        assert nearest in marked
        bright = stretch.frames.mean(axis=(1, 2, 3))
        # A flash is white for 0.12 s from the label on, which is two samples or three.
        assert bright[nearest : nearest + 2].max() > 200
        assert bright[max(0, nearest - 3)] < 100


def test_a_window_marks_more_samples_than_a_dense_head(bench, labelled):
    def marked(architecture):
        stretches = seen(bench, labelled, architecture=architecture, count=4)
        return sum(int(item.targets.sum()) for item in stretches)

    assert marked("cnn_lstm") > marked("spot_r18") > 0


def test_the_last_one_is_background_and_another_seed_shows_others(bench, labelled):
    first, again, other = (seen(bench, labelled, seed=seed) for seed in (0, 0, 1))
    assert first[-1].about is None
    places = [
        [(item.video.id, int(item.times_us[0])) for item in stretches]
        for stretches in (first, again, other)
    ]
    assert places[0] == places[1] != places[2]


def test_what_a_person_rejected_counts_more(bench, labelled):
    heaviest = max(
        float(item.weights.max())
        for seed in range(12)
        for item in seen(bench, labelled, seed=seed, count=2)
    )
    assert heaviest == 3.0


def test_background_holds_no_label(bench, labelled):
    shown = [seen(bench, labelled, seed=seed, count=1)[-1] for seed in range(12)]
    places = {int(item.times_us[0]) for item in shown if item.about is None}
    assert len(places) > 3
    assert not any(item.targets.any() for item in shown if item.about is None)
    assert not any((item.weights > 1).any() for item in shown if item.about is None)
