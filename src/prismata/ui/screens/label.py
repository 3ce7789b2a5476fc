"""Label: watch a video, write down what happens and when."""

from __future__ import annotations

import streamlit as st

from prismata.catalog import EventRecord, VideoRecord
from prismata.core.events import EventType
from prismata.domains import Domain
from prismata.services.labels import list_labels
from prismata.ui import state
from prismata.ui.context import workbench
from prismata.ui.panels.event_table import show_event_table, title_of
from prismata.ui.panels.label_actions import add, delete, put_back, take_time
from prismata.ui.panels.label_files import show_label_files
from prismata.ui.panels.notices import show_waiting_notices
from prismata.ui.panels.pickers import pick_domain, pick_video
from prismata.ui.panels.player import Marking, Seek, show_player
from prismata.ui.times import middle_of_frame


def show() -> None:
    """Show the page."""
    choices = st.columns([2, 1])
    with choices[1]:
        domain = pick_domain()
    with choices[0]:
        video = pick_video()
    if domain is None or video is None:
        show_waiting_notices()
        return
    records = list_labels(workbench(), video, domain.name)
    left, right = st.columns([3, 2], gap="medium")
    with right:
        event_type = _show_form(video, domain)
        show_waiting_notices()
        selected = _show_labels(video, domain, records)
    with left:
        show_player(
            video,
            marking=Marking(
                lambda edge, us: take_time(video, edge, us), needs_end=event_type.kind == "segment"
            ),
            seek=_seek(video, selected),
        )
        if event_type.guide:
            st.caption(f"{event_type.title}: {event_type.guide}")
    show_label_files(domain, video)


def _show_form(video: VideoRecord, domain: Domain) -> EventType:
    types = {item.name: item for item in domain.event_types}
    titles = {name: title_of(name, domain.event_types) for name in types}
    if len(types) > 1:
        event_type = types[state.choose("Event", titles, state.EVENT_TYPE)]
    else:
        event_type = domain.event_types[0]
        st.markdown(f"**{titles[event_type.name]}**")
    needs_end = event_type.kind == "segment"
    fields = st.columns([1, 1], vertical_alignment="bottom")
    fields[0].text_input(
        "Start" if needs_end else "Time", key=state.START_TEXT, placeholder="0:12.480"
    )
    if needs_end:
        fields[1].text_input("End", key=state.END_TEXT, placeholder="0:14.000")
    (st if needs_end else fields[1]).button(
        "Add label",
        icon=":material/add:",
        type="primary",
        width="stretch",
        on_click=add,
        args=(video, domain.name, event_type),
    )
    return event_type


def _show_labels(
    video: VideoRecord, domain: Domain, records: list[EventRecord]
) -> list[EventRecord]:
    undo = state.deleted(video.id, domain.name)
    if not records:
        st.markdown(
            "**No labels on this video yet.** Stop the video where something happens, press the "
            "button under it, then **Add label**."
        )
    selected = []
    if records:
        extra = {"By": [item.author for item in records]}
        if any(item.review_state != "none" for item in records):
            extra["State"] = [
                {"none": "", "rejected": "not an event"}.get(item.review_state, item.review_state)
                for item in records
            ]
        rows = show_event_table(
            [item.event for item in records],
            domain.event_types,
            key=_table_key(video, records),
            extra=extra,
            several=True,
        )
        selected = [records[row] for row in rows]
    with st.container(horizontal=True):
        if selected:
            noun = "label" if len(selected) == 1 else "labels"
            st.button(
                f"Delete {len(selected)} {noun}",
                icon=":material/delete:",
                on_click=delete,
                args=(video, domain.name, selected),
            )
        if undo:
            st.button(
                f"Put back {len(undo)} deleted",
                icon=":material/undo:",
                on_click=put_back,
                args=(video, domain.name, undo),
            )
    return selected


def _table_key(video: VideoRecord, records: list[EventRecord]) -> str:
    # A selection goes by position, so a table with other rows is another table.
    content = hash(tuple((item.id, item.revision) for item in records))
    return f"{state.LABEL_TABLE}:{video.id}:{content}"


def _seek(video: VideoRecord, selected: list[EventRecord]) -> Seek | None:
    if len(selected) != 1:
        return None
    start_us = selected[0].event.start_us
    return Seek(middle_of_frame(workbench().timeline(video), start_us), selected[0].id)
