"""Jobs: what runs and waits, who does it, how the last ones ended."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from prismata.catalog import AttemptRecord, JobRecord, WorkerRecord
from prismata.core.jobs import JobState
from prismata.services.job_list import JobOverview, look_at_jobs, title_of_job
from prismata.ui import state
from prismata.ui.context import workbench
from prismata.ui.panels.notices import guarded, plain, show_waiting_notices
from prismata.ui.panels.progress import show_end, show_progress

_REFRESH_SECONDS = 1.0
_KEPT_ON_CANCEL = "A training or search keeps what it has; nothing half-done is stored of others."
_STATES = {
    JobState.SUCCEEDED: "done",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "cancelled",
}


def show() -> None:
    """Show the page; what is active is refreshed each second."""
    show_waiting_notices()

    @st.fragment(run_every=_REFRESH_SECONDS)
    def live() -> None:
        guarded(look)()

    def look() -> None:
        overview = look_at_jobs(workbench())
        _show_active(overview)
        st.session_state.setdefault(state.JOBS_ENDED, _newest(overview))
        if st.session_state[state.JOBS_ENDED] != _newest(overview):
            st.session_state[state.JOBS_ENDED] = _newest(overview)
            st.rerun()  # the table below stands outside of what refreshes itself

    live()
    _show_ended(look_at_jobs(workbench()).ended)


def _newest(overview: JobOverview) -> str:
    return overview.ended[0].id if overview.ended else ""


def _show_active(overview: JobOverview) -> None:
    running = sum(job.state is JobState.RUNNING for job in overview.active)
    waiting = len(overview.active) - running
    if overview.active:
        st.markdown(f"**{running} running, {waiting} waiting**")
    else:
        st.markdown(
            "**Nothing runs and nothing waits.** Trainings, detections and preparations of videos "
            "start on their own pages and show up here."
        )
    st.caption(plain(_workers_line(overview.workers)))
    for job in overview.active:
        with st.container(border=True):
            st.markdown(f"**{plain(title_of_job(job))}** · {plain(job.author)}")
            show_progress(job, what_is_kept=_KEPT_ON_CANCEL)
            if job.state is JobState.QUEUED and not _has_taker(job, overview.workers):
                st.caption(
                    f"No worker here takes {job.resource_class} jobs; start one with "
                    f"`prismata worker --{job.resource_class} 1` where there is one to give."
                )


def _has_taker(job: JobRecord, workers: tuple[WorkerRecord, ...]) -> bool:
    """Whether a worker offers what a job wants; True where none was seen, which is said above."""
    return not workers or any(worker.slots.get(job.resource_class) for worker in workers)


def _workers_line(workers: tuple[WorkerRecord, ...]) -> str:
    if not workers:
        return (
            "No worker was seen in the last half minute: what waits begins when the next one is "
            "there. The workbench starts its own with the first job; `prismata worker` is another."
        )
    told = [
        f"{worker.name} ({_slots(worker)}{', takes no more' if worker.draining else ''})"
        for worker in workers
    ]
    count = len(workers)
    return f"{count} worker{'' if count == 1 else 's'}: {', '.join(told)}"


def _slots(worker: WorkerRecord) -> str:
    return ", ".join(f"{slots} {kind}" for kind, slots in worker.slots.items() if slots)


def _show_ended(jobs: tuple[JobRecord, ...]) -> None:
    if not jobs:
        return
    st.markdown("**Ended lately**")
    st.caption("Select one to see its attempts.")
    st.dataframe(
        pd.DataFrame([_row(job) for job in jobs]),
        hide_index=True,
        key=state.JOB_TABLE,
        on_select="rerun",
        selection_mode="single-row",
    )
    rows = [row for row in state.selected_rows(state.JOB_TABLE) if row < len(jobs)]
    if rows:
        _show_attempts(jobs[rows[0]])


def _row(job: JobRecord) -> dict[str, str]:
    seconds = 0.0
    if job.started_at and job.finished_at:
        seconds = (job.finished_at - job.started_at).total_seconds()
    return {
        "Job": title_of_job(job),
        "End": _STATES.get(job.state, job.state.value),
        "Why": job.message,
        "Attempts": str(job.attempt),
        "Took": f"{seconds:.0f} s" if job.started_at else "",
        "Memory": f"{job.peak_rss_mb:.0f} MB" if job.peak_rss_mb else "",
        "By": job.author,
        "Ended (UTC)": f"{job.finished_at:%Y-%m-%d %H:%M:%S}" if job.finished_at else "",
    }


def _show_attempts(job: JobRecord) -> None:
    st.markdown(f"**{plain(title_of_job(job))}**")
    if job.state is not JobState.SUCCEEDED:
        show_end(job)
    attempts = workbench().catalog.jobs.attempts(job.id)
    if not attempts:
        st.caption("It was not begun.")
    for attempt in attempts:
        st.markdown(plain(_attempt_line(attempt)))
        if attempt.log_tail and attempt.state is not JobState.SUCCEEDED:
            with st.expander("What its process said last"):
                st.code("\n".join(attempt.log_tail), language=None, wrap_lines=True)


def _attempt_line(attempt: AttemptRecord) -> str:
    words = [f"Attempt {attempt.number}: {attempt.state.value}"]
    if attempt.cause:
        words.append(attempt.cause.value.replace("_", " "))
    if attempt.ended_at:
        words.append(f"{(attempt.ended_at - attempt.started_at).total_seconds():.0f} s")
    if attempt.peak_rss_mb:
        words.append(f"{attempt.peak_rss_mb:.0f} MB")
    if attempt.worker:
        words.append(f"by {attempt.worker}")
    return " · ".join(words)
