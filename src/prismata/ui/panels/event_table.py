"""Events as a table: times as m:ss.mmm, a letter beside each type so that colour is never alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from prismata.core.events import Event, EventType
from prismata.core.time import format_time
from prismata.evaluation import confidence_of
from prismata.ui import state

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_MAX_HEIGHT = 460
_ROW_HEIGHT = 35
_LONG_HEIGHT = 480


def show_event_table(
    events: Sequence[Event],
    event_types: Sequence[EventType],
    *,
    key: str = "",
    extra: dict[str, list[str]] | None = None,
    calibration: Mapping[str, Mapping[str, Any]] | None = None,
    several: bool = False,
) -> list[int]:
    """Show events by time and return the positions of those selected.

    Args:
        events: In the order to show.
        event_types: Their order gives the letters.
        key: One of the session's names; empty for a table in which nothing can be selected.
        extra: Further columns, one text an event.
        calibration: Of the model card; where it knows what scores mean, that stands beside them.
        several: Whether more than one can be selected.
    """
    frame = _frame(events, event_types, extra or {}, calibration or {})
    config = {
        "Score": st.column_config.NumberColumn(format="%.2f", width="small"),
        "Confidence": st.column_config.NumberColumn(
            format="percent", width="small", help="In how many cases such a score meant a true one."
        ),
        "Start": st.column_config.TextColumn(width="small", alignment="right"),
        "End": st.column_config.TextColumn(width="small", alignment="right"),
    }
    height = min(_MAX_HEIGHT, (len(events) + 1) * _ROW_HEIGHT + 3)
    if not key:
        st.dataframe(frame, hide_index=True, column_config=config, height=height)
        return []
    st.dataframe(
        frame,
        hide_index=True,
        column_config=config,
        height=height,
        key=key,
        on_select="rerun",
        selection_mode="multi-row" if several else "single-row",
    )
    return [row for row in state.selected_rows(key) if row < len(events)]


def pick_row(frame: pd.DataFrame, config: Mapping[str, Any], *, key: str) -> int:
    """Show a long table of which one row is chosen; return its position, at first the first.

    Args:
        frame: The rows; not empty.
        config: Of the columns.
        key: One of the session's names; another one for other rows.
    """
    st.dataframe(
        frame,
        hide_index=True,
        column_config=dict(config),
        height=_LONG_HEIGHT,
        key=key,
        on_select="rerun",
        selection_mode="single-row",
    )
    rows = [row for row in state.selected_rows(key) if row < len(frame)]
    return rows[0] if rows else 0


def title_of(name: str, event_types: Sequence[EventType]) -> str:
    """Return letter and title of an event type, as in the timeline; the name if it is unknown."""
    for index, item in enumerate(event_types):
        if item.name == name:
            return f"{_LETTERS[index % len(_LETTERS)]} · {item.title}"
    return name


def _frame(
    events: Sequence[Event],
    event_types: Sequence[EventType],
    extra: dict[str, list[str]],
    calibration: Mapping[str, Mapping[str, Any]],
) -> pd.DataFrame:
    columns: dict[str, list[str] | list[float | None]] = {
        "Event": [title_of(event.event_type, event_types) for event in events],
        "Start": [format_time(event.start_us) for event in events],
    }
    if any(event.kind == "segment" for event in events):
        columns["End"] = [
            format_time(event.end_us) if event.kind == "segment" else "" for event in events
        ]
    if any(event.score is not None for event in events):
        columns["Score"] = [event.score for event in events]
    confidences = [confidence_of(calibration, item.event_type, item.score) for item in events]
    if any(value is not None for value in confidences):
        columns["Confidence"] = confidences
    return pd.DataFrame(columns | extra)
