"""The gate of the 8-bit encoder: what it accepts, what it refuses, and in which words."""

import time

import numpy as np
import pytest

from prismata.worker.train.eight_bit import (
    ALLOWED_DIFFERENCE,
    ALLOWED_DIFFERENCE_P999,
    Comparison,
    Speed,
    decide,
    describe,
    measure_speed,
    too_slow,
)
from prismata.worker.train.rescoring import EventFigures


def figures(ap=0.8, f1=0.7, events=20, other_f1=0.5):
    return EventFigures(
        mean_ap={"points": ap},
        ap={"hit": ap, "miss": ap},
        f1={"hit": f1, "miss": other_f1},
        recall={"hit": 0.9, "miss": 0.9},
        events=events,
    )


def comparison(before=None, after=None, differences=(0.01,) * 1000, **more):
    int8 = {"onnxruntime": after or figures()}
    return Comparison(
        before or figures(),
        int8 | {name: part for name, (part, _) in more.items()},
        {"onnxruntime": np.array(differences)}
        | {name: np.array(part) for name, (_, part) in more.items()},
        60.0,
        3,
    )


def speed(fp32=20.0, int8=7.0, fast=True):
    return Speed(fp32, int8, 8, 2, fast)


def test_an_encoder_that_loses_nothing_is_accepted():
    accepted, reason = decide(speed(), comparison())
    assert accepted
    assert reason == "no event metric drops on the validation videos; 2.9 times faster here"


def test_half_a_point_is_allowed_and_said():
    accepted, reason = decide(speed(), comparison(after=figures(ap=0.796)))
    assert accepted
    assert "it loses 0.40 points of event metrics" in reason


@pytest.mark.parametrize(
    ("after", "points"),
    [
        (figures(ap=0.794), "0.6"),
        (figures(f1=0.6), "10.0"),
        (figures(other_f1=0.0), "50.0"),
        (figures(f1=None), "70.0"),
    ],
)
def test_more_than_half_a_point_of_any_metric_is_refused(after, points):
    accepted, reason = decide(speed(), comparison(after=after))
    assert not accepted
    assert reason == (
        f"event metrics on the validation videos drop by up to {points} points, allowed is 0.5"
    )


def test_one_better_metric_does_not_pay_for_another():
    accepted, _ = decide(speed(), comparison(after=figures(ap=0.9, f1=0.6)))
    assert not accepted


def test_what_cannot_be_measured_is_no_loss():
    accepted, _ = decide(speed(), comparison(before=figures(f1=None), after=figures(f1=None)))
    assert accepted


def test_a_single_score_may_not_jump():
    jump = [0.01] * 9999 + [ALLOWED_DIFFERENCE + 0.05]
    accepted, reason = decide(speed(), comparison(differences=jump))
    assert (accepted, reason) == (
        False,
        "a score changes by 0.30 on the validation videos, allowed is 0.25",
    )


def test_many_scores_may_not_move():
    many = [0.01] * 990 + [ALLOWED_DIFFERENCE_P999 + 0.05] * 10
    accepted, reason = decide(speed(), comparison(differences=many))
    assert not accepted
    assert "one score in 1000 changes by more than 0.15" in reason


def test_every_runtime_that_would_run_it_has_to_pass():
    worse = comparison(openvino=(figures(ap=0.7), [0.01]))
    assert not decide(speed(), worse)[0]
    jumps = comparison(openvino=(figures(), [0.9]))
    assert not decide(speed(), jumps)[0]
    assert jumps.difference() == 0.9


def test_without_a_labelled_event_there_is_nothing_to_judge_by():
    accepted, reason = decide(speed(), comparison(before=figures(events=0)))
    assert (accepted, reason) == (
        False,
        "the checked validation video holds no labelled event to judge it by",
    )


def test_a_model_that_finds_nothing_proves_nothing():
    nothing = figures(ap=0.0, f1=0.0, other_f1=None)
    accepted, reason = decide(speed(), comparison(before=nothing, after=nothing))
    assert not accepted
    assert reason.startswith("in fp32 the model finds none of the labelled events")


def test_speed_counts_where_it_can_be_judged():
    assert decide(speed(int8=18.0), comparison()) == (
        False,
        "it is only 1.1 times as fast here, and below 1.3 it is not worth it",
    )
    accepted, reason = decide(speed(int8=18.0, fast=False), comparison())
    assert accepted
    assert "cannot be judged here: no VNNI, AMX or ARM dot products" in reason


def test_a_cheap_encoder_is_not_worth_trying():
    assert too_slow(speed(fp32=0.4, int8=None)).startswith("already cheap: the encoder takes 0.40")
    assert too_slow(speed(fp32=9.0, int8=None)) == ""


def test_the_card_shows_the_bounds_and_how_much_was_looked_at():
    seen = comparison(differences=[0.0] * 1000 + [0.125])
    section = describe(speed(), seen, accepted=True, reason="well")
    assert (section["accepted"], section["reason"], section["split"]) == (True, "well", "val")
    assert (section["checked_seconds"], section["checked_videos"]) == (60.0, 3)
    assert section["checked_events"] == 20
    assert (section["max_score_difference"], section["allowed_score_difference"]) == (0.125, 0.25)
    assert section["score_difference_by_runtime"] == {"onnxruntime": 0.125}
    assert section["metrics"]["max_drop_points"] == 0
    assert section["metrics"]["fp32"]["f1"]["hit"] == 0.7
    assert section["speed"]["int8_ms"] == 7.0


class Sleeper:
    """An encoder that takes its time."""

    feature_size, width, height = 1, 4, 4

    def __init__(self, seconds):
        self.seconds, self.seen = seconds, []

    def encode(self, frames):
        self.seen.append(len(frames))
        time.sleep(self.seconds)
        return np.zeros((len(frames), 1), np.float32)


def test_speed_is_for_one_frame_and_both_take_turns():
    slow, fast = Sleeper(0.02), Sleeper(0.005)
    measured = measure_speed(slow, fast, np.zeros((20, 4, 4, 3), np.uint8), threads=1)
    assert slow.seen == fast.seen == [8] * 8
    assert measured.batch == 8
    assert measured.fp32_ms >= 20 / 8
    assert measured.speedup > 1.5
