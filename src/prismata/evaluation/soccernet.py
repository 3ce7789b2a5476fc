"""SoccerNet's spotting metric, number for number, for comparison with its published tables.

Not our metric, and never in one column with it: its δ is a *full* width (mAP@1 s accepts a distance
of half a second), true events choose among detections instead of the other way round, 200 fixed
thresholds and 11 recall points stand for the curve, and a type that nobody marked counts as 0.
Definition: `SoccerNet/Evaluation/ActionSpotting.py` of the PyPI package SoccerNet 0.2.0; golden
files in `tests/golden` were made by that program.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from prismata.core.errors import InvalidInputError
from prismata.evaluation.matching import EventsByVideo, of_type

FRAME_RATE = 2
"""Bins a second, as the challenges use it; two events of a type in one bin are one."""

TIGHT_SECONDS = (1, 2, 3, 4, 5)
LOOSE_SECONDS = tuple(range(5, 61, 5))

_VIDEO_SECONDS = 120 * 60
"""What lies later falls into the last bin."""
_THRESHOLDS = np.linspace(0.0, 1.0, 200)
_RECALLS = np.arange(11) / 10


@dataclass(frozen=True, slots=True)
class SoccerNetScores:
    """Mean average precisions in [0, 1]."""

    tight: float
    """Average over δ = 1 … 5 s, a trapezoid rule."""
    loose: float
    """Average over δ = 5, 10 … 60 s."""
    at: Mapping[int, float]
    """δ in seconds, 1 to 5 → mAP@δ."""
    tight_by_type: Mapping[str, float]
    loose_by_type: Mapping[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class _Binned:
    """One type in one video."""

    truth: NDArray[np.int64]
    """Bins of the true events, rising."""
    found: NDArray[np.int64]
    """Bins of the detections, rising."""
    scores: NDArray[np.float64]


def soccernet_scores(
    truth: EventsByVideo,
    detections: EventsByVideo,
    event_types: Sequence[str],
    *,
    frame_rate: int = FRAME_RATE,
) -> SoccerNetScores:
    """Score point events as SoccerNet does; a video of ours is a half of a game of theirs.

    Args:
        truth: What people marked.
        detections: What the model found, with scores in [0, 1]; of several in one bin the last in
            order of time counts.
        event_types: All types of the task, marked or not.
        frame_rate: Bins a second.

    Raises:
        InvalidInputError: If a detection has no score, or there is no type.
    """
    if not event_types:
        raise InvalidInputError("SoccerNet's metric needs at least one event type")
    videos = sorted({*truth, *detections})
    binned = {
        name: [_bin(truth, detections, video, name, frame_rate) for video in videos]
        for name in event_types
    }
    curves = {
        delta: {name: _precision_at(rows, delta * frame_rate) for name, rows in binned.items()}
        for delta in {*TIGHT_SECONDS, *LOOSE_SECONDS}
    }
    tight = {name: _average(curves, name, TIGHT_SECONDS) for name in event_types}
    loose = {name: _average(curves, name, LOOSE_SECONDS) for name in event_types}
    return SoccerNetScores(
        tight=_mean(tight),
        loose=_mean(loose),
        at={delta: _mean(curves[delta]) for delta in TIGHT_SECONDS},
        tight_by_type=tight,
        loose_by_type=loose,
    )


def _bin(
    truth: EventsByVideo, detections: EventsByVideo, video: str, event_type: str, frame_rate: int
) -> _Binned:
    last = _VIDEO_SECONDS * frame_rate - 1

    def bin_of(start_us: int) -> int:
        # Their files hold whole milliseconds, and their bins round down.
        return min(int(frame_rate * (start_us // 1000 / 1000)), last)

    by_bin: dict[int, float] = {}
    for event in sorted(of_type(detections, video, event_type), key=lambda item: item.start_us):
        if event.score is None:
            raise InvalidInputError(
                f"the detection {event_type!r} at {event.start_us} us has no score, so it cannot "
                "be ranked; give every detection its score"
            )
        by_bin[bin_of(event.start_us)] = event.score
    found = np.array(sorted(by_bin), np.int64)
    marked = sorted({bin_of(event.start_us) for event in of_type(truth, video, event_type)})
    scores = np.array([by_bin[number] for number in found.tolist()], np.float64)
    return _Binned(np.array(marked, np.int64), found, scores)


def _precision_at(rows: Sequence[_Binned], width: int) -> float:
    """Return one type's average precision at a full width of so many bins."""
    scores = np.concatenate([row.scores for row in rows])
    hits = np.concatenate([_hits(row, width) for row in rows])
    num_truth = sum(row.truth.size for row in rows)
    order = np.argsort(-scores, kind="stable")
    falling, found = scores[order], np.cumsum(hits[order])
    # How many detections reach each threshold, the border included.
    seen = np.searchsorted(-falling, -_THRESHOLDS, side="right")
    reached = np.where(seen > 0, np.append(0, found)[seen], 0)
    precision = np.divide(reached, seen, out=np.zeros(seen.size), where=seen > 0)
    recall = reached / num_truth if num_truth else np.zeros(seen.size)
    return float(np.mean([precision[recall >= least].max(initial=0.0) for least in _RECALLS]))


def _hits(row: _Binned, width: int) -> NDArray[np.int64]:
    """Let each true event, in order of time, take the best free detection within half the width."""
    hits = np.zeros(row.found.size, np.int64)
    for instant in row.truth.tolist():
        near = (np.abs(row.found - instant) <= width / 2) & (hits == 0)
        if near.any():
            hits[int(np.argmax(np.where(near, row.scores, -1.0)))] = 1
    return hits


def _average(
    curves: Mapping[int, Mapping[str, float]], event_type: str, deltas: Sequence[int]
) -> float:
    values = [curves[delta][event_type] for delta in deltas]
    return float(np.mean([(left + right) / 2 for left, right in pairwise(values)]))


def _mean(values: Mapping[str, float]) -> float:
    return float(np.mean(list(values.values())))
