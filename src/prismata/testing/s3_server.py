"""A small S3 on a loopback port for tests, with the faults that networks have.

moto is the server; here it gets four things of the real one that it lacks. It decides a condition
and stores in two steps, so requests go through one by one; it sets an object's metadata after its
content, which the same order hides; it ignores `If-Match` when an upload in parts completes, and
takes presigned addresses whose time is over (moto 5.2.5), so both are decided here.
"""

from __future__ import annotations

import hashlib
import http.client
import socket
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Fault = Literal["", "cut", "lost", "busy", "denied", "race"]
"""`cut`: half of the body, then the end. `lost`: done, but no answer. Not done: `busy` 503,
`denied` 403, `race` 409."""
_REFUSALS = {"busy": "503 Slow Down", "denied": "403 Forbidden", "race": "409 Conflict"}

TEST_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": hashlib.sha256(b"testing").hexdigest()[:40],
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""Environment with which any S3 client talks to this server."""


class LocalS3Server:
    """An S3 on `http://127.0.0.1:<free port>` while the `running` context lasts."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str]] = []
        """Method and path of everything asked so far."""
        self.fault: Callable[[str, str], Fault] = _no_fault
        """Called with method and path before each answer."""
        self.longest_address_seconds = float("inf")
        """Presigned addresses are good for as long as they say, and at most so long."""
        self._lock = threading.Lock()
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server = make_server(
            "127.0.0.1", 0, self._answer, threaded=True, request_handler=_QuietHandler
        )

    @property
    def endpoint_url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def make_bucket(self) -> str:
        """Make an empty bucket and return its name."""
        name = f"test-{uuid.uuid4().hex[:20]}"
        address = urlsplit(self.endpoint_url)
        connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=10)
        try:
            connection.request("PUT", f"/{name}")
            answer = connection.getresponse()
            answer.read()
        finally:
            connection.close()
        assert answer.status == 200, f"the test server made no bucket: {answer.status}"
        return name

    @contextmanager
    def running(self) -> Iterator[LocalS3Server]:
        """Serve until the context ends."""
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def _answer(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        self.requests.append((method, path))
        fault = self.fault(method, path)
        if fault in _REFUSALS:
            start_response(_REFUSALS[fault], [("Content-Length", "0"), ("Connection", "close")])
            return []
        if self._is_over(environ):
            body = b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
            headers = [("Content-Length", str(len(body))), ("Access-Control-Allow-Origin", "*")]
            start_response("403 Forbidden", headers)
            return [body]
        with self._lock:
            if self._is_refused(environ):
                body = b"<Error><Code>PreconditionFailed</Code></Error>"
                start_response("412 Precondition Failed", [("Content-Length", str(len(body)))])
                return [body]
            content = b"".join(self._moto(environ, start_response))
        if fault == "lost":
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        return [content[: len(content) // 2]] if fault == "cut" else [content]

    def _is_over(self, environ: Environ) -> bool:
        query = parse_qs(environ.get("QUERY_STRING", ""))
        if "X-Amz-Expires" not in query:
            return False
        signed = datetime.strptime(query["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        allowed = min(float(query["X-Amz-Expires"][0]), self.longest_address_seconds)
        return datetime.now(UTC).timestamp() > signed.timestamp() + allowed

    def _is_refused(self, environ: Environ) -> bool:
        wanted = environ.get("HTTP_IF_MATCH")
        query = parse_qs(environ.get("QUERY_STRING", ""))
        if environ["REQUEST_METHOD"] != "POST" or "uploadId" not in query or not wanted:
            return False
        seen: dict[str, str] = {}

        def note(status: str, headers: list[tuple[str, str]], *_: object) -> None:
            seen.update({name.lower(): value for name, value in headers}, status=status)

        asked = {**environ, "REQUEST_METHOD": "HEAD", "QUERY_STRING": "", "CONTENT_LENGTH": "0"}
        for _ in self._moto({k: v for k, v in asked.items() if k != "HTTP_IF_MATCH"}, note):
            pass
        return not seen["status"].startswith("200") or seen["etag"] != wanted


class _QuietHandler(MotoRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:
        """Say nothing; tests read `requests`."""


def _no_fault(method: str, path: str) -> Fault:
    del method, path
    return ""
