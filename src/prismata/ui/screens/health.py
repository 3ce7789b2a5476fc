"""Health: one row a part; state word, what is true, what to do."""

from __future__ import annotations

import streamlit as st

from prismata.services.health import check_health
from prismata.ui.context import workbench
from prismata.ui.panels.notices import plain, show_waiting_notices
from prismata.wiring import check_broker

_ICONS = {
    "ok": ":green[:material/check_circle:]",
    "degraded": ":orange[:material/warning:]",
    "error": ":red[:material/error:]",
}


def show() -> None:
    """Show the page; looking is what reloads it."""
    show_waiting_notices()
    parts = check_health(workbench().settings, {"broker": check_broker})
    worst = next(
        (word for word in ("error", "degraded") if any(p.verdict == word for p in parts)), ""
    )
    if worst:
        bad = [part.part for part in parts if part.verdict != "ok"]
        st.markdown(f"**{len(bad)} of {len(parts)} parts need a look:** {plain(', '.join(bad))}")
    else:
        st.markdown("**Everything that is needed is there.**")
    for part in parts:
        with st.container(border=True):
            name, told = st.columns([1, 3])
            name.markdown(f"{_ICONS[part.verdict]} **{plain(part.part)}** · {part.verdict}")
            told.markdown(plain(part.message))
    st.button("Check again", icon=":material/refresh:")
