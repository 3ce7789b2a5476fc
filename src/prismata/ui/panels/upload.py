"""Taking videos in from the browser, in pieces, straight to disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from prismata.ui import state
from prismata.ui.panels.component import mount
from prismata.ui.panels.permission import why_not


def show_upload(domain: str, *, on_video: Callable[[str], None] | None = None) -> None:
    """Show the place to drop videos; the last one that arrives is chosen everywhere.

    Args:
        domain: Domain that they will belong to; may be empty.
        on_video: Gets the id of each video that arrives, maybe more than once.
    """
    if closed := why_not("annotator", "Adding videos"):
        st.caption(f"{closed}.")
        return
    mount(
        "upload",
        key=state.UPLOAD,
        data={"token": state.upload_permission(), "domain": domain},
        on_arrived_change=lambda: _choose_arrived(on_video),
        on_expired_change=state.forget_permissions,
    )


def _choose_arrived(on_video: Callable[[str], None] | None) -> None:
    arrived: dict[str, Any] = st.session_state[state.UPLOAD].get("arrived") or {}
    # All of this visit: of several that arrive at once, only the last word may get here.
    for each in arrived.get("all") or []:
        if on_video is not None:
            on_video(str(each))
    if video_id := arrived.get("video_id"):
        state.select(state.VIDEO, video_id)
        state.notify("success", arrived["message"])
