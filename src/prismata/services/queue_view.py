"""The queue of detections as people see it: a row for each piece of work, its newest job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import Any

from prismata.catalog import JobRecord
from prismata.catalog.detection_queue import QueuedDetection
from prismata.core.jobs import JobState, ResourceClass
from prismata.core.time import to_seconds
from prismata.services.job_list import SEEN_WITHIN_SECONDS, told_end
from prismata.services.queue_clock import ClockedItem, QueueTimes, estimate
from prismata.services.workbench import Workbench

SHOWN_FOR = timedelta(hours=24)
"""How long one that has ended stays in the table; its result stays in the library."""

MAX_ROWS = 1000

_WORDS = {
    JobState.QUEUED: "waiting",
    JobState.RUNNING: "running",
    JobState.SUCCEEDED: "done",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "cancelled",
}


@dataclass(frozen=True, slots=True)
class QueueRow:
    """One piece of work."""

    job: JobRecord
    video: str
    """Its name, or what it is called where it is until it is taken in."""
    state: str
    """One word: waiting, paused, running, stopping, done, failed, cancelled."""
    note: str
    """What is being done now, why it waits, or why it ended; one sentence or a few words."""
    model: str = ""
    run_id: str = ""
    """Empty for one that is still to be taken in."""
    events: int = 0
    first_us: int | None = None
    left_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class QueueView:
    """All of it."""

    rows: tuple[QueueRow, ...]
    counts: dict[str, int]
    """State → how many."""
    share: float
    """Of the work that is in the table, by length of the videos, in [0, 1]."""
    left_seconds: float | None
    """Until all that is not paused is done; None while nobody can know."""


def look_at_queue(bench: Workbench, *, now: datetime | None = None) -> QueueView:
    """Return what waits, runs, or ended in the last day."""
    now = now or datetime.now(UTC)
    catalog = bench.catalog
    found = catalog.detection_queue.list(ended_since=now - SHOWN_FOR, limit=MAX_ROWS)
    found = _newest_of_each(found)
    workers = catalog.workers.list(seen_within_seconds=SEEN_WITHIN_SECONDS)
    slots = sum(worker.slots.get(ResourceClass.CPU, 0) for worker in workers)
    times = estimate([_clocked(item, now) for item in found], max(1, slots))
    detections = [_row(item, times, now) for item in found]
    rows = [*_intakes(bench, now), *detections]
    rows.sort(
        key=lambda row: row.job.finished_at is not None
    )  # a stable sort: what is active first
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.state] = counts.get(row.state, 0) + 1
    return QueueView(tuple(rows), counts, _share(found), times.all_seconds)


def describe_queue(view: QueueView) -> dict[str, Any]:
    """Return the queue as JSON values."""
    return {
        "counts": view.counts,
        "share": round(view.share, 4),
        "left_s": _rounded(view.left_seconds),
        "rows": [
            {
                "id": row.job.id,
                "kind": row.job.kind,
                "video": row.video,
                "model": row.model,
                "run_id": row.run_id,
                "state": row.state,
                "note": row.note,
                "progress": round(row.job.progress, 3),
                "left_s": _rounded(row.left_seconds),
                "events": row.events,
                "first_us": row.first_us,
                "author": row.job.author,
                "attempt": row.job.attempt,
            }
            for row in view.rows
        ],
    }


def _intakes(bench: Workbench, now: datetime) -> list[QueueRow]:
    """Return files that are being taken in; those that were have their detection instead."""
    jobs = bench.catalog.jobs.list("intake", limit=MAX_ROWS)
    seen: set[str] = set()
    rows = []
    for job in jobs:  # newest first
        if job.dedupe_key in seen:
            continue
        seen.add(job.dedupe_key or job.id)
        is_old = job.finished_at is not None and job.finished_at < now - SHOWN_FOR
        if job.state is JobState.SUCCEEDED or is_old:
            continue
        name = PurePosixPath(str(job.params.get("subject", ""))).name
        note = _note(job, now) or "to be taken into the library"
        rows.append(QueueRow(job, name, _state(job), note, str(job.params.get("model") or "")))
    return sorted(rows, key=lambda row: (row.job.state.is_final, row.job.rank, row.job.created_at))


def _newest_of_each(found: Sequence[QueuedDetection]) -> list[QueuedDetection]:
    """Leave out what has been asked for again since."""
    newest: dict[str, QueuedDetection] = {}
    for item in found:
        key = item.job.dedupe_key or item.job.id
        if key not in newest or newest[key].job.created_at < item.job.created_at:
            newest[key] = item
    kept = {item.job.id for item in newest.values()}
    return [item for item in found if item.job.id in kept]


def _row(item: QueuedDetection, times: QueueTimes, now: datetime) -> QueueRow:
    return QueueRow(
        item.job,
        item.video,
        _state(item.job),
        _note(item.job, now),
        item.model,
        item.run_id,
        item.events,
        item.first_us,
        times.left.get(item.job.id),
    )


def _state(job: JobRecord) -> str:
    if job.state is JobState.QUEUED and job.held:
        return "paused"
    if job.state is JobState.RUNNING and job.cancel_requested:
        return "stopping"
    return _WORDS[job.state]


def _note(job: JobRecord, now: datetime) -> str:
    if job.state is JobState.RUNNING:
        again = f"attempt {job.attempt}, " if job.attempt > 1 else ""
        return again + (job.progress_note or "starting")
    if job.state is JobState.QUEUED:
        if job.not_before is not None and not job.held:
            seconds = max(0.0, (job.not_before - now).total_seconds())
            return f"next attempt in {seconds:.0f} s: {job.message}"
        return f"waiting for memory: {job.blocked_note}" if job.blocked_note else job.message
    return told_end(job) or (job.message if job.state is JobState.CANCELLED else "")


def _clocked(item: QueuedDetection, now: datetime) -> ClockedItem:
    job = item.job
    worked = 0.0
    if job.started_at is not None:
        worked = ((job.finished_at or now) - job.started_at).total_seconds()
    if job.state is JobState.QUEUED:
        stage = "paused" if job.held else "waiting"
    elif job.state is JobState.SUCCEEDED and not item.from_cache:
        stage = "done"
    else:
        stage = "running" if job.state is JobState.RUNNING else "other"
    return ClockedItem(
        job.id,
        item.model_id,
        to_seconds(item.duration_us),
        stage,  # type: ignore[arg-type]
        max(0.0, worked),
        job.progress,
    )


def _share(found: Sequence[QueuedDetection]) -> float:
    """Return how much is done; what was cancelled is no work, what failed is over."""
    total = done = 0
    for item in found:
        if item.job.state is JobState.CANCELLED:
            continue
        total += item.duration_us
        done += round(item.duration_us * (1.0 if item.job.state.is_final else item.job.progress))
    return done / total if total else 1.0


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
