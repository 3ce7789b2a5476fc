"""Average precision from ranked hits and false alarms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prismata.evaluation.matching import Criterion, EventsByVideo, match_events, of_type


@dataclass(frozen=True, slots=True, eq=False)
class RankedHits:
    """The detections of one event type in all videos, best score first."""

    scores: NDArray[np.float64]
    """`(N,)` float64, falling."""
    hits: NDArray[np.bool_]
    """`(N,)` whether the detection found a true event."""
    videos: NDArray[np.int64]
    """`(N,)` index of the detection's video."""
    truths: NDArray[np.int64]
    """`(V,)` number of true events in each video."""


def rank_hits(
    truth: EventsByVideo,
    detections: EventsByVideo,
    event_type: str,
    criterion: Criterion,
    *,
    videos: Sequence[str] | None = None,
) -> RankedHits:
    """Match every video on its own, then rank all detections together.

    Args:
        truth: What people marked.
        detections: What the model found, with scores.
        event_type: Only events of this type take part.
        criterion: What a hit is.
        videos: Which videos take part, in which order; by default all that are mentioned.

    Raises:
        InvalidInputError: If a detection has no score.
    """
    names = sorted({*truth, *detections}) if videos is None else videos
    scores: list[float] = []
    hits: list[bool] = []
    owners: list[int] = []
    truths: list[int] = []
    for index, video_id in enumerate(names):
        true_events = of_type(truth, video_id, event_type)
        truths.append(len(true_events))
        found = of_type(detections, video_id, event_type)
        for match in match_events(true_events, found, criterion):
            scores.append(match.detection.score or 0.0)
            hits.append(match.truth is not None)
            owners.append(index)
    order = np.argsort(-np.array(scores, dtype=np.float64), kind="stable")
    return RankedHits(
        np.array(scores, dtype=np.float64)[order],
        np.array(hits, dtype=np.bool_)[order],
        np.array(owners, dtype=np.int64)[order],
        np.array(truths, dtype=np.int64),
    )


def average_precision(
    ranked: RankedHits, video_counts: NDArray[np.int64] | None = None
) -> float | None:
    """Return the all-point interpolated average precision, or None without true events.

    With P(r) the precision among the r best detections, `AP = Σ max_{q ≥ r} P(q) / G`, summed over
    the ranks r of the hits, G true events in all. This is what E2E-Spot (Hong et al., ECCV 2022,
    `util/score.py`) computes for points and PASCAL VOC 2011 / ActivityNet for segments. Detections
    of equal score enter together, P being taken after the last of them, so that AP does not depend
    on the order of ties.

    Args:
        ranked: Detections in rank order.
        video_counts: `(V,)` how often each video counts, for a bootstrap; by default once.
    """
    counts = np.ones_like(ranked.truths) if video_counts is None else video_counts
    num_truth = int((ranked.truths * counts).sum())
    if num_truth == 0:
        return None
    if ranked.scores.size == 0:
        return 0.0
    weights = counts[ranked.videos].astype(np.float64)
    hit_weights = weights * ranked.hits
    group_ends = np.append(np.flatnonzero(np.diff(ranked.scores) != 0), ranked.scores.size - 1)
    found = np.cumsum(hit_weights)[group_ends]
    seen = np.cumsum(weights)[group_ends]
    precision = np.divide(found, seen, out=np.zeros_like(found), where=seen > 0)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float((np.diff(found, prepend=0.0) * envelope).sum() / num_truth)
