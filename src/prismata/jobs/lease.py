"""Hold on to a claimed job: heartbeats, progress and news of cancellation in few writes."""

from __future__ import annotations

import logging
import time
from typing import Any

from prismata.catalog import LeaseRepository
from prismata.core.errors import ConflictError, NotFoundError, UnavailableError
from prismata.core.protocol import Message

logger = logging.getLogger(__name__)

LEASE_SECONDS = 45.0
"""How long a job stays ours after the last heartbeat."""

_BEAT_SECONDS = 1.5  # also the longest that a cancellation from another process waits
_WRITE_SECONDS = 0.5  # at most two writes a second, however chatty the child


class LeaseLostError(Exception):
    """Somebody else owns the job now: stop the work and write nothing more."""


class Pulse:
    """The heartbeat of one claimed job.

    Args:
        leases: Where the job's lease is.
        job_id: The job.
        token: What its claim returned.
    """

    def __init__(self, leases: LeaseRepository, job_id: str, token: str) -> None:
        self._leases = leases
        self._job_id = job_id
        self._token = token
        self._latest: dict[str, Any] = {}
        self._has_news = False
        self._last_beat_at = self._renewed_at = time.monotonic()
        self._cancel_requested = False

    def note(self, message: Message) -> None:
        """Remember what a message of the child says about progress and memory."""
        if message["type"] == "progress":
            total = message.get("total")
            if total:
                self._latest["progress"] = min(1.0, max(0.0, message["done"] / total))
            self._latest["note"] = message.get("note")
            self._has_news = True
        elif message["type"] == "memory":
            self._latest["peak_rss_mb"] = message.get("peak_rss_mb")

    def is_cancel_requested(self) -> bool:
        """Tell whether the catalog wants the end; beats if it is time, so ask often.

        Raises:
            LeaseLostError: If the job is no longer ours.
        """
        since_seconds = time.monotonic() - self._last_beat_at
        if since_seconds >= (_WRITE_SECONDS if self._has_news else _BEAT_SECONDS):
            self.beat()
        return self._cancel_requested

    def beat(self) -> None:
        """Renew the lease and write the latest news now.

        A catalog that cannot be reached for less than a lease costs the news, not the work.

        Raises:
            LeaseLostError: If the job is no longer ours, or nobody can tell any more.
        """
        now = time.monotonic()
        try:
            self._cancel_requested = self._leases.heartbeat(
                self._job_id, self._token, lease_seconds=LEASE_SECONDS, **self._latest
            )
        except (ConflictError, NotFoundError) as error:
            raise LeaseLostError from error
        except UnavailableError as error:
            if now - self._renewed_at >= LEASE_SECONDS:
                raise LeaseLostError from error
            logger.warning("heartbeat_missed job_id=%s reason=%s", self._job_id, error)
        else:
            self._has_news = False
            self._renewed_at = now
        self._last_beat_at = time.monotonic()
