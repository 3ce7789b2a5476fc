"""What is true at each sample."""

import numpy as np
import pytest

from prismata.core.errors import InvalidInputError
from prismata.core.events import Event, EventType
from prismata.core.targets import HARD_NEGATIVE_WEIGHT, build_targets, choose_dilation
from prismata.core.time import TimeSpan

TYPES = (EventType("hit", "point"), EventType("over", "segment"))
TIMES = np.arange(10, dtype=np.int64) * 100_000


def rows(column):
    return np.flatnonzero(column).tolist()


def test_a_point_marks_the_samples_within_one_and_a_half_steps():
    targets, weights = build_targets(TIMES, [Event.point("hit", 450_000)], TYPES)
    assert rows(targets[:, 0]) == [3, 4, 5, 6]
    assert rows(targets[:, 1]) == []
    assert np.all(weights == 1)
    assert targets.dtype == weights.dtype == np.float32


@pytest.mark.parametrize(
    ("tolerance", "marked"), [(300_000, [3, 4, 5, 6]), (600_000, [2, 3, 4, 5, 6, 7])]
)
def test_a_point_that_people_mark_less_exactly_marks_more_samples(tolerance, marked):
    point = Event.point("hit", 450_000)
    targets, _ = build_targets(TIMES, [point], TYPES, tolerance_us=tolerance)
    assert rows(targets[:, 0]) == marked


@pytest.mark.parametrize(("dilation", "marked"), [(0, [4]), (1, [3, 4, 5]), (2, [2, 3, 4, 5, 6])])
def test_a_dilation_marks_so_many_samples_beside_the_nearest(dilation, marked):
    point = Event.point("hit", 430_000)
    targets, _ = build_targets(TIMES, [point], TYPES, tolerance_us=10**6, dilation=dilation)
    assert rows(targets[:, 0]) == marked


@pytest.mark.parametrize(
    ("settings", "events", "expected"),
    [
        ({}, 1, None),
        ({"architecture": "spot_r18"}, 9, 1),
        ({"architecture": "spot_r18"}, 10, 0),
        ({"architecture": "spot_r18", "dilation": 2}, 10, 2),
        ({"dilation": 0}, 1, 0),
    ],
)
def test_neighbours_are_marked_where_a_dense_head_would_have_too_little_to_learn_from(
    settings, events, expected
):
    architecture = settings.get("architecture", "cnn_lstm")
    dilation = choose_dilation(architecture, settings.get("dilation"), events=events, samples=1000)
    assert dilation == expected


def test_a_segment_marks_the_samples_from_its_start_up_to_its_end():
    targets, _ = build_targets(TIMES, [Event.segment("over", 200_000, 500_000)], TYPES)
    assert rows(targets[:, 1]) == [2, 3, 4]
    assert rows(targets[:, 0]) == []


@pytest.mark.parametrize(
    ("start", "end", "row"),
    [
        (210_000, 215_000, 2),
        (260_000, 290_000, 3),
        (990_000, 999_000, 9),
        (2_000_000, 2_000_001, 9),
    ],
)
def test_an_event_between_two_samples_is_given_to_the_nearest(start, end, row):
    targets, _ = build_targets(TIMES, [Event.segment("over", start, end)], TYPES)
    assert rows(targets[:, 1]) == [row]


def test_a_video_of_one_sample_can_hold_an_event():
    targets, _ = build_targets(TIMES[:1], [Event.point("hit", 70_000)], TYPES)
    assert targets.tolist() == [[1.0, 0.0]]


def test_a_rejected_event_is_background_that_counts_more():
    targets, weights = build_targets(
        TIMES, [], TYPES, rejected=[Event.segment("over", 100_000, 300_000)]
    )
    assert not targets.any()
    assert weights[:, 1].tolist() == [1, HARD_NEGATIVE_WEIGHT, HARD_NEGATIVE_WEIGHT] + 7 * [1]
    assert np.all(weights[:, 0] == 1)


def test_where_a_rejected_event_overlaps_a_real_one_the_real_one_holds():
    targets, weights = build_targets(
        TIMES,
        [Event.segment("over", 200_000, 400_000)],
        TYPES,
        rejected=[Event.segment("over", 100_000, 300_000)],
    )
    assert rows(targets[:, 1]) == [2, 3]
    assert weights[:5, 1].tolist() == [1, HARD_NEGATIVE_WEIGHT, 1, 1, 1]


def test_an_event_of_an_unknown_type_is_refused():
    with pytest.raises(InvalidInputError, match="'wide' is not declared by the domain; it has hit"):
        build_targets(TIMES, [Event.point("wide", 0)], TYPES)


def test_samples_that_nobody_saw_weigh_nothing_and_are_no_negatives():
    known = [TimeSpan(0, 200_000), TimeSpan(600_000, 700_000)]
    _, weights = build_targets(TIMES, [], TYPES, known=known)
    assert weights.tolist() == [[1, 1]] * 2 + [[0, 0]] * 4 + [[1, 1]] + [[0, 0]] * 3
    _, nothing = build_targets(TIMES, [], TYPES, known=[])
    assert not nothing.any()


def test_an_event_in_unseen_time_is_known_of_its_own_type_only():
    targets, weights = build_targets(
        TIMES,
        [Event.segment("over", 300_000, 500_000)],
        TYPES,
        rejected=[Event.segment("hit", 600_000, 700_000)],
        known=[],
    )
    assert rows(targets[:, 1]) == rows(weights[:, 1]) == [3, 4]
    assert weights[:, 0].tolist() == [0] * 6 + [HARD_NEGATIVE_WEIGHT] + [0] * 3
