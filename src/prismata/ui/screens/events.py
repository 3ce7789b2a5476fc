"""Events: what was labelled and found in all videos, searched and played."""

from __future__ import annotations

from typing import get_args

import pandas as pd
import streamlit as st

from prismata.catalog import ReviewState, VideoRecord
from prismata.catalog.event_search import (
    COUNTED_AT_MOST,
    EventFilter,
    EventOrder,
    FoundEvent,
    parse_order,
)
from prismata.core.time import format_time
from prismata.domains import DomainRegistry
from prismata.services.event_search import find_events, model_names
from prismata.ui import state
from prismata.ui.context import workbench
from prismata.ui.panels.event_table import pick_row
from prismata.ui.panels.notices import plain, show_notice, show_waiting_notices
from prismata.ui.panels.outputs import show_search_outputs
from prismata.ui.panels.permission import deed
from prismata.ui.panels.player import show_moment

_PAGE = 50
_ORDERS = {
    "newest": "Newest first",
    "score": "Surest first",
    "unsure": "Least sure first",
}
_ORIGINS = {"": "Any", "annotation": "Labelled by people", "detection": "Found by models"}
_STATES = {"": "Any", "none": "Not judged"} | {
    name: name.capitalize() for name in get_args(ReviewState) if name != "none"
}
_FIELDS = {
    "domain": state.EVENTS_DOMAIN,
    "event_type": state.EVENTS_TYPE,
    "origin": state.EVENTS_ORIGIN,
    "review_state": state.EVENTS_STATE,
}
_MORE = {
    "video": state.EVENTS_VIDEO,
    "reviewer": state.EVENTS_REVIEWER,
    "since": state.EVENTS_SINCE,
    "until": state.EVENTS_UNTIL,
}
_RANGES = {
    "min_score": state.EVENTS_MIN_SCORE,
    "max_score": state.EVENTS_MAX_SCORE,
    "min_seconds": state.EVENTS_MIN_SECONDS,
    "max_seconds": state.EVENTS_MAX_SECONDS,
}


def show() -> None:
    """Show the page."""
    show_waiting_notices()
    wanted, order = _show_filter()
    marks: list[str] = st.session_state.setdefault(state.EVENTS_PAGES, [""])
    asked = f"{sorted(wanted.to_dict().items())}:{order}"
    if st.session_state.get(state.EVENTS_ASKED) != asked:
        st.session_state[state.EVENTS_ASKED] = asked
        marks[:] = [""]
    found = find_events(workbench(), wanted, order=order, limit=_PAGE, page=marks[-1])
    if not found.events:
        _say_why_empty(wanted)
        return
    table, player = st.columns([3, 2], gap="large")
    with table:
        st.caption(_counted(wanted, len(marks), len(found.events)))
        row = _show_table(found.events, key=f"{state.EVENTS_TABLE}:{asked}:{marks[-1]}")
        _show_turning(marks, found.next_page)
        show_search_outputs(wanted, order, found.events)
    with player:
        _show_one(found.events[row])


def _show_filter() -> tuple[EventFilter, EventOrder]:
    """Let people say what they look for; return it."""
    domains = {domain.name: domain for domain in DomainRegistry.list()}
    columns = st.columns(3)
    with columns[0]:
        titles = {"": "All"} | {name: domain.title for name, domain in domains.items()}
        domain = state.choose("Domain", titles, state.EVENTS_DOMAIN)
    with columns[1]:
        types = domains[domain].event_types if domain else ()
        titles = {"": "All"} | {item.name: item.title for item in types}
        state.choose("Event", titles, state.EVENTS_TYPE)
    with columns[2]:
        order = state.choose("Order", _ORDERS, state.EVENTS_ORDER)
    used = [*_MORE.values(), *_RANGES.values(), state.EVENTS_ORIGIN, state.EVENTS_STATE]
    is_used = any(st.session_state.get(key) not in ("", None) for key in used)
    with st.expander("More", expanded=is_used, icon=":material/tune:"):
        _show_conditions()
        _show_saving()
    return _asked(), parse_order(order)


def _asked() -> EventFilter:
    """Return what the fields say."""
    said = {
        name: st.session_state.get(key) for name, key in {**_FIELDS, **_MORE, **_RANGES}.items()
    }
    given = {
        name: value.strip() if isinstance(value, str) else value
        for name, value in said.items()
        if value is not None
    }
    return EventFilter.from_dict(given)


def _show_conditions() -> None:
    columns = st.columns(3)
    with columns[0]:
        state.choose("From", _ORIGINS, state.EVENTS_ORIGIN)
    with columns[1]:
        state.choose("Judged", _STATES, state.EVENTS_STATE)
    columns[2].text_input("Judged by", key=_MORE["reviewer"])
    columns = st.columns(3)
    columns[0].text_input("Part of the video's name", key=_MORE["video"])
    columns[1].text_input(
        "Since", key=_MORE["since"], placeholder="2026-11-25", help="When it was labelled or found."
    )
    columns[2].text_input("Before", key=_MORE["until"], placeholder="2026-12-01")
    labels = ("Score from", "Score to", "Seconds from", "Seconds to")
    for column, label, (name, key) in zip(st.columns(4), labels, _RANGES.items(), strict=True):
        column.number_input(
            label,
            min_value=0.0,
            max_value=1.0 if "score" in name else None,
            value=None,
            step=0.05 if "score" in name else 0.5,
            key=key,
            placeholder="any",
        )


