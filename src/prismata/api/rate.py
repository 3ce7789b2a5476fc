"""How many requests one asker may send: a bucket that fills at a steady rate."""

from __future__ import annotations

import math
import time
from collections import OrderedDict

_BURST_SECONDS = 10.0
"""A page that opens asks for many things at once; so much of the rate may come together."""

_MAX_ASKERS = 10_000


class RateLimit:
    """Counts the requests of each asker (token bucket).

    Used from one event loop only.

    Args:
        per_minute: Requests that an asker may send for long; 0 = any number.
    """

    def __init__(self, per_minute: int) -> None:
        self._per_second = per_minute / 60
        self._size = max(1.0, self._per_second * _BURST_SECONDS)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_seconds(self, asker: str) -> int:
        """Count one more request; return 0 if it may come, else in how many seconds one may."""
        if not self._per_second:
            return 0
        now = time.monotonic()
        left, since = self._buckets.pop(asker, (self._size, now))
        left = min(self._size, left + (now - since) * self._per_second)
        may_come = left >= 1
        self._buckets[asker] = (left - 1 if may_come else left, now)
        if len(self._buckets) > _MAX_ASKERS:
            self._buckets.popitem(last=False)
        return 0 if may_come else max(1, math.ceil((1 - left) / self._per_second))
