"""Sentences to people: what went well, what did not, and the page wrapper that catches both."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from uuid import uuid4

import streamlit as st

from prismata.core.errors import BusyError, UserError
from prismata.ui import state

logger = logging.getLogger(__name__)

_ICONS = {
    "success": ":material/check_circle:",
    "info": ":material/info:",
    "error": ":material/error:",
}


def show_notice(kind: state.NoticeKind, sentence: str) -> None:
    """Show one sentence; markdown in it is text, because file names stand in there."""
    shown = {"success": st.success, "info": st.info, "error": st.error}[kind]
    shown(plain(_capitalized(sentence)), icon=_ICONS[kind])


def show_waiting_notices() -> None:
    """Show what callbacks had to say, where the action was.

    In one container that is always there, so that what follows keeps its place in the page and a
    player is not mounted anew.
    """
    with st.container():
        for kind, sentence in state.take_notices():
            show_notice(kind, sentence)


def refuse(error: UserError) -> None:
    """Say in the next run why something was not done."""
    state.notify("info" if isinstance(error, BusyError) else "error", str(error))


def guarded(page: Callable[[], None]) -> Callable[[], None]:
    """Return the page with errors turned into sentences where they happen."""

    @wraps(page)
    def run() -> None:
        try:
            page()
        except UserError as error:
            show_notice("info" if isinstance(error, BusyError) else "error", str(error))
        except Exception:
            # The page wrapper: a bug of ours must not show a traceback to people, and the log has
            # it under the number that they see.
            incident = uuid4().hex[:8]
            logger.exception("page.failed page=%s incident=%s", page.__module__, incident)
            show_notice(
                "error",
                f"Something went wrong that should not. Nothing else is affected; the app's log "
                f"has the details under incident {incident}.",
            )

    return run


def plain(sentence: str) -> str:
    """Return text with everything escaped that markdown would act on."""
    for mark in "\\`*_[]<>$#~|:":
        sentence = sentence.replace(mark, f"\\{mark}")
    return sentence


def _capitalized(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
