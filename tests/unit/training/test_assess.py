"""A trained model is assessed: its scores are told as what they have meant."""

import numpy as np
import pytest

from prismata.core.events import Event, EventType
from prismata.core.recipes import GroupingRule
from prismata.core.targets import build_targets
from prismata.domains import Domain
from prismata.evaluation import confidence_of
from prismata.training.data import LabelledVideo
from prismata.training.loop import train
from prismata.worker.train.assess import assess

HIT = EventType("hit", "point")
STEP_US = 100_000
FEATURES = 6
SPACING = 12
TRUE_SHARE = 0.4


class Hits(Domain):
    """Spikes of a feature, of which only some are events."""

    name = "hits"
    event_types = (HIT,)
    rules = {"hit": GroupingRule(min_gap_seconds=0.1)}  # noqa: RUF012 - as plugins declare it
    tolerance_seconds = 0.2


def doubtful_video(name, seed, samples=240):
    """A video in which every spike looks alike, and two in five are events."""
    rng = np.random.default_rng(seed)
    times = np.arange(samples, dtype=np.int64) * STEP_US
    spikes = np.arange(6, samples - 6, SPACING)
    events = tuple(Event.point("hit", int(times[at])) for at in spikes if rng.random() < TRUE_SHARE)
    targets, weights = build_targets(times, events, [HIT])
    inputs = rng.normal(0, 0.2, (samples, FEATURES)).astype(np.float32)
    inputs[spikes[:, None] + np.arange(-1, 2), 0] += 3
    return LabelledVideo(name, times, inputs, targets, weights, events, samples * STEP_US)


@pytest.fixture(scope="module")
def videos():
    return {
        "train": [doubtful_video(f"t{n}", n) for n in range(4)],
        "val": [doubtful_video(f"v{n}", 10 + n) for n in range(4)],
        "test": [doubtful_video(f"w{n}", 20 + n) for n in range(4)],
    }


def test_a_score_is_told_as_the_share_of_true_events_among_what_looks_like_that(
    new_detector, new_task, videos
):
    task = new_task(epochs=12, patience=12, ema_decay=0.8)
    detector = train(new_detector(), task, videos["train"], videos["val"]).detector
    quality = assess(detector, videos, Hits(), stride=1)
    entry = quality.calibration["hit"]
    assert entry["method"] == "platt"
    assert (entry["measured_on"], entry["videos"]) == ("test", 4)
    assert entry["ece_after"] < entry["ece_before"]
    assert entry["log_loss_after"] < entry["log_loss_before"]
    # All spikes look alike, so nothing better can be said of one than how often they are true.
    said = confidence_of(quality.calibration, "hit", entry["highest_score"])
    assert said == pytest.approx(TRUE_SHARE, abs=0.2)

    alone = assess(detector, {**videos, "test": []}, Hits(), stride=1).calibration["hit"]
    assert alone["measured_on"] == "val, each video by a fit on the others"
    assert alone["measured_events"] == alone["events"] == entry["events"]
    assert (alone["a"], alone["b"]) == (entry["a"], entry["b"])


def test_what_training_videos_say_of_scores_is_not_believed(new_detector, videos):
    only = {"train": videos["train"], "val": []}
    quality = assess(new_detector(), only, Hits(), stride=1)
    assert quality.chosen_on == "train"
    entry = quality.calibration["hit"]
    assert (entry["method"], entry["note"]) == ("none", "there are no validation videos")
