"""Which mistakes a person is shown first."""

import numpy as np
import pytest

from prismata.core.events import Event, EventType
from prismata.core.scores import ScoreTrack
from prismata.core.time import TimeSpan
from prismata.evaluation import MinTiou, PointTolerance, worst_mistakes

HIT, OVER = EventType("hit", "point"), EventType("over", "segment")
SECOND = 1_000_000
CRITERIA = [(HIT, PointTolerance(200_000)), (OVER, MinTiou(0.5))]


def track(seconds=20, **peaks):
    """Scores of 0.05, but what is said of single instants: `hit=[(second, score)]`."""
    times = np.arange(seconds * 10, dtype=np.int64) * 100_000
    scores = np.full((times.size, 2), 0.05, np.float32)
    for column, name in enumerate(("hit", "over")):
        for second, score in peaks.get(name, ()):
            scores[round(second * 10), column] = score
    return ScoreTrack(times, scores, ("hit", "over"))


def hit(second, score=None):
    return Event.point("hit", round(second * SECOND), score)


def over(start, end, score=None):
    return Event.segment("over", round(start * SECOND), round(end * SECOND), score)


def mistakes(truth, detections, tracks, *, ignored=None, **more):
    return worst_mistakes(truth, detections, tracks, CRITERIA, ignored=ignored or {}, **more)


def test_what_was_found_is_no_mistake():
    found = mistakes(
        {"a": [hit(3), over(5, 7)]}, {"a": [hit(3.1, 0.8), over(5, 7.5, 0.9)]}, {"a": track()}
    )
    assert found == []


def test_false_alarms_and_misses_come_by_turns_the_most_certain_first():
    truth = {"a": [hit(3), hit(9)], "b": [over(2, 4)]}
    detections = {"a": [hit(6, 0.7), hit(12, 0.9)], "b": [over(10, 11, 0.8)]}
    tracks = {"a": track(hit=[(9, 0.4)]), "b": track(over=[(3, 0.2)])}
    found = mistakes(truth, detections, tracks)
    assert [(item.kind, item.event.start_us / SECOND) for item in found] == [
        ("false_alarm", 12),
        ("missed", 3),
        ("false_alarm", 10),
        ("missed", 2),
        ("false_alarm", 6),
        ("missed", 9),
    ]
    assert [item.score for item in found] == pytest.approx([0.9, 0.05, 0.8, 0.2, 0.7, 0.4])
    assert mistakes(truth, detections, tracks, at_most=3) == found[:3]


def test_a_score_counts_for_a_missed_point_as_far_as_a_detection_would_have_hit_it():
    peaks = {"a": track(hit=[(3.2, 0.4), (3.3, 0.9)])}
    (missed,) = mistakes({"a": [hit(3)]}, {}, peaks)
    assert missed.score == pytest.approx(0.4)


def test_a_second_detection_of_one_event_is_a_false_alarm():
    found = mistakes({"a": [hit(3)]}, {"a": [hit(3, 0.9), hit(3.15, 0.6)]}, {"a": track()})
    assert [(item.kind, item.score) for item in found] == [("false_alarm", 0.6)]


def test_what_nobody_watched_is_no_mistake():
    found = mistakes(
        {"a": [hit(3)]},
        {"a": [hit(6, 0.9)]},
        {"a": track()},
        ignored={"a": [TimeSpan(2 * SECOND, 7 * SECOND)]},
    )
    assert found == []


def test_equal_events_in_one_place_are_told_apart():
    found = mistakes({"a": [hit(3), hit(3)]}, {"a": [hit(3, 0.9)]}, {"a": track()})
    assert [item.kind for item in found] == ["missed"]
