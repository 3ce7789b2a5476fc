"""Jobs for people: what each is about, and who is there to do them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from prismata.catalog import JobRecord, WorkerRecord
from prismata.core.jobs import FailureCause, JobState
from prismata.services.workbench import Workbench

SEEN_WITHIN_SECONDS = 30.0
"""A worker that was not seen for so long is not counted."""

CAUSE_WORDS = {
    FailureCause.USER_ERROR: "",
    FailureCause.OUT_OF_MEMORY: "Out of memory",
    FailureCause.CRASHED: "Crashed",
    FailureCause.KILLED: "Killed",
    FailureCause.STALLED: "Stalled",
    FailureCause.LOST: "Lost",
    FailureCause.PREEMPTED: "Stopped",
    FailureCause.STORAGE: "Storage",
    FailureCause.BUG: "A mistake of ours",
}
"""What stands before the sentence of a job that failed; empty where that says it all."""

_DOINGS = {
    "compare": "Compare videos of",
    "detect": "Detect",
    "export": "Export",
    "intake": "Take in",
    "prepare": "Prepare",
    "search": "Search settings for",
    "train": "Train",
}


@dataclass(frozen=True, slots=True)
class JobOverview:
    """What waits and runs, what ended lately, and the workers."""

    active: tuple[JobRecord, ...]
    """Running ones first, then those that wait, in the order in which they will be taken."""
    ended: tuple[JobRecord, ...]
    """Newest end first."""
    workers: tuple[WorkerRecord, ...]


def look_at_jobs(bench: Workbench, *, ended: int = 30) -> JobOverview:
    """Return how long work stands, with at most so many jobs that have ended."""
    active = active_jobs(bench)
    recent = [job for job in bench.catalog.jobs.list(limit=ended + len(active)) if job.finished_at]
    recent.sort(key=lambda job: job.finished_at or job.created_at, reverse=True)
    return JobOverview(
        tuple(active),
        tuple(recent[:ended]),
        tuple(bench.catalog.workers.list(seen_within_seconds=SEEN_WITHIN_SECONDS)),
    )


def active_jobs(bench: Workbench, kind: str | None = None) -> list[JobRecord]:
    """Return running jobs, then those that wait, in the order in which they will be taken."""
    jobs = bench.catalog.jobs
    running = jobs.list(kind, JobState.RUNNING)
    queued = sorted(jobs.list(kind, JobState.QUEUED), key=lambda job: (job.rank, job.created_at))
    return [*reversed(running), *queued]


def describe_job(job: JobRecord) -> dict[str, Any]:
    """Return how a job stands, as JSON values; neither what it is about nor who asked."""
    return {
        "id": job.id,
        "kind": job.kind,
        "state": job.state.value,
        "class": job.resource_class.value,
        "progress": round(job.progress, 4),
        "note": job.progress_note,
        "attempt": job.attempt,
        "failures": job.failures,
        "blocked": job.blocked_note,
        "paused": job.held,
        "cause": job.cause.value if job.cause else None,
        "message": job.message,
        "peak_rss_mb": job.peak_rss_mb,
        "cancel_requested": job.cancel_requested,
        "created_at": _iso(job.created_at),
        "started_at": _iso(job.started_at),
        "finished_at": _iso(job.finished_at),
    }


def told_end(job: JobRecord) -> str:
    """Return in one sentence why a job failed; empty for any other."""
    if job.state is not JobState.FAILED:
        return ""
    word = CAUSE_WORDS.get(job.cause, "Failed") if job.cause else "Failed"
    return f"{word}: {job.message}" if word else job.message


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def title_of_job(job: JobRecord) -> str:
    """Return what a job is about, for example "Detect clip.mp4 with falls-resnet18-2"."""
    doing = _DOINGS.get(job.kind, job.kind.capitalize())
    params = job.params
    if job.kind == "train":
        return f"{doing} {params.get('model_name') or params.get('domain', '')}".strip()
    subject = str(params.get("video") or params.get("model") or params.get("subject") or "")
    if job.kind == "detect" and params.get("model"):
        subject = f"{subject} with {params['model']}"
    return f"{doing} {subject}".strip()
