"""Analyze: a model looks for events in a video, in a process of its own."""

from __future__ import annotations

import json

import streamlit as st

from prismata.catalog import DetectionRunRecord, ModelRecord, VideoRecord
from prismata.core.jobs import JobState
from prismata.core.modelcard import ModelCard
from prismata.services.detect import DetectRequest, prepare_detection, start_detection
from prismata.ui import state
from prismata.ui.context import workbench
from prismata.ui.panels.detection import (
    Result,
    load_detection,
    seek_to,
    show_events,
    show_running,
)
from prismata.ui.panels.notices import plain, show_waiting_notices
from prismata.ui.panels.permission import deed, may, why_not
from prismata.ui.panels.pickers import pick_model, pick_video
from prismata.ui.panels.progress import show_end
from prismata.ui.panels.result_view import choose_row, show_result_view
from prismata.ui.panels.upload import show_upload
from prismata.ui.times import Seek


def show() -> None:
    """Show the page."""
    choices = st.columns([2, 1])
    with choices[0]:
        video = pick_video()
    if video is None:
        show_waiting_notices()
        return
    with choices[1]:
        model = pick_model(video)
    left, right = st.columns([3, 2], gap="medium")
    result, seek = None, None
    with right:
        if model is not None:
            result, seek = _show_model(video, model)
        else:
            show_waiting_notices()
        with st.expander("Add videos", icon=":material/add:"):
            show_upload(video.domain)
    with left:
        show_result_view(video, model, result, seek)


def _show_model(video: VideoRecord, model: ModelRecord) -> tuple[Result | None, Seek | None]:
    """Show everything about this model on this video but the pictures."""
    card = ModelCard.from_json(json.dumps(model.card))
    runs = workbench().catalog.detections.list(video_id=video.id, model_id=model.id)
    thresholds = _show_thresholds(model, card)
    grouping = _show_grouping(model, card)
    finished = next((run for run in runs if run.state is JobState.SUCCEEDED), None)
    st.button(
        "Run detection",
        icon=":material/play_arrow:",
        type="secondary" if finished else "primary",
        width="stretch",
        disabled=not may("annotator"),
        help=why_not("annotator"),
        on_click=_start,
        args=(video, model, card),
    )
    show_waiting_notices()
    _show_run_state(runs)
    if finished is None:
        return None, None
    if finished is not runs[0]:
        st.caption(f"Below is the result of {finished.created_at:%Y-%m-%d %H:%M} UTC.")
    result = load_detection(video, finished, thresholds, grouping)
    row = show_events(video, result)
    if row is None:
        return result, None
    choose_row(result, row)
    return result, seek_to(video, result, row)


def _show_thresholds(model: ModelRecord, card: ModelCard) -> dict[str, float]:
    """Let people move the thresholds; a finished run is grouped anew at once."""
    thresholds = {}
    for item in card.event_types:
        thresholds[item.name] = st.slider(
            f"Threshold for {plain(item.title)}" if len(card.event_types) > 1 else "Threshold",
            min_value=0.01,
            max_value=0.99,
            value=min(0.99, max(0.01, round(card.rules[item.name].threshold, 2))),
            step=0.01,
            key=state.threshold_key(model.id, item.name),
            help="Scores below it are no events. Moving it, here or on the curve, groups a "
            "finished run anew, at once.",
        )
    return thresholds


def _show_grouping(model: ModelRecord, card: ModelCard) -> dict[str, dict[str, float]]:
    """Let people change how scores become events; return what differs from the model's rules."""
    changed: dict[str, dict[str, float]] = {}
    with st.expander("Grouping", icon=":material/join_inner:"):
        for item in card.event_types:
            fields = {"min_gap_seconds": "join closer than (s)"}
            if item.kind == "segment":
                fields["min_seconds"] = "shortest (s)"
            columns = st.columns(2)
            for column, (field, words) in zip(columns, fields.items(), strict=False):
                usual = float(getattr(card.rules[item.name], field))
                value = column.number_input(
                    f"{plain(item.title)}: {words}",
                    min_value=0.0,
                    max_value=3600.0,
                    value=usual,
                    step=0.1,
                    format="%.2f",
                    key=f"grouping:{model.id}:{item.name}:{field}",
                )
                if value != usual:
                    changed.setdefault(item.name, {})[field] = value
        st.caption(
            "Groups the finished run anew, without the model: what is shown, explained and "
            "downloaded here. New runs keep the model's own grouping."
        )
    return changed


def _show_run_state(runs: list[DetectionRunRecord]) -> None:
    if not runs:
        st.markdown(
            "**This model has not looked at this video yet.** Press **Run detection**; events "
            "appear while it runs."
        )
        return
    newest = runs[0]
    if newest.state is JobState.RUNNING:
        show_running(newest)
    elif newest.state is not JobState.SUCCEEDED and newest.job_id:
        show_end(workbench().catalog.jobs.get(newest.job_id))


@deed("detect", "annotator")
def _start(video: VideoRecord, model: ModelRecord, card: ModelCard) -> str:
    # Where the sliders are when the button is pressed: the page may not have run since.
    moved = {}
    for name, rule in card.rules.items():
        value = float(state.chosen(state.threshold_key(model.id, name)) or rule.threshold)
        if abs(value - rule.threshold) > 0.005:
            moved[name] = value
    bench = workbench()
    request = DetectRequest(video.id, model.id, thresholds=moved)
    start_detection(bench, prepare_detection(bench, request, may_wait=True))
    return f"{video.name} with {model.name}"
