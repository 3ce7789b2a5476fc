"""Successive halving: laws that hold for any scores, however often a search is stopped."""

import json
import math
import random
from itertools import pairwise

import pytest

pytest.importorskip("torch", reason="torch is not installed: the training room cannot be imported")

from hypothesis import given
from hypothesis import strategies as st

from prismata.training.search import (
    Standing,
    TimeBudget,
    epochs_planned,
    next_piece,
    plan_rungs,
    ranking,
    run_halving,
)

pytestmark = pytest.mark.torch

trial_counts = st.integers(2, 30)
epoch_counts = st.integers(1, 60)


@st.composite
def searches(draw):
    """Rungs, and for each trial its score at each rung, or the rung at which it fails."""
    trials = draw(trial_counts)
    rungs = plan_rungs(trials, draw(epoch_counts), keep_one_in=draw(st.integers(2, 4)))
    dice = random.Random(draw(st.integers(0, 2**32)))
    # Few values, so that there are ties.
    scores = [[dice.randrange(5) / 4 for _ in rungs] for _ in range(trials)]
    may_fail = draw(st.booleans())
    fails = [dice.randrange(3 * len(rungs)) if may_fail else None for _ in range(trials)]
    return rungs, scores, fails


class Trainer:
    """Trains by looking the score up; counts what it is asked for."""

    def __init__(self, rungs, scores, fails, standings=None):
        self.rungs, self.scores, self.fails = rungs, scores, fails
        self.standings = standings or [Standing() for _ in scores]
        self.pieces = []

    def train(self, piece):
        standing = self.standings[piece.trial]
        assert len(standing.scores) == piece.rung, "rungs are climbed one by one"
        assert piece.epochs == self.rungs[piece.rung].epochs
        self.pieces.append((piece.trial, piece.rung))
        if self.fails[piece.trial] == piece.rung:
            standing.failed = "it cannot be trained"
        else:
            standing.scores.append(self.scores[piece.trial][piece.rung])
            standing.curve += [0.0] * (piece.epochs - len(standing.curve))
        return True

    def run(self, at_most=math.inf):
        return run_halving(
            self.rungs, self.standings, self.train, lambda _piece: len(self.pieces) < at_most
        )


@given(trial_counts, epoch_counts, st.integers(2, 5))
def test_rungs_shrink_while_epochs_grow_to_the_end_of_the_schedule(trials, epochs, keep_one_in):
    rungs = plan_rungs(trials, epochs, keep_one_in=keep_one_in)
    assert rungs[0].trials == trials
    assert rungs[-1].epochs == epochs
    for one, after in pairwise(rungs):
        assert one.epochs < after.epochs
        assert 2 <= after.trials < one.trials
    # Halving is there to be cheaper than training everything.
    assert epochs_planned(rungs) <= trials * epochs


@given(searches())
def test_the_best_of_each_rung_go_on_and_nothing_is_trained_twice(search):
    rungs, scores, fails = search
    trainer = Trainer(*search)
    assert trainer.run() == "one_left"
    assert len(set(trainer.pieces)) == len(trainer.pieces)
    for number in range(1, len(rungs)):
        here = [trial for trial, rung in trainer.pieces if rung == number]
        below = [t for t, rung in trainer.pieces if rung == number - 1 and fails[t] != number - 1]
        order = sorted(below, key=lambda trial: (-scores[trial][number - 1], trial))
        assert here == (order[: rungs[number].trials] if len(order) > 1 else [])


@given(searches())
def test_the_winner_is_the_best_of_those_that_came_furthest(search):
    _, scores, _ = search
    trainer = Trainer(*search)
    trainer.run()
    order = ranking(trainer.standings)
    assert sorted(order) == list(range(len(scores)))
    able = [trial for trial in order if not trainer.standings[trial].failed]
    if able:
        furthest = max(len(trainer.standings[trial].scores) for trial in able)
        finalists = [t for t in able if len(trainer.standings[t].scores) == furthest]
        best = max(trainer.standings[trial].scores[-1] for trial in finalists)
        assert order[0] == min(t for t in finalists if trainer.standings[t].scores[-1] == best)


@given(searches(), st.lists(st.integers(0, 5), max_size=8))
def test_a_search_that_is_stopped_anywhere_ends_like_one_that_was_not(search, attempts):
    whole = Trainer(*search)
    whole.run()
    standings, done = None, []
    for pieces in (*attempts, math.inf):
        attempt = Trainer(*search, standings)
        attempt.run(at_most=pieces)
        done += attempt.pieces
        # Written down and read again, as between two processes.
        kept = json.loads(json.dumps([standing.to_dict() for standing in attempt.standings]))
        standings = [Standing(**standing) for standing in kept]
    assert done == whole.pieces
    assert standings == whole.standings
    assert ranking(standings) == ranking(whole.standings)


@given(searches(), st.integers(0, 40))
def test_when_time_ends_only_trials_with_as_many_epochs_are_compared(search, pieces):
    trainer = Trainer(*search)
    trainer.run(at_most=pieces)
    order = [trial for trial in ranking(trainer.standings) if not trainer.standings[trial].failed]
    told = [(len(trainer.standings[trial].scores)) for trial in order]
    assert told == sorted(told, reverse=True)
    for one, after in pairwise(order):
        left, right = trainer.standings[one].scores, trainer.standings[after].scores
        if left and len(left) == len(right):
            assert left[-1] >= right[-1]


@given(
    st.floats(0.1, 100), st.floats(0.01, 50), trial_counts, st.integers(3, 30), st.integers(1, 20)
)
def test_nothing_is_begun_that_will_not_be_over_in_time(seconds, each, trials, epochs, cost):
    rungs = plan_rungs(trials, epochs)
    standings = [Standing() for _ in range(trials)]
    budget = TimeBudget(seconds)
    overrun = []

    def train(piece):
        standing = standings[piece.trial]
        ahead = piece.epochs - len(standing.curve)
        was_known = any(item.curve for item in standings)
        budget.spent += each * ahead
        standing.seconds += each * ahead
        standing.curve += [0.0] * ahead
        standing.scores.append(piece.trial % cost / cost)
        if was_known and budget.spent > seconds * (1 + 1e-9):
            overrun.append(piece)
        return True

    ended = run_halving(
        rungs, standings, train, lambda piece: budget.has_time_for(piece, standings)
    )
    assert overrun == []
    if ended == "time":
        piece = next_piece(rungs, standings)
        ahead = piece.epochs - len(standings[piece.trial].curve)
        assert budget.spent + each * ahead > seconds * (1 - 1e-9)
