"""An id for each request: in what is logged meanwhile, and in the answer for who asks about it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from prismata.core.logs import keep_log_ids

HEADER = "X-Request-ID"
_ACCEPTED = re.compile(r"[\w.-]{1,64}")


def identified(routes: Sequence[Route]) -> list[Route]:
    """Return the routes, each of which gives its requests an id; a proxy's own id is kept."""
    for route in routes:
        route.app = _IdentifiedApp(route.app)
    return list(routes)


class _IdentifiedApp:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = Headers(scope=scope).get(HEADER, "")
        request_id = given if _ACCEPTED.fullmatch(given) else uuid4().hex[:16]
        # Kept and not taken back: the server logs an answer, or a failure, after we have left. Each
        # request is a task of its own.
        keep_log_ids(request_id=request_id)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        await self._app(scope, receive, sending)
