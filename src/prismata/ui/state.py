"""What a visit remembers; the only file that names keys of the session state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import streamlit as st

from prismata.core.events import Event
from prismata.ui.context import signed_url, upload_token

DOMAIN = "domain"
VIDEO = "video"
MODEL = "model"
START_TEXT = "label.start"
END_TEXT = "label.end"
EVENT_TYPE = "label.event_type"
LABEL_TABLE = "label.table"
RESULT_TABLE = "analyze.table"
VIDEO_TABLE = "library.table"
PLAYER = "player"
UPLOAD = "upload"
RECIPE = "train.recipe"
SEED = "train.seed"

_NOTICES = "notices"
_ADDRESSES = "addresses"
_DELETED = "label.deleted"

NoticeKind = Literal["success", "info", "error"]


def choose(
    label: str,
    options: Mapping[str, str],
    key: str,
    *,
    default: str = "",
    collapsed: bool = False,
) -> str:
    """Show a select box whose choice survives page changes and runs; return the chosen id.

    Streamlit forgets a widget that a page does not show, so the choice is kept beside it.

    Args:
        label: What is chosen.
        options: Id → what people read; not empty.
        key: One of this file's names.
        default: Id that is chosen at first; the first one if there is none such.
        collapsed: Hide the label from the eye, not from a screen reader.
    """
    kept = st.session_state.get(key)
    if kept not in options:
        kept = default if default in options else next(iter(options))
    widget = f"{key}.widget"
    st.session_state[key] = st.session_state[widget] = kept
    return st.selectbox(
        label,
        list(options),
        format_func=lambda item: options.get(item, item),
        key=widget,
        on_change=_keep,
        args=(key, widget),
        label_visibility="collapsed" if collapsed else "visible",
    )


def _keep(key: str, widget: str) -> None:
    st.session_state[key] = st.session_state[widget]


def select(key: str, value: str) -> None:
    """Choose something in the name of the user, for example the video just uploaded."""
    st.session_state[key] = value


def text(key: str) -> str:
    """Return what stands in a text field."""
    return str(st.session_state.get(key, ""))


def write_text(key: str, value: str) -> None:
    """Fill a text field; only before it is shown or in a callback."""
    st.session_state[key] = value


def notify(kind: NoticeKind, sentence: str) -> None:
    """Have a sentence shown in the next run."""
    st.session_state.setdefault(_NOTICES, []).append((kind, sentence))


def take_notices() -> list[tuple[NoticeKind, str]]:
    """Return the sentences to show, once."""
    taken: list[tuple[NoticeKind, str]] = st.session_state.pop(_NOTICES, [])
    return taken


def address(scope: Literal["video", "model"], subject: str) -> str:
    """Return the address of a video or model, the same one for the whole visit."""
    return _remembered(f"{scope}:{subject}", lambda: signed_url(scope, subject))


def upload_permission() -> str:
    """Return the permission to upload, the same one for the whole visit."""
    return _remembered("upload", upload_token)


def _remembered(name: str, make: Callable[[], str]) -> str:
    known: dict[str, str] = st.session_state.setdefault(_ADDRESSES, {})
    if name not in known:
        known[name] = make()
    return known[name]


def remember_deleted(video_id: str, domain: str, events: list[Event]) -> None:
    """Keep what was just deleted, so that it can be put back."""
    st.session_state[_DELETED] = (video_id, domain, events)


def deleted(video_id: str, domain: str) -> list[Event]:
    """Return what was deleted last on this video, if anything."""
    kept_video, kept_domain, events = st.session_state.get(_DELETED, ("", "", []))
    return list(events) if (kept_video, kept_domain) == (video_id, domain) else []


def forget_deleted() -> None:
    """Nothing can be put back any more."""
    st.session_state.pop(_DELETED, None)


def selected_rows(key: str) -> list[int]:
    """Return the rows that are selected in a table, by position."""
    table: Any = st.session_state.get(key)
    rows: list[int] = list(table["selection"]["rows"]) if table else []
    return rows
