import numpy as np
import pytest

from prismata.core.errors import InvalidInputError
from prismata.core.events import Event, EventType
from prismata.core.recipes import GroupingRule
from prismata.core.scores import ScoreTrack
from prismata.core.time import TimeSpan
from prismata.evaluation import MinTiou, PointTolerance, choose_threshold, product_criterion
from prismata.postprocess import group_events

GOAL = EventType("goal")


def group_from(candidates):
    """Keep the candidates whose score reaches the threshold."""

    def group(video_id, threshold):
        return [event for event in candidates[video_id] if event.score >= threshold]

    return group


def goal(seconds, score=None):
    return Event.point("goal", round(seconds * 1e6), score)


def test_the_middle_of_the_best_plateau_is_chosen():
    # Right at 0.8, wrong at 0.4: F1 is 1 for thresholds 0.41 … 0.80, whose middle is 0.60.
    group = group_from({"v": [goal(1, 0.8), goal(5, 0.4)]})
    choice = choose_threshold({"v": [goal(1)]}, group, GOAL, videos=["v"])
    assert choice.threshold == 0.6
    assert choice.f1 == 1.0
    assert choice.note == ""


def test_a_false_alarm_where_nobody_watched_does_not_raise_the_threshold():
    group = group_from({"v": [goal(1, 0.3), goal(60, 0.8)]})
    truth = {"v": [goal(1)]}
    assert choose_threshold(truth, group, GOAL, videos=["v"]).f1 == pytest.approx(2 / 3)
    unseen = {"v": [TimeSpan(30_000_000, 90_000_000)]}
    choice = choose_threshold(truth, group, GOAL, videos=["v"], ignored=unseen)
    assert (choice.f1, choice.threshold) == (1.0, 0.15)


def test_of_two_plateaus_the_wider_one_is_chosen():
    truth = {"v": [goal(1), goal(5), goal(9)]}
    # Falling threshold: 0.9 hit (F1 1/2) … 0.7 false, 0.6 hit (2/3), 0.5 false, 0.1 hit (3/4) …
    group = group_from(
        {"v": [goal(1, 0.9), goal(20, 0.7), goal(5, 0.6), goal(30, 0.5), goal(9, 0.1)]}
    )
    choice = choose_threshold(truth, group, GOAL, videos=["v"], grid=[0.05, 0.1, 0.55, 0.6, 0.9])
    assert choice.f1 == pytest.approx(0.75)
    assert choice.threshold == 0.05
    curve = [(point.threshold, round(point.f1, 3)) for point in choice.curve]
    assert curve == [(0.05, 0.75), (0.1, 0.75), (0.55, 0.667), (0.6, 0.667), (0.9, 0.5)]


def test_a_separated_narrow_plateau_loses_to_a_wide_one():
    group = group_from({"v": [goal(1, 0.95), goal(20, 0.9), goal(5, 0.5)]})
    # F1: above 0.9 1 of 2 (2/3); 0.51…0.9: 1 hit 1 false (1/2); up to 0.5: 2 hits 1 false (4/5).
    choice = choose_threshold(
        {"v": [goal(1), goal(5)]}, group, GOAL, videos=["v"], grid=[0.2, 0.3, 0.4, 0.92]
    )
    assert choice.threshold == 0.3


def test_videos_without_events_count():
    group = group_from({"a": [goal(1, 0.6)], "b": [goal(1, 0.55), goal(2, 0.5)]})
    choice = choose_threshold({"a": [goal(1)]}, group, GOAL, videos=["a", "b"])
    assert 0.55 < choice.threshold <= 0.6


def test_nothing_below_a_hundredth_is_tried():
    group = group_from({"v": [goal(1, 0.02)]})
    choice = choose_threshold({"v": [goal(1)]}, group, GOAL, videos=["v"], grid=[0.0001, 0.02])
    assert [point.threshold for point in choice.curve] == [0.01, 0.02]


def test_a_hopeless_model_gets_one_half_and_a_note():
    group = group_from({"v": [goal(50, 0.9)]})
    choice = choose_threshold({"v": [goal(1)]}, group, GOAL, videos=["v"])
    assert choice.threshold == 0.5
    assert "too low to choose a threshold from" in choice.note


def test_alternatives_for_a_wanted_precision_or_recall():
    group = group_from({"v": [goal(1, 0.8), goal(20, 0.6), goal(5, 0.4)]})
    choice = choose_threshold({"v": [goal(1), goal(5)]}, group, GOAL, videos=["v"])
    assert choice.for_precision(0.9) == 0.61
    assert choice.for_recall(0.95) == 0.4
    assert choice.for_precision(1.01) is None


def test_an_empty_grid_is_refused():
    with pytest.raises(InvalidInputError, match="grid of thresholds is empty"):
        choose_threshold({}, group_from({}), GOAL, videos=[], grid=[0])


def test_the_product_criterion_follows_the_kind():
    assert product_criterion(GOAL) == PointTolerance(500_000)
    assert product_criterion(EventType("fall", kind="segment"), tiou=0.3) == MinTiou(0.3)


def test_it_works_on_stored_score_tracks():
    scores = np.array([0, 0.1, 0.7, 0.1, 0, 0, 0.2, 0.35, 0.1, 0], dtype=np.float32)
    track = ScoreTrack(np.arange(10, dtype=np.int64) * 1_000_000, scores[:, None], ("goal",))

    def group(video_id, threshold):
        rules = {"goal": GroupingRule(threshold=threshold)}
        return group_events(track, [GOAL], rules, duration_us=10_000_000)

    choice = choose_threshold({"v": [goal(2)]}, group, GOAL, videos=["v"])
    assert 0.35 < choice.threshold < 0.7
    assert choice.f1 == 1.0
