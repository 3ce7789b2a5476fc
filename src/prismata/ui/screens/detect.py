"""Detect: one model on many videos, in a queue that goes on without this page."""

from __future__ import annotations

import json

import streamlit as st

from prismata.catalog import DetectionRunRecord, ModelRecord
from prismata.core.errors import NotFoundError
from prismata.core.jobs import JobState
from prismata.core.modelcard import ModelCard
from prismata.services.detect import DetectRequest
from prismata.services.detect_queue import Submission, models_for, submit_detections
from prismata.services.video_sources import VideoSource
from prismata.ui import state
from prismata.ui.context import workbench
from prismata.ui.panels.component import mount
from prismata.ui.panels.detect_sources import choose_sources, forget_chosen
from prismata.ui.panels.detection import load_detection, seek_to, show_events, show_running
from prismata.ui.panels.live import show_live_run
from prismata.ui.panels.notices import plain, show_waiting_notices
from prismata.ui.panels.permission import deed, may, why_not
from prismata.ui.panels.player import show_player
from prismata.ui.panels.progress import show_end
from prismata.ui.panels.timeline import show_timeline

_NAMED = 5
"""So many refused files are told one by one."""


def show() -> None:
    """Show the page."""
    models = {model.id: model for model in models_for(workbench())}
    if not models:
        st.markdown(
            "**No model yet.** Train one under **Train** above, or take in an ONNX file with "
            "`prismata models add`."
        )
        return
    with st.expander("Add to the queue", icon=":material/playlist_add:", expanded=True):
        _show_choices(models)
    show_waiting_notices()
    _show_queue()
    _show_opened()


def _show_choices(models: dict[str, ModelRecord]) -> None:
    titles = {item.id: _title(item) for item in models.values()}
    model = models[state.choose("Model", titles, state.MODEL)]
    sources = choose_sources(model)
    request = _settings(model)
    again = st.session_state.get(state.DETECT_AGAIN, False)
    number = len(sources)
    st.button(
        f"Detect in {number} video{'' if number == 1 else 's'}" if number else "Detect",
        icon=":material/play_arrow:",
        type="primary",
        disabled=not sources or not may("annotator"),
        help=why_not("annotator"),
        on_click=_submit,
        args=(sources, request),
        kwargs={"again": again},
    )


def _title(model: ModelRecord) -> str:
    stage = "" if model.stage == "candidate" else f" · {model.stage}"
    return f"{model.name} · {model.domain}{stage}"


def _settings(model: ModelRecord) -> DetectRequest:
    card = ModelCard.from_json(json.dumps(model.card))
    moved = {}
    with st.expander("Settings", icon=":material/tune:"):
        for item in card.event_types:
            usual = round(card.rules[item.name].threshold, 2)
            value = st.slider(
                f"Threshold for {plain(item.title)}",
                min_value=0.01,
                max_value=0.99,
                value=min(0.99, max(0.01, usual)),
                step=0.01,
                key=f"detect.threshold:{model.id}:{item.name}",
                help="It can also be moved afterwards, without running the model again.",
            )
            if abs(value - card.rules[item.name].threshold) > 0.005:
                moved[item.name] = value
        coarse = st.toggle(
            "A first look at key frames only",
            key=state.DETECT_COARSE,
            help="Many times faster; events between key frames are missed.",
        )
        st.toggle(
            "Run again what was found before",
            key=state.DETECT_AGAIN,
            help="Otherwise the stored result is offered.",
        )
    return DetectRequest("", model.id, domain=model.domain, thresholds=moved, coarse=coarse)


@deed("detect", "annotator")
def _submit(sources: list[VideoSource], request: DetectRequest, *, again: bool) -> str | None:
    submission = submit_detections(workbench(), sources, request, again=again)
    forget_chosen()
    st.session_state[state.QUEUE_SUBMITTED] = st.session_state.get(state.QUEUE_SUBMITTED, 0) + 1
    state.notify("success" if submission.submitted else "info", submission.sentence())
    for name, sentence in submission.refused[:_NAMED]:
        state.notify("error", sentence if name in sentence else f"{name}: {sentence}")
    if len(submission.refused) > _NAMED:
        more = len(submission.refused) - _NAMED
        state.notify("error", f"{more} more could not be queued for reasons like these")
    _offer(submission)
    number = len(submission.submitted)
    return f"{number} video{'' if number == 1 else 's'}" if number else None


def _offer(submission: Submission) -> None:
    """Open the result of what was found before, if nothing else is to be seen."""
    if submission.finished and not submission.submitted:
        run = submission.finished[0][1]
        st.session_state[state.DETECT_OPENED] = run.id


def _show_queue() -> None:
    mount(
        "queue",
        key=state.QUEUE,
        data={
            "token": state.permission("queue", ""),
            "submitted": st.session_state.get(state.QUEUE_SUBMITTED, 0),
        },
        on_opened_change=_open,
        on_expired_change=state.forget_permissions,
    )


def _open() -> None:
    opened = st.session_state[state.QUEUE].get("opened") or {}
    st.session_state[state.DETECT_OPENED] = str(opened.get("run_id") or "")


def _show_opened() -> None:
    """Show the run that was opened in the queue: what it found, or finds while one looks."""
    run_id = state.chosen(state.DETECT_OPENED)
    if not run_id:
        return
    try:
        run = workbench().catalog.detections.get(run_id)
        video = workbench().catalog.videos.get(run.video_id)
    except NotFoundError:
        state.select(state.DETECT_OPENED, "")
        return
    st.subheader(plain(video.name), anchor=False)
    left, right = st.columns([3, 2], gap="medium")
    seek, result = None, None
    with right:
        if run.state is JobState.RUNNING:
            show_running(run)
        elif run.state is JobState.SUCCEEDED:
            result = load_detection(video, run, _thresholds(run))
            row = show_events(video, result)
            seek = None if row is None else seek_to(video, result, row)
        elif run.job_id:
            show_end(workbench().catalog.jobs.get(run.job_id))
    with left:
        show_player(video, seek=seek)
        if run.state is JobState.RUNNING:
            show_live_run(video, run)
        if result is not None:
            show_timeline(video, result.found, result.truth)


def _thresholds(run: DetectionRunRecord) -> dict[str, float]:
    """Return the thresholds that the run was made with."""
    return {name: rule["threshold"] for name, rule in (run.settings.get("rules") or {}).items()}
