"""How good is the rest? What nobody reviewed, judged by the random ones among what somebody did.

Candidate events fall into strata, by how sure the model is. Within a stratum the controls are a
random sample, so the share of true ones among the open ones has a Beta posterior and their number
a Beta-binomial one (Gelman et al., Bayesian Data Analysis, 3rd ed., 2.4). Time in which the model
saw nothing at all is sampled by stretches: events in it come at a rate with a Gamma posterior. Sums
over strata are drawn, and intervals are quantiles of the draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Stratum = Literal["shown", "near", "far", "unseen"]
"""`shown`: reaches the threshold; `near`: at least half of it; `far`: a candidate at all;
`unseen`: time without any candidate."""

DRAWS = 20_000
_PRIOR = 1.0 / 3.0
"""Shape of the neutral priors Beta(⅓, ⅓) and Gamma(⅓, 0) (Kerman, Electron. J. Statist. 5, 2011):
their medians lie at what was observed. With Jeffreys' ½ each stratum of rare events is overrated a
little, and four of them together too much: the recall of simulated rests was held 86 times of 100.
"""
_PRIOR_EVENTS_PER_CANDIDATE = 1.0
"""Before any stretch was watched, the unseen time is taken to hold up to about as many events as
there are open candidates; a prior without a scale would say nothing at all."""

Interval = tuple[float, float]
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sampled:
    """One stratum of candidate events: what is open, and what the controls said.

    Raises:
        ValueError: If more are true than were looked at.
    """

    open: int
    """Candidates that nobody has reviewed."""
    controls: int
    """Reviewed ones that were chosen at random."""
    true: int
    """How many of those were events."""

    def __post_init__(self) -> None:
        if not 0 <= self.true <= self.controls or self.open < 0:
            raise ValueError(f"{self.true} of {self.controls} controls cannot be true")


@dataclass(frozen=True, slots=True)
class Unseen:
    """Time without any candidate."""

    open_seconds: float
    stretches: int
    """Stretches that were chosen at random and watched."""
    watched_seconds: float
    """How long those are together."""
    found: int
    """Events that people found in those."""


@dataclass(frozen=True, slots=True)
class Remainder:
    """What is to be expected of the rest; intervals hold the truth in 95 of 100 cases."""

    true: Interval
    """How many of the open events that the product shows are true."""
    missed: Interval
    """How many events it does not show are in the open rest."""
    precision: Interval | None
    """Share of the shown that are true; None if nothing is shown in the rest."""
    recall: Interval | None
    """Share of the true ones that are shown; None if there may be none at all."""
    controls: int
    """Random controls that this rests on."""


def estimate_remainder(
    strata: Mapping[Stratum, Sampled], unseen: Unseen | None = None, *, seed: int = 0
) -> Remainder:
    """Estimate precision and recall on what nobody reviewed.

    Args:
        strata: `shown`, `near` and `far`; those not named are empty.
        unseen: Time in which the model saw nothing; None = there is none.
        seed: The same seed gives the same interval.
    """
    generator = np.random.default_rng(seed)
    true = _draw(generator, [strata[name] for name in strata if name == "shown"])
    missed = _draw(generator, [strata[name] for name in strata if name != "shown"])
    candidates = sum(item.open for item in strata.values())
    if unseen is not None and unseen.open_seconds > 0:
        missed = missed + _draw_unseen(generator, unseen, candidates)
    shown = sum(strata[name].open for name in strata if name == "shown")
    total = true + missed
    some = total > 0
    recall = true[some] / total[some]
    return Remainder(
        true=_whole(true),
        missed=_whole(missed),
        precision=_interval(true / shown) if shown else None,
        recall=_interval(recall) if recall.size > DRAWS / 2 else None,
        controls=sum(item.controls for item in strata.values())
        + (0 if unseen is None else unseen.stretches),
    )


def _draw(generator: np.random.Generator, strata: Sequence[Sampled]) -> Numbers:
    """Draw `(DRAWS,)` numbers of true events among the open ones."""
    total = np.zeros(DRAWS)
    for item in strata:
        if not item.open:
            continue
        false = item.controls - item.true
        share = generator.beta(item.true + _PRIOR, false + _PRIOR, DRAWS)
        total += generator.binomial(item.open, share)
    return total


def _draw_unseen(generator: np.random.Generator, unseen: Unseen, candidates: int) -> Numbers:
    """Draw `(DRAWS,)` numbers of events in time that nobody watched."""
    expected = max(1.0, _PRIOR_EVENTS_PER_CANDIDATE * candidates)
    # What the prior is worth in watched time: a third of an event at the rate it expects.
    prior_seconds = _PRIOR * unseen.open_seconds / expected
    watched = unseen.watched_seconds + (prior_seconds if not unseen.watched_seconds else 0.0)
    rate = generator.gamma(unseen.found + _PRIOR, 1.0 / watched, DRAWS)
    drawn: Numbers = generator.poisson(rate * unseen.open_seconds).astype(np.float64)
    return drawn


def _interval(values: Numbers) -> Interval:
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def _whole(values: Numbers) -> Interval:
    low, high = np.quantile(values, [0.025, 0.975], method="nearest")
    return float(low), float(high)
