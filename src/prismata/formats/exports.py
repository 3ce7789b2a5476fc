"""Events to text: JSON, WebVTT, and the names of all export formats."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from prismata.core.errors import InvalidInputError
from prismata.core.events import Event, EventType
from prismata.core.time import to_seconds, to_us
from prismata.formats.classic_json import write_classic_json
from prismata.formats.events_csv import write_events_csv
from prismata.formats.table import ExportVideo

__all__ = ["write_classic_json", "write_events_csv", "write_events_json", "write_webvtt"]

JSON_VERSION = 1


def write_events_json(
    videos: Sequence[ExportVideo], *, provenance: Mapping[str, Any] | None = None
) -> str:
    """Return all events as JSON: exact microseconds, and seconds for people.

    Args:
        videos: What to write.
        provenance: What the events were made with (model, dataset, time), written as it is.
    """
    document = {
        "format": "prismata-events",
        "version": JSON_VERSION,
        "provenance": dict(provenance or {}),
        "videos": [
            {
                "video": video.name,
                "duration_us": video.timeline.duration_us if video.timeline else None,
                "events": [_event(event, video) for event in _by_time(video.events)],
                "false_positives": [
                    _event(event, video) for event in _by_time(video.false_positives)
                ],
            }
            for video in videos
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def write_webvtt(
    video: ExportVideo,
    event_types: Sequence[EventType] = (),
    *,
    point_seconds: float = 1.0,
) -> str:
    """Return one video's events as WebVTT captions (W3C), for any player.

    A cue must last, so a point is shown for `point_seconds` from its instant. Times are in
    milliseconds, rounded; a cue lasts at least one.

    Raises:
        InvalidInputError: If `point_seconds` is not positive.
    """
    if point_seconds <= 0:
        raise InvalidInputError(f"a caption must last longer than 0 s, not {point_seconds}")
    titles = {item.name: item.title for item in event_types}
    blocks = ["WEBVTT"]
    for event in _by_time(video.events):
        length_us = to_us(point_seconds) if event.kind == "point" else 0
        start = round(event.start_us / 1000)
        end = max(start + 1, round((event.end_us + length_us) / 1000))
        score = "" if event.score is None else f" {event.score:.2f}"
        text = titles.get(event.event_type, event.event_type) + score
        blocks.append(f"{_vtt_time(start)} --> {_vtt_time(end)}\n{_vtt_text(text)}")
    return "\n\n".join(blocks) + "\n"


def _by_time(events: Sequence[Event]) -> list[Event]:
    return sorted(events, key=lambda event: (event.start_us, event.end_us, event.event_type))


def _event(event: Event, video: ExportVideo) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "event_type": event.event_type,
        "kind": event.kind,
        "start_us": event.start_us,
        "end_us": event.end_us,
        "start_seconds": to_seconds(event.start_us),
        "end_seconds": to_seconds(event.end_us),
        "score": event.score,
    }
    if video.timeline is not None:
        entry["start_frame"] = video.timeline.index_at(event.start_us)
        entry["end_frame"] = video.timeline.index_at(max(event.start_us, event.end_us - 1))
    return entry


def _vtt_time(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{rest:03d}"


def _vtt_text(text: str) -> str:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return " ".join(escaped.split())
