"""Notice of a machine on loan that it is to be taken away: AWS spot instances.

The instance metadata service says so two minutes ahead, at a fixed address that answers only on the
machine itself; whoever wants the notice asks every five seconds (AWS, "Spot Instance interruption
notices"). Version 2 of the service wants a token first.
"""

from __future__ import annotations

import logging
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPResponse

logger = logging.getLogger(__name__)

METADATA_URL = "http://169.254.169.254"
POLL_SECONDS = 5.0

_TIMEOUT_SECONDS = 2.0
_TOKEN_SECONDS = 21_600
_NOT_FOUND, _UNAUTHORIZED = 404, 401
_ACTION = "/latest/meta-data/spot/instance-action"
_REBALANCE = "/latest/meta-data/events/recommendations/rebalance"


class SpotWatcher:
    """Asks in a thread of its own; daemon, so it never holds a process up.

    Args:
        on_interruption: Called once when the machine is about to be taken away.
        on_rebalance: Called once when that has become likely.
        url: Of the metadata service.
        poll_seconds: How often to ask.
    """

    def __init__(
        self,
        on_interruption: Callable[[], None],
        on_rebalance: Callable[[], None],
        *,
        url: str = METADATA_URL,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._on_interruption = on_interruption
        self._on_rebalance = on_rebalance
        self._url = url.rstrip("/")
        self._poll_seconds = poll_seconds
        self._token = ""
        self._said_unreachable = False
        self._closed = threading.Event()

    def start(self) -> None:
        """Begin to ask."""
        threading.Thread(target=self._watch, name="spot-watcher", daemon=True).start()

    def close(self) -> None:
        """Stop asking."""
        self._closed.set()

    def _watch(self) -> None:
        is_rebalancing = False
        while not self._closed.is_set():
            if self._says(_ACTION):
                logger.warning("spot_interruption: this machine is about to be taken away")
                self._on_interruption()
                return
            if not is_rebalancing and self._says(_REBALANCE):
                logger.warning("spot_rebalance: this machine may be taken away soon")
                is_rebalancing = True
                self._on_rebalance()
            self._closed.wait(self._poll_seconds)

    def _says(self, path: str) -> bool:
        """Whether there is a document at this path.

        A service that cannot be reached looks like one without a notice, so that is said, once.
        """
        try:
            self._get(path)
        except urllib.error.HTTPError as error:
            if error.code != _NOT_FOUND:
                logger.warning("spot_metadata_failed status=%d", error.code)
        except OSError as error:
            if not self._said_unreachable:
                self._said_unreachable = True
                logger.warning(
                    "spot_metadata_unreachable url=%s reason=%s: no notice of an interruption "
                    "will be seen until it answers",
                    self._url,
                    error,
                )
        else:
            return True
        return False

    def _get(self, path: str) -> None:
        """Ask; with a new token at once where the old one has ended: two minutes are soon over."""
        if self._token:
            try:
                self._ask(path)
            except urllib.error.HTTPError as error:
                if error.code != _UNAUTHORIZED:
                    raise
            else:
                return
        lifetime = {"X-aws-ec2-metadata-token-ttl-seconds": str(_TOKEN_SECONDS)}
        with self._open("/latest/api/token", lifetime, method="PUT") as answer:
            self._token = answer.read(4096).decode()
        self._ask(path)

    def _ask(self, path: str) -> None:
        self._open(path, {"X-aws-ec2-metadata-token": self._token}).close()

    def _open(self, path: str, headers: dict[str, str], method: str = "GET") -> HTTPResponse:
        request = urllib.request.Request(self._url + path, headers=headers, method=method)  # noqa: S310 - a setting, http
        answer: HTTPResponse = urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS)  # noqa: S310 - see above
        return answer
