"""How good the rest is, and whether the stated interval holds the truth."""

import numpy as np
import pytest

from prismata.evaluation.remainder import Sampled, Unseen, estimate_remainder


def test_all_controls_true_and_many_of_them_means_a_precise_rest():
    found = estimate_remainder({"shown": Sampled(100, 60, 60), "near": Sampled(40, 60, 0)})
    low, high = found.precision
    assert low > 0.94
    assert high == 1.0
    assert found.missed[1] <= 3
    assert found.recall[0] > 0.95
    assert found.controls == 120


def test_without_controls_nothing_is_known():
    low, high = estimate_remainder({"shown": Sampled(100, 0, 0)}).precision
    assert low < 0.01
    assert high > 0.99


def test_of_nothing_there_is_no_precision():
    found = estimate_remainder({"shown": Sampled(0, 3, 2), "near": Sampled(0, 0, 0)})
    assert found.precision is None
    assert found.recall is None
    assert found.true == found.missed == (0.0, 0.0)


def test_watched_time_without_events_bounds_what_was_missed():
    shown = {"shown": Sampled(20, 20, 20)}
    little = estimate_remainder(shown, Unseen(1000.0, 2, 10.0, 0))
    much = estimate_remainder(shown, Unseen(1000.0, 200, 1000.0, 0))
    assert much.missed[1] <= 3 < little.missed[1]
    assert much.recall[0] > little.recall[0]
    assert much.controls == 220


def test_the_same_seed_gives_the_same_interval():
    strata = {"shown": Sampled(50, 10, 6)}
    assert estimate_remainder(strata, seed=4) == estimate_remainder(strata, seed=4)


def test_more_true_than_looked_at_cannot_be():
    with pytest.raises(ValueError, match="cannot be true"):
        Sampled(3, 2, 3)


@pytest.mark.parametrize("sure", [0.6, 0.9, 0.98])
def test_the_interval_holds_the_truth_in_at_least_90_of_100_rests(sure):
    """Rests whose truth is known: controls drawn at random, the others counted."""
    rng = np.random.default_rng(int(sure * 100))
    held = {"precision": 0, "missed": 0, "recall": 0}
    for _ in range(100):
        strata, true = {}, {}
        for name, size, share in (("shown", 120, sure), ("near", 80, 0.15), ("far", 200, 0.02)):
            truth = rng.random(size) < share
            sample = rng.permutation(size)[:20]
            rest = np.delete(truth, sample)
            strata[name] = Sampled(rest.size, 20, int(truth[sample].sum()))
            true[name] = int(rest.sum())
        seconds = rng.poisson(0.002, 1200)  # events in each unseen second
        watched = rng.permutation(1200)[:100]
        left = int(np.delete(seconds, watched).sum())
        found = estimate_remainder(strata, Unseen(1100.0, 20, 100.0, int(seconds[watched].sum())))
        missed = true["near"] + true["far"] + left
        held["precision"] += found.precision[0] <= true["shown"] / 100 <= found.precision[1]
        held["missed"] += found.missed[0] <= missed <= found.missed[1]
        recall = true["shown"] / (true["shown"] + missed)
        held["recall"] += found.recall[0] <= recall <= found.recall[1]
    assert min(held.values()) >= 90, held
