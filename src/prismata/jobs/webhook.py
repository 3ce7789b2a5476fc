"""A message to an address of the user's own when a run has ended: JSON over HTTP.

Deliveries are made by a thread of their own, one after the other, so nothing that runs waits for
them or fails with them. An address that does not take a message is asked again a few times; then it
is left at a line in the log. Redirects are not followed: the message is for the address named.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import queue
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from datetime import UTC, datetime
from email.message import Message
from http.client import HTTPException
from typing import IO, Any
from urllib.parse import urlsplit
from uuid import uuid4

from prismata.catalog import JobRecord

logger = logging.getLogger(__name__)

KINDS = ("detect", "train")
"""Jobs that are runs."""
TIMEOUT_SECONDS = 5.0
PAUSES_SECONDS = (1.0, 5.0, 25.0)
"""Before each further try."""
CLOSE_SECONDS = 8.0
MAX_WAITING = 1000
SIGNATURE_HEADER = "X-Prismata-Signature"
_TRY_AGAIN = frozenset({408, 425, 429})
_VERSION = 1


def describe_end(job: JobRecord) -> dict[str, Any]:
    """Return what is told of a job that has ended, as JSON values."""
    return {
        "event": "run.ended",
        "version": _VERSION,
        "id": uuid4().hex,
        "sent_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "run": {
            "job_id": job.id,
            "kind": job.kind,
            "state": job.state.value,
            "cause": job.cause.value if job.cause else None,
            "message": job.message,
            "video": job.params.get("video"),
            "model": job.params.get("model"),
            "author": job.author,
            "attempts": job.attempt,
            "created_at": _written(job.created_at),
            "started_at": _written(job.started_at),
            "finished_at": _written(job.finished_at),
            "peak_rss_mb": job.peak_rss_mb,
            "result": job.result,
        },
    }


def sign(secret: str, body: bytes) -> str:
    """Return the value of `SIGNATURE_HEADER`: HMAC-SHA256 of the body, in hexadecimal."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class Webhook:
    """Tells one address of runs that have ended.

    Args:
        url: http or https. Its path is never logged: it often is the permission.
        secret: Signs the messages; empty = they are not signed.
        timeout_seconds: For connecting, and for each answer.
        pauses_seconds: Before each further try.
    """

    def __init__(
        self,
        url: str,
        secret: str = "",
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        pauses_seconds: Sequence[float] = PAUSES_SECONDS,
    ) -> None:
        self._url = url
        self._host = urlsplit(url).hostname or "?"
        self._secret = secret
        self._timeout_seconds = timeout_seconds
        self._pauses_seconds = tuple(pauses_seconds)
        self._waiting: queue.Queue[dict[str, Any]] = queue.Queue(MAX_WAITING)
        self._opener = urllib.request.build_opener(_NoRedirects)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()

    def job_ended(self, job: JobRecord) -> None:
        """Have it told if it is a run; returns at once."""
        if job.kind not in KINDS:
            return
        try:
            self._waiting.put_nowait(describe_end(job))
        except queue.Full:
            logger.warning(
                "webhook_dropped job_id=%s host=%s: %d others wait already",
                job.id,
                self._host,
                MAX_WAITING,
            )
            return
        with self._lock:
            if self._thread is None:
                # A daemon: an address that hangs never holds the process up.
                self._thread = threading.Thread(target=self._work, name="webhook", daemon=True)
                self._thread.start()

    def close(self, timeout_seconds: float = CLOSE_SECONDS) -> None:
        """Give what waits this long, without further tries; what is left then is logged."""
        self._closed.set()
        deadline = time.monotonic() + timeout_seconds
        while self._waiting.unfinished_tasks and time.monotonic() < deadline:
            time.sleep(0.02)
        if left := self._waiting.unfinished_tasks:
            logger.warning("webhook_gave_up host=%s messages=%d: closing", self._host, left)

    def _work(self) -> None:
        while True:
            message = self._waiting.get()
            try:
                self._deliver(message)
            except Exception:
                logger.exception("webhook_broke job_id=%s", message["run"]["job_id"])
            finally:
                self._waiting.task_done()

    def _deliver(self, message: dict[str, Any]) -> None:
        job_id = message["run"]["job_id"]
        body = json.dumps(message, ensure_ascii=False).encode()
        problem = ""
        for number, pause in enumerate((0.0, *self._pauses_seconds), start=1):
            if number > 1 and self._closed.wait(pause):
                break
            problem, is_final = self._try(body)
            if not problem:
                logger.info(
                    "webhook_delivered job_id=%s host=%s try=%d", job_id, self._host, number
                )
                return
            logger.info("webhook_try job_id=%s try=%d problem=%s", job_id, number, problem)
            if is_final:
                break
        logger.warning("webhook_failed job_id=%s host=%s problem=%s", job_id, self._host, problem)

    def _try(self, body: bytes) -> tuple[str, bool]:
        """Return what went wrong, empty if nothing, and whether the same again would, too."""
        headers = {"Content-Type": "application/json", "User-Agent": "prismata-webhook"}
        if self._secret:
            headers[SIGNATURE_HEADER] = sign(self._secret, body)
        request = urllib.request.Request(self._url, body, headers, method="POST")  # noqa: S310 - checked in settings
        try:
            with self._opener.open(request, timeout=self._timeout_seconds):
                return "", True
        except urllib.error.HTTPError as error:
            error.close()
            return f"answered {error.code}", error.code < 500 and error.code not in _TRY_AGAIN
        except (OSError, HTTPException, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            return f"cannot be reached ({type(reason).__name__})", False


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Takes a redirect for the answer that it is."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Message,
        newurl: str,
    ) -> None:
        """Follow nowhere."""
        del req, fp, code, msg, headers, newurl


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")
