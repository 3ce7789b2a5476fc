"""What a batch is to look at: videos of the library, places on the server, files from here."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from prismata.catalog import ModelRecord, VideoRecord
from prismata.core.errors import UserError
from prismata.core.time import format_time
from prismata.services.detect_queue import videos_without_result
from prismata.services.source_access import find_page_sources, page_sources
from prismata.services.video_sources import LibrarySource, VideoSource
from prismata.ui import state
from prismata.ui.context import workbench
from prismata.ui.panels.notices import plain, show_notice
from prismata.ui.panels.upload import show_upload

_LIBRARY = "Library"
_SERVER = "Folder or bucket"
_UPLOAD = "From this computer"
_ANY = "All domains"


def choose_sources(model: ModelRecord) -> list[VideoSource]:
    """Let people choose what this model is to look at."""
    origin = st.segmented_control(
        "Videos from",
        [_LIBRARY, _SERVER, _UPLOAD],
        default=_LIBRARY,
        required=True,
        key=state.DETECT_FROM,
        persist_state="session",
    )
    if origin == _SERVER:
        return _from_server()
    if origin == _UPLOAD:
        st.caption("What arrives is in the library, and chosen there.")
        show_upload(model.domain, on_video=_choose)
    return _from_library(model)


def forget_chosen() -> None:
    """Take back what was chosen, once it has been submitted."""
    st.session_state[state.DETECT_VIDEOS] = []


def _from_library(model: ModelRecord) -> list[VideoSource]:
    videos = workbench().catalog.videos.list()
    if not videos:
        st.markdown("**No video yet.** Add some from this computer, or from a folder.")
        return []
    shown = _filtered(videos, model)
    by_id = {video.id: video for video in videos}
    chosen = [item for item in st.session_state.get(state.DETECT_VIDEOS, []) if item in by_id]
    st.session_state[state.DETECT_VIDEOS] = chosen
    kept = [item for item in chosen if item not in {video.id for video in shown}]
    st.multiselect(
        "Videos",
        [*kept, *(video.id for video in shown)],
        format_func=lambda item: f"{by_id[item].name} · {format_time(by_id[item].duration_us)}",
        key=state.DETECT_VIDEOS,
        persist_state="session",
        placeholder=f"Type to search {len(shown)} videos",
    )
    with st.container(horizontal=True):
        st.button(
            f"Choose all {len(shown)}",
            icon=":material/select_all:",
            disabled=not shown,
            on_click=_choose_all,
            args=([video.id for video in shown],),
        )
        if chosen:
            st.button("Choose none", icon=":material/deselect:", on_click=forget_chosen)
    return [LibrarySource(by_id[item]) for item in st.session_state[state.DETECT_VIDEOS]]


def _filtered(videos: Sequence[VideoRecord], model: ModelRecord) -> list[VideoRecord]:
    left, middle = st.columns([2, 1], vertical_alignment="bottom")
    with left:
        words = st.text_input("Name contains", key=state.DETECT_SEARCH).strip().lower()
    domains = sorted({video.domain for video in videos if video.domain})
    with middle:
        domain = st.selectbox("Domain", [_ANY, *domains], key=state.DETECT_DOMAIN)
    new_only = st.toggle(
        "Only those in which this model has not looked yet", key=state.DETECT_NEW_ONLY
    )
    shown = [
        video for video in videos if words in video.name.lower() and domain in (_ANY, video.domain)
    ]
    return videos_without_result(workbench(), shown, model) if new_only else shown


def _from_server() -> list[VideoSource]:
    allowed = page_sources(workbench().settings)
    if allowed == ():
        st.markdown(
            "**Pages of this workbench take no videos from the server**, because others can reach "
            "it. `PRISMATA_PAGE_SOURCES` names the folders and `s3://` prefixes that they may; "
            "`prismata detect FOLDER` works on the server itself."
        )
        return []
    where = plain(", ".join(allowed)) if allowed else "this machine, or any bucket it may read"
    text = st.text_area(
        "Folders, files, patterns or s3:// prefixes, one a line",
        key=state.DETECT_PLACES,
        placeholder="/recordings/2024\n/recordings/*/left.mp4\ns3://bucket/matches/",
        help=f"Taken from {where}. Folders with everything below them.",
        height=100,
    )
    words = [line.strip() for line in text.splitlines() if line.strip()]
    if not words:
        return []
    try:
        sources = find_page_sources(workbench(), words)
    except UserError as error:
        show_notice("error", str(error))
        return []
    st.caption(plain(f"{len(sources)} found: {_names(sources)}"))
    return sources


def _names(sources: Sequence[VideoSource]) -> str:
    first = ", ".join(source.name for source in sources[:3])
    return first if len(sources) <= 3 else f"{first} and {len(sources) - 3} more"


def _choose(video_id: str) -> None:
    chosen = st.session_state.get(state.DETECT_VIDEOS, [])
    if video_id not in chosen:
        st.session_state[state.DETECT_VIDEOS] = [*chosen, video_id]


def _choose_all(video_ids: list[str]) -> None:
    chosen = st.session_state.get(state.DETECT_VIDEOS, [])
    more = [item for item in video_ids if item not in chosen]
    st.session_state[state.DETECT_VIDEOS] = [*chosen, *more]
