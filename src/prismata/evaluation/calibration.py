"""From a score to a confidence: in how many of 100 cases such a score has meant a true event.

Losses weigh rare events more than often ones, so a score of 0.8 is no probability of 0.8. Per event
type a line on the logit of the score is fitted to candidate events of the validation videos:
`confidence = sigmoid(a * logit(score) + b)`. That is Platt scaling (Platt 1999); with b = 0 it is
temperature scaling with T = 1 / a (Guo et al., ICML 2017). Thresholds and tracks stay on scores:
a rising line changes no order, only what is said about it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from prismata.core.events import EventType
from prismata.core.time import TimeSpan
from prismata.evaluation.ignoring import without_ignored
from prismata.evaluation.matching import Criterion, EventsByVideo
from prismata.evaluation.ranking import RankedHits, rank_hits
from prismata.evaluation.reliability import EPSILON, Reliability, measure_reliability
from prismata.evaluation.thresholds import LOWEST_THRESHOLD

Method = Literal["platt", "temperature", "none"]

EVENTS_PER_PARAMETER = 5
"""True events, and false ones, that each fitted number needs (Vittinghoff and McCulloch, Am. J.
Epidemiol. 165, 2007: from 5 on a logistic fit is rarely misled)."""
SLOPE_SPREAD, OFFSET_SPREAD = 1.0, 2.0
"""Standard deviations of the normal prior around a = 1, b = 0 (no change): L2, so that a set which
some score separates perfectly does not drive a to infinity. An offset of 2 is what a loss makes
that weighs events 7 times."""
LOWEST_SLOPE = 0.05
"""Below this the score says next to nothing, or the opposite."""

LEFT_OUT = "val, each video by a fit on the others"
_MOST_STEPS = 100
_TINY_STEP = 1e-10


@dataclass(frozen=True, slots=True)
class Calibration:
    """A line on the logit of a score; with method `none` it changes nothing."""

    a: float = 1.0
    b: float = 0.0
    method: Method = "none"
    note: str = ""
    """Why it is not Platt scaling; empty if it is."""

    def confidences(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return `(N,)` confidences in [0, 1] of `(N,)` scores in [0, 1]."""
        if self.method == "none":
            return scores.astype(np.float64)
        return _sigmoid(self.a * _logit(scores) + self.b)


def judge_candidates(
    truth: EventsByVideo,
    candidates: EventsByVideo,
    event_type: EventType,
    criterion: Criterion,
    *,
    videos: Sequence[str],
    ignored: Mapping[str, Sequence[TimeSpan]],
) -> RankedHits:
    """Return which candidate events are true, matched as thresholds are chosen.

    Candidates below the lowest threshold that may be chosen (0.01) are left out: nobody is ever
    shown them, and there are so many that they would hide what the others are worth.

    Args:
        truth: What people marked.
        candidates: `candidate_events` of each video.
        event_type: Only its events take part.
        criterion: What counts as found in the product.
        videos: Which take part.
        ignored: Stretches of which nothing is known.
    """
    shown = {
        name: [event for event in found if (event.score or 0.0) >= LOWEST_THRESHOLD]
        for name, found in without_ignored(candidates, ignored).items()
    }
    known = without_ignored(truth, ignored)
    return rank_hits(known, shown, event_type.name, criterion, videos=videos)


def fit_calibration(scores: NDArray[np.float64], hits: NDArray[np.bool_]) -> Calibration:
    """Fit `(N,)` scores to `(N,)` outcomes; with few events only the slope, with fewer nothing.

    The most likely line under the prior; the problem is convex, so there is one (Newton's method).
    """
    true, false = int(hits.sum()), int((~hits).sum())
    have = f"there are {true} true and {false} false candidate events"
    rarer = min(true, false)
    if rarer < EVENTS_PER_PARAMETER:
        return Calibration(
            note=f"{have}; to learn what a score means takes {EVENTS_PER_PARAMETER} of each"
        )
    logits, outcome = _logit(scores), hits.astype(np.float64)
    if rarer < 2 * EVENTS_PER_PARAMETER:
        slope = _fit(logits[:, None], outcome, np.ones(1), np.array([SLOPE_SPREAD]))[0]
        note = f"{have}; an offset takes {2 * EVENTS_PER_PARAMETER} of each, so only T is fitted"
        return _if_rising(Calibration(float(slope), 0.0, "temperature", note))
    columns = np.stack([logits, np.ones_like(logits)], axis=1)
    spread = np.array([SLOPE_SPREAD, OFFSET_SPREAD])
    a, b = _fit(columns, outcome, np.array([1.0, 0.0]), spread)
    return _if_rising(Calibration(float(a), float(b), "platt"))


