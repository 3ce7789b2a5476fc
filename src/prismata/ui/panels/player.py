"""The player: one plain video element fed by our own ranged route."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from prismata.catalog import VideoRecord
from prismata.ui import state
from prismata.ui.panels.component import mount


@dataclass(frozen=True, slots=True)
class Marking:
    """What the buttons under the player do."""

    on_taken: Callable[[str, int], None]
    """Gets `start` or `end`, and the time of the shown frame in microseconds."""
    needs_end: bool
    """Whether the event being made has an end."""


@dataclass(frozen=True, slots=True)
class Seek:
    """An instant that the player is to show, once per id."""

    us: int
    id: str


def show_player(
    video: VideoRecord, *, marking: Marking | None = None, seek: Seek | None = None
) -> None:
    """Show the player; it goes on playing while the page around it changes."""

    def taken() -> None:
        told: dict[str, Any] = st.session_state[state.PLAYER].get("taken") or {}
        if marking is not None and told.get("edge") in ("start", "end"):
            marking.on_taken(told["edge"], int(told["us"]))

    mount(
        "player",
        key=state.PLAYER,
        data={
            "url": state.address("video", video.id),
            "name": video.name,
            "codec": video.codec,
            "can_mark": marking is not None,
            "needs_end": marking is not None and marking.needs_end,
            "seek": {"us": seek.us, "id": seek.id} if seek else None,
        },
        on_taken_change=taken,
    )
