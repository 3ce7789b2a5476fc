"""How doubtful a candidate is."""

import numpy as np
import pytest

from prismata.core.events import Event
from prismata.core.scores import ScoreTrack
from prismata.services.review_doubt import add_up, disagreement, edge_doubt, entropy, probability


def track(scores, step_us=100_000):
    times = np.arange(len(scores), dtype=np.int64) * step_us
    return ScoreTrack(times, np.asarray(scores, np.float32)[:, None], ("goal",))


def test_entropy_is_highest_where_both_answers_are_equally_likely():
    assert entropy(0.5) == pytest.approx(1.0)
    assert entropy(0.1) == pytest.approx(entropy(0.9))
    assert entropy(0.1) < entropy(0.3) < 1.0


def test_a_score_at_the_threshold_is_one_chance_in_two_where_nothing_is_calibrated():
    assert probability(Event.point("goal", 0, 0.3), 0.3, {}) == pytest.approx(0.5)
    assert probability(Event.point("goal", 0, 0.9), 0.3, {}) > 0.9


def test_the_calibration_goes_before_the_threshold():
    calibration = {"goal": {"a": 1.0, "b": -2.0, "method": "platt"}}
    assert probability(Event.point("goal", 0, 0.5), 0.5, calibration) == pytest.approx(0.1192, 1e-3)


def test_sharp_edges_leave_no_doubt_and_slow_ones_do():
    sharp = track([0, 0, 0, 1, 1, 1, 1, 0, 0, 0])
    slow = track([*np.linspace(0, 1, 15), *np.linspace(1, 0, 15)])
    event = Event.segment("goal", 300_000, 700_000, 1.0)
    long = Event.segment("goal", 700_000, 2_200_000, 1.0)
    assert edge_doubt(event, sharp, tolerance_us=100_000) == 0.0
    assert edge_doubt(long, slow, tolerance_us=100_000) > 0.4
    assert edge_doubt(long, slow, tolerance_us=500_000) == 0.0


def test_a_broad_peak_leaves_a_point_in_doubt():
    broad = track([0, 0.6, 0.8, 0.9, 0.9, 0.9, 0.8, 0.6, 0.6, 0.6, 0])
    narrow = track([0, 0, 0, 0, 0.9, 0, 0, 0, 0, 0, 0])
    assert edge_doubt(Event.point("goal", 400_000, 0.9), broad, tolerance_us=100_000) > 0.5
    assert edge_doubt(Event.point("goal", 400_000, 0.9), narrow, tolerance_us=100_000) == 0.0


def test_edges_at_the_ends_of_a_track_are_no_error():
    whole = track([0.9, 0.9, 0.9])
    assert edge_doubt(Event.segment("goal", 0, 300_000, 0.9), whole, tolerance_us=1000) >= 0.0
    assert edge_doubt(Event.segment("goal", 0, 300_000, 0.9), track([]), tolerance_us=1000) == 0.0


def test_another_model_is_asked_around_the_event():
    event = Event.point("goal", 400_000, 0.9)
    asked = {"threshold": 0.5, "calibration": {}, "tolerance_us": 100_000}
    agrees = disagreement(event, 0.9, track([0, 0, 0, 0, 0, 0.9, 0]), **asked)
    differs = disagreement(event, 0.9, track([0.9, 0, 0, 0, 0, 0, 0.9]), **asked)
    assert agrees == pytest.approx(0.0, abs=0.01)
    assert differs > 0.85
    assert disagreement(event, 0.9, track([]), **asked) == 0.0


def test_doubts_add_up_and_never_pass_one():
    assert add_up({"score": 0.0, "models": 0.0}).value == 0.0
    both = add_up({"score": 0.5, "models": 0.5})
    assert 0.5 < both.value < 1.0
    assert both.reasons == ["score", "models"]
    assert add_up({"score": 1.0, "models": 1.0}).value == 1.0
    assert add_up({"place": 0.29}).reasons == []
