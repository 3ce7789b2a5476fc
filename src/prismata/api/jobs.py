"""Jobs for programs that wait for one: how far, what now, how it ended."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from prismata.api.answers import refusal
from prismata.catalog import JobRecord
from prismata.core.errors import UserError
from prismata.services.workbench import Workbench


class JobRoute:
    """Answers with a job's state; its random id is the permission, and no parameter is told.

    Args:
        bench: The workbench.
    """

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench

    def answer(self, request: Request) -> Response:
        """Return the job as JSON."""
        try:
            job = self._bench.catalog.jobs.get(request.path_params["job_id"])
        except UserError as error:
            return refusal(error)
        return JSONResponse(describe_job(job), headers={"Cache-Control": "no-store"})


def describe_job(job: JobRecord) -> dict[str, Any]:
    """Return what a waiting program needs to know."""
    return {
        "id": job.id,
        "kind": job.kind,
        "state": job.state.value,
        "progress": round(job.progress, 4),
        "note": job.progress_note,
        "cause": job.cause.value if job.cause else None,
        "message": job.message,
        "peak_rss_mb": job.peak_rss_mb,
        "cancel_requested": job.cancel_requested,
        "created_at": _iso(job.created_at),
        "started_at": _iso(job.started_at),
        "finished_at": _iso(job.finished_at),
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
