"""Laws of confidences and of motion scores: in range and in order; a known line is found again."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prismata.evaluation import calibrate, confidence_of, motion_scores
from prismata.evaluation.calibration import fit_calibration
from prismata.evaluation.ranking import RankedHits
from prismata.evaluation.reliability import measure_reliability

scores = st.floats(0, 1)
judged = st.lists(st.tuples(scores, st.booleans(), st.integers(0, 3)), max_size=60)


def ranked(scores, hits, videos=None):
    order = np.argsort(-np.asarray(scores, np.float64), kind="stable")
    owners = np.zeros(len(scores), np.int64) if videos is None else np.asarray(videos, np.int64)
    return RankedHits(
        np.asarray(scores, np.float64)[order],
        np.asarray(hits, np.bool_)[order],
        owners[order],
        np.full(4, 5, np.int64),
    )


def simulated(a, b, count, seed):
    """Scores of which a fit is known: true with probability sigmoid(a * logit + b)."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(-0.5, 2.0, count)
    hits = rng.random(count) < 1 / (1 + np.exp(-(a * logits + b)))
    return 1 / (1 + np.exp(-logits)), hits


@given(judged, scores, scores)
@settings(max_examples=200, deadline=None)
def test_confidences_lie_in_range_and_keep_the_order_of_scores(events, one, other):
    entry = calibrate(ranked(*(list(zip(*events, strict=True)) or [[], [], []])))
    low, high = sorted((one, other))
    said = [confidence_of({"a": entry}, "a", score) for score in (low, high)]
    if entry["method"] == "none":
        assert said == [None, None]
        assert entry["note"]
    else:
        assert entry["a"] > 0
        assert 0 <= said[0] <= said[1] + 1e-12 <= 1 + 1e-12


@pytest.mark.parametrize(("a", "b"), [(0.5, -1.5), (1.0, -2.0), (2.0, 1.0), (1.4, 0.0)])
def test_the_line_that_made_the_data_is_found_again(a, b):
    fit = fit_calibration(*simulated(a, b, 20_000, seed=3))
    assert fit.method == "platt"
    # Three standard errors of a logistic fit to so many events.
    assert fit.a == pytest.approx(a, abs=0.08)
    assert fit.b == pytest.approx(b, abs=0.12)


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_scores_that_are_right_already_stay(seed):
    fit = fit_calibration(*simulated(1.0, 0.0, 5_000, seed))
    given_scores = np.linspace(0.02, 0.98, 25)
    assert np.abs(fit.confidences(given_scores) - given_scores).max() < 0.05


@given(st.integers(10, 200), st.floats(0.5, 0.999), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_what_a_score_separates_perfectly_does_not_run_off(count, high, seed):
    rng = np.random.default_rng(seed)
    true = rng.uniform(high, 1, count)
    false = rng.uniform(0, high - 0.1, count)
    hits = np.arange(2 * count) < count
    fit = fit_calibration(np.concatenate([true, false]), hits)
    assert 0 < fit.a < 15
    assert abs(fit.b) < 20


@given(judged)
@settings(max_examples=150, deadline=None)
def test_measures_are_in_range_and_do_not_depend_on_the_order(events):
    said = np.array([score for score, _, _ in events])
    hits = np.array([hit for _, hit, _ in events], np.bool_)
    found = measure_reliability(said, hits)
    if not events:
        assert found is None
        return
    assert 0 <= found.ece <= 1
    assert 0 <= found.brier <= 1
    assert sum(item.events for item in found.bins) == len(events)
    assert 1 <= len(found.bins) <= 10
    turned = measure_reliability(said[::-1], hits[::-1])
    assert turned.ece == pytest.approx(found.ece, abs=1e-12)
    assert turned.log_loss == pytest.approx(found.log_loss, abs=1e-9)


@given(judged, judged)
@settings(max_examples=60, deadline=None)
def test_what_the_card_keeps_is_plain_json(events, tested):
    first, second = (
        ranked(*(list(zip(*part, strict=True)) or [[], [], []])) for part in (events, tested)
    )
    entry = calibrate(first, second)
    assert json.loads(json.dumps(entry, allow_nan=False)) == entry


@given(st.lists(st.floats(0, 255, width=32), max_size=80), st.floats(0.125, 8, width=32))
@settings(max_examples=150, deadline=None)
def test_motion_scores_keep_the_order_and_do_not_know_the_scale(energies, factor):
    energy = np.array(energies, np.float32)
    scores = motion_scores(energy)
    assert scores.shape == energy.shape
    assert ((scores >= 0) & (scores <= 1)).all()
    order = np.argsort(energy, kind="stable")
    assert (np.diff(scores[order]) >= 0).all()
    # Ranks of what is multiplied can only merge where floats run out of digits.
    scaled = np.argsort(np.argsort(energy, kind="stable"), kind="stable").astype(np.float32)
    if np.unique(energy).size == energy.size:
        assert np.array_equal(motion_scores(scaled * np.float32(factor)), scores)
