"""Label: choose a video, watch it, mark what happens and when."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from prismata.catalog import VideoRecord
from prismata.core.errors import NotFoundError
from prismata.core.time import format_time
from prismata.domains import Domain
from prismata.ui import state
from prismata.ui.context import workbench
from prismata.ui.label_station.mount import mount_library, mount_station
from prismata.ui.panels.identity import current_user, is_signed_in, rename
from prismata.ui.panels.label_files import show_label_files
from prismata.ui.panels.notices import show_notice, show_waiting_notices
from prismata.ui.panels.permission import may, why_not
from prismata.ui.panels.pickers import pick_domain
from prismata.ui.panels.player import show_player
from prismata.ui.panels.type_migration import show_type_migration
from prismata.ui.panels.upload import show_upload


def show() -> None:
    """Show the page."""
    _take_address()
    user = current_user()
    # Reserved, so that what comes and goes in it does not move the station, which would be
    # mounted anew.
    above = st.container()
    with st.sidebar:
        domain = pick_domain()
        video = _find_video(domain, above) if domain else None
        if domain is not None and video is not None:
            mount_library(
                domain,
                user,
                chosen=video.id,
                can_rename=not is_signed_in(),
                on_chosen=lambda video_id: state.select(state.VIDEO, video_id),
                on_user=rename,
            )
            with st.expander("Add videos", icon=":material/add:"):
                show_upload(domain.name)
    with above:
        show_waiting_notices()
        if domain is not None:
            show_type_migration(domain)
    if domain is None:
        return
    if video is None:
        st.markdown("**No video yet.** Add one here, or a whole folder with `prismata ingest`.")
        show_upload(domain.name)
        return
    state.keep_in_address(domain=domain.name, video=video.id)
    if not may("annotator"):
        _show_labels(domain, video)
        return
    linked, _, at = state.chosen(state.LABEL_AT).rpartition("/")
    mount_station(video, domain, user, at_us=int(at) if linked == video.id else None)
    show_label_files(domain, video)


def _show_labels(domain: Domain, video: VideoRecord) -> None:
    """Show a video and its labels to who may only look."""
    show_player(video, seek=None)
    st.caption(
        f"You may look here; labelling {(why_not('annotator') or '').removeprefix('this ')}."
    )
    titles = {item.name: item.title for item in domain.event_types}
    labels = workbench().catalog.events.list(
        video_id=video.id, domain=domain.name, origin="annotation"
    )
    shown = [item for item in labels if item.review_state != "rejected"]
    if not shown:
        st.markdown("**Nothing is labelled in this video yet.**")
        return
    columns = {
        "Start": [format_time(item.event.start_us) for item in shown],
        "End": [format_time(item.event.end_us) for item in shown],
        "Event": [titles.get(item.event.event_type, item.event.event_type) for item in shown],
        "By": [item.author for item in shown],
    }
    st.dataframe(pd.DataFrame(columns), hide_index=True)


def _take_address() -> None:
    for key, name in ((state.DOMAIN, "domain"), (state.VIDEO, "video")):
        if not state.chosen(key) and (value := state.from_address(name)):
            state.select(key, value)
    if (at := state.take_from_address("at")).isdigit():
        state.select(state.LABEL_AT, f"{state.from_address('video')}/{at}")


def _find_video(domain: Domain, above: st.delta_generator.DeltaGenerator) -> VideoRecord | None:
    """Return the chosen video; without a choice the first of the domain, or the first there is."""
    videos = workbench().catalog.videos
    if wanted := state.chosen(state.VIDEO):
        try:
            return videos.get(wanted)
        except NotFoundError:
            with above:
                show_notice("info", "The video on this page was removed; another one is shown.")
            state.select(state.VIDEO, "")
    everything = videos.list()
    return next((item for item in everything if item.domain == domain.name), None) or next(
        iter(everything), None
    )
