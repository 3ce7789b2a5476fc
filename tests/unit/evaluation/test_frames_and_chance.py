import numpy as np
import pytest

from prismata.core.events import Event, EventType
from prismata.core.scores import ScoreTrack
from prismata.core.time import TimeSpan
from prismata.evaluation import cadence_guesses, frame_auc, motion_scores
from prismata.evaluation.ignoring import clipped_union_us, without_ignored

GOAL = EventType("goal")
FALL = EventType("fall", kind="segment")
SECOND = 1_000_000


def track(scores, name="goal"):
    times = np.arange(len(scores), dtype=np.int64) * SECOND
    return ScoreTrack(times, np.array(scores, dtype=np.float32)[:, None], (name,))


def test_the_area_counts_ordered_pairs():
    # Positives 0.9 and 0.4, negatives 0.5 and 0.1: 3 of 4 pairs are in order.
    truth = {"v": [Event.point("goal", 0), Event.point("goal", 2 * SECOND)]}
    quality = frame_auc({"v": track([0.9, 0.5, 0.4, 0.1])}, truth, GOAL)
    assert quality.roc_auc == 0.75
    # Precision 1 at the first positive, 2/3 at the second.
    assert quality.average_precision == pytest.approx((1 + 2 / 3) / 2)
    assert (quality.num_instants, quality.num_positive) == (4, 2)


def test_a_segment_is_half_open():
    truth = {"v": [Event.segment("fall", SECOND, 3 * SECOND)]}
    assert frame_auc({"v": track([0, 1, 1, 0], "fall")}, truth, FALL).num_positive == 2


def test_one_class_alone_has_no_area_and_says_why():
    quality = frame_auc({"v": track([0.5, 0.1])}, {}, GOAL)
    assert quality.roc_auc is None
    assert quality.reason == (
        "no sampled instant lies in an event, so there is nothing to tell apart"
    )
    always = {"v": [Event.segment("fall", 0, 9 * SECOND)]}
    assert (
        "lies outside an event" in frame_auc({"v": track([0.5, 0.1], "fall")}, always, FALL).reason
    )
    assert frame_auc({}, {}, GOAL).num_instants == 0


def test_ignored_instants_are_left_out():
    truth = {"v": [Event.point("goal", 0)]}
    ignored = {"v": [TimeSpan(SECOND, 2 * SECOND)]}
    quality = frame_auc({"v": track([0.5, 0.9, 0.1])}, truth, GOAL, ignored=ignored)
    assert (quality.num_instants, quality.roc_auc) == (2, 1.0)


def test_guesses_are_as_many_as_the_events_and_evenly_spread():
    # 4 events in 20 s: at 2.5, 7.5, 12.5 and 17.5 s of all videos laid end to end.
    truth = {"a": [Event.point("goal", 1), Event.point("goal", 2)], "b": [], "c": []}
    truth["c"] = [Event.point("goal", 3), Event.point("goal", 4)]
    durations = {"a": 6 * SECOND, "b": 4 * SECOND, "c": 10 * SECOND}
    guesses = cadence_guesses(truth, durations, GOAL)
    assert {name: [event.start_us for event in found] for name, found in guesses.items()} == {
        "a": [2_500_000],
        "b": [1_500_000],
        "c": [2_500_000, 7_500_000],
    }


def test_a_guessed_segment_is_as_long_as_the_true_ones_and_stays_in_its_video():
    truth = {"a": [Event.segment("fall", 0, 2 * SECOND), Event.segment("fall", 0, 4 * SECOND)]}
    guesses = cadence_guesses(truth, {"a": 4 * SECOND}, FALL)
    spans = [(event.start_us, event.end_us) for event in guesses["a"]]
    assert spans == [(0, 2_500_000), (1_500_000, 4_000_000)]


def test_without_events_there_is_nothing_to_guess():
    assert cadence_guesses({}, {"a": SECOND}, GOAL) == {"a": []}


def test_guesses_are_spread_over_the_time_that_is_scored():
    truth = {"a": [Event.point("goal", 1)], "b": [Event.point("goal", 2)]}
    ignored = {"a": [TimeSpan(0, 30), TimeSpan(40, 100)], "b": [TimeSpan(10, 90)]}
    # 10 of a and 20 of b in two stretches are scored: guesses at 7.5 and 22.5 of 30.
    guesses = cadence_guesses(truth, {"a": 100, "b": 100}, GOAL, ignored)
    assert {name: [e.start_us for e in found] for name, found in guesses.items()} == {
        "a": [37],
        "b": [92],
    }


def test_motion_is_scored_by_how_rare_it_is_in_its_video():
    energy = np.arange(4096, dtype=np.float32)
    scores = motion_scores(energy)
    assert scores[0] == 0
    assert scores[2048] == pytest.approx(1 / 12)
    assert scores[4096 - 64] == pytest.approx(0.5)
    assert scores[-1] == pytest.approx(1)
    assert motion_scores(np.zeros(50, np.float32)).tolist() == [0] * 50
    assert motion_scores(np.zeros(0, np.float32)).size == 0


def test_events_in_ignored_stretches_are_left_out_by_their_middle():
    events = {"v": [Event.segment("fall", 0, 100), Event.segment("fall", 0, 120)]}
    kept = without_ignored(events, {"v": [TimeSpan(60, 1000)]})
    assert kept == {"v": [Event.segment("fall", 0, 100)]}


def test_overlapping_stretches_count_once_and_only_inside_the_video():
    spans = [TimeSpan(50, 200), TimeSpan(0, 10), TimeSpan(5, 20), TimeSpan(6, 7)]
    assert clipped_union_us(spans, 100) == 70
