"""The real player alone on a page, with the real routes behind it, for tests and benchmarks.

Not a benchmark itself. The page puts what it offers into `window.bench`.

    with PlayerPage(bench) as site, open_browser() as browser:
        page = browser.new_page()
        page.goto(site.url)
        page.evaluate("(source) => bench.open(source)", site.source(video))
"""

from __future__ import annotations

import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from prismata.api import create_routes
from prismata.catalog import VideoRecord
from prismata.services.access import Scope, mint_token
from prismata.services.workbench import Workbench

HERE = Path(__file__).parent
ASSETS = HERE.parent / "src/prismata/ui/label_station/assets"
CHROMIUM = Path("/usr/bin/chromium")
START_SECONDS = 30


class PlayerPage:
    """Serves the page and the workbench's routes until it is left.

    Args:
        bench: What the routes answer from.
    """

    def __init__(self, bench: Workbench) -> None:
        self._secret = secrets.token_bytes(32)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        app = Starlette(
            routes=[
                *create_routes(bench, self._secret),
                Route("/", _page),
                Mount("/assets", StaticFiles(directory=ASSETS)),
                Mount("/benchmarks", StaticFiles(directory=HERE)),
            ]
        )
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True
        )

    def permission(self, scope: Scope, subject: str, *, lives_seconds: int = 3600) -> str:
        """Return a permission, signed as the pages sign theirs."""
        return mint_token(self._secret, scope, subject, lives_seconds=lives_seconds)

    def source(
        self, video: VideoRecord, *, rendition: str = "source", lives_seconds: int = 3600
    ) -> dict[str, Any]:
        """Return what `bench.open` wants to know of a video."""
        token = self.permission("video", video.id, lives_seconds=lives_seconds)
        lasting = self.permission("video", video.id)
        return {
            "url": f"/api/video/{video.id}?rendition={rendition}&token={token}",
            "frames": f"/api/video/{video.id}/frames?token={lasting}",
            "codec": video.codec,
        }

    def __enter__(self) -> Self:
        self._thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not self._server.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise SystemExit("the page of the player did not start")
            time.sleep(0.01)
        return self

    def __exit__(self, *_exception: object) -> None:
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(START_SECONDS)
        self._socket.close()


async def _page(request: Request) -> FileResponse:
    del request
    return FileResponse(HERE / "player_page.html", headers={"Cache-Control": "no-store"})


@contextmanager
def open_browser() -> Iterator[Any]:
    """Start a headless Chromium that decodes in software.

    Raises:
        SystemExit: If there is none.
    """
    from playwright.sync_api import sync_playwright

    if not CHROMIUM.exists():
        raise SystemExit(f"there is no browser at {CHROMIUM}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()
