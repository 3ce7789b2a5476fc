"""The script that Streamlit runs for every visit: page frame and navigation, nothing else."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from prismata.ui.context import look_for_edited_domains
from prismata.ui.panels.notices import guarded
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
    review,
    train,
)

FAVICON = Path(__file__).parent / "panels" / "assets" / "favicon.svg"


def main() -> None:
    """Show the page that was asked for."""
    # A file of ours, because an icon by name would be fetched from a font server.
    st.set_page_config(page_title="Prismata", page_icon=str(FAVICON), layout="wide")
    page = st.navigation(
        [
            st.Page(guarded(label.show), title="Label", icon=":material/edit_note:", default=True),
            st.Page(
                guarded(train.show),
                title="Train",
                icon=":material/model_training:",
                url_path="train",
            ),
            st.Page(
                guarded(analyze.show), title="Analyze", icon=":material/search:", url_path="analyze"
            ),
            st.Page(
                guarded(detect.show), title="Detect", icon=":material/queue:", url_path="detect"
            ),
            st.Page(
                guarded(review.show), title="Review", icon=":material/rule:", url_path="review"
            ),
            st.Page(
                guarded(compare.show),
                title="Compare",
                icon=":material/compare_arrows:",
                url_path="compare",
            ),
            st.Page(
                guarded(events.show),
                title="Events",
                icon=":material/manage_search:",
                url_path="events",
            ),
            st.Page(
                guarded(library.show),
                title="Library",
                icon=":material/video_library:",
                url_path="library",
            ),
            st.Page(
                guarded(domains.show),
                title="Domains",
                icon=":material/category:",
                url_path="domains",
            ),
            st.Page(guarded(jobs.show), title="Jobs", icon=":material/list_alt:", url_path="jobs"),
            st.Page(
                guarded(health.show),
                title="Health",
                icon=":material/monitor_heart:",
                url_path="health",
            ),
        ],
        position="top",
    )
    guarded(look_for_edited_domains)()
    page.run()


main()
