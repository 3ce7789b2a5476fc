"""Events of two models, one to one: found by both, lost, gained, right or wrong."""

import pytest

from prismata.core.errors import InvalidInputError
from prismata.core.events import Event
from prismata.core.time import TimeSpan
from prismata.evaluation import MinTiou, PointTolerance
from prismata.evaluation.pairing import count_verdicts, pair_events

NEAR = PointTolerance(100_000)
HALF = MinTiou(0.5)


def points(*times_ms, score=0.8):
    return [Event.point("flash", time * 1000, score) for time in times_ms]


def segment(start_ms, end_ms, score=0.8):
    return Event.segment("rally", start_ms * 1000, end_ms * 1000, score)


def told(pairs):
    return [(pair.change, pair.event.start_us // 1000, pair.verdict) for pair in pairs]


def test_what_both_found_is_one_event_with_what_changed_and_the_rest_is_lost_or_gained():
    pairs = pair_events(
        points(1000, 3000), points(1050, 5000, score=0.9), NEAR, unknown=[TimeSpan(0, 9_000_000)]
    )
    assert told(pairs) == [
        ("both", 1050, "unjudged"),
        ("lost", 3000, "unjudged"),
        ("gained", 5000, "unjudged"),
    ]
    both, lost, _ = pairs
    assert (both.start_change_us, both.end_change_us) == (50_000, 50_000)
    assert both.score_change == pytest.approx(0.1)
    assert (lost.score_change, lost.start_change_us, lost.end_change_us) == (None, None, None)


def test_the_criterion_includes_its_border_and_nothing_beyond():
    assert told(pair_events(points(1000), points(1100), NEAR))[0][0] == "both"
    assert [item[0] for item in told(pair_events(points(1000), points(1101), NEAR))] == [
        "lost",
        "gained",
    ]


def test_every_event_is_in_one_pair_only():
    pairs = pair_events(points(1000), points(950, 1020), NEAR)
    assert [(pair.change, pair.event.start_us) for pair in pairs] == [
        ("both", 950_000),
        ("gained", 1_020_000),
    ]


def test_labels_say_what_is_right_and_time_that_nobody_knows_is_not_judged():
    pairs = pair_events(
        points(1000, 2000),
        points(3000, 4000, 7000),
        NEAR,
        truth=[Event.point("flash", 2_010_000), Event.point("flash", 3_050_000)],
        unknown=[TimeSpan(6_000_000, 9_000_000)],
    )
    assert told(pairs) == [
        ("lost", 1000, "false"),
        ("lost", 2000, "true"),
        ("gained", 3000, "true"),
        ("gained", 4000, "false"),
        ("gained", 7000, "unjudged"),
    ]
    assert count_verdicts(pairs, "gained") == {"true": 1, "false": 1, "differs": 0, "unjudged": 1}


def test_two_that_found_the_same_label_belong_together_however_far_apart():
    label = [Event.point("flash", 1_000_000)]
    pairs = pair_events(points(910), points(1090), NEAR, truth=label)
    assert told(pairs) == [("both", 1090, "true")]
    assert not pairs[0].is_changed


def test_a_pair_of_which_only_one_is_right_is_a_change():
    label = [Event.point("flash", 1_000_000)]
    (pair,) = pair_events(points(1050), points(1140), NEAR, truth=label)
    assert (pair.change, pair.first_verdict, pair.second_verdict) == ("both", "true", "false")
    assert pair.verdict == "differs"
    assert pair.is_changed


def test_a_pair_that_reaches_into_unknown_time_is_not_judged():
    (pair,) = pair_events(points(950), points(1010), NEAR, unknown=[TimeSpan(1_000_000, 2_000_000)])
    assert (pair.first_verdict, pair.second_verdict) == ("false", "unjudged")
    assert pair.verdict == "unjudged"


def test_segments_are_the_same_if_enough_of_them_is_common():
    pairs = pair_events(
        [segment(0, 1000), segment(2000, 3000)],
        [segment(100, 1300), segment(2700, 3900)],
        HALF,
        truth=[Event.segment("rally", 0, 1_100_000)],
    )
    assert told(pairs) == [
        ("both", 100, "true"),
        ("lost", 2000, "false"),
        ("gained", 2700, "false"),
    ]
    assert (pairs[0].start_change_us, pairs[0].end_change_us) == (100_000, 300_000)


def test_a_detection_without_a_score_cannot_be_paired():
    with pytest.raises(InvalidInputError, match="has no score"):
        pair_events([], [Event.point("flash", 0)], NEAR)
