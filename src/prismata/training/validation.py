"""Validation during training: the same grouping and metrics that judge production."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy

from prismata.core.events import EventType
from prismata.core.recipes import GroupingRule
from prismata.core.scores import ScoreTrack
from prismata.evaluation import EvaluationProtocol, evaluate
from prismata.postprocess import candidate_events
from prismata.training.data import LabelledVideo
from prismata.training.model import Detector


@dataclass(frozen=True, slots=True)
class Validation:
    """Figures of one validation pass."""

    loss: float
    map_point: float | None
    """Mean over event types and tolerances; `None` if no point event is labelled."""
    map_segment: float | None
    emphasis: str = ""
    """`points` or `segments`, where one of them alone is to count."""

    @property
    def score(self) -> float:
        """What early stopping compares: what counts alone, or the mean of what there is, or 0."""
        alone = {"points": self.map_point, "segments": self.map_segment}.get(self.emphasis)
        if alone is not None:
            return alone
        parts = [part for part in (self.map_point, self.map_segment) if part is not None]
        return float(np.mean(parts)) if parts else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the figures by name."""
        return {
            "val_loss": self.loss,
            "val_map_point": self.map_point,
            "val_map_segment": self.map_segment,
            "val_score": self.score,
        }


def score_videos(
    detector: Detector,
    videos: Sequence[LabelledVideo],
    event_names: tuple[str, ...],
    *,
    stride: int = 1,
) -> dict[str, ScoreTrack]:
    """Return the score track of every video, windows `stride` samples apart."""
    return {
        video.name: detector.score_video(video.inputs, video.times_us, event_names, stride=stride)
        for video in videos
    }


def validate(
    detector: Detector,
    videos: Sequence[LabelledVideo],
    event_types: tuple[EventType, ...],
    rules: Mapping[str, GroupingRule],
    positive: torch.Tensor,
    *,
    stride: int = 1,
    emphasis: str = "",
) -> Validation:
    """Score the videos and measure loss and event-level average precision.

    Windows are `stride` samples apart, as in detection; the loss is that of the scored samples.
    """
    names = tuple(event_type.name for event_type in event_types)
    tracks = score_videos(detector, videos, names, stride=stride)
    losses, weights = 0.0, 0.0
    for video in videos:
        track = tracks[video.name]
        rows = np.searchsorted(video.times_us, track.times_us)
        scores = torch.from_numpy(track.scores).clamp(1e-7, 1 - 1e-7)
        targets = torch.from_numpy(video.targets[rows])
        weight = torch.from_numpy(video.weights[rows]) * torch.where(targets > 0, positive, 1.0)
        losses += float(binary_cross_entropy(scores, targets, weight=weight, reduction="sum"))
        weights += float(weight.sum())
    found = {
        video.name: candidate_events(
            tracks[video.name], event_types, rules, duration_us=video.duration_us
        )
        for video in videos
    }
    report = evaluate(
        {video.name: list(video.events) for video in videos},
        found,
        found,
        {video.name: video.duration_us for video in videos},
        event_types,
        ignored={video.name: video.unknown for video in videos},
        protocol=EvaluationProtocol(resamples=0),
    )
    return Validation(
        losses / max(weights, 1.0),
        report.points.mean if report.points else None,
        report.segments.mean if report.segments else None,
        emphasis,
    )
