import numpy as np
import pytest

from prismata.core.events import Event
from prismata.evaluation import point_average_precision, segment_average_precision
from prismata.evaluation.bootstrap import bootstrap_interval
from prismata.evaluation.points import PointTolerance
from prismata.evaluation.ranking import average_precision, rank_hits


def goal(seconds, score=None):
    return Event.point("goal", round(seconds * 1e6), score)


def fall(start, end, score=None):
    return Event.segment("fall", round(start * 1e6), round(end * 1e6), score)


def test_all_point_interpolation_by_hand():
    # Rank 1 hit, 2 false, 3 hit, 4 false, 5 false; three true events.
    # Precision after each rank: 1, 1/2, 2/3, 2/4, 2/5; best from each hit on: 1 and 2/3.
    # AP = (1 + 2/3) / 3 = 5/9.
    truth = {"v": [goal(1), goal(5), goal(9)]}
    found = {"v": [goal(1.05, 0.9), goal(3, 0.8), goal(4.95, 0.7), goal(7, 0.6), goal(1.02, 0.5)]}
    assert point_average_precision(truth, found, "goal", 100_000) == pytest.approx(5 / 9)


def test_interpolation_lifts_an_early_false_alarm():
    # Ranks: false, hit, hit. Precision 0, 1/2, 2/3; from the first hit on the best is 2/3.
    # AP = (2/3 + 2/3) / 2 = 2/3; without interpolation it would be 7/12.
    truth = {"v": [goal(1), goal(5)]}
    found = {"v": [goal(3, 0.9), goal(1, 0.8), goal(5, 0.7)]}
    assert point_average_precision(truth, found, "goal", 100_000) == pytest.approx(2 / 3)


def test_videos_are_ranked_together():
    # Ranks: false (b), hit (a). AP = 1/2.
    truth = {"a": [goal(1)], "b": []}
    found = {"a": [goal(1, 0.5)], "b": [goal(1, 0.6)]}
    assert point_average_precision(truth, found, "goal", 100_000) == 0.5


def test_an_early_detection_in_another_video_is_no_hit():
    assert point_average_precision({"a": [goal(1)]}, {"b": [goal(1, 0.5)]}, "goal", 1) == 0.0


def test_equal_scores_enter_together_whatever_their_order():
    # One hit and one false alarm share a score: precision 1/2 for both orders.
    hit_first = {"v": [goal(1, 0.5), goal(3, 0.5)]}
    hit_last = {"v": [goal(3, 0.5), goal(5, 0.5)]}
    assert point_average_precision({"v": [goal(1)]}, hit_first, "goal", 100_000) == 0.5
    assert point_average_precision({"v": [goal(5)]}, hit_last, "goal", 100_000) == 0.5


def test_segments_by_hand():
    # Truth 0..10 and 20..30. Detections: 1..10 (tIoU 0.9, score .9), 18..28 (8/12, .8),
    # 40..50 (none, .7). At 0.5 both are hits: AP 1. At 0.7 only the first: AP 1/2.
    truth = {"v": [fall(0, 10), fall(20, 30)]}
    found = {"v": [fall(1, 10, 0.9), fall(18, 28, 0.8), fall(40, 50, 0.7)]}
    assert segment_average_precision(truth, found, "fall", 0.5) == 1.0
    assert segment_average_precision(truth, found, "fall", 0.7) == 0.5


def test_without_true_events_there_is_no_average_precision():
    assert point_average_precision({"v": []}, {"v": [goal(1, 0.9)]}, "goal", 1) is None


def test_without_detections_it_is_zero():
    assert point_average_precision({"v": [goal(1)]}, {}, "goal", 1) == 0.0


def test_our_half_second_is_what_soccernet_calls_one_second():
    # 25 frames a second, 12 frames off: a hit at SoccerNet's 1 s; 13 frames off: none.
    truth = {"v": [Event.point("goal", 0)]}
    for frames, expected in ((12, 1.0), (13, 0.0)):
        found = {"v": [Event.point("goal", frames * 40_000, 0.5)]}
        assert point_average_precision(truth, found, "goal", 500_000) == expected


def test_counting_a_video_twice_is_like_having_it_twice():
    truth = {"a": [goal(1), goal(5)], "b": [goal(2)]}
    found = {"a": [goal(1, 0.9), goal(3, 0.6)], "b": [goal(7, 0.7), goal(2, 0.4)]}
    ranked = rank_hits(truth, found, "goal", PointTolerance(100_000))
    twice = average_precision(ranked, np.array([2, 1]))
    copied = point_average_precision(
        {**truth, "c": truth["a"]}, {**found, "c": found["a"]}, "goal", 100_000
    )
    assert twice == pytest.approx(copied)
    assert average_precision(ranked, np.array([0, 1])) == pytest.approx(0.5)
    assert average_precision(ranked, np.array([0, 0])) is None


def test_the_interval_is_repeatable_and_needs_three_videos():
    values = np.array([0.0, 0.5, 1.0, 0.2, 0.9])

    def mean(counts):
        return float((values * counts).sum() / counts.sum())

    first = bootstrap_interval(mean, 5, seed=3)
    assert first == bootstrap_interval(mean, 5, seed=3)
    assert first[0] < values.mean() < first[1]
    # The standard error of the mean is 0.17; 95 % of a normal would be ± 0.34 around 0.52.
    assert first == pytest.approx((0.18, 0.86), abs=0.06)
    assert bootstrap_interval(mean, 2) is None
    assert bootstrap_interval(lambda counts: None, 5) is None
