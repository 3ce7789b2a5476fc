"""A detection while it runs: its curve and events since somebody looked last.

GET /api/detections/{run_id}/live?part=3&events=2   → how it stands, what is new
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from prismata.api.answers import forbidden, refusal
from prismata.api.asking import in_thread, token_of, whole_number
from prismata.core.errors import UserError
from prismata.services.access import is_token_valid
from prismata.services.live_detection import live_news
from prismata.services.workbench import Workbench


class LiveRoute:
    """Answers for whoever may see the video of the run.

    Args:
        bench: The workbench.
        secret: What tokens were signed with.
    """

    def __init__(self, bench: Workbench, secret: bytes) -> None:
        self._bench = bench
        self._secret = secret

    async def answer(self, request: Request) -> Response:
        """Return the news as JSON."""
        run_id = request.path_params["run_id"]
        try:
            run = await in_thread(lambda: self._bench.catalog.detections.get(run_id))
            if not is_token_valid(self._secret, token_of(request), "video", run.video_id):
                return forbidden()
            part = whole_number(request.query_params.get("part", "0"), "part")
            events = whole_number(request.query_params.get("events", "0"), "events")
            news = await in_thread(lambda: live_news(self._bench, run, part=part, events=events))
        except UserError as error:
            return refusal(error)
        return JSONResponse(news, headers={"Cache-Control": "no-store"})
