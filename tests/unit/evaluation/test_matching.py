import pytest

from prismata.core.errors import InvalidInputError
from prismata.core.events import Event
from prismata.evaluation import MinTiou, PointTolerance, count_events, match_events


def goal(seconds, score=None):
    return Event.point("goal", round(seconds * 1e6), score)


def fall(start, end, score=None):
    return Event.segment("fall", round(start * 1e6), round(end * 1e6), score)


def pairs(truth, detections, criterion):
    return [(m.detection, m.truth) for m in match_events(truth, detections, criterion)]


def test_the_tolerance_is_a_half_width_and_its_border_counts():
    truth = [Event.point("goal", 1_000_000)]
    half = PointTolerance(500_000)
    inside = Event.point("goal", 1_500_000, 0.9)
    outside = Event.point("goal", 1_500_001, 0.9)
    assert pairs(truth, [inside], half) == [(inside, truth[0])]
    assert pairs(truth, [outside], half) == [(outside, None)]


def test_a_detection_takes_the_closest_free_event():
    truth = [goal(1), goal(1.4)]
    assert pairs(truth, [goal(1.3, 0.9)], PointTolerance(500_000)) == [(goal(1.3, 0.9), goal(1.4))]


def test_the_best_score_chooses_first():
    truth = [goal(1)]
    weak, strong = goal(1.0, 0.4), goal(1.2, 0.8)
    assert pairs(truth, [weak, strong], PointTolerance(500_000)) == [
        (strong, goal(1)),
        (weak, None),
    ]


def test_an_event_that_is_taken_leaves_the_next_closest():
    truth = [goal(1), goal(1.4)]
    found = [goal(1.05, 0.9), goal(0.95, 0.8)]
    assert pairs(truth, found, PointTolerance(500_000)) == [
        (found[0], goal(1)),
        (found[1], goal(1.4)),
    ]


def test_among_equal_scores_the_earlier_detection_chooses_first():
    late, early = goal(1.2, 0.5), goal(0.8, 0.5)
    assert pairs([goal(1)], [late, early], PointTolerance(500_000))[0] == (early, goal(1))


def test_among_equally_close_events_the_earlier_is_taken():
    truth = [goal(1.5), goal(0.5)]
    assert pairs(truth, [goal(1, 0.5)], PointTolerance(500_000)) == [(goal(1, 0.5), goal(0.5))]


def test_a_segment_takes_the_highest_overlap_among_those_that_suffice():
    truth = [fall(0, 4), fall(3, 9)]
    # 2..8: tIoU 2/8 with the first and 5/7 with the second.
    assert pairs(truth, [fall(2, 8, 0.5)], MinTiou(0.2)) == [(fall(2, 8, 0.5), fall(3, 9))]
    assert pairs(truth, [fall(2, 8, 0.5)], MinTiou(0.72)) == [(fall(2, 8, 0.5), None)]


def test_a_long_segment_that_started_far_away_is_still_found():
    truth = [fall(0, 100), fall(50, 51), fall(60, 61)]
    assert pairs(truth, [fall(1, 100, 0.5)], MinTiou(0.9)) == [(fall(1, 100, 0.5), fall(0, 100))]


def test_a_detection_without_a_score_is_refused():
    with pytest.raises(InvalidInputError, match="has no score"):
        match_events([goal(1)], [goal(1)], PointTolerance(1))


@pytest.mark.parametrize("tiou", [0, -1, 1.1])
def test_an_overlap_out_of_range_is_refused(tiou):
    with pytest.raises(InvalidInputError, match=r"lies in \(0, 1\]"):
        MinTiou(tiou)


def test_a_negative_tolerance_is_refused():
    with pytest.raises(InvalidInputError, match="cannot be negative"):
        PointTolerance(-1)


def test_counts_stay_inside_a_video_and_a_type():
    truth = {"a": [goal(1)], "b": []}
    other = Event.point("save", 1_000_000, 0.9)
    counts = count_events(truth, {"a": [other], "b": [goal(1, 0.9)]}, "goal", PointTolerance(10**6))
    assert (counts.hits, counts.false_alarms, counts.misses) == (0, 1, 1)


def test_precision_recall_f1_and_timing_error_by_hand():
    truth = {"a": [goal(1), goal(5), goal(9)]}
    found = {"a": [goal(1.2, 0.9), goal(5.4, 0.8), goal(7, 0.7), goal(7.5, 0.6)]}
    counts = count_events(truth, found, "goal", PointTolerance(500_000))
    assert (counts.hits, counts.false_alarms, counts.misses) == (2, 2, 1)
    assert counts.precision == 2 / 4
    assert counts.recall == pytest.approx(2 / 3)
    assert counts.f1 == pytest.approx(4 / 7)
    assert counts.mean_abs_error_us == 300_000


def test_the_timing_error_of_a_segment_is_the_mean_of_both_edges():
    counts = count_events({"a": [fall(1, 5)]}, {"a": [fall(1.5, 5.1, 1)]}, "fall", MinTiou(0.5))
    assert counts.mean_abs_error_us == 300_000


def test_ratios_without_a_basis_are_none_not_zero():
    nothing = count_events({"a": []}, {}, "goal", PointTolerance(1))
    assert (nothing.precision, nothing.recall, nothing.f1) == (None, None, None)
    assert nothing.mean_abs_error_us is None
    silent = count_events({"a": [goal(1)]}, {}, "goal", PointTolerance(1))
    assert (silent.precision, silent.recall, silent.f1) == (None, 0, 0)
