"""When a queue is done: by what was measured, and never by what was not."""

import pytest

from prismata.services.queue_clock import ClockedItem, estimate


def item(name, stage, length=100.0, model="m", worked=0.0, share=0.0):
    return ClockedItem(name, model, length, stage, worked, share)


def test_nobody_can_know_before_anything_was_measured():
    times = estimate([item("a", "running", worked=1.0, share=0.0), item("b", "waiting")], 1)
    assert (times.left, times.all_seconds) == ({}, None)
    assert estimate([], 1).all_seconds is None
    assert estimate([item("a", "done", worked=10)], 1).all_seconds is None


def test_one_after_the_other_takes_its_turn():
    times = estimate(
        [
            item("runs", "running", worked=10, share=0.5),
            item("next", "waiting", length=200),
            item("last", "waiting", length=50),
        ],
        1,
    )
    assert times.left == pytest.approx({"runs": 10, "next": 50, "last": 60})
    assert times.all_seconds == pytest.approx(60)


def test_two_at_once_share_the_queue():
    items = [item("done", "done", worked=10)]
    items += [item(name, "waiting") for name in "abc"]
    times = estimate(items, 2)
    assert times.left == pytest.approx({"a": 10, "b": 10, "c": 20})


def test_each_model_has_its_own_speed_and_an_unknown_one_that_of_all():
    items = [
        item("fast", "done", worked=10, model="fast"),
        item("slow", "done", worked=90, model="slow"),
        item("a", "waiting", model="fast"),
        item("b", "waiting", model="slow"),
        item("c", "waiting", model="new"),
    ]
    times = estimate(items, 3)
    assert times.left == pytest.approx({"a": 10, "b": 90, "c": 50})


def test_a_start_up_is_not_taken_for_speed():
    items = [
        item("done", "done", worked=20),
        item("begins", "running", worked=5, share=0.001),
        item("next", "waiting"),
    ]
    assert estimate(items, 1).left == pytest.approx({"begins": 15, "next": 35})


def test_what_is_paused_or_ended_otherwise_is_not_waited_for():
    items = [
        item("done", "done", worked=10),
        item("held", "paused", length=10_000),
        item("other", "other"),
        item("next", "waiting"),
    ]
    times = estimate(items, 1)
    assert times.left == pytest.approx({"next": 10})
