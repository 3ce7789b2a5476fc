"""Why an event fired: sentences, the frames that the model saw, and the scores behind it."""

from __future__ import annotations

import html
from urllib.parse import urlencode

import pandas as pd
import streamlit as st

from prismata.catalog import DetectionRunRecord, VideoRecord
from prismata.core.errors import NotFoundError
from prismata.core.events import Event
from prismata.core.time import format_time
from prismata.services.explain import Explanation, explain_event
from prismata.services.regroup import Regrouped
from prismata.ui import state
from prismata.ui.context import workbench
from prismata.ui.panels.event_table import title_of
from prismata.ui.panels.notices import plain, show_notice

_STILL_HEIGHT = 96
_ROWS = 200
"""Scored instants in the table; a long segment has thousands, and its curve says more."""


def show_explanation(
    video: VideoRecord, run: DetectionRunRecord, found: Regrouped, event: Event
) -> None:
    """Show why this event is there under the rules of the moment."""
    title = title_of(event.event_type, found.event_types)
    st.markdown(f"**Why {plain(title)} at {format_time(event.start_us)}**")
    try:
        told = explain_event(workbench(), run, found, event)
    except NotFoundError as error:
        show_notice("info", str(error))
        return
    _show_stills(video, told)
    st.markdown(plain(" ".join(told.sentences())))
    with st.expander(f"Scores behind it ({len(told.instants)})", icon=":material/table_rows:"):
        _show_scores(told)


def _show_stills(video: VideoRecord, told: Explanation) -> None:
    """Show the first frame, the one at the peak and the last that the model looked at."""
    window = told.peak.window
    moments = {
        "window begins": window.start_us,
        "highest score": told.peak.at_us,
        "window ends": max(window.start_us, window.end_us - 1),
    }
    timeline = workbench().timeline(video)
    token = state.permission("video", video.id)
    figures = []
    for words, at_us in moments.items():
        frame = timeline.index_at(min(at_us, timeline.duration_us - 1))
        query = urlencode({"first": frame, "count": 1, "height": _STILL_HEIGHT, "token": token})
        caption = f"{words} {format_time(timeline.span(frame).start_us)}"
        address = html.escape(f"/api/video/{video.id}/filmstrip?{query}")
        figures.append(
            '<figure style="margin:0">'
            f'<img src="{address}" alt="{caption}" height="{_STILL_HEIGHT}" loading="lazy">'
            f'<figcaption style="font-size:0.8rem">{caption}</figcaption></figure>'
        )
    st.html(f'<div style="display:flex;gap:8px;flex-wrap:wrap">{"".join(figures)}</div>')


def _show_scores(told: Explanation) -> None:
    shown = told.instants
    if len(shown) > _ROWS:
        at = shown.index(told.peak)
        first = max(0, min(at - _ROWS // 2, len(shown) - _ROWS))
        shown = shown[first : first + _ROWS]
        st.caption(f"{_ROWS} of {len(told.instants)} scored instants, around the highest.")
    frame = pd.DataFrame(
        {
            "Instant": [format_time(item.at_us) for item in shown],
            "Score": [item.score for item in shown],
            "Reaches the threshold": [item.score >= told.rule.threshold for item in shown],
            "Frames from": [format_time(item.window.start_us) for item in shown],
            "to": [format_time(item.window.end_us) for item in shown],
        }
    )
    config = {
        "Score": st.column_config.ProgressColumn(format="%.2f", min_value=0.0, max_value=1.0),
        "Instant": st.column_config.TextColumn(alignment="right"),
        "Frames from": st.column_config.TextColumn(alignment="right"),
        "to": st.column_config.TextColumn(alignment="right"),
    }
    st.dataframe(frame, hide_index=True, column_config=config)
