"""The classic label file: one JSON a video, deliveries in frames.

    {"video_path": …, "fps": …, "total_frames": …, "width": …, "height": …,
     "deliveries": [{"id": …, "start_frame": …, "end_frame": …}], "false_positives": [{…}]}

Both frames belong to the event (0-based, inclusive), so the half-open end is the instant at which
`end_frame` leaves the screen. `fps` is never used for times: frames become times through the
video's real timestamps when the import is planned.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from prismata.core.errors import InvalidInputError
from prismata.core.events import Event
from prismata.core.time import FrameTimeline
from prismata.formats.table import EventRow, EventTable, ExportVideo, TableError, decode_text

DELIVERIES_KEY = "deliveries"
DELIVERY_LABEL = "delivery"


def read_classic_json(
    data: bytes | str,
    source: str = "the label file",
    *,
    key: str = DELIVERIES_KEY,
    label: str = DELIVERY_LABEL,
) -> EventTable:
    """Read one classic label file.

    Args:
        data: The file's content.
        source: Its name, for messages.
        key: Name of the list that holds the events.
        label: Label that its events get; false positives get it too and are marked as such.

    Raises:
        TableError: If it is not JSON, or an entry cannot be used; it names every such entry.
    """
    text = decode_text(data, source) if isinstance(data, bytes) else data
    try:
        raw = json.loads(text)
    except json.JSONDecodeError as error:
        raise TableError(source, [f"line {error.lineno}: not JSON: {error.msg}"]) from error
    if not isinstance(raw, dict) or key not in raw:
        raise TableError(source, [f"it is not a JSON object with a list {key!r}"])
    video = raw.get("video_path")
    if not isinstance(video, str) or not video:
        raise TableError(source, ["it has no video_path"])
    rows: list[EventRow] = []
    problems: list[str] = []
    for list_name, is_false in ((key, False), ("false_positives", True)):
        entries = raw.get(list_name, [])
        if not isinstance(entries, list):
            problems.append(f"{list_name} is not a list")
            continue
        for number, entry in enumerate(entries, start=1):
            try:
                first, last = _frames(entry)
            except InvalidInputError as error:
                problems.append(f"{list_name} {number}: {error}")
                continue
            rows.append(
                EventRow(
                    video=video,
                    label=label,
                    kind="segment",
                    start_frame=first,
                    end_frame=last,
                    false_positive=is_false,
                    source_line=number,
                    source_id=str(entry.get("id", "")),
                )
            )
    if problems:
        raise TableError(source, problems)
    return EventTable(source, tuple(rows))


def write_classic_json(
    video: ExportVideo, *, key: str = DELIVERIES_KEY, label: str = DELIVERY_LABEL
) -> str:
    """Return one video's events of type `label` as a classic label file.

    A point event becomes the one frame that is on screen at its instant.

    Raises:
        InvalidInputError: If the timeline is not known, since this format counts in frames.
    """
    if video.timeline is None:
        raise InvalidInputError(
            f"{video.name} cannot be exported as classic JSON: it counts in frames, and the frame "
            "timestamps of this video are not known; scan the video first"
        )
    timeline = video.timeline
    document: dict[str, Any] = {
        "video_path": video.name,
        "fps": float(timeline.average_frame_rate),
        "total_frames": len(timeline),
        "width": video.width,
        "height": video.height,
        key: _entries(video.events, timeline, label),
        "false_positives": _entries(video.false_positives, timeline, label),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _entries(
    events: tuple[Event, ...], timeline: FrameTimeline, label: str
) -> list[dict[str, int]]:
    chosen = sorted(event for event in events if event.event_type == label)
    return [
        {
            "id": number,
            "start_frame": timeline.index_at(event.start_us),
            "end_frame": timeline.index_at(max(event.start_us, event.end_us - 1)),
        }
        for number, event in enumerate(chosen, start=1)
    ]


def _frames(entry: object) -> tuple[int, int]:
    if not isinstance(entry, Mapping):
        raise InvalidInputError("not an object with start_frame and end_frame")
    frames = []
    for name in ("start_frame", "end_frame"):
        value = entry.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or value % 1 != 0:
            raise InvalidInputError(f"{name} is {value!r}, not a whole number")
        frames.append(int(value))
    return frames[0], frames[1]
