"""The player beside results: one plain video element fed by our own ranged route."""

from __future__ import annotations

from dataclasses import dataclass

from prismata.catalog import VideoRecord
from prismata.services.renditions import load_renditions
from prismata.ui import state
from prismata.ui.context import workbench
from prismata.ui.panels.component import mount


@dataclass(frozen=True, slots=True)
class Seek:
    """An instant that the player is to show, once per id."""

    us: int
    id: str


def show_player(video: VideoRecord, *, seek: Seek | None = None) -> None:
    """Show the player; it goes on playing while the page around it changes.

    Where there is a proxy, the original does not play everywhere, so the proxy is shown.
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
