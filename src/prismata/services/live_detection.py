"""A detection while it runs, as those who watch see it: news since they looked last."""

from __future__ import annotations

import json
from typing import Any

from prismata.catalog import DetectionRunRecord
from prismata.core.jobs import JobState
from prismata.core.modelcard import ModelCard
from prismata.evaluation import confidence_of
from prismata.services.workbench import Workbench

MAX_EVENTS = 2000
"""Shown while a run goes on; more come with its result."""


def live_news(
    bench: Workbench, run: DetectionRunRecord, *, part: int, events: int
) -> dict[str, Any]:
    """Return how a run stands, as JSON values.

    A new attempt begins anew: `attempt` says so, and its parts are counted from 1 again.

    Args:
        bench: The workbench.
        run: The run.
        part: Number of the last part of the scores that the reader has; 0 = none.
        events: How many events the reader has; these come only if there are others now.
    """
    job = bench.catalog.jobs.get(run.job_id) if run.job_id else None
    card = ModelCard.from_json(json.dumps(bench.catalog.models.get(run.model_id).card))
    parts = bench.catalog.live_scores.since(run.id, part)
    starts_anew = False
    if part and not parts:
        everything = bench.catalog.live_scores.since(run.id)
        starts_anew = not everything or everything[-1].number < part
        parts = everything if starts_anew else []
    told: dict[str, Any] = {
        "state": run.state.value,
        "ended": run.state is not JobState.RUNNING,
        "attempt": job.attempt if job else 0,
        "progress": round(job.progress, 4) if job else 0.0,
        "event_types": [{"name": item.name, "title": item.title} for item in card.event_types],
        "thresholds": _thresholds(card, run),
        "starts_anew": starts_anew and run.state is JobState.RUNNING,
        "part": parts[-1].number if parts else (0 if starts_anew else part),
        "times_us": [time for item in parts for time in item.times_us],
        "scores": [list(row) for item in parts for row in item.scores],
        "event_count": run.event_count,
    }
    if run.event_count != events:
        found = bench.catalog.events.list(detection_run_id=run.id)[:MAX_EVENTS]
        told["events"] = [
            {
                "start_us": item.event.start_us,
                "end_us": item.event.end_us,
                "event_type": item.event.event_type,
                "score": item.event.score,
                "confidence": confidence_of(
                    card.calibration, item.event.event_type, item.event.score
                ),
            }
            for item in found
        ]
    return told


def _thresholds(card: ModelCard, run: DetectionRunRecord) -> dict[str, float]:
    asked = run.settings.get("thresholds") or {}
    return {name: rule.threshold for name, rule in card.with_thresholds(asked).rules.items()}
