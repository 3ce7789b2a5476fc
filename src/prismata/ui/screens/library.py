"""Library: the videos that are here."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from prismata.catalog import VideoRecord
from prismata.core.errors import UserError
from prismata.core.time import format_time
from prismata.services.ingest import remove_video
from prismata.ui import state
from prismata.ui.context import workbench
from prismata.ui.panels.notices import plain, refuse, show_waiting_notices
from prismata.ui.panels.permission import deed, may
from prismata.ui.panels.upload import show_upload


def show() -> None:
    """Show the page."""
    show_waiting_notices()
    videos = workbench().catalog.videos.list()
    show_upload("")
    if not videos:
        st.markdown(
            "**No video yet.** Drop some above, or take in a whole folder with "
            "`prismata ingest FOLDER`."
        )
        return
    rows = _show_table(videos)
    if rows and may("engineer"):
        _show_removal([videos[row] for row in rows])


def _show_table(videos: list[VideoRecord]) -> list[int]:
    labels = workbench().catalog.events.count_by_video()
    frame = pd.DataFrame(
        {
            "Video": [video.name for video in videos],
            "Length": [format_time(video.duration_us) for video in videos],
            "Labels": [labels.get(video.id, 0) for video in videos],
            "Picture": [f"{video.width} x {video.height}" for video in videos],
            "Codec": [video.codec for video in videos],
            "Size": [f"{video.size_bytes / 1e6:.1f} MB" for video in videos],
            "Group": [video.group_name for video in videos],
            "Domain": [video.domain for video in videos],
            "Notes": ["; ".join(video.notes) for video in videos],
        }
    )
    right = {
        name: st.column_config.TextColumn(alignment="right", width="small")
        for name in ("Length", "Picture", "Size")
    }
    # A selection goes by position, so a table with other videos is another table.
    key = f"{state.VIDEO_TABLE}:{hash(tuple(video.id for video in videos))}"
    st.dataframe(
        frame,
        hide_index=True,
        column_config=right,
        key=key,
        on_select="rerun",
        selection_mode="multi-row",
    )
    return [row for row in state.selected_rows(key) if row < len(videos)]


def _show_removal(chosen: list[VideoRecord]) -> None:
    names = ", ".join(video.name for video in chosen)
    with st.popover("Remove …", icon=":material/delete:"):
        st.markdown(
            f"Remove {plain(names)}? Labels, detections and the stored file go too; this cannot "
            "be undone. Datasets and models made from them stay."
        )
        st.button("Remove for good", type="primary", on_click=_remove, args=(chosen,))


@deed("remove_video", "engineer")
def _remove(chosen: list[VideoRecord]) -> str | None:
    removed = []
    for video in chosen:
        try:
            state.notify("success", f"{remove_video(workbench(), video.id)}.")
        except UserError as error:
            refuse(error)
        else:
            removed.append(video.name)
    return ", ".join(removed) or None
