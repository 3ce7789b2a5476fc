"""The worst mistakes of a training: look at each, and correct the label where that is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from prismata.catalog import VideoRecord
from prismata.core.errors import NotFoundError
from prismata.core.events import Event, EventType
from prismata.domains import Domain
from prismata.ui import state
from prismata.ui.context import workbench
from prismata.ui.panels.event_table import show_event_table
from prismata.ui.panels.player import Seek, show_player
from prismata.ui.times import middle_of_frame

_KINDS = {"false_alarm": "False alarm", "missed": "Missed"}
_LEAD_US = 1_000_000
"""What leads to an event says more than its instant; the player begins so long before it."""


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
    begin = max(0, event.start_us - _LEAD_US)
    middle = middle_of_frame(workbench().timeline(video), begin)
    show_player(video, seek=Seek(middle, f"{video.id}:{event.event_type}:{event.start_us}"))
    place = urlencode({"domain": domain.name, "video": video.id, "at": event.start_us})
    st.link_button(
        "Correct the label",
        f"./?{place}",  # the label station is the page without a name
        icon=":material/edit:",
        help="Opens the label station at this instant; the next training learns from it.",
    )


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
