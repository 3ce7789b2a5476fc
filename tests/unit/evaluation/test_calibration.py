"""What a score has meant: which line is fitted, where it is measured, what is said about it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from prismata.core.events import Event, EventType
from prismata.core.modelcard import ModelCard
from prismata.core.recipes import ClipSpec, GroupingRule
from prismata.core.time import TimeSpan
from prismata.evaluation import (
    PointTolerance,
    calibrate,
    confidence_of,
    judge_candidates,
    uncalibrated,
)
from prismata.evaluation.calibration import fit_calibration
from prismata.evaluation.ranking import RankedHits
from prismata.evaluation.reliability import measure_reliability

GOAL = EventType("goal")
SECOND = 1_000_000


def too_sure(count, seed, videos=4):
    """Scores whose logits are twice as large as they should be, and one unit too high."""
    rng = np.random.default_rng(seed)
    right = rng.normal(0, 1.5, count)
    hits = rng.random(count) < 1 / (1 + np.exp(-right))
    scores = 1 / (1 + np.exp(-(2 * right + 1)))
    order = np.argsort(-scores)
    owners = rng.integers(0, videos, count)
    truths = np.full(videos, count)
    return RankedHits(scores[order], hits[order], owners[order].astype(np.int64), truths)


class TestReliability:
    def test_by_hand(self):
        # Two events in a bin each: |0.2 - 0| and |0.6 - 1|, each half of the mass.
        found = measure_reliability(np.array([0.6, 0.2]), np.array([True, False]))
        assert found.ece == pytest.approx((0.2 + 0.4) / 2)
        assert found.brier == pytest.approx((0.04 + 0.16) / 2)
        assert found.log_loss == pytest.approx(-(np.log(0.6) + np.log(0.8)) / 2)
        assert [(item.events, item.share_true) for item in found.bins] == [(1, 0), (1, 1)]

    def test_bins_hold_about_equally_many_and_equal_confidences_stay_together(self):
        spread = measure_reliability(np.linspace(0, 1, 100), np.zeros(100, np.bool_))
        assert [item.events for item in spread.bins] == [10] * 10
        same = measure_reliability(np.full(100, 0.3), np.arange(100) < 30)
        assert len(same.bins) == 1
        assert same.ece == pytest.approx(0)

    def test_few_events_would_show_an_error_even_if_all_were_right(self):
        rng = np.random.default_rng(0)
        errors, expected = [], []
        for _ in range(300):
            said = rng.random(200)
            found = measure_reliability(said, rng.random(200) < said)
            errors.append(found.ece)
            expected.append(found.ece_if_perfect)
        assert np.mean(errors) == pytest.approx(np.mean(expected), rel=0.15)


class TestWhichLine:
    def test_enough_of_both_gives_a_slope_and_an_offset(self):
        judged = too_sure(4000, seed=1)
        fit = fit_calibration(judged.scores, judged.hits)
        assert (fit.method, fit.note) == ("platt", "")
        # logit(true share) = (logit(score) - 1) / 2
        assert fit.a == pytest.approx(0.5, abs=0.05)
        assert fit.b == pytest.approx(-0.5, abs=0.1)

    def test_few_give_a_temperature_only(self):
        scores = np.array([0.9, 0.8, 0.85, 0.7, 0.95, 0.6, 0.3, 0.2, 0.1, 0.15, 0.4, 0.5, 0.65])
        fit = fit_calibration(scores, np.arange(13) < 6)
        assert (fit.method, fit.b) == ("temperature", 0.0)
        assert fit.note == (
            "there are 6 true and 7 false candidate events; an offset takes 10 of each, so only T "
            "is fitted"
        )

    @pytest.mark.parametrize(("true", "false"), [(0, 0), (4, 100), (100, 4), (50, 0), (0, 50)])
    def test_fewer_or_one_sided_ones_give_nothing(self, true, false):
        scores = np.linspace(0.1, 0.9, true + false)
        fit = fit_calibration(scores, np.arange(true + false) < true)
        assert (fit.method, fit.a, fit.b) == ("none", 1.0, 0.0)
        assert fit.note == (
            f"there are {true} true and {false} false candidate events; to learn what a score "
            "means takes 5 of each"
        )

    def test_a_score_that_means_the_opposite_is_not_turned_round(self):
        scores = np.linspace(0.05, 0.95, 200)
        fit = fit_calibration(scores, scores < 0.5)
        assert fit.method == "none"
        assert fit.note == "a higher score does not mean a true event more often"


class TestWhereItIsMeasured:
    def test_on_the_test_split_if_there_is_one(self):
        entry = calibrate(too_sure(800, seed=1), too_sure(600, seed=2))
        assert (entry["measured_on"], entry["measured_events"]) == ("test", 600)
        assert entry["ece_after"] < 0.06 < entry["ece_before"]
        assert entry["brier_after"] < entry["brier_before"]
        assert entry["log_loss_after"] < entry["log_loss_before"]
        assert sum(item["events"] for item in entry["bins"]) == 600
        assert (entry["events"], entry["videos"], entry["note"]) == (800, 4, "")

    def test_else_each_video_by_a_fit_on_the_others(self):
        judged = too_sure(800, seed=1)
        entry = calibrate(judged)
        assert entry["measured_on"] == "val, each video by a fit on the others"
        assert entry["ece_after"] < entry["ece_before"]
        # A video in which everything is otherwise is measured by what the others say of it.
        odd = replace(judged, hits=np.where(judged.videos == 0, ~judged.hits, judged.hits))
        inside = fit_calibration(odd.scores, odd.hits).confidences(odd.scores)
        known = measure_reliability(inside, odd.hits)
        assert calibrate(odd)["log_loss_after"] > known.log_loss

    def test_on_a_single_video_it_is_not_measured_and_that_is_said(self):
        entry = calibrate(too_sure(200, seed=1, videos=1))
        assert (entry["method"], entry["ece_after"], entry["measured_on"]) == ("platt", None, "val")
        assert "what it gains is not known" in entry["note"]

    def test_a_fit_that_does_not_carry_over_says_so(self):
        val = too_sure(800, seed=1)
        rng = np.random.default_rng(0)
        right = np.sort(rng.random(500))[::-1]
        test = RankedHits(right, rng.random(500) < right, np.zeros(500, np.int64), np.array([9]))
        entry = calibrate(val, test)
        assert entry["log_loss_after"] > entry["log_loss_before"]
        assert "the scores themselves did better" in entry["note"]

    def test_without_a_fit_the_scores_themselves_are_measured(self):
        few = too_sure(6, seed=1)
        entry = calibrate(few, too_sure(300, seed=4))
        assert (entry["method"], entry["ece_after"], entry["measured_on"]) == ("none", None, "test")
        assert entry["ece_before"] > 0.05
        nothing = uncalibrated("there are no validation videos")
        assert (nothing["method"], nothing["ece_before"]) == ("none", None)
        assert nothing["note"] == "there are no validation videos"


def test_candidates_are_judged_as_the_product_does_and_only_where_something_is_known():
    truth = {"v": [Event.point("goal", 2 * SECOND), Event.point("goal", 50 * SECOND)]}
    found = {
        "v": [
            Event.point("goal", 2_400_000, 0.9),
            Event.point("goal", 9 * SECOND, 0.4),
            Event.point("goal", 12 * SECOND, 0.009),
            Event.point("goal", 50 * SECOND, 0.8),
        ],
        "w": [Event.point("goal", SECOND, 0.7)],
    }
    judged = judge_candidates(
        truth,
        found,
        GOAL,
        PointTolerance(500_000),
        videos=["v", "w"],
        ignored={"v": [TimeSpan(40 * SECOND, 60 * SECOND)]},
    )
    assert judged.scores.tolist() == [0.9, 0.7, 0.4]
    assert judged.hits.tolist() == [True, False, False]
    assert judged.videos.tolist() == [0, 1, 0]


class TestConfidence:
    def test_it_is_read_from_the_card(self):
        entry = calibrate(too_sure(4000, seed=1))
        fit = fit_calibration(too_sure(4000, seed=1).scores, too_sure(4000, seed=1).hits)
        for score in (0.0, 0.3, 0.8, 1.0):
            said = confidence_of({"goal": entry}, "goal", score)
            assert said == pytest.approx(float(fit.confidences(np.array([score]))[0]), abs=1e-6)
        assert confidence_of({"goal": entry}, "goal", 0.8) < 0.8

    def test_what_the_card_does_not_say_is_not_known(self):
        assert confidence_of({}, "goal", 0.8) is None
        assert confidence_of({"goal": uncalibrated("few")}, "goal", 0.8) is None
        entry = calibrate(too_sure(400, seed=1))
        assert confidence_of({"goal": entry}, "save", 0.8) is None
        assert confidence_of({"goal": entry}, "goal", None) is None

    def test_it_comes_back_from_the_json_of_a_card(self):
        card = ModelCard(
            name="m",
            domain="d",
            domain_version=1,
            event_types=(GOAL,),
            clip=ClipSpec(),
            rules={"goal": GroupingRule()},
            architecture="cnn_lstm",
            encoder="tiny",
            encoder_frozen=True,
            feature_size=8,
            weights_origin="none",
            calibration={"goal": calibrate(too_sure(400, seed=1), too_sure(90, seed=2))},
        )
        again = ModelCard.from_json(card.to_json())
        assert again == card
        assert confidence_of(again.calibration, "goal", 0.8) is not None
        older = json.loads(card.to_json())
        del older["calibration"]
        assert ModelCard.from_json(json.dumps(older)).calibration == {}
