"""Segmental F1@k and edit score: how action segmentation is judged (phases of a process).

Definition: MS-TCN (Abu Farha & Gall, CVPR 2019, `eval.py`), whose numbers these are. Unlike average
precision they look at one decided list of segments, without scores, and at its order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prismata.core.events import Event
from prismata.evaluation.matching import EventsByVideo

OVERLAPS = (0.1, 0.25, 0.5)
"""k of the published F1@{10, 25, 50}."""


@dataclass(frozen=True, slots=True)
class SegmentalScores:
    """Percentages, as they are published."""

    f1: Mapping[float, float]
    """Overlap k → F1@k over all videos together, 0 to 100."""
    edit: float | None
    """Mean over videos, 0 to 100; None if there is no segment at all."""


def segmental_scores(truth: EventsByVideo, detections: EventsByVideo) -> SegmentalScores:
    """Compare lists of segments, all types together.

    In order of time each detected segment looks at the true segment of its type that it overlaps
    most (the first of equals); it is a hit if the overlap reaches k and nobody hit that one before,
    and false otherwise, with no second choice. The edit score is `1 - d / max(m, n)`, with d the
    Levenshtein distance between the sequences of types of m and n segments. Where a video has no
    true segment, the published program ends in an error; here its detections are false.
    """
    videos = sorted({*truth, *detections})
    pairs = [(_in_order(truth.get(v, ())), _in_order(detections.get(v, ()))) for v in videos]
    counted = [pair for pair in pairs if pair[0] or pair[1]]
    return SegmentalScores(
        f1={overlap: _f1(counted, overlap) for overlap in OVERLAPS},
        edit=sum(_edit(*pair) for pair in counted) / len(counted) if counted else None,
    )


def _in_order(events: Sequence[Event]) -> list[Event]:
    segments = [event for event in events if event.kind == "segment"]
    return sorted(segments, key=lambda event: (event.start_us, event.end_us, event.event_type))


def _f1(pairs: Sequence[tuple[list[Event], list[Event]]], overlap: float) -> float:
    hits = false = missed = 0
    for truth, found in pairs:
        hit: set[int] = set()
        for segment in found:
            tious = [
                segment.span.tiou(one.span) if one.event_type == segment.event_type else 0.0
                for one in truth
            ]
            best = max(range(len(truth)), key=tious.__getitem__, default=-1)
            if best >= 0 and tious[best] >= overlap and best not in hit:
                hit.add(best)
            else:
                false += 1
        hits += len(hit)
        missed += len(truth) - len(hit)
    total = 2 * hits + false + missed
    return 100.0 * 2 * hits / total if total else 0.0


def _edit(truth: Sequence[Event], found: Sequence[Event]) -> float:
    left = [event.event_type for event in truth]
    right = [event.event_type for event in found]
    return 100.0 * (1 - _levenshtein(left, right) / max(len(left), len(right)))


def _levenshtein(left: Sequence[str], right: Sequence[str]) -> int:
    row = list(range(len(right) + 1))
    for number, one in enumerate(left, 1):
        before, row = row, [number]
        for place, other in enumerate(right, 1):
            row.append(min(before[place] + 1, row[-1] + 1, before[place - 1] + (one != other)))
    return row[-1]
