"""The web application: pages, our routes and the settings that must not depend on a file."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import streamlit as st
import streamlit.logger
from streamlit.web.bootstrap import load_config_options

from prismata.services.workbench import Workbench
from prismata.settings import Settings
from prismata.ui.context import set_workbench
from prismata.ui.sign_in import set_up_sign_in

if TYPE_CHECKING:
    from streamlit.web.server.starlette import App

SCRIPT = Path(__file__).with_name("app.py")

# White has to be readable on the accent (buttons) and the accent on the ground (numbers): 4.5 each.
CONFIG: dict[str, object] = {
    "browser.gatherUsageStats": False,
    "client.showErrorLinks": False,
    "client.showErrorDetails": "none",
    "client.toolbarMode": "viewer",
    "server.fileWatcherType": "none",
    "server.headless": True,
    "server.maxUploadSize": 64,
    "theme.baseRadius": "8px",
    "theme.paddingTop": "1.5rem",
    "theme.light.primaryColor": "#0A5CA8",
    "theme.light.backgroundColor": "#FFFFFF",
    "theme.light.secondaryBackgroundColor": "#F3F5F7",
    "theme.light.textColor": "#17191D",
    "theme.light.linkColor": "#0A5CA8",
    "theme.light.borderColor": "#D3D7DE",
    "theme.dark.primaryColor": "#3478C8",
    "theme.dark.backgroundColor": "#050607",
    "theme.dark.secondaryBackgroundColor": "#15181D",
    "theme.dark.textColor": "#ECEEF2",
    "theme.dark.linkColor": "#7DB9F5",
    "theme.dark.borderColor": "#363B45",
}
"""Set in code, because a bare ASGI server ignores `STREAMLIT_*` variables and an installed package
has no `.streamlit/config.toml` beside it. Without the first line browsers call out."""


def create_app(
    bench: Workbench, secret: bytes, routes: Sequence[object], middleware: Sequence[object] = ()
) -> App:
    """Return the ASGI application of the whole process.

    Args:
        bench: What the pages work on; the caller closes it.
        secret: At least 32 random bytes, the same that the routes check with.
        routes: Routes that are answered before the pages; may be empty.
        middleware: What every request passes first.
    """
    set_workbench(bench, secret)
    _log_as_we_do()
    load_config_options(CONFIG | _address(bench.settings))
    set_up_sign_in(bench.settings)
    return st.App(SCRIPT, routes=list(routes), middleware=list(middleware))  # type: ignore[arg-type]  # only api knows their types


def _address(settings: Settings) -> dict[str, object]:
    """Return what tells Streamlit which pages its socket may be opened from, behind a proxy."""
    parts = urlsplit(settings.public_url)
    if not parts.hostname:
        return {}
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return {"browser.serverAddress": parts.hostname, "browser.serverPort": port}


def _log_as_we_do() -> None:
    """Have Streamlit's loggers pass on to ours: in one format, and without secrets.

    It gives each of them a handler, now and whenever one is made, in this one function.
    """

    def pass_on(logger: logging.Logger) -> None:
        own = getattr(logger, "streamlit_console_handler", None)
        if own is not None:
            logger.removeHandler(own)
        logger.propagate = True

    setattr(streamlit.logger, "setup_formatter", pass_on)  # noqa: B010 - mypy knows it as a function
    streamlit.logger.update_formatter()
