"""What the buttons of the label page do, each a call of a service with its refusal in words."""

from __future__ import annotations

from prismata.catalog import EventRecord, VideoRecord
from prismata.core.errors import UserError
from prismata.core.events import Event, EventType
from prismata.core.time import format_time
from prismata.services.labels import add_label, delete_label
from prismata.ui import state
from prismata.ui.context import workbench
from prismata.ui.panels.notices import refuse
from prismata.ui.times import parse_time, snap


def take_time(video: VideoRecord, edge: str, time_us: int) -> None:
    """Put the frame that the player shows into the start or end field."""
    timeline = workbench().timeline(video)
    shown = snap(timeline, min(time_us, timeline.duration_us))
    state.write_text(state.START_TEXT if edge == "start" else state.END_TEXT, format_time(shown))


def add(video: VideoRecord, domain: str, event_type: EventType) -> None:
    """Store the event that the fields describe; what cannot be stored stays in the fields."""
    bench = workbench()
    try:
        timeline = bench.timeline(video)
        start = snap(timeline, parse_time(state.text(state.START_TEXT)))
        if event_type.kind == "segment":
            end = snap(timeline, parse_time(state.text(state.END_TEXT)))
            event = Event.segment(event_type.name, start, end)
        else:
            event = Event.point(event_type.name, start)
        add_label(bench, video, domain, event)
    except UserError as error:
        refuse(error)
        return
    state.write_text(state.START_TEXT, "")
    state.write_text(state.END_TEXT, "")


def delete(video: VideoRecord, domain: str, selected: list[EventRecord]) -> None:
    """Delete labels and remember them for putting back."""
    gone: list[Event] = []
    try:
        for record in selected:
            delete_label(workbench(), record)
            gone.append(record.event)
    except UserError as error:
        refuse(error)
    state.remember_deleted(video.id, domain, gone)


def put_back(video: VideoRecord, domain: str, events: list[Event]) -> None:
    """Store deleted labels again."""
    try:
        for event in events:
            add_label(workbench(), video, domain, event)
    except UserError as error:
        refuse(error)
    state.forget_deleted()
