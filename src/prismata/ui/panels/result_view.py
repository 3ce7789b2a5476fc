"""A result to look into: player, curves and judging in the station, and why an event is there."""

from __future__ import annotations

import streamlit as st

from prismata.catalog import ModelRecord, VideoRecord
from prismata.core.errors import NotFoundError
from prismata.core.events import Event
from prismata.domains import Domain
from prismata.services.known_time import unknown_time
from prismata.ui import state
from prismata.ui.context import workbench
from prismata.ui.label_station.mount import mount_result
from prismata.ui.panels.detection import Result
from prismata.ui.panels.explanation import show_explanation
from prismata.ui.panels.identity import current_user
from prismata.ui.panels.live import show_live
from prismata.ui.panels.permission import may
from prismata.ui.panels.player import show_player
from prismata.ui.panels.timeline import show_timeline
from prismata.ui.times import Seek

_STEP = 0.01


def show_result_view(
    video: VideoRecord, model: ModelRecord | None, result: Result | None, seek: Seek | None
) -> None:
    """Show the video with everything that is known of this model on it.

    Without the model's domain there is nothing to judge with, and some may only look: a plain
    player stands there then.

    Args:
        video: The video.
        model: Whose result; None while there is no model.
        result: Its newest finished run under the rules of the moment; None while there is none.
        seek: Where the page wants the player to go.
    """
    domain = _domain_of(model)
    if model is None or domain is None or not may("annotator"):
        show_player(video, seek=seek)
        if result is not None and model is not None:
            _show_verdict(video, model, result)
        return
    mount_result(
        video,
        domain,
        current_user(),
        run=result.run.id if result else None,
        rules=result.found.rules if result else {},
        seek=seek,
        on_threshold=lambda name, value: _move_threshold(model, name, value),
        on_event=_choose,
    )
    show_live(video, model)
    if result is None:
        return
    if (event := chosen_event(result)) is not None:
        with st.container(border=True):
            show_explanation(video, result.run, result.found, event)
    if result.truth:
        _show_verdict(video, model, result)


def chosen_event(result: Result) -> Event | None:
    """Return the event that was chosen last, in the table or in the station, if it is there now."""
    wanted = state.chosen(state.RESULT_EVENT)
    return next((item for item in result.found.events if _name(item) == wanted), None)


def choose_row(result: Result, row: int) -> None:
    """Take over a new choice in the table; one in the station may have come since the last."""
    event = result.found.events[row]
    told = f"{result.run.id}/{_name(event)}"
    if state.chosen(state.RESULT_ROW) != told:
        state.select(state.RESULT_ROW, told)
        state.select(state.RESULT_EVENT, _name(event))


def _show_verdict(video: VideoRecord, model: ModelRecord, result: Result) -> None:
    unknown = unknown_time(workbench(), video, model.domain)
    show_timeline(video, result.found, result.truth, unknown)


def _name(event: Event) -> str:
    return f"{event.event_type}:{event.start_us}:{event.end_us}"


def _choose(event_type: str, start_us: int, end_us: int) -> None:
    state.select(state.RESULT_EVENT, f"{event_type}:{start_us}:{end_us}")


def _move_threshold(model: ModelRecord, event_type: str, value: float) -> None:
    # What the slider of the page can show: two digits inside (0, 1).
    st.session_state[state.threshold_key(model.id, event_type)] = min(
        1 - _STEP, max(_STEP, round(value, 2))
    )


def _domain_of(model: ModelRecord | None) -> Domain | None:
    try:
        return workbench().domain(model.domain) if model else None
    except NotFoundError:
        return None
