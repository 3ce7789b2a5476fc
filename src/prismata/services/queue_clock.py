"""When a queue of detections will be done: by what late ones took for a second of video."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

TELLS_FROM = 0.03
"""Below this share of a running one, its start-up would be taken for its speed."""


@dataclass(frozen=True, slots=True)
class ClockedItem:
    """What has to be known of one detection."""

    id: str
    model: str
    length_seconds: float
    """Of the video."""
    stage: Literal["running", "waiting", "paused", "done", "other"]
    """`done` is one that ran to its end and had to look at the video for it."""
    worked_seconds: float = 0.0
    """So far, or in all."""
    share: float = 0.0
    """How much of it is done, in [0, 1]."""


@dataclass(frozen=True, slots=True)
class QueueTimes:
    """How long there is to wait."""

    left: dict[str, float]
    """Id → seconds until that one is done; those of which nobody can know are not in it."""
    all_seconds: float | None
    """Until all that is not paused is done; None while nobody can know, or if nothing is to do."""


def estimate(items: Sequence[ClockedItem], slots: int) -> QueueTimes:
    """Estimate when each will be done.

    Args:
        items: Those that wait, in the order of their turn.
        slots: How many run at once, at least 1.
    """
    speeds = _speeds(items)
    left: dict[str, float] = {}
    free_at = []
    for item in items:
        seconds = _left_of_running(item, speeds) if item.stage == "running" else None
        if seconds is not None:
            left[item.id] = seconds
            free_at.append(seconds)
    unknown = any(item.stage == "running" and item.id not in left for item in items)
    free_at += [0.0] * (max(1, slots) - len(free_at))
    heapq.heapify(free_at)
    for item in items:
        if item.stage != "waiting" or unknown:
            continue
        per_second = speeds.get(item.model, speeds.get(""))
        if per_second is None:
            unknown = True
            continue
        done_at = heapq.heappop(free_at) + item.length_seconds * per_second
        left[item.id] = done_at
        heapq.heappush(free_at, done_at)
    return QueueTimes(left, None if unknown or not left else max(left.values()))


def _speeds(items: Sequence[ClockedItem]) -> dict[str, float]:
    """Return seconds of work for a second of video, by model; under "" for all together."""
    worked: dict[str, float] = defaultdict(float)
    length: dict[str, float] = defaultdict(float)
    for item in items:
        share = 1.0 if item.stage == "done" else item.share
        counts = item.stage == "done" or (item.stage == "running" and share >= TELLS_FROM)
        if not counts or item.worked_seconds <= 0:
            continue
        for name in (item.model, ""):
            worked[name] += item.worked_seconds
            length[name] += item.length_seconds * share
    return {name: worked[name] / length[name] for name in worked if length[name] > 0}


def _left_of_running(item: ClockedItem, speeds: dict[str, float]) -> float | None:
    if item.share >= TELLS_FROM and item.worked_seconds > 0:
        return item.worked_seconds * (1 - item.share) / item.share
    per_second = speeds.get(item.model, speeds.get(""))
    if per_second is None:
        return None
    return max(0.0, item.length_seconds * per_second - item.worked_seconds)
