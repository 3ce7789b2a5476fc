"""The curve as it grows, for people who watch: a few points, a few times a second.

Everything that was scored comes with the result; this is only what can be seen meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

INTERVAL_SECONDS = 0.5
MAX_INSTANTS = 256
"""Of one message; more are thinned, so that a message stays below 10 kB for a few event types."""

_DECIMALS = 3

SendScores = Callable[[list[int], list[list[float]]], None]


class ScoreFeed:
    """Collects scores and hands them on, at most twice a second; the first ones at once.

    Args:
        send: Gets instants in microseconds, and one row of scores for each.
        clock: Seconds that only go forward.
    """

    def __init__(self, send: SendScores, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._send = send
        self._clock = clock
        self._sent_at: float | None = None
        self._times: list[NDArray[np.int64]] = []
        self._scores: list[NDArray[np.float32]] = []

    def push(self, times_us: NDArray[np.int64], scores: NDArray[np.float32]) -> None:
        """Take `(K,)` instants after all earlier ones and their `(K, C)` scores, K > 0."""
        self._times.append(times_us)
        self._scores.append(scores)
        now = self._clock()
        if self._sent_at is not None and now - self._sent_at < INTERVAL_SECONDS:
            return
        self._sent_at = now
        times, rows = thinned(np.concatenate(self._times), np.concatenate(self._scores))
        self._times, self._scores = [], []
        self._send(times.tolist(), np.round(rows.astype(np.float64), _DECIMALS).tolist())


def thinned(
    times_us: NDArray[np.int64], scores: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return at most `MAX_INSTANTS` of K instants; each stands for a stretch and its highest score.

    A peak is what people look for, so it is never left out.
    """
    if times_us.size <= MAX_INSTANTS:
        return times_us, scores
    starts = np.linspace(0, times_us.size, MAX_INSTANTS, endpoint=False).astype(np.int64)
    return times_us[starts], np.maximum.reduceat(scores, starts, axis=0)
