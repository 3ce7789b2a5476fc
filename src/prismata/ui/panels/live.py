"""What a run has found so far: a curve that grows and events that come in, under the player."""

from __future__ import annotations

import streamlit as st

from prismata.catalog import DetectionRunRecord, ModelRecord, VideoRecord
from prismata.core.jobs import JobState
from prismata.ui import state
from prismata.ui.context import workbench
from prismata.ui.panels.component import mount


def show_live(video: VideoRecord, model: ModelRecord) -> None:
    """Show the run of this model that goes on in this video, if there is one."""
    runs = workbench().catalog.detections.list(video_id=video.id, model_id=model.id)
    if runs and runs[0].state is JobState.RUNNING:
        show_live_run(video, runs[0])


def show_live_run(video: VideoRecord, run: DetectionRunRecord) -> None:
    """Show a run that goes on; the component asks for news by itself, so no page runs for it."""
    mount(
        "live",
        key=f"live:{run.id}",
        data={
            "run_id": run.id,
            "duration_us": video.duration_us,
            "token": state.permission("video", video.id),
        },
        on_expired_change=state.forget_permissions,
    )
    st.caption("The curve is the model's score so far, dashed its threshold. Click to seek.")
