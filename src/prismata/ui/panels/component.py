"""Our browser components: a page of HTML, a style sheet and a plain module each, no build step."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Any, Literal

import streamlit as st

ComponentName = Literal["live", "player", "queue", "timeline", "upload"]

_HTML = {
    "live": (
        '<div class="live">\n'
        '  <canvas role="img" aria-label="confidence so far, click to seek"></canvas>\n'
        '  <p class="told" aria-live="polite"></p>\n'
        '  <ul class="events" aria-label="events so far"></ul>\n'
        "</div>\n"
    ),
    "queue": (
        '<div class="queue">\n'
        '  <div class="head"><span class="sum" aria-live="polite"></span>'
        '<progress class="whole" max="1" aria-label="all together" hidden></progress></div>\n'
        '  <div class="tools">\n'
        '    <select class="shown" aria-label="which are shown">'
        '<option value="all">All</option><option value="active">Waiting or running</option>'
        '<option value="failed">Failed or cancelled</option><option value="done">Done</option>'
        "</select>\n"
        '    <input class="words" type="search" placeholder="Find" aria-label="find">\n'
        '    <div class="actions" role="group" aria-label="with those selected"></div>\n'
        "  </div>\n"
        '  <p class="told" role="status" hidden></p>\n'
        '  <p class="empty"></p>\n'
        '  <div class="scroll table" hidden><table><thead><tr>'
        '<th><input class="every" type="checkbox" aria-label="select all"></th>'
        "<th>Video</th><th>State</th><th>Progress</th><th>Left</th><th>Events</th><th>Why</th>"
        '</tr></thead><tbody class="rows"></tbody></table></div>\n'
        "</div>\n"
    ),
    "player": (
        '<div class="player">\n'
        '  <video controls playsinline preload="metadata"></video>\n'
        '  <p class="trouble" role="alert" hidden></p>\n'
        '  <div class="bar">\n'
        '    <output class="clock" aria-label="time of the shown frame">0:00.000</output>\n'
        "  </div>\n"
        "</div>\n"
    ),
    "timeline": (
        '<div class="scroll" tabindex="0" role="group" aria-label="timeline, click to seek">\n'
        '  <div class="picture"></div>\n'
        '  <div class="head" hidden></div>\n'
        "</div>\n"
    ),
    "upload": (
        '<div class="drop">\n'
        '  <label><input type="file" multiple accept="video/*,.mkv,.ts,.mts,.avi,.flv,.wmv">'
        "Choose videos</label>\n"
        '  <label><input type="file" webkitdirectory>Choose a folder</label>\n'
        "  <span>or drop them here</span>\n"
        "</div>\n"
        '<p class="unfinished" role="status" hidden></p>\n'
        '<p class="sum" aria-live="polite"></p>\n'
        '<ul class="files" aria-live="polite"></ul>\n'
    ),
}


def mount(name: ComponentName, **arguments: Any) -> Any:  # noqa: ANN401 - Streamlit's own shape
    """Show a component and return its state.

    It is declared in each run, which costs nothing when nothing changed: a declaration at import
    would be unknown to every runtime after the first one of a process.
    """
    style, script = _assets(name)
    # The line break keeps Streamlit from taking a short string for the path of a file.
    declared = st.components.v2.component(
        f"prismata_{name}", html=f"\n{_HTML[name]}", css=f"\n{style}", js=f"\n{script}"
    )
    return declared(**arguments)


@lru_cache
def _assets(name: ComponentName) -> tuple[str, str]:
    folder = files("prismata.ui.panels").joinpath("assets")
    return (
        folder.joinpath(f"{name}.css").read_text(encoding="utf-8"),
        folder.joinpath(f"{name}.js").read_text(encoding="utf-8"),
    )
