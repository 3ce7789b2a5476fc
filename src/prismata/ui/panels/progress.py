"""Running work: how far, what now, how long still; and a way out."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from prismata.catalog import JobRecord
from prismata.core.jobs import JobState
from prismata.services.job_list import title_of_job, told_end
from prismata.ui import state
from prismata.ui.context import roster, workbench
from prismata.ui.panels.identity import current_user
from prismata.ui.panels.notices import plain, show_notice
from prismata.ui.panels.permission import deed, may, why_not

_ETA_FROM = 0.03
"""Below this share the rest cannot be told from the start-up."""


def show_progress(job: JobRecord, *, what_is_kept: str) -> None:
    """Show a job that waits or runs.

    Args:
        job: The job.
        what_is_kept: One sentence: what stays if people cancel it.
    """
    words = [_doing(job)]
    if left := _left(job):
        words.append(left)
    if job.peak_rss_mb:
        words.append(f"{job.peak_rss_mb:.0f} MB")
    st.progress(min(1.0, job.progress), text=plain(" · ".join([f"{job.progress:.0%}", *words])))
    if job.failures:
        ended = [a for a in workbench().catalog.jobs.attempts(job.id) if a.state.is_final]
        st.caption(plain(f"An attempt ended early: {ended[-1].message}"))
    if job.cancel_requested:
        st.caption("Cancelling …")
        return
    st.button(
        "Cancel",
        icon=":material/stop_circle:",
        key=f"cancel:{job.id}",
        disabled=not may("annotator"),
        help=why_not("annotator") or what_is_kept,
        on_click=_cancel,
        args=(job.id,),
    )


def show_end(job: JobRecord) -> None:
    """Say why a job that did not succeed ended, with the log folded away."""
    if job.state is JobState.CANCELLED:
        show_notice("info", "This was cancelled before it finished.")
        return
    show_notice("error", told_end(job))
    if job.log_tail:
        with st.expander("What the process said last"):
            st.code("\n".join(job.log_tail), language=None, wrap_lines=True)


def _doing(job: JobRecord) -> str:
    if job.state is JobState.RUNNING:
        again = f"attempt {job.attempt}, " if job.attempt > 1 else ""
        return again + (job.progress_note or "starting")
    if job.held:
        return "paused"
    if job.blocked_note:
        return f"waiting for memory: {job.blocked_note}"
    if job.not_before is not None:
        seconds = (job.not_before - datetime.now(UTC)).total_seconds()
        return f"next attempt in {max(0.0, seconds):.0f} s"
    return "waiting to start"


@deed("cancel_job", "annotator")
def _cancel(job_id: str) -> str:
    bench = workbench()
    job = bench.catalog.jobs.get(job_id)
    roster().check_own(current_user(), job.author, "cancel_job", title_of_job(job))
    bench.jobs.cancel(job_id)
    state.notify("info", "Cancelling; it ends in a moment.")
    return title_of_job(job)


def _left(job: JobRecord) -> str:
    if job.state is not JobState.RUNNING or job.started_at is None:
        return ""
    if not _ETA_FROM <= job.progress < 1:
        return ""
    passed = (datetime.now(UTC) - job.started_at).total_seconds()
    left = round(passed * (1 - job.progress) / job.progress)
    minutes, seconds = divmod(left, 60)
    return f"about {minutes}:{seconds:02d} left"
