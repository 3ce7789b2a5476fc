"""DetectionResult: the JSON that one run leaves behind, complete enough to be read alone."""

from __future__ import annotations

import platform
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from prismata.core.events import Event
from prismata.core.modelcard import ModelCard
from prismata.core.time import FrameTimeline, to_seconds
from prismata.detection.pipeline import PipelineOutput
from prismata.detection.runtimes import RuntimeInfo
from prismata.evaluation import confidence_of
from prismata.postprocess import view_clip, window_centres

SCHEMA = "prismata.detection/1"


def event_to_dict(event: Event, card: ModelCard, timeline: FrameTimeline) -> dict[str, Any]:
    """Return one event with its times in microseconds and seconds, its frames and viewing clip.

    `start_frame` is the frame on screen at the start; `end_frame` the last one inside the event.
    `confidence` is the share of such scores that meant a true event, None if the card does not say.
    """
    confidence = confidence_of(card.calibration, event.event_type, event.score)
    clip = view_clip(event, card.rules[event.event_type], timeline.duration_us)
    last = max(event.start_us, event.end_us - 1) if event.kind == "segment" else event.start_us
    return {
        "event_type": event.event_type,
        "kind": event.kind,
        "start_us": event.start_us,
        "end_us": event.end_us,
        "start_s": to_seconds(event.start_us),
        "end_s": to_seconds(event.end_us),
        "score": round(float(event.score or 0.0), 6),
        "confidence": None if confidence is None else round(confidence, 6),
        "start_frame": timeline.index_at(min(event.start_us, timeline.duration_us - 1)),
        "end_frame": timeline.index_at(min(last, timeline.duration_us - 1)),
        "clip_start_s": to_seconds(clip.start_us),
        "clip_end_s": to_seconds(clip.end_us),
    }


def build_result(
    output: PipelineOutput,
    *,
    card: ModelCard,
    timeline: FrameTimeline,
    runtime: RuntimeInfo,
    settings: dict[str, Any],
) -> dict[str, Any]:
    """Return the DetectionResult: what was found and everything that was really used."""
    return {
        "schema": SCHEMA,
        "status": "ok",
        "video": {
            "frames": len(timeline),
            "duration_s": to_seconds(timeline.duration_us),
            "variable_rate": timeline.is_variable_rate,
        },
        "model": {
            "name": card.name,
            "domain": card.domain,
            "domain_version": card.domain_version,
            "architecture": card.architecture,
            "encoder": card.encoder,
            "dataset_version": card.dataset_version,
            "files": card.files,
        },
        "settings": {
            "clip": asdict(card.clip),
            "rules": {name: asdict(rule) for name, rule in card.rules.items()},
            "batch": runtime.batch,
            **settings,
        },
        "runtime": asdict(runtime),
        "timing_s": {stage: round(value, 3) for stage, value in output.seconds.items()},
        "frames": asdict(output.frames),
        "samples": output.frames.sampled,
        "windows": len(window_centres(output.frames.sampled, card.clip.window_stride)),
        "machine": f"{platform.system()} {platform.machine()}",
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "events": [event_to_dict(event, card, timeline) for event in output.events],
    }
