"""The script that Streamlit runs for every visit: page frame and navigation, nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from prismata.ui.context import look_for_edited_domains
from prismata.ui.panels.identity import is_admitted, needs_login
from prismata.ui.panels.notices import guarded
from prismata.ui.panels.permission import may
from prismata.ui.screens import (
    analyze,
    compare,
    detect,
    domains,
    events,
    health,
    jobs,
    label,
    library,
    people,
    review,
    train,
)

FAVICON = Path(__file__).parent / "panels" / "assets" / "favicon.svg"


def main() -> None:
    """Show the page that was asked for, to who may see it."""
    # A file of ours, because an icon by name would be fetched from a font server.
    st.set_page_config(page_title="Prismata", page_icon=str(FAVICON), layout="wide")
    admitted: list[bool] = []
    guarded(lambda: admitted.append(is_admitted()))()
    if True not in admitted:
        return
    pages = [
        _page(label.show, "Label", "edit_note", default=True),
        _page(train.show, "Train", "model_training"),
        _page(analyze.show, "Analyze", "search"),
        _page(detect.show, "Detect", "queue"),
        _page(review.show, "Review", "rule"),
        _page(compare.show, "Compare", "compare_arrows"),
        _page(events.show, "Events", "manage_search"),
        _page(library.show, "Library", "video_library"),
        _page(domains.show, "Domains", "category"),
        _page(jobs.show, "Jobs", "list_alt"),
        _page(health.show, "Health", "monitor_heart"),
    ]
    if needs_login():
        pages.append(_page(people.show, "People" if may("admin") else "Account", "person"))
    page = st.navigation(pages, position="top")
    guarded(look_for_edited_domains)()
    page.run()


def _page(
    show: Callable[[], None], title: str, icon: str, *, default: bool = False
) -> StreamlitPage:
    return st.Page(
        guarded(show),
        title=title,
        icon=f":material/{icon}:",
        url_path=None if default else title.lower(),
        default=default,
    )


main()
