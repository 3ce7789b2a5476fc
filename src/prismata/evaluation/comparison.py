"""Two models on the same videos: how much better one is, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prismata.core.events import EventKind, EventType
from prismata.core.time import TimeSpan
from prismata.evaluation.bootstrap import bootstrap_interval
from prismata.evaluation.ignoring import without_ignored
from prismata.evaluation.matching import EventsByVideo
from prismata.evaluation.means import mean_over, rank_types
from prismata.evaluation.report import EvaluationProtocol


@dataclass(frozen=True, slots=True)
class PrecisionDifference:
    """Mean average precision of two models over the same videos."""

    kind: EventKind
    first: float | None
    second: float | None
    interval: tuple[float, float] | None
    """95 % interval of `second - first`; None with fewer than 3 videos."""

    @property
    def difference(self) -> float | None:
        """How much better the second is."""
        if self.first is None or self.second is None:
            return None
        return self.second - self.first

    @property
    def is_certain(self) -> bool:
        """Whether the interval leaves out that both are equally good."""
        return self.interval is not None and (self.interval[0] > 0 or self.interval[1] < 0)


def compare_precision(
    truth: EventsByVideo,
    first: EventsByVideo,
    second: EventsByVideo,
    event_types: Sequence[EventType],
    kind: EventKind,
    *,
    ignored: Mapping[str, Sequence[TimeSpan]],
    videos: Sequence[str],
    protocol: EvaluationProtocol | None = None,
) -> PrecisionDifference | None:
    """Compare two models in the average precision of one kind of events.

    The interval is of the difference, with the same videos drawn for both: some videos are hard for
    every model, and that must not hide that one of them is better.

    Args:
        truth: What people marked.
        first: Candidates of one model, with scores.
        second: Candidates of the other one.
        event_types: What both know.
        kind: Points or segments.
        ignored: Stretches of which nothing is known.
        videos: Those that both were run on.
        protocol: Tolerances, overlaps, bootstrap.

    Returns:
        None if no type is of that kind.
    """
    used = protocol or EvaluationProtocol()
    chosen = [item for item in event_types if item.kind == kind]
    if not chosen:
        return None
    known = without_ignored(truth, ignored)
    criteria = used.criteria(kind)
    keys = [criterion.key for criterion in criteria]
    rankings = [
        rank_types(known, without_ignored(found, ignored), chosen, criteria, videos)
        for found in (first, second)
    ]

    def difference(counts: NDArray[np.int64]) -> float | None:
        one, other = (mean_over(ranking, keys, counts) for ranking in rankings)
        return None if one is None or other is None else other - one

    return PrecisionDifference(
        kind,
        mean_over(rankings[0], keys),
        mean_over(rankings[1], keys),
        bootstrap_interval(difference, len(videos), resamples=used.resamples, seed=used.seed),
    )
