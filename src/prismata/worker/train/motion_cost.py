"""What the domain's motion gate costs in recall, and what it saves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prismata.core.recipes import MotionGate
from prismata.detection.motion import MotionFilter
from prismata.worker.train.rescoring import EventFigures, FeatureSource
from prismata.worker.train.stretches import StretchBatch

FREE_POINTS = 0.5
"""A loss of recall up to here is not worth a warning."""


class GateCount:
    """How many frames of all stretches the gate lets through."""

    def __init__(self) -> None:
        self.frames = 0
        self.encoded = 0

    @property
    def share(self) -> float | None:
        """Share of frames that are encoded; `None` before any were seen."""
        return self.encoded / self.frames if self.frames else None


class GatedFeatures:
    """Features of one stretch as a detection behind the gate gets them: still frames take over.

    Args:
        gate: Of the domain.
        source: Features without a gate.
        count: Counts along.
    """

    def __init__(self, gate: MotionGate, source: FeatureSource, count: GateCount) -> None:
        self._filter, self._source, self._count = MotionFilter(gate), source, count
        self._last: NDArray[np.float32] | None = None

    def __call__(self, batch: StretchBatch) -> NDArray[np.float32]:
        """Return `(N, F)` features of a batch."""
        moved = self._filter.must_encode(batch.frames, batch.times_us.tolist())
        features = np.array(self._source(batch))
        for row, is_new in enumerate(moved.tolist()):
            if not is_new and self._last is not None:
                features[row] = self._last
            self._last = features[row].copy()
        self._count.frames += len(moved)
        self._count.encoded += int(moved.sum())
        return features


def describe_motion_cost(
    without: EventFigures,
    behind: EventFigures,
    count: GateCount,
    *,
    seconds: float,
    videos: int,
) -> dict[str, Any]:
    """Return the card's section: means over event types, each type, and a sentence.

    Args:
        without: Figures with every frame encoded.
        behind: The same stretches behind the gate.
        count: What was encoded.
        seconds: Video that was looked at.
        videos: How many.
    """
    types = {
        name: _cost(without.recall[name], behind.recall[name], without.ap[name], behind.ap[name])
        for name in without.recall
    }
    mean = _cost(*(_mean(part) for part in (without.recall, behind.recall, without.ap, behind.ap)))
    share = None if count.share is None else round(count.share, 4)
    return {
        "split": "val",
        "videos": videos,
        "seconds": round(seconds, 1),
        "events": without.events,
        "share_encoded": share,
        **mean,
        "types": types,
        "note": _note(types, share),
    }


def unmeasured(reason: str) -> dict[str, Any]:
    """Return the card's section where nothing could be measured."""
    return {"note": f"what the motion gate costs is not known: {reason}"}


def _note(types: Mapping[str, Mapping[str, float | None]], share: float | None) -> str:
    costs = {
        name: cost["recall_cost_points"]
        for name, cost in types.items()
        if cost["recall_cost_points"] is not None
    }
    encoded = "nothing" if share is None else f"{100 * share:.0f} % of the frames"
    if not costs:
        return (
            f"the motion gate encodes {encoded}; what it costs is not known: the checked "
            "validation video holds no labelled event"
        )
    worst = max(costs, key=lambda name: costs[name] or 0.0)
    points = costs[worst] or 0.0
    if points > FREE_POINTS:
        return (
            f"the motion gate loses {points:.1f} points of recall of {worst!r} and encodes "
            f"{encoded}; the domain asks for it, so it stays on: lower its threshold, or leave "
            "motion_gate out of the domain and train again"
        )
    return f"the motion gate costs {max(0.0, points):.1f} points of recall and encodes {encoded}"


def _cost(
    recall_without: float | None,
    recall_with: float | None,
    ap_without: float | None,
    ap_with: float | None,
) -> dict[str, float | None]:
    cost = None
    if recall_without is not None and recall_with is not None:
        cost = 100 * (recall_without - recall_with)
    return {
        "recall_without": recall_without,
        "recall_with": recall_with,
        "recall_cost_points": cost,
        "ap_without": ap_without,
        "ap_with": ap_with,
    }


def _mean(values: Mapping[str, float | None]) -> float | None:
    known = [value for value in values.values() if value is not None]
    return sum(known) / len(known) if known else None