def calibrate(fitted_on: RankedHits, test: RankedHits | None = None) -> dict[str, Any]:
    """Fit one event type on validation events and measure the fit where it has not looked.

    Measured on the test split if that has candidate events; else on validation, each video by a fit
    on the other ones; with a single video not at all, and the note says so.

    Args:
        fitted_on: Judged candidates of the validation videos.
        test: Judged candidates of the test videos, if there are any.

    Returns:
        What the card keeps of the event type, as JSON values: `a`, `b`, `method`, `events`,
        `true_events`, `videos`, `highest_score`, `measured_on`, `measured_events`, `ece_before`,
        `ece_after`, `ece_if_perfect`, `brier_*`, `log_loss_*`, `bins`, `note`. What could not be
        measured is None.
    """
    fit = fit_calibration(fitted_on.scores, fitted_on.hits)
    before, after, where = _measure(fit, fitted_on, test)
    notes = [fit.note] if fit.note else []
    if fit.method != "none" and after is None:
        notes.append("what it gains is not known: the candidate events lie in one validation video")
    if before is not None and after is not None and after.log_loss > before.log_loss:
        notes.append("on the events it was measured with, the scores themselves did better")
    last = after or before
    return {
        "a": round(fit.a, 6),
        "b": round(fit.b, 6),
        "method": fit.method,
        "events": int(fitted_on.scores.size),
        "true_events": int(fitted_on.hits.sum()),
        "videos": int(fitted_on.truths.size),
        "highest_score": float(fitted_on.scores.max()) if fitted_on.scores.size else None,
        "measured_on": where,
        "measured_events": last.events if last else 0,
        **_pair("ece", before, after),
        "ece_if_perfect": round(last.ece_if_perfect, 6) if last else None,
        **_pair("brier", before, after),
        **_pair("log_loss", before, after),
        "bins": [item.to_dict() for item in last.bins] if last else [],
        "note": "; ".join(notes),
    }


def uncalibrated(reason: str) -> dict[str, Any]:
    """Return what the card keeps of an event type for which nothing could be fitted."""
    empty = np.zeros(0)
    nothing = RankedHits(empty, empty.astype(np.bool_), empty.astype(np.int64), np.zeros(0, int))
    return {**calibrate(nothing), "note": reason}


def confidence_of(
    calibration: Mapping[str, Mapping[str, Any]], event_type: str, score: float | None
) -> float | None:
    """Return the confidence in [0, 1] of a score; None if the card does not say what it means.

    Args:
        calibration: Of a model card.
        event_type: Its name.
        score: In [0, 1], or None for an event that a person marked.
    """
    entry = calibration.get(event_type)
    if score is None or not entry or entry["method"] == "none":
        return None
    fit = Calibration(entry["a"], entry["b"], entry["method"])
    return float(fit.confidences(np.array([score]))[0])


def _measure(
    fit: Calibration, fitted_on: RankedHits, test: RankedHits | None
) -> tuple[Reliability | None, Reliability | None, str]:
    """Return reliability before and after, and where it was measured."""
    if test is not None and test.scores.size:
        before = measure_reliability(test.scores, test.hits)
        if fit.method == "none":
            return before, None, "test"
        return before, measure_reliability(fit.confidences(test.scores), test.hits), "test"
    before = measure_reliability(fitted_on.scores, fitted_on.hits)
    if fit.method == "none":  # nothing was fitted, so nothing is measured on what it was fitted to
        return before, None, "val" if before else ""
    owners = np.unique(fitted_on.videos)
    if owners.size < 2:
        return before, None, "val"
    confidences = np.empty_like(fitted_on.scores)
    for owner in owners:
        mine = fitted_on.videos == owner
        others = fit_calibration(fitted_on.scores[~mine], fitted_on.hits[~mine])
        confidences[mine] = others.confidences(fitted_on.scores[mine])
    return before, measure_reliability(confidences, fitted_on.hits), LEFT_OUT


def _pair(name: str, before: Reliability | None, after: Reliability | None) -> dict[str, Any]:
    return {
        f"{name}_{when}": None if found is None else round(float(getattr(found, name)), 6)
        for when, found in (("before", before), ("after", after))
    }


def _if_rising(fit: Calibration) -> Calibration:
    if fit.a >= LOWEST_SLOPE:
        return fit
    return Calibration(note="a higher score does not mean a true event more often")


def _fit(
    columns: NDArray[np.float64],
    outcome: NDArray[np.float64],
    centre: NDArray[np.float64],
    spread: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the `(P,)` weights of `(N, P)` columns that are most likely under a normal prior."""
    precision = 1 / spread**2

    def cost(weights: NDArray[np.float64]) -> float:
        value = columns @ weights
        penalty = float((precision * (weights - centre) ** 2).sum() / 2)
        return float((np.logaddexp(0, value) - outcome * value).sum()) + penalty

    weights = centre.copy()
    for _ in range(_MOST_STEPS):
        said = _sigmoid(columns @ weights)
        slope = columns.T @ (said - outcome) + precision * (weights - centre)
        curvature = (columns * (said * (1 - said))[:, None]).T @ columns + np.diag(precision)
        step = np.linalg.solve(curvature, slope)
        reached = cost(weights)
        while cost(weights - step) > reached and np.abs(step).max() > _TINY_STEP:
            step = step / 2
        weights = weights - step
        if np.abs(step).max() <= _TINY_STEP:
            break
    return weights


def _logit(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    inside = np.clip(scores.astype(np.float64), EPSILON, 1 - EPSILON)
    logits: NDArray[np.float64] = np.log(inside) - np.log1p(-inside)
    return logits


def _sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return 0.5 * (1 + np.tanh(values / 2))
