"""Label: choose a video, watch it, mark what happens and when."""

from __future__ import annotations

import streamlit as st

from prismata.catalog import VideoRecord
from prismata.core.errors import NotFoundError
from prismata.domains import Domain
from prismata.ui import state
from prismata.ui.context import workbench
from prismata.ui.label_station.mount import mount_library, mount_station
from prismata.ui.panels.identity import current_user, is_signed_in, rename
from prismata.ui.panels.label_files import show_label_files
from prismata.ui.panels.notices import show_notice, show_waiting_notices
from prismata.ui.panels.pickers import pick_domain
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
    linked, _, at = state.chosen(state.LABEL_AT).rpartition("/")
    mount_station(video, domain, user, at_us=int(at) if linked == video.id else None)
    show_label_files(domain, video)


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
