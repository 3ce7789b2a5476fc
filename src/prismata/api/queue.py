"""The queue of detections: how it stands, and what people do to its rows.

GET  /api/queue                                                → all rows, as JSON
POST /api/queue   {"action": "pause", "jobs": ["3f2a…", …]}    → what was done and what was not
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from prismata.api.answers import forbidden, refusal
from prismata.api.asking import in_thread, may, note_deed, person_of, read_json
from prismata.core.errors import InvalidInputError, UserError
from prismata.services.detect_queue import act_on_job
from prismata.services.job_list import title_of_job
from prismata.services.people import Roster
from prismata.services.queue_view import MAX_ROWS, describe_queue, look_at_queue
from prismata.services.workbench import Workbench

_EXAMPLE = '{"action": "pause", "jobs": ["0123…"]}'


class QueueRoute:
    """Answers `GET` and `POST /api/queue`.

    Args:
        bench: The workbench.
        secret: What tokens were signed with.
    """

    def __init__(self, bench: Workbench, secret: bytes) -> None:
        self._bench = bench
        self._secret = secret
        self._roster = Roster(bench)

    async def answer(self, request: Request) -> Response:
        """Return the queue, after something was done to it if the request says so."""
        if not may(request, self._secret, "queue", ""):
            return forbidden()
        try:
            told: dict[str, Any] = {}
            if request.method == "POST":
                asked = await read_json(request, _EXAMPLE)
                told = await in_thread(lambda: self._act(asked, person_of(request)))
                note_deed(request, f"{asked['action']}: {told['done']} detections")
            view = await in_thread(lambda: look_at_queue(self._bench))
        except UserError as error:
            return refusal(error)
        return JSONResponse({**describe_queue(view), **told}, headers={"Cache-Control": "no-store"})

    def _act(self, asked: dict[str, Any], person: str) -> dict[str, Any]:
        """Do it to each job; one that is too late does not stop the others."""
        action, jobs = asked.get("action"), asked.get("jobs")
        if not (
            isinstance(action, str)
            and isinstance(jobs, list)
            and 0 < len(jobs) <= MAX_ROWS
            and all(isinstance(job, str) for job in jobs)
        ):
            raise InvalidInputError(f"something is done to rows with JSON like {_EXAMPLE}")
        done, refused = 0, []
        for job_id in jobs:
            try:
                job = self._bench.catalog.jobs.get(job_id)
                self._roster.check_own(person, job.author, "change_queue", title_of_job(job))
                act_on_job(self._bench, action, job_id)  # type: ignore[arg-type]
                done += 1
            except InvalidInputError:
                raise
            except UserError as error:
                refused.append(str(error))
        return {"done": done, "refused": refused}
