"""Taking videos in from the browser, in pieces, straight to disk."""

from __future__ import annotations

from typing import Any

import streamlit as st

from prismata.ui import state
from prismata.ui.panels.component import mount


def show_upload(domain: str) -> None:
    """Show the place to drop videos; the last one that arrives is chosen everywhere.

    Args:
        domain: Domain that they will belong to; may be empty.
    """
    mount(
        "upload",
        key=state.UPLOAD,
        data={"token": state.upload_permission(), "domain": domain},
        on_arrived_change=_choose_arrived,
    )


def _choose_arrived() -> None:
    arrived: dict[str, Any] = st.session_state[state.UPLOAD].get("arrived") or {}
    if video_id := arrived.get("video_id"):
        state.select(state.VIDEO, video_id)
        state.notify("success", arrived["message"])
