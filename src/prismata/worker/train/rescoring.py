"""Score stretches of video several times from one pass over their frames, and compare."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prismata.core.coverage import unknown_spans
from prismata.core.events import Event
from prismata.core.modelcard import ModelCard
from prismata.core.scores import ScoreTrack
from prismata.core.time import TimeSpan
from prismata.detection.bundle import LoadedModel
from prismata.detection.scorers import BundleScorer, SampleScores
from prismata.evaluation import EvaluationProtocol, evaluate
from prismata.postprocess import build_track, candidate_events, group_events
from prismata.worker.train.stretches import Stretch, StretchBatch, StretchFrames

FeatureSource = Callable[[StretchBatch], NDArray[np.float32]]
"""`(N, F)` features of the N frames of a batch; asked for every batch of a stretch in order."""


def score_variants(
    model: LoadedModel,
    stretches: Sequence[Stretch],
    frames: StretchFrames,
    variants_of: Callable[[Stretch], Mapping[str, FeatureSource]],
    *,
    on_batch: Callable[[Stretch, StretchBatch], None] = lambda _stretch, _batch: None,
    on_progress: Callable[[float, float], None] = lambda _done, _total: None,
) -> dict[str, list[ScoreTrack]]:
    """Score every stretch with features from several sources, with the scorer of production.

    Args:
        model: Its head scores the windows of features.
        stretches: What to score.
        frames: Where frames come from; each is decoded once.
        variants_of: Makes the sources for a stretch: name → features; there may be none.
        on_batch: Looks on: gets every batch of every stretch in order, before it is scored.
        on_progress: Gets microseconds done and in all.

    Returns:
        Name → a track for each stretch.

    Raises:
        BadVideoError: If a video cannot be decoded.
    """
    total = sum(stretch.span.duration_us for stretch in stretches)
    done = 0
    tracks: dict[str, list[ScoreTrack]] = {}
    for stretch in stretches:
        variants = variants_of(stretch)
        scorers = {name: BundleScorer(model) for name in variants}
        parts: dict[str, list[SampleScores]] = {name: [] for name in variants}
        for batch in frames.batches(stretch):
            on_batch(stretch, batch)
            for name, source in variants.items():
                parts[name].append(scorers[name].push_features(source(batch), batch.repeats))
            share = (int(batch.rows[-1]) + 1 - stretch.first) / (stretch.last - stretch.first)
            on_progress(done + stretch.span.duration_us * share, total)
        done += stretch.span.duration_us
        for name, scorer in scorers.items():
            parts[name].append(scorer.finish())
            track = build_track(
                stretch.times_us,
                np.concatenate([part.samples for part in parts[name]]),
                np.concatenate([part.scores for part in parts[name]]),
                model.card.event_names,
            )
            tracks.setdefault(name, []).append(track)
    return tracks


@dataclass(frozen=True, slots=True)
class EventFigures:
    """What the events of scored stretches are worth; `None` = no labelled event to judge by."""

    mean_ap: dict[str, float | None]
    """Kind (`points`, `segments`) → the mean average precision that the card reports."""
    ap: dict[str, float | None]
    """Event type → mean over its tolerances or overlaps."""
    f1: dict[str, float | None]
    """Event type → at the threshold on the card, at the product's criterion; so is `recall`."""
    recall: dict[str, float | None]
    events: int
    """Labelled events in the stretches."""

    @property
    def finds_any(self) -> bool:
        """Whether anything was found that could be lost."""
        return any([*self.ap.values(), *self.f1.values()])

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"mean_ap": self.mean_ap, "ap": self.ap, "f1": self.f1, "recall": self.recall}


def measure_events(
    card: ModelCard, stretches: Sequence[Stretch], tracks: Sequence[ScoreTrack]
) -> EventFigures:
    """Group the tracks as production does and compare with the labels inside the stretches."""
    videos = {stretch.video.name: stretch.video for stretch in stretches}
    candidates: dict[str, list[Event]] = {name: [] for name in videos}
    detections: dict[str, list[Event]] = {name: [] for name in videos}
    for stretch, track in zip(stretches, tracks, strict=True):
        end_us = stretch.span.end_us
        for found, how in ((candidates, candidate_events), (detections, group_events)):
            events = how(track, card.event_types, card.rules, duration_us=end_us)
            found[stretch.video.name] += events
    report = evaluate(
        {name: list(video.events) for name, video in videos.items()},
        candidates,
        detections,
        {name: video.duration_us for name, video in videos.items()},
        card.event_types,
        ignored=unseen_time(stretches),
        protocol=EvaluationProtocol(resamples=0),
    )
    means = {"points": report.points, "segments": report.segments}
    return EventFigures(
        mean_ap={kind: part.mean for kind, part in means.items() if part is not None},
        ap={item.event_type: _mean(list(item.ap.values())) for item in report.types},
        f1={item.event_type: item.f1 for item in report.types},
        recall={item.event_type: item.recall for item in report.types},
        events=sum(item.num_truth for item in report.types),
    )


def score_differences(
    left: Sequence[ScoreTrack], right: Sequence[ScoreTrack]
) -> NDArray[np.float64]:
    """Return the absolute differences of all scores of two scorings, as one flat array."""
    return np.concatenate(
        [
            np.abs(a.scores.astype(np.float64) - b.scores.astype(np.float64)).ravel()
            for a, b in zip(left, right, strict=True)
        ]
    )


def seconds_of(stretches: Sequence[Stretch]) -> float:
    """Return the length of the stretches in seconds."""
    return sum(stretch.span.duration_us for stretch in stretches) / 1e6


def unseen_time(stretches: Sequence[Stretch]) -> dict[str, list[TimeSpan]]:
    """Return what of each video is not scored: outside its stretches, or never watched."""
    seen: dict[str, list[TimeSpan]] = {}
    for stretch in stretches:
        seen.setdefault(stretch.video.name, []).append(stretch.span)
    videos = {stretch.video.name: stretch.video for stretch in stretches}
    return {
        name: [*video.unknown, *unknown_spans(seen[name], duration_us=video.duration_us)]
        for name, video in videos.items()
    }


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