def _show_saving() -> None:
    """Let people keep the search, and take up one that was kept."""
    kept = {item.name: item.filter for item in workbench().catalog.event_search.saved()}
    columns = st.columns([2, 1, 1, 1], vertical_alignment="bottom")
    with columns[0]:
        options = {"": "Choose one" if kept else "None yet"} | {name: name for name in kept}
        chosen = state.choose("Saved search", options, state.EVENTS_SAVED)
    columns[1].button(
        "Use it", width="stretch", disabled=not chosen, on_click=_use, args=(kept.get(chosen),)
    )
    columns[2].button(
        "Forget it", width="stretch", disabled=not chosen, on_click=_forget, args=(chosen,)
    )
    with columns[3].popover("Save this …", icon=":material/bookmark_add:", width="stretch"):
        st.text_input("Name", key=state.EVENTS_SAVE_AS)
        st.button("Save", type="primary", on_click=_save)


def _say_why_empty(wanted: EventFilter) -> None:
    if wanted.to_dict():
        show_notice("info", "No event fits. Ask for less, or look at all with an empty search.")
        st.button("Empty search", on_click=_use, args=(EventFilter(),))
        return
    st.markdown(
        "**No event yet.** Label some on the **Label** page, take in a label file with "
        "`prismata labels import`, or run a detection under **Analyze**."
    )


def _counted(wanted: EventFilter, page: int, shown: int) -> str:
    count = workbench().catalog.event_search.count(wanted)
    many = f"more than {COUNTED_AT_MOST - 1:,}" if count >= COUNTED_AT_MOST else f"{count:,}"
    first = (page - 1) * _PAGE + 1
    return f"{first:,} to {first + shown - 1:,} of {many}"


def _show_table(events: list[FoundEvent], *, key: str) -> int:
    """Show a page of events; return the position of the chosen one."""
    models = model_names(workbench())
    titles = {
        (domain.name, item.name): item.title
        for domain in DomainRegistry.list()
        for item in domain.event_types
    }
    frame = pd.DataFrame([_columns(found, models, titles) for found in events])
    config = {
        "Score": st.column_config.NumberColumn(format="%.2f", width="small"),
        "Start": st.column_config.TextColumn(width="small", alignment="right"),
        "Length": st.column_config.TextColumn(width="small", alignment="right"),
    }
    return pick_row(frame, config, key=key)


def _columns(
    found: FoundEvent, models: dict[str, str], titles: dict[tuple[str, str], str]
) -> dict[str, str | float | None]:
    record, event = found.record, found.record.event
    return {
        "Event": titles.get((record.domain, event.event_type), event.event_type),
        "Video": found.video_name,
        "Start": format_time(event.start_us),
        "Length": f"{(event.end_us - event.start_us) / 1e6:.2f} s"
        if event.end_us > event.start_us
        else "",
        "Score": event.score,
        "Judged": "" if record.review_state == "none" else record.review_state,
        "By": record.reviewer or record.author or models.get(record.model_id or "", ""),
        "When": f"{record.created_at:%Y-%m-%d %H:%M}",
    }


def _show_turning(marks: list[str], next_page: str) -> None:
    columns = st.columns(2)
    columns[0].button(
        "Previous page",
        icon=":material/arrow_back:",
        width="stretch",
        disabled=len(marks) == 1,
        on_click=_back,
        args=(marks,),
    )
    columns[1].button(
        "Next page",
        icon=":material/arrow_forward:",
        width="stretch",
        disabled=not next_page,
        on_click=marks.append,
        args=(next_page,),
    )


def _back(marks: list[str]) -> None:
    marks.pop()


def _show_one(found: FoundEvent) -> None:
    record, event = found.record, found.record.event
    video: VideoRecord = workbench().catalog.videos.get(record.video_id)
    st.markdown(f"**{plain(video.name)}** at {format_time(event.start_us)}")
    show_moment(
        video, record.domain, event.start_us, key=record.id, link="Open in the label station"
    )


def _use(wanted: EventFilter | None) -> None:
    """Fill the fields from a search."""
    values = (wanted or EventFilter()).to_dict()
    for name, key in {**_FIELDS, **_MORE}.items():
        st.session_state[key] = values.get(name, "")
    for name, key in _RANGES.items():
        st.session_state[key] = values.get(name)


@deed("save_search", "annotator")
def _save() -> str:
    name = str(st.session_state.get(state.EVENTS_SAVE_AS) or "")
    bench = workbench()
    bench.catalog.event_search.save(name, _asked(), bench.settings.author)
    state.notify("success", f"Saved as {name}.")
    st.session_state[state.EVENTS_SAVE_AS] = ""
    return name


@deed("forget_search", "annotator")
def _forget(name: str) -> str:
    workbench().catalog.event_search.forget(name)
    return name
