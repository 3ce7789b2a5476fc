"""What a page is about: the domain, the video, the model; and what to do while there is none."""

from __future__ import annotations

import streamlit as st

from prismata.catalog import ModelRecord, VideoRecord
from prismata.core.time import format_time
from prismata.domains import Domain, DomainRegistry
from prismata.ui import state
from prismata.ui.context import workbench
from prismata.ui.panels.notices import show_notice
from prismata.ui.panels.upload import show_upload


def pick_domain() -> Domain | None:
    """Let people choose the domain; say what to do if there is none."""
    domains = {domain.name: domain for domain in DomainRegistry.list()}
    if not domains:
        show_notice("info", "There is no domain yet. A domain says which events exist.")
        st.code("prismata domains new my_events", language="bash")
        for failure in DomainRegistry.failures():
            show_notice("error", failure.sentence)
        return None
    chosen = state.choose(
        "Domain", {name: domain.title for name, domain in domains.items()}, state.DOMAIN
    )
    for failure in DomainRegistry.failures():
        if failure.name == chosen and failure.kept_version is not None:
            show_notice("error", failure.sentence)
    return domains[chosen]


def pick_video() -> VideoRecord | None:
    """Let people choose a video; take one in if there is none."""
    videos = {video.id: video for video in workbench().catalog.videos.list()}
    if not videos:
        st.markdown("**No video yet.** Add one here, or a whole folder with `prismata ingest`.")
        show_upload("")
        return None
    titles = {
        video.id: f"{video.name} · {format_time(video.duration_us)}" for video in videos.values()
    }
    return videos[state.choose("Video", titles, state.VIDEO)]


def pick_model(video: VideoRecord) -> ModelRecord | None:
    """Let people choose a model; by default the one that the video's domain uses."""
    models = {model.id: model for model in workbench().catalog.models.list()}
    if not models:
        st.markdown(
            "**No model yet.** Train one under **Train** above, or take in an ONNX file with "
            "`prismata models add`."
        )
        return None
    usual = workbench().catalog.models.latest(video.domain) if video.domain else None
    titles = {
        model.id: f"{model.name} · {model.domain}"
        + ("" if model.stage == "candidate" else f" · {model.stage}")
        for model in models.values()
    }
    default = usual.id if usual else ""
    return models[state.choose("Model", titles, state.MODEL, default=default)]
