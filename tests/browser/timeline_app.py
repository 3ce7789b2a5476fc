"""The timeline without the station: one page, the browser modules, real score routes."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

HERE = Path(__file__).parent
ASSETS = HERE.parents[1] / "src/prismata/ui/label_station/assets"
START_SECONDS = 20


class TimelineApp:
    """Serves `/` with what `config` says.

    Args:
        config: What the page shows; may be changed between two visits.
        routes: Further routes, for example those of the scores.
        events: Makes as many events as the address asks for with `count`.
    """

    def __init__(
        self,
        config: dict[str, Any],
        routes: list[Any] | None = None,
        *,
        events: Callable[[int], list[dict[str, Any]]] | None = None,
    ) -> None:
        self.config = config
        self._events = events
        self.url = ""
        self._routes = [
            Route("/", lambda _request: FileResponse(HERE / "pages/timeline.html")),
            Route("/config", self._config),
            Route("/thumbs/{number:int}", _sprite),
            Mount("/assets", StaticFiles(directory=ASSETS)),
            *(routes or []),
        ]

    def _config(self, request: Request) -> Response:
        changes = {name: json.loads(value) for name, value in request.query_params.items()}
        if self._events is not None and "count" in changes:
            changes["events"] = self._events(changes.pop("count"))
        return JSONResponse(self.config | changes)

    @contextmanager
    def running(self) -> Iterator[TimelineApp]:
        """Serve on a free port until the end."""
        settings = uvicorn.Config(
            Starlette(routes=self._routes),
            host="127.0.0.1",
            port=0,
            log_level="error",
            lifespan="off",
        )
        server = uvicorn.Server(settings)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not server.started:
            assert thread.is_alive()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        try:
            yield self
        finally:
            server.should_exit = True
            thread.join(START_SECONDS)


def _sprite(request: Request) -> Response:
    """Return a hundred small pictures that change slowly, as a camera's would."""
    number = int(request.path_params["number"])
    sheet = np.zeros((90 * 10, 160 * 10, 3), np.uint8)
    for place in range(100):
        at = number * 100 + place
        row, column = divmod(place, 10)
        picture = sheet[row * 90 : row * 90 + 90, column * 160 : column * 160 + 160]
        sky = int(120 + 60 * np.sin(at / 31))
        picture[:50] = (sky, int(sky * 0.85), 70)
        picture[50:] = (60, 120 + int(25 * np.sin(at / 9)), 70)
        x = int(80 + 60 * np.sin(at / 4))
        cv2.circle(picture, (x, 58), 9, (235, 240, 245), -1)
        cv2.rectangle(picture, (x - 5, 66), (x + 5, 86), (40, 60, 160), -1)
    return Response(cv2.imencode(".jpg", sheet)[1].tobytes(), media_type="image/jpeg")
