"""Per-instant quality of a score track, before any grouping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prismata.core.events import Event, EventType
from prismata.core.scores import ScoreTrack
from prismata.core.time import TimeSpan
from prismata.evaluation.matching import EventsByVideo, of_type


@dataclass(frozen=True, slots=True)
class FrameQuality:
    """How well single instants separate event from background; says nothing about event lists."""

    num_instants: int
    num_positive: int
    roc_auc: float | None
    average_precision: float | None
    reason: str = ""
    """Why the numbers are None; empty if they are there."""


def frame_auc(
    tracks: Mapping[str, ScoreTrack],
    truth: EventsByVideo,
    event_type: EventType,
    *,
    tolerance_us: int = 500_000,
    ignored: Mapping[str, Sequence[TimeSpan]] | None = None,
) -> FrameQuality:
    """Return ROC-AUC and average precision over all sampled instants of all videos.

    An instant is positive inside a true segment, or within `tolerance_us` of a true point.

    Raises:
        InvalidInputError: If a track has no scores for the event type.
    """
    labels: list[NDArray[np.bool_]] = []
    scores: list[NDArray[np.float32]] = []
    for video_id in sorted(tracks):
        times = tracks[video_id].times_us
        kept = np.ones(times.size, dtype=np.bool_)
        for span in (ignored or {}).get(video_id, ()):
            kept &= (times < span.start_us) | (times >= span.end_us)
        events = of_type(truth, video_id, event_type.name)
        labels.append(_positive(times, events, tolerance_us)[kept])
        scores.append(tracks[video_id].column(event_type.name)[kept])
    expected = np.concatenate(labels) if labels else np.zeros(0, dtype=np.bool_)
    total, positive = int(expected.size), int(expected.sum())
    if positive in (0, total):
        where = "in" if positive == 0 else "outside"
        reason = f"no sampled instant lies {where} an event, so there is nothing to tell apart"
        return FrameQuality(total, positive, None, None, reason)
    # Imported here: scikit-learn takes a second to load and nothing else in this room needs it.
    from sklearn.metrics import average_precision_score, roc_auc_score

    given = np.concatenate(scores)
    return FrameQuality(
        total,
        positive,
        float(roc_auc_score(expected, given)),
        float(average_precision_score(expected, given)),
    )


def _positive(
    times_us: NDArray[np.int64], events: Sequence[Event], tolerance_us: int
) -> NDArray[np.bool_]:
    positive = np.zeros(times_us.size, dtype=np.bool_)
    for event in events:
        if event.kind == "point":
            positive |= np.abs(times_us - event.start_us) <= tolerance_us
        else:
            positive |= (times_us >= event.start_us) & (times_us < event.end_us)
    return positive
