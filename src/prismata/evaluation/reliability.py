"""How far confidences can be believed: of events said with 0.7, seven in ten should be true."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 10
EPSILON = 1e-6
"""Confidences nearer to 0 or 1 count as this near, so that no single event costs infinitely."""


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Events of neighbouring confidence."""

    lowest: float
    highest: float
    events: int
    mean_confidence: float
    share_true: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values: from, to, events, mean_confidence, share_true."""
        return {
            "from": round(self.lowest, 6),
            "to": round(self.highest, 6),
            "events": self.events,
            "mean_confidence": round(self.mean_confidence, 6),
            "share_true": round(self.share_true, 6),
        }


@dataclass(frozen=True, slots=True)
class Reliability:
    """What N confidences were worth; smaller is better everywhere."""

    events: int
    ece: float
    """Expected calibration error, see `measure_reliability`."""
    ece_if_perfect: float
    """What so few events would show on average even if every confidence were right."""
    brier: float
    """Mean squared difference of confidence and outcome (Brier 1950)."""
    log_loss: float
    """Mean negative log-likelihood, in nats."""
    bins: tuple[ReliabilityBin, ...]
    """By rising confidence."""


def measure_reliability(
    confidences: NDArray[np.float64], hits: NDArray[np.bool_]
) -> Reliability | None:
    """Compare `(N,)` confidences in [0, 1] with what the events were; None without events.

    ECE is the sum over bins of `n_b / N * |mean confidence - share of true events|` (Naeini et al.,
    AAAI 2015), over at most 10 bins of equal mass (Nguyen and O'Connor, EMNLP 2015) and not of
    equal width: a detector's scores crowd at the ends. Equal confidences share a bin, so the order
    of ties changes nothing; that can leave fewer bins.
    """
    count = confidences.size
    if count == 0:
        return None
    order = np.argsort(confidences, kind="stable")
    given, true = confidences[order].astype(np.float64), hits[order].astype(np.float64)
    bins, ece, noise = [], 0.0, 0.0
    for start, end in _equal_mass(given):
        size = end - start
        mean, share = float(given[start:end].mean()), float(true[start:end].mean())
        bins.append(ReliabilityBin(float(given[start]), float(given[end - 1]), size, mean, share))
        ece += size / count * abs(mean - share)
        variance = float((given[start:end] * (1 - given[start:end])).mean())
        # Mean absolute deviation of a normal variable with the variance of the share.
        noise += size / count * math.sqrt(2 * variance / (math.pi * size))
    inside = np.clip(given, EPSILON, 1 - EPSILON)
    loss = -float((true * np.log(inside) + (1 - true) * np.log1p(-inside)).mean())
    brier = float(((given - true) ** 2).mean())
    return Reliability(count, ece, noise, brier, loss, tuple(bins))


def _equal_mass(rising: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Cut rising values into at most `BINS` runs of about equal length, never between equals."""
    cuts = [0]
    for number in range(1, BINS):
        wanted = round(number * rising.size / BINS)
        if 0 < wanted < rising.size:
            cut = int(np.searchsorted(rising, rising[wanted], side="left"))
            cuts.append(cut)
    edges = sorted({*cuts, rising.size})
    return list(pairwise(edges))
