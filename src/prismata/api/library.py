"""The library beside the label station: search, filters, how far each video is."""

from __future__ import annotations

import time

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from prismata.api.answers import forbidden, refusal
from prismata.api.asking import in_thread, may, user_of, whole_number
from prismata.core.errors import UserError
from prismata.services.access import DAY_SECONDS, mint_token
from prismata.services.library import LibraryItem, LibraryQuery, list_library
from prismata.services.workbench import Workbench

STEADY_SECONDS = 3600
"""Addresses of posters stay the same for this long, so that browsers keep the pictures."""


class LibraryRoute:
    """Answers `GET /api/library`.

    Args:
        bench: The workbench.
        secret: What tokens are signed with.
    """

    def __init__(self, bench: Workbench, secret: bytes) -> None:
        self._bench = bench
        self._secret = secret

    async def answer(self, request: Request) -> Response:
        """Return one page of the library as JSON."""
        if not may(request, self._secret, "library", user_of(request)):
            return forbidden()
        asked = request.query_params
        try:
            query = LibraryQuery(
                domain=asked.get("domain", ""),
                text=asked.get("q", ""),
                status=asked.get("status", ""),
                assignee=asked.get("assignee", ""),
                whole=asked.get("all", "") == "1",
                offset=whole_number(asked.get("offset", "0"), "offset"),
                limit=whole_number(asked.get("limit", "100"), "limit"),
            )
            page = await in_thread(lambda: list_library(self._bench, query))
        except UserError as error:
            return refusal(error)
        lives = _steady_life()
        return JSONResponse(
            {
                "total": page.total,
                "counts": dict(page.counts),
                "assignees": list(page.assignees),
                "items": [self._item(item, lives) for item in page.items],
            },
            headers={"Cache-Control": "no-store"},
        )

    def _item(self, item: LibraryItem, lives_seconds: int) -> dict[str, object]:
        video = item.video
        token = mint_token(self._secret, "video", video.id, lives_seconds=lives_seconds)
        return {
            "id": video.id,
            "name": video.name,
            "duration_us": video.duration_us,
            "status": item.status,
            "assignee": item.assignee,
            "labels": item.labels,
            "seen": round(item.seen, 4),
            "poster": f"/api/video/{video.id}/poster?token={token}",
        }


def _steady_life() -> int:
    """Return a life that ends with an hour of the clock, so that tokens do not change before."""
    end = int(time.time()) + DAY_SECONDS
    return DAY_SECONDS + -end % STEADY_SECONDS
