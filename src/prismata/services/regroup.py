"""Regrouping: other rules on a finished run, from its stored scores, without any model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from prismata.catalog import DetectionRunRecord
from prismata.core.errors import InvalidInputError
from prismata.core.events import Event, EventType
from prismata.core.modelcard import ModelCard
from prismata.core.recipes import GroupingRule
from prismata.core.scores import ScoreTrack
from prismata.postprocess import group_events
from prismata.services.detect import load_scores
from prismata.services.workbench import Workbench


@dataclass(frozen=True, slots=True)
class Regrouped:
    """The events of one run under given rules, with everything they follow from."""

    events: tuple[Event, ...]
    track: ScoreTrack
    event_types: tuple[EventType, ...]
    rules: dict[str, GroupingRule]
    """Event type → rule that was used here."""
    calibration: dict[str, dict[str, Any]]
    """Event type → what its scores mean, of the model card."""

    @property
    def thresholds(self) -> dict[str, float]:
        """Event type → threshold that was used here."""
        return {name: rule.threshold for name, rule in self.rules.items()}


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
    grouping: Mapping[str, Mapping[str, float]] | None = None,
    track: ScoreTrack | None = None,
) -> Regrouped:
    """Group a finished run's stored scores anew.

    What is not named stays as the run had it.

    Args:
        bench: The workbench.
        run: A run that succeeded.
        thresholds: Event type → threshold in (0, 1].
        grouping: Event type → field of its `GroupingRule` → another value.
        track: The run's scores, where somebody holds them already; by default they are loaded.

    Raises:
        NotFoundError: If the run has no stored scores.
        InvalidInputError: If an event type is unknown or a value is out of range.
    """
    card = _card(bench, run)
    changes = {name: dict(values) for name, values in (grouping or {}).items()}
    for name, threshold in thresholds.items():
        changes.setdefault(name, {})["threshold"] = threshold
    # Events were grouped by the rules of the run; the card's may have come after it.
    before = {**card.rules, **used_rules(bench, run)}
    rules = changed_rules({name: before[name] for name in card.event_names}, changes)
    track = load_scores(bench, run) if track is None else track
    duration_us = bench.catalog.videos.get(run.video_id).duration_us
    events = group_events(track, card.event_types, rules, duration_us=duration_us)
    return Regrouped(
        tuple(events),
        track,
        card.event_types,
        rules,
        card.calibration,
    )


def changed_rules(
    rules: Mapping[str, GroupingRule], changes: Mapping[str, Mapping[str, float]]
) -> dict[str, GroupingRule]:
    """Return rules of which some values are others.

    Args:
        rules: Event type → rule.
        changes: Event type → field of its rule → value.

    Raises:
        InvalidInputError: If an event type or a field is unknown, or a value is out of range.
    """
    known = {item.name for item in fields(GroupingRule)}
    for name, values in changes.items():
        if name not in rules:
            raise InvalidInputError(
                f"the model has no event type {name!r}; it has {', '.join(rules)}"
            )
        for field in values:
            if field not in known:
                raise InvalidInputError(
                    f"a grouping rule has no {field!r}; it has {', '.join(sorted(known))}"
                )
    return {name: replace(rule, **changes.get(name, {})) for name, rule in rules.items()}


def _card(bench: Workbench, run: DetectionRunRecord) -> ModelCard:
    return ModelCard.from_json(json.dumps(bench.catalog.models.get(run.model_id).card))
