"""How far a number would move with other videos of the same sort."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

MIN_VIDEOS = 3
"""With fewer videos there is no interval worth printing."""


def bootstrap_interval(
    statistic: Callable[[NDArray[np.int64]], float | None],
    num_videos: int,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[float, float] | None:
    """Return the 95 % percentile interval over videos, or None with fewer than 3 of them.

    Whole videos are drawn with replacement (Efron and Tibshirani, 1993, chapter 13), because events
    of one video are not independent. A draw for which the statistic is None does not count.

    Args:
        statistic: From `(V,)` int64 counts, how often each video was drawn, to the number.
        num_videos: V.
        resamples: Draws; 0 gives None.
        seed: The same seed gives the same interval.
    """
    if num_videos < MIN_VIDEOS or resamples < 1:
        return None
    generator = np.random.default_rng(seed)
    values = []
    for _ in range(resamples):
        drawn = generator.integers(0, num_videos, num_videos)
        value = statistic(np.bincount(drawn, minlength=num_videos).astype(np.int64))
        if value is not None:
            values.append(value)
    if not values:
        return None
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)
