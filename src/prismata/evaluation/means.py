"""Mean average precision: over the event types that occur, then over the criteria."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from prismata.core.events import EventType
from prismata.evaluation.matching import Criterion, EventsByVideo
from prismata.evaluation.ranking import RankedHits, average_precision, rank_hits

Rankings = dict[str, dict[str, RankedHits]]
"""Event type → criterion key → its ranking."""


def rank_types(
    truth: EventsByVideo,
    ranked: EventsByVideo,
    event_types: Sequence[EventType],
    criteria: Sequence[Criterion],
    videos: Sequence[str],
) -> Rankings:
    """Rank the detections of each type under each criterion."""
    return {
        item.name: {
            criterion.key: rank_hits(truth, ranked, item.name, criterion, videos=videos)
            for criterion in criteria
        }
        for item in event_types
    }


def mean_over(
    rankings: Rankings, keys: Sequence[str], video_counts: NDArray[np.int64] | None = None
) -> float | None:
    """Return the mean over types that occur, then over criteria; a type has all or none of them.

    Args:
        rankings: What `rank_types` returned.
        keys: Of the criteria to take.
        video_counts: `(V,)` how often each video counts, for a bootstrap; by default once.
    """
    values = [
        value
        for by_key in rankings.values()
        for key in keys
        if (value := average_precision(by_key[key], video_counts)) is not None
    ]
    return float(np.mean(values)) if values else None
