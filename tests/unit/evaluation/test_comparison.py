"""The difference of two models, on made-up events whose outcome is known."""

from __future__ import annotations

import pytest

from prismata.core.events import Event, EventType
from prismata.core.time import TimeSpan
from prismata.evaluation.comparison import compare_precision

HIT = (EventType("hit", "point"),)
VIDEOS = [f"v{number}" for number in range(8)]


def at(*instants_us, score=0.9):
    return [Event.point("hit", instant, score) for instant in instants_us]


def truth():
    return {video: [Event.point("hit", 1_000_000)] for video in VIDEOS}


def test_a_model_that_finds_more_everywhere_is_certainly_better():
    right = {video: at(1_000_000) for video in VIDEOS}
    wrong = {video: at(9_000_000) for video in VIDEOS}
    found = compare_precision(truth(), wrong, right, HIT, "point", ignored={}, videos=VIDEOS)
    assert (found.first, found.second, found.difference) == (0.0, 1.0, 1.0)
    assert found.interval == (1.0, 1.0)
    assert found.is_certain
    back = compare_precision(truth(), right, wrong, HIT, "point", ignored={}, videos=VIDEOS)
    assert (back.difference, back.is_certain) == (-1.0, True)


def test_what_one_wins_here_and_loses_there_is_not_certain():
    first = {video: at(1_000_000 if i % 2 else 9_000_000) for i, video in enumerate(VIDEOS)}
    second = {video: at(9_000_000 if i % 2 else 1_000_000) for i, video in enumerate(VIDEOS)}
    found = compare_precision(truth(), first, second, HIT, "point", ignored={}, videos=VIDEOS)
    assert found.difference == pytest.approx(0.0)
    assert found.interval[0] < 0 < found.interval[1]
    assert not found.is_certain


def test_videos_that_are_hard_for_both_do_not_widen_the_interval():
    """Half of the videos show nothing to either; in the others the difference is the same."""
    easy = VIDEOS[::2]
    first = {video: at(1_000_000, 5_000_000) if video in easy else [] for video in VIDEOS}
    second = first
    found = compare_precision(truth(), first, second, HIT, "point", ignored={}, videos=VIDEOS)
    assert found.first == pytest.approx(0.25)
    assert found.interval == (0.0, 0.0)


def test_unknown_time_and_few_videos():
    right = {video: at(1_000_000) for video in VIDEOS[:2]}
    found = compare_precision(
        truth(),
        {video: [*at(1_000_000), *at(30_000_000, score=0.95)] for video in VIDEOS[:2]},
        right,
        HIT,
        "point",
        ignored={video: [TimeSpan(20_000_000, 40_000_000)] for video in VIDEOS[:2]},
        videos=VIDEOS[:2],
    )
    assert (found.difference, found.interval, found.is_certain) == (0.0, None, False)


def test_a_kind_that_nobody_knows_is_not_compared():
    assert compare_precision(truth(), {}, {}, HIT, "segment", ignored={}, videos=VIDEOS) is None
