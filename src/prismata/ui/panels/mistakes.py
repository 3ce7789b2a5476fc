"""The worst mistakes of a training: look at each, and correct the label where that is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from prismata.catalog import VideoRecord
from prismata.core.errors import NotFoundError
from prismata.core.events import Event, EventType
from prismata.domains import Domain
from prismata.ui import state
from prismata.ui.context import workbench
from prismata.ui.panels.event_table import show_event_table
from prismata.ui.panels.player import show_moment

_KINDS = {"false_alarm": "False alarm", "missed": "Missed"}


def show_mistakes(domain: Domain, mistakes: Sequence[Mapping[str, Any]]) -> None:
    """Show the mistakes as a table; the chosen one plays beside it."""
    known = _in_place(mistakes)
    if not known:
        return
    st.markdown("**Worst mistakes**")
    st.caption(
        "The surest false alarms and the events that hardly showed, by turns. Each is either "
        "something the model does not know, or a label that is missing or wrong."
    )
    events = [_event(item, domain.event_types) for item, _ in known]
    table, player = st.columns([3, 2], gap="large")
    with table:
        rows = show_event_table(
            events,
            domain.event_types,
            key=state.MISTAKE_TABLE,
            extra={
                "What": [_KINDS[item["kind"]] for item, _ in known],
                "Video": [video.name for _, video in known],
            },
        )
    with player:
        row = rows[0] if rows else 0
        _show_one(domain, known[row][1], events[row])


def _show_one(domain: Domain, video: VideoRecord, event: Event) -> None:
    key = f"{video.id}:{event.event_type}:{event.start_us}"
    show_moment(video, domain.name, event.start_us, key=key, link="Correct the label")


def _in_place(
    mistakes: Sequence[Mapping[str, Any]],
) -> list[tuple[Mapping[str, Any], VideoRecord]]:
    """Return the mistakes whose video is still there."""
    found = []
    for item in mistakes:
        try:
            found.append((item, workbench().catalog.videos.get(item["video"])))
        except NotFoundError:
            continue
    return found


def _event(item: Mapping[str, Any], event_types: Sequence[EventType]) -> Event:
    kinds = {event_type.name: event_type.kind for event_type in event_types}
    if kinds.get(item["event_type"]) == "segment":
        return Event.segment(item["event_type"], item["start_us"], item["end_us"], item["score"])
    return Event.point(item["event_type"], item["start_us"], item["score"])
