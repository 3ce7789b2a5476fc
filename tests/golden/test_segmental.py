"""Segmental F1@k and edit score, worked out by hand from MS-TCN's definition."""

import pytest

from prismata.core.events import Event
from prismata.core.time import to_us
from prismata.evaluation.segmental import segmental_scores


def segments(*rows):
    return [Event.segment(name, to_us(start), to_us(end)) for name, start, end in rows]


# Each case: truth and detections by video, F1@10, F1@25, F1@50, edit, and why.
CASES = {
    "one of two moved by half its length": (
        {"v": segments(("a", 0, 10), ("b", 10, 20))},
        {"v": segments(("a", 0, 10), ("b", 15, 25))},
        # b: 5 s of 15 s common, tIoU 1/3: a hit at 10 and 25, at 50 one hit, one false, one missed.
        (100.0, 100.0, 50.0),
        100.0,  # a b against a b
    ),
    "one phase told in two pieces": (
        {"v": segments(("a", 0, 12))},
        {"v": segments(("a", 0, 6), ("a", 6, 12))},
        # Both look at the only one; the first hits (tIoU 1/2), the second has no other choice.
        (200 * 1 / 3, 200 * 1 / 3, 200 * 1 / 3),
        50.0,  # a against a a: one deletion of two
    ),
    "the best true segment is taken already, and there is no second choice": (
        {"v": segments(("a", 0, 10), ("a", 10, 16))},
        {"v": segments(("a", 0, 9), ("a", 1, 11))},
        # The second overlaps the first true one most (9/11), which is hit: false, one missed.
        (50.0, 50.0, 50.0),
        100.0,
    ),
    "another type never hits": (
        {"v": segments(("a", 0, 10))},
        {"v": segments(("b", 0, 10))},
        (0.0, 0.0, 0.0),
        0.0,
    ),
    "videos are counted together and edited apart": (
        {"v": segments(("a", 0, 10), ("b", 10, 20), ("c", 20, 30)), "w": segments(("a", 0, 10))},
        {"v": segments(("a", 0, 10), ("c", 20, 30)), "w": segments(("a", 0, 10), ("b", 10, 12))},
        # 3 hits, 1 false, 1 missed: 2·3 / (2·3 + 1 + 1).
        (75.0, 75.0, 75.0),
        (100 * (1 - 1 / 3) + 100 * (1 - 1 / 2)) / 2,
    ),
    "a video without a true segment counts what was found there as false": (
        {"v": segments(("a", 0, 10)), "w": []},
        {"v": segments(("a", 0, 10)), "w": segments(("a", 3, 4))},
        (200 * 1 / 3, 200 * 1 / 3, 200 * 1 / 3),
        50.0,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_scores_are_what_the_working_says(name):
    truth, found, f1, edit = CASES[name]
    scores = segmental_scores(truth, found)
    assert tuple(scores.f1.values()) == pytest.approx(f1, abs=1e-9)
    assert scores.edit == pytest.approx(edit, abs=1e-9)


def test_nothing_at_all_has_no_edit_score():
    assert segmental_scores({"v": []}, {}).edit is None


def test_points_take_no_part():
    points = {"v": [Event.point("a", 5)]}
    assert segmental_scores(points, points).edit is None
