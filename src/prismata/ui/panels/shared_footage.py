"""Footage that videos of different parts share: looked for when asked, told while it is true."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from prismata.core.time import format_time, to_seconds
from prismata.services.datasets import DatasetPlan
from prismata.services.near_duplicates import (
    DuplicateReport,
    Subject,
    latest_comparison,
    read_report,
    start_comparison,
)
from prismata.ui.context import workbench
from prismata.ui.panels.notices import guarded, plain, show_notice
from prismata.ui.panels.permission import deed, may, why_not
from prismata.ui.panels.progress import show_end, show_progress
from prismata.ui.panels.video_groups import PARTS

_REFRESH_SECONDS = 1.0
_KEPT_ON_CANCEL = "Videos that were looked at are remembered: the next one begins there."


def show_shared_footage(domain_name: str, planned: DatasetPlan) -> None:
    """Show what is known about shared footage, and offer to look for it."""
    subject = Subject(domain_name, domain_name, planned.split.splits, planned.split.groups)
    report = read_report(workbench(), subject)
    if not report.pairs:
        return
    _show_found(report)
    job = latest_comparison(workbench(), domain_name)
    if job is not None and not job.state.is_final:
        _show_running(job.id)
        return
    if job is not None and job.result is None:
        show_end(job)
    if report.not_compared:
        st.button(
            "Look for shared footage",
            icon=":material/content_copy:",
            disabled=not may("engineer"),
            help=why_not("engineer")
            or "Compares videos of different groups: copies, cuts, other sizes. Every video is "
            "decoded once.",
            on_click=_start,
            args=(subject,),
        )


def _show_found(report: DuplicateReport) -> None:
    if report.not_compared == report.pairs and not report.unreadable:
        st.caption(
            "Nobody has looked yet whether videos of different groups share footage. A copy in two "
            "parts would make every figure too good."
        )
        return
    if report.leaks:
        show_notice("error", report.warning())
    if report.found:
        pairs = report.found
        columns = {
            "Video": [item.first for item in pairs],
            "Part": [PARTS[item.splits[0]] for item in pairs],
            "Shares with": [item.second for item in pairs],
            "Its part": [PARTS[item.splits[1]] for item in pairs],
            "From": [format_time(item.first_span.start_us) for item in pairs],
            "Seconds": [round(to_seconds(item.overlap_us), 1) for item in pairs],
        }
        st.dataframe(pd.DataFrame(columns), hide_index=True)
    elif report.not_compared < report.pairs:
        compared = report.pairs - report.not_compared
        st.caption(f"No footage is shared by videos of different groups ({compared} pairs).")
    for sentence in report.sentences():
        st.caption(plain(sentence))


def _show_running(job_id: str) -> None:
    @st.fragment(run_every=_REFRESH_SECONDS)
    def live() -> None:
        guarded(look)()

    def look() -> None:
        job = workbench().catalog.jobs.get(job_id)
        if job.state.is_final:
            st.rerun()
        show_progress(job, what_is_kept=_KEPT_ON_CANCEL)

    live()


@deed("compare_footage", "engineer")
def _start(subject: Subject) -> str:
    start_comparison(workbench(), subject)
    return subject.domain
