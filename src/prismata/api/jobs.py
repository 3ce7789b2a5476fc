"""Jobs for programs that wait for one: how far, what now, how it ended."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from prismata.api.answers import refusal
from prismata.core.errors import UserError
from prismata.services.job_list import describe_job
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
