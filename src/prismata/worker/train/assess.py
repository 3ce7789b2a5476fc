"""Choose thresholds on the validation videos and measure the model on every held-out split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from prismata.catalog import Split
from prismata.core.events import Event, EventType
from prismata.core.recipes import GroupingRule
from prismata.core.scores import ScoreTrack
from prismata.core.time import TimeSpan, to_us
from prismata.domains import Domain
from prismata.evaluation import (
    Mistake,
    ThresholdChoice,
    calibrate,
    choose_threshold,
    evaluate,
    judge_candidates,
    product_criterion,
    uncalibrated,
    worst_mistakes,
)
from prismata.evaluation.matching import Criterion
from prismata.evaluation.ranking import RankedHits
from prismata.postprocess import candidate_events, group_events
from prismata.training.data import LabelledVideo
from prismata.training.model import Detector
from prismata.training.validation import score_videos


@dataclass(frozen=True, slots=True)
class Quality:
    """What goes onto the card."""

    rules: dict[str, GroupingRule]
    """With the chosen thresholds."""
    chosen_on: Split
    notes: list[str]
    metrics: dict[str, Any]
    """Split → evaluation report."""
    curves: dict[str, dict[str, Any]]
    """Event type → what every threshold gives on the videos it was chosen on."""
    mistakes: list[Mistake]
    """The worst on held-out videos; on those of training if there are no others."""
    calibration: dict[str, dict[str, Any]]
    """Event type → what its scores mean."""


class Grouping(Protocol):
    """`group_events` or `candidate_events`."""

    def __call__(
        self,
        track: ScoreTrack,
        event_types: Sequence[EventType],
        rules: Mapping[str, GroupingRule],
        *,
        duration_us: int,
    ) -> list[Event]:
        """Return the events of a track."""
        ...


@dataclass(frozen=True, slots=True)
class _Scored:
    """Videos of one split with their score tracks."""

    videos: Sequence[LabelledVideo]
    tracks: dict[str, ScoreTrack]

    @property
    def durations_us(self) -> dict[str, int]:
        return {video.name: video.duration_us for video in self.videos}

    @property
    def truth(self) -> dict[str, list[Event]]:
        return {video.name: list(video.events) for video in self.videos}

    @property
    def unknown(self) -> dict[str, tuple[TimeSpan, ...]]:
        return {video.name: video.unknown for video in self.videos}

    def group(
        self, how: Grouping, event_types: Sequence[EventType], rules: Mapping[str, GroupingRule]
    ) -> dict[str, list[Event]]:
        durations = self.durations_us
        return {
            name: how(track, event_types, rules, duration_us=durations[name])
            for name, track in self.tracks.items()
        }


@dataclass(frozen=True, slots=True)
class _Found:
    """What a model finds in the videos of one split, once its thresholds are chosen."""

    scored: _Scored
    candidates: dict[str, list[Event]]
    """Video → what some threshold would show."""
    detections: dict[str, list[Event]]
    """Video → what the chosen one shows."""

    @classmethod
    def under(cls, scored: _Scored, domain: Domain, rules: Mapping[str, GroupingRule]) -> _Found:
        """Group the tracks of a split."""
        return cls(
            scored,
            scored.group(candidate_events, domain.event_types, rules),
            scored.group(group_events, domain.event_types, rules),
        )


@dataclass(frozen=True, slots=True)
class _GroupAt:
    """One event type's events of a video at a threshold."""

    scored: _Scored
    event_type: EventType
    rule: GroupingRule

    def __call__(self, video: str, threshold: float) -> list[Event]:
        return group_events(
            self.scored.tracks[video],
            [self.event_type],
            {self.event_type.name: replace(self.rule, threshold=threshold)},
            duration_us=self.scored.durations_us[video],
        )


def assess(
    detector: Detector,
    videos: Mapping[Split, Sequence[LabelledVideo]],
    domain: Domain,
    *,
    stride: int,
) -> Quality:
    """Choose one threshold per event type, then measure validation and test split with them.

    Windows are `stride` samples apart, as in detection: fewer windows give other peaks.

    Without validation videos the thresholds come from the training videos, and the notes say so.
    """
    names = tuple(event_type.name for event_type in domain.event_types)
    scored: dict[Split, _Scored] = {
        split: _Scored(part, score_videos(detector, part, names, stride=stride))
        for split, part in videos.items()
        if part
    }
    chosen_on: Split = "val" if "val" in scored else "train"
    choices = _choose(scored[chosen_on], domain)
    rules = {
        name: replace(rule, threshold=choices[name].threshold)
        for name, rule in domain.rules.items()
    }
    notes = [f"{name}: {choice.note}" for name, choice in choices.items() if choice.note]
    if chosen_on == "train":
        notes.append("no validation videos: thresholds come from the training videos")
    splits: tuple[Split, ...] = ("val", "test")
    looked_at = [split for split in splits if split in scored] or ["train"]
    found = {split: _Found.under(scored[split], domain, rules) for split in looked_at}
    return Quality(
        rules,
        chosen_on,
        notes,
        {split: _measure(part, domain) for split, part in found.items() if split != "train"},
        {name: choice.to_dict() for name, choice in choices.items()},
        _worst(list(found.values()), domain),
        _calibrate(found, domain),
    )


def _choose(scored: _Scored, domain: Domain) -> dict[str, ThresholdChoice]:
    return {
        event_type.name: choose_threshold(
            scored.truth,
            _GroupAt(scored, event_type, domain.rules[event_type.name]),
            event_type,
            videos=list(scored.tracks),
            ignored=scored.unknown,
            criterion=_criterion(event_type, domain),
        )
        for event_type in domain.event_types
    }


def _criterion(event_type: EventType, domain: Domain) -> Criterion:
    return product_criterion(event_type, tolerance_us=to_us(domain.tolerance_seconds))


def _worst(parts: Sequence[_Found], domain: Domain) -> list[Mistake]:
    return worst_mistakes(
        {name: events for part in parts for name, events in part.scored.truth.items()},
        {name: events for part in parts for name, events in part.detections.items()},
        {name: track for part in parts for name, track in part.scored.tracks.items()},
        [(item, _criterion(item, domain)) for item in domain.event_types],
        ignored={name: spans for part in parts for name, spans in part.scored.unknown.items()},
    )


def _measure(found: _Found, domain: Domain) -> dict[str, Any]:
    return evaluate(
        found.scored.truth,
        found.candidates,
        found.detections,
        found.scored.durations_us,
        domain.event_types,
        tracks=found.scored.tracks,
        ignored=found.scored.unknown,
    ).to_dict()


def _calibrate(found: Mapping[Split, _Found], domain: Domain) -> dict[str, dict[str, Any]]:
    names = [event_type.name for event_type in domain.event_types]
    if "val" not in found:
        # A model knows its training videos by heart: its scores there mean more than elsewhere.
        return {name: uncalibrated("there are no validation videos") for name in names}
    val = _judge(found["val"], domain)
    test = _judge(found["test"], domain) if "test" in found else {}
    return {name: calibrate(val[name], test.get(name)) for name in names}


def _judge(found: _Found, domain: Domain) -> dict[str, RankedHits]:
    return {
        event_type.name: judge_candidates(
            found.scored.truth,
            found.candidates,
            event_type,
            _criterion(event_type, domain),
            videos=list(found.scored.tracks),
            ignored=found.scored.unknown,
        )
        for event_type in domain.event_types
    }
