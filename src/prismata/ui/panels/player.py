"""The player beside results: one plain video element fed by our own ranged route."""

from __future__ import annotations

from urllib.parse import urlencode

import streamlit as st

from prismata.catalog import VideoRecord
from prismata.services.renditions import load_renditions
from prismata.ui import state
from prismata.ui.context import workbench
from prismata.ui.panels.component import mount
from prismata.ui.times import Seek, middle_of_frame

_LEAD_US = 1_000_000
"""What leads to an event says more than its instant; the player begins so long before it."""


def show_player(video: VideoRecord, *, seek: Seek | None = None) -> None:
    """Show the player; it goes on playing while the page around it changes.

    Where there is a proxy, the original does not play everywhere or its domain wants the proxy, so
    that is shown.
    """
    made = load_renditions(workbench(), video)
    proxy = "&rendition=proxy" if made is not None and made.proxy else ""
    mount(
        "player",
        key=state.PLAYER,
        data={
            "url": state.address("video", video.id) + proxy,
            "name": video.name,
            "codec": video.codec,
            "seek": {"us": seek.us, "id": seek.id} if seek else None,
        },
    )


def show_moment(video: VideoRecord, domain: str, start_us: int, *, key: str, link: str) -> None:
    """Show the player shortly before an event, and the way to its place in the label station.

    Args:
        video: Where it is.
        domain: Whose labels are to be seen there.
        start_us: When the event begins, in microseconds.
        key: Tells one event from another: the player goes there once for each.
        link: What the way is called.
    """
    middle = middle_of_frame(workbench().timeline(video), max(0, start_us - _LEAD_US))
    show_player(video, seek=Seek(middle, key))
    place = urlencode({"domain": domain, "video": video.id, "at": start_us})
    st.link_button(
        link,
        f"./?{place}",  # the label station is the page without a name
        icon=":material/edit:",
        help="Opens the label station at this instant; the next training learns from it.",
    )
