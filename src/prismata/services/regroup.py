"""Regrouping: other thresholds on a finished run, from its stored scores, without any model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from prismata.catalog import DetectionRunRecord
from prismata.core.events import Event, EventType
from prismata.core.modelcard import ModelCard
from prismata.core.recipes import GroupingRule
from prismata.core.scores import ScoreTrack
from prismata.postprocess import group_events
from prismata.services.detect import load_scores
from prismata.services.workbench import Workbench


@dataclass(frozen=True, slots=True)
class Regrouped:
    """The events of one run under given thresholds, with everything they follow from."""

    events: tuple[Event, ...]
    track: ScoreTrack
    event_types: tuple[EventType, ...]
    thresholds: dict[str, float]
    """Event type → threshold that was used here."""
    calibration: dict[str, dict[str, Any]]
    """Event type → what its scores mean, of the model card."""


def used_rules(bench: Workbench, run: DetectionRunRecord) -> dict[str, GroupingRule]:
    """Return the grouping rules that a run was made with; the model's, if it did not get so far."""
    stored = run.settings.get("rules")
    if stored:
        return {name: GroupingRule(**rule) for name, rule in stored.items()}
    card = _card(bench, run)
    return card.with_thresholds(dict(run.settings.get("thresholds") or {})).rules


def regroup(
    bench: Workbench,
    run: DetectionRunRecord,
    thresholds: Mapping[str, float],
    *,
    track: ScoreTrack | None = None,
) -> Regrouped:
    """Group a finished run's stored scores anew.

    Args:
        bench: The workbench.
        run: A run that succeeded.
        thresholds: Event type → threshold in (0, 1]; those not named stay as the run had them.
        track: The run's scores, where somebody holds them already; by default they are loaded.

    Raises:
        NotFoundError: If the run has no stored scores.
        InvalidInputError: If an event type is unknown or a threshold is out of range.
    """
    card = _card(bench, run)
    before = {name: rule.threshold for name, rule in used_rules(bench, run).items()}
    rules = card.with_thresholds({**before, **thresholds}).rules
    track = load_scores(bench, run) if track is None else track
    duration_us = bench.catalog.videos.get(run.video_id).duration_us
    events = group_events(track, card.event_types, rules, duration_us=duration_us)
    return Regrouped(
        tuple(events),
        track,
        card.event_types,
        {name: rule.threshold for name, rule in rules.items()},
        card.calibration,
    )


def _card(bench: Workbench, run: DetectionRunRecord) -> ModelCard:
    return ModelCard.from_json(json.dumps(bench.catalog.models.get(run.model_id).card))
