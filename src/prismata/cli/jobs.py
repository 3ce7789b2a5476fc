"""`prismata jobs`: what long work there is, how it stands, and a way out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from prismata.catalog import AttemptRecord, JobRecord
from prismata.cli.console import JsonOption, notes, output, print_json, print_table
from prismata.core.jobs import JobState
from prismata.services.detect_queue import QueueAction, act_on_job
from prismata.services.job_list import (
    SEEN_WITHIN_SECONDS,
    active_jobs,
    describe_job,
    title_of_job,
)
from prismata.wiring import open_workbench

app = typer.Typer(no_args_is_help=True)

_ID_SHOWN = 8

JobsArgument = Annotated[
    list[str], typer.Argument(help="Ids of jobs, or how they begin.", metavar="JOB...")
]


@app.command(name="list")
def list_jobs(
    kind: Annotated[str, typer.Option(help="Only this kind: detect, train, prepare, …")] = "",
    active: Annotated[bool, typer.Option("--active", help="Only what waits or runs.")] = False,
    limit: Annotated[int, typer.Option(help="At most so many, newest first.", min=1)] = 30,
    as_json: JsonOption = False,
) -> None:
    """List jobs, newest first; active ones in the order in which they are done."""
    with open_workbench() as bench:
        bench.catalog.leases.reap()
        if active:
            jobs = active_jobs(bench, kind or None)[:limit]
        else:
            jobs = bench.catalog.jobs.list(kind or None, limit=limit)
    if as_json:
        print_json([_job(job) for job in jobs])
        return
    if not jobs:
        notes.print("no job waits or runs" if active else "there has been no job yet")
        return
    rows = [
        [
            job.id[:_ID_SHOWN],
            title_of_job(job),
            _state(job),
            f"{job.progress:.0%}",
            job.attempt,
            _told(job),
        ]
        for job in jobs
    ]
    print_table("", ["id", "job", "state", "done", "attempts", ""], rows, right="done,attempts")


@app.command()
def show(
    job: Annotated[str, typer.Argument(help="Id of the job, or how it begins.")],
    as_json: JsonOption = False,
) -> None:
    """Show a job with its attempts and the last lines that its process printed."""
    with open_workbench() as bench:
        found = bench.catalog.jobs.find(job)
        attempts = bench.catalog.jobs.attempts(found.id)
    if as_json:
        print_json({**_job(found), "attempts": [_attempt(item) for item in attempts]})
        return
    output.print(f"{title_of_job(found)} ({found.id}): {_state(found)}", markup=False)
    if told := _told(found):
        output.print(told, markup=False)
    for attempt in attempts:
        words = [f"attempt {attempt.number}: {attempt.state.value}"]
        words += [attempt.cause.value] if attempt.cause else []
        words += [f"{attempt.peak_rss_mb:.0f} MB"] if attempt.peak_rss_mb else []
        words += [f"by {attempt.worker}"] if attempt.worker else []
        words += [attempt.message] if attempt.message else []
        output.print(", ".join(words), markup=False)
    for line in found.log_tail:
        output.print(f"  {line}", markup=False)


@app.command()
def cancel(job: Annotated[str, typer.Argument(help="Id of the job, or how it begins.")]) -> None:
    """Call a job off: at once if it waits, within seconds if it runs."""
    with open_workbench() as bench:
        found = bench.catalog.jobs.find(job)
        ended = bench.catalog.jobs.request_cancel(found.id)
    done = "cancelled" if ended.state is JobState.CANCELLED else "it will stop in a moment"
    output.print(f"{found.kind} {found.id}: {done}", markup=False)


@app.command()
def pause(jobs: JobsArgument) -> None:
    """Pause jobs that wait: nobody begins them until they are resumed."""
    _act("pause", jobs, "paused")


@app.command()
def resume(jobs: JobsArgument) -> None:
    """Let paused jobs be begun again, where they stand."""
    _act("resume", jobs, "waits for its turn again")


@app.command()
def first(jobs: JobsArgument) -> None:
    """Put jobs before all others that wait, in the order named."""
    # One by one to the front, so the last one is moved first.
    _act("first", [*reversed(jobs)], "goes first")


@app.command()
def retry(jobs: JobsArgument) -> None:
    """Queue detections again that failed or were cancelled, for whoever works."""
    _act("retry", jobs, "queued again")


def _act(action: QueueAction, jobs: list[str], done: str) -> None:
    with open_workbench() as bench:
        for job in jobs:
            found = bench.catalog.jobs.find(job)
            now = act_on_job(bench, action, found.id, runs_here=False)
            other = f" as {now.id}" if now.id != found.id else ""
            output.print(f"{title_of_job(now)} {found.id}: {done}{other}", markup=False)


@app.command()
def workers(as_json: JsonOption = False) -> None:
    """List the workers that were seen in the last half minute."""
    with open_workbench() as bench:
        seen = bench.catalog.workers.list(seen_within_seconds=SEEN_WITHIN_SECONDS)
    if as_json:
        print_json(
            [
                {
                    "name": worker.name,
                    "slots": {kind.value: slots for kind, slots in worker.slots.items()},
                    "draining": worker.draining,
                    "version": worker.version,
                    "last_seen": worker.last_seen.isoformat(),
                }
                for worker in seen
            ]
        )
        return
    if not seen:
        notes.print("no worker was seen; start one with `prismata worker` or `prismata serve`")
        return
    rows = [
        [
            worker.name,
            ", ".join(f"{slots} {kind}" for kind, slots in worker.slots.items() if slots),
            "takes no more" if worker.draining else "takes jobs",
            worker.version,
        ]
        for worker in seen
    ]
    print_table("", ["worker", "slots", "state", "version"], rows)


def _job(job: JobRecord) -> dict[str, Any]:
    return {**describe_job(job), "author": job.author, "title": title_of_job(job)}


def _attempt(attempt: AttemptRecord) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "worker": attempt.worker,
        "state": attempt.state.value,
        "cause": attempt.cause.value if attempt.cause else None,
        "message": attempt.message,
        "exit_code": attempt.exit_code,
        "peak_rss_mb": attempt.peak_rss_mb,
    }


def _state(job: JobRecord) -> str:
    if job.state is JobState.QUEUED and job.held:
        return "paused"
    is_blocked = job.state is JobState.QUEUED and job.blocked_note
    return "blocked" if is_blocked else job.state.value


def _told(job: JobRecord) -> str:
    if job.state is JobState.QUEUED and job.not_before is not None:
        seconds = max(0.0, (job.not_before - datetime.now(UTC)).total_seconds())
        return f"next attempt in {seconds:.0f} s; {job.message}"
    doing = job.progress_note if job.state is JobState.RUNNING else ""
    return job.blocked_note or job.message or doing
