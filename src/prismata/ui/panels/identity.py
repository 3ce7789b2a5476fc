"""Who is before the page: whoever signed in, else who they say they are."""

from __future__ import annotations

import unicodedata

import streamlit as st

from prismata.ui import state
from prismata.ui.context import workbench

MAX_NAME = 80


def is_signed_in() -> bool:
    """Say whether an identity provider knows this visitor."""
    return bool(st.user.get("is_logged_in", False))


def current_user() -> str:
    """Return the name that is stored with what this visitor does.

    Signed in, it is the provider's e-mail address or name. Otherwise it is what the visitor typed
    in this browser, or else the name the workbench was started with.
    """
    if is_signed_in():
        known = st.user.get("email") or st.user.get("name")
        if known:
            return _clean(str(known))
    return state.chosen(state.USER) or workbench().settings.author


def rename(name: str) -> None:
    """Take the name that a visitor gave who is not signed in."""
    if not is_signed_in() and (clean := _clean(name)):
        state.select(state.USER, clean)


def _clean(name: str) -> str:
    printable = "".join(char for char in unicodedata.normalize("NFC", name) if char.isprintable())
    # A slash would end the name inside the subject of a permission.
    return printable.replace("/", " ").strip()[:MAX_NAME]
