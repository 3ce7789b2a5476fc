"""The metadata service of a spot machine (version 2), as far as a worker asks it.

A token has to be fetched first, ends after the time it was asked for or when a test says so, and
without a valid one every path answers 401; where there is no notice, 404.
"""

from __future__ import annotations

import http.server
import json
import secrets
import threading
import time
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

NOTICE_SECONDS = 120.0
"""From the notice until the machine is gone."""

_ACTION = "/latest/meta-data/spot/instance-action"
_REBALANCE = "/latest/meta-data/events/recommendations/rebalance"
_TOKEN = "/latest/api/token"  # noqa: S105 - a path
_LIFETIME = "X-aws-ec2-metadata-token-ttl-seconds"
_LONGEST_SECONDS = 21_600


class SpotMetadata:
    """Answers on `url` while the context lasts."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, int]] = []
        """Method, path and status of everything asked so far."""
        self._documents: dict[str, str] = {}
        self._tokens: dict[str, float] = {}
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                service.answer_put(self)

            def do_GET(self) -> None:
                service.answer_get(self)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing; tests read `requests`."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def interrupt(self) -> None:
        """Give notice that the machine is taken away in two minutes."""
        gone = datetime.now(UTC) + timedelta(seconds=NOTICE_SECONDS)
        told = {"action": "terminate", "time": f"{gone:%Y-%m-%dT%H:%M:%SZ}"}
        self._documents[_ACTION] = json.dumps(told)

    def recommend_rebalance(self) -> None:
        """Say that it may be taken away soon."""
        self._documents[_REBALANCE] = json.dumps(
            {"noticeTime": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"}
        )

    def expire_tokens(self) -> None:
        """End every token that was given out."""
        self._tokens.clear()

    def answer_put(self, request: http.server.BaseHTTPRequestHandler) -> None:
        """Give out a token."""
        asked = request.headers.get(_LIFETIME, "")
        if request.path != _TOKEN or not asked.isdigit() or int(asked) > _LONGEST_SECONDS:
            self._answer(request, 400)
            return
        token = secrets.token_hex(16)
        self._tokens[token] = time.monotonic() + int(asked)
        self._answer(request, 200, token)

    def answer_get(self, request: http.server.BaseHTTPRequestHandler) -> None:
        """Give out a document, to whoever shows a token that has not ended."""
        until = self._tokens.get(request.headers.get("X-aws-ec2-metadata-token", ""), 0.0)
        if time.monotonic() >= until:
            self._answer(request, 401)
        elif request.path in self._documents:
            self._answer(request, 200, self._documents[request.path])
        else:
            self._answer(request, 404)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(
        self, request: http.server.BaseHTTPRequestHandler, status: int, body: str = ""
    ) -> None:
        self.requests.append((request.command, request.path, status))
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body.encode())
