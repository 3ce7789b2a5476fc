"""Precision against recall of a training, one line an event type, the chosen threshold marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from prismata.core.events import EventType

_HEIGHT = 260
_SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")


def show_precision_recall(
    event_types: Sequence[EventType], curves: Mapping[str, Any], *, chosen_on: str
) -> None:
    """Draw what every threshold gives on the validation videos; nothing if nobody measured it."""
    frame = _frame(event_types, curves)
    if frame.empty:
        return
    st.markdown("**Precision and recall**")
    st.altair_chart(_chart(frame, event_types))
    st.caption(
        f"Every threshold on the {chosen_on} videos, events counted as found as in the table. "
        "The filled marks are the chosen ones."
    )


def _frame(event_types: Sequence[EventType], curves: Mapping[str, Any]) -> pd.DataFrame:
    rows = [
        {"Event": item.title, **point, "chosen": point["threshold"] == curve["threshold"]}
        for item in event_types
        if (curve := curves.get(item.name))
        for point in curve["points"]
        if point["precision"] is not None and point["recall"] is not None
    ]
    return pd.DataFrame(rows)


def _chart(
    frame: pd.DataFrame, event_types: Sequence[EventType]
) -> alt.LayerChart | alt.FacetChart:
    titles = [item.title for item in event_types]
    shapes = [_SHAPES[index % len(_SHAPES)] for index in range(len(titles))]
    axis = alt.Scale(domain=[0, 1.02])
    colour = alt.Color(
        "Event:N",
        scale=alt.Scale(domain=titles, range=[item.color for item in event_types]),
        legend=alt.Legend(orient="bottom", title=None) if len(titles) > 1 else None,
    )
    # The shape says the type, too: colour is never alone.
    shape = alt.Shape("Event:N", scale=alt.Scale(domain=titles, range=shapes), legend=None)
    tooltip = [
        alt.Tooltip("Event:N", title="Event"),
        alt.Tooltip("threshold:Q", format=".2f", title="Threshold"),
        alt.Tooltip("precision:Q", format=".0%", title="Precision"),
        alt.Tooltip("recall:Q", format=".0%", title="Recall"),
        alt.Tooltip("f1:Q", format=".0%", title="F1"),
    ]
    base = alt.Chart(frame).encode(
        x=alt.X("recall:Q", title="Recall", scale=axis, axis=alt.Axis(format="%")),
        y=alt.Y("precision:Q", title="Precision", scale=axis, axis=alt.Axis(format="%")),
        color=colour,
        tooltip=tooltip,
    )
    line = base.mark_line(strokeWidth=2).encode(order="threshold:Q")
    each = base.mark_point(size=40, opacity=0.5).encode(shape=shape)
    chosen = (
        base.transform_filter("datum.chosen")
        .mark_point(size=180, filled=True, opacity=1)
        .encode(shape=shape)
    )
    return alt.layer(line, each, chosen).properties(height=_HEIGHT)
