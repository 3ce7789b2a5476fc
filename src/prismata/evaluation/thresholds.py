"""Choose the score from which a detection is shown, on the validation videos."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from prismata.core.errors import InvalidInputError
from prismata.core.events import Event, EventType
from prismata.core.time import TimeSpan
from prismata.evaluation.counting import count_events
from prismata.evaluation.ignoring import without_ignored
from prismata.evaluation.matching import Criterion, EventsByVideo
from prismata.evaluation.points import PointTolerance
from prismata.evaluation.segments import MinTiou

PRODUCT_TOLERANCE_US = 500_000
"""The half width that a person reviewing point events does not mind."""
PRODUCT_TIOU = 0.5
LOWEST_THRESHOLD = 0.01
FALLBACK_THRESHOLD = 0.5
LOWEST_F1 = 0.05

DEFAULT_GRID = tuple(step / 100 for step in range(1, 100))

GroupAt = Callable[[str, float], Sequence[Event]]
"""Video id and threshold → events, normally `group_events` on the video's stored track."""


@dataclass(frozen=True, slots=True)
class ThresholdPoint:
    """What one threshold gives."""

    threshold: float
    f1: float
    precision: float | None
    recall: float | None


@dataclass(frozen=True, slots=True)
class ThresholdChoice:
    """The chosen threshold and everything it was chosen from."""

    threshold: float
    f1: float
    curve: tuple[ThresholdPoint, ...]
    """By rising threshold."""
    note: str = ""
    """Why it is not simply the best one; empty if it is."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values: what was chosen, what else could be, and the whole curve."""
        return {
            "threshold": self.threshold,
            "for_precision_0.9": self.for_precision(0.9),
            "for_recall_0.95": self.for_recall(0.95),
            "points": [asdict(point) for point in self.curve],
        }

    def for_precision(self, wanted: float) -> float | None:
        """Return the lowest threshold with at least this precision, or None."""
        fits = [
            p.threshold for p in self.curve if p.precision is not None and p.precision >= wanted
        ]
        return min(fits, default=None)

    def for_recall(self, wanted: float) -> float | None:
        """Return the highest threshold with at least this recall, or None."""
        fits = [p.threshold for p in self.curve if p.recall is not None and p.recall >= wanted]
        return max(fits, default=None)


def product_criterion(
    event_type: EventType,
    *,
    tolerance_us: int = PRODUCT_TOLERANCE_US,
    tiou: float = PRODUCT_TIOU,
) -> Criterion:
    """Return what counts as found in the product: ±0.5 s for points, tIoU 0.5 for segments.

    Args:
        event_type: What is looked for; its own tolerance goes before the other one.
        tolerance_us: Of its domain.
        tiou: For segments.
    """
    if event_type.kind == "segment":
        return MinTiou(tiou)
    return PointTolerance(event_type.tolerance_us(tolerance_us))


def choose_threshold(
    truth: EventsByVideo,
    group: GroupAt,
    event_type: EventType,
    *,
    videos: Sequence[str],
    criterion: Criterion | None = None,
    grid: Sequence[float] = DEFAULT_GRID,
    ignored: Mapping[str, Sequence[TimeSpan]] | None = None,
) -> ThresholdChoice:
    """Return the threshold with the highest event F1, the middle of the widest best plateau.

    Two guards for tiny validation sets (as DeepEthogram has them): nothing below 0.01 is
    considered, and if the best F1 is below 0.05 the threshold is 0.5 and the note says so.

    Args:
        truth: What people marked in the validation videos.
        group: Gives a video's events at a threshold; events of other types are ignored.
        event_type: The type to choose for.
        videos: Ids of the validation videos.
        criterion: What counts as found; by default the product's (`product_criterion`).
        grid: Thresholds to try.
        ignored: Stretches of which nothing is known; events there count neither way.

    Raises:
        InvalidInputError: If no threshold of the grid lies in [0.01, 1].
    """
    candidates = sorted({min(1.0, max(LOWEST_THRESHOLD, value)) for value in grid if value > 0})
    if not candidates:
        raise InvalidInputError("the grid of thresholds is empty; give at least one in (0, 1]")
    used = criterion or product_criterion(event_type)
    curve = []
    skipped = ignored or {}
    judged = without_ignored(truth, skipped)
    for threshold in candidates:
        found = {video_id: group(video_id, threshold) for video_id in videos}
        shown = without_ignored(found, skipped)
        counts = count_events(judged, shown, event_type.name, used, videos=videos)
        point = ThresholdPoint(threshold, counts.f1 or 0.0, counts.precision, counts.recall)
        curve.append(point)
    best = max(point.f1 for point in curve)
    if best < LOWEST_F1:
        note = (
            f"the best F1 on the validation videos is {best:.3f}, too low to choose a threshold "
            f"from; {FALLBACK_THRESHOLD} is used"
        )
        return ThresholdChoice(FALLBACK_THRESHOLD, best, tuple(curve), note)
    first, last = _widest_plateau([point.f1 for point in curve], best)
    return ThresholdChoice(curve[(first + last) // 2].threshold, best, tuple(curve))


def _widest_plateau(values: Sequence[float], best: float) -> tuple[int, int]:
    """Return first and last index of the longest stretch of `best`; the first among equals."""
    widest = (0, -1)
    start = 0
    for index, value in enumerate(values):
        if value < best:
            start = index + 1
        elif index - start > widest[1] - widest[0]:
            widest = (start, index)
    return widest
