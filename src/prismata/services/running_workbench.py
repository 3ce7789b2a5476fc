"""A running workbench, asked as a stranger would ask it."""

from __future__ import annotations

import http.client
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from prismata.services.findings import Finding
from prismata.settings import Settings

_TIMEOUT_SECONDS = 5.0
_STRANGE_HOST = "not-this-workbench.invalid"
_EXPECTED_HEADERS = ("content-security-policy", "x-content-type-options", "referrer-policy")
_ANYTHING = {"video_id": "0" * 32, "domain": "any", "name": "any.png", "sprite": "0", "level": "0"}


@dataclass(frozen=True, slots=True)
class RouteProbe:
    """A route that answers nobody without a permission."""

    method: str
    path: str
    """As the route says it, with names in braces."""

    @property
    def address(self) -> str:
        """A path that this route would take."""
        return re.sub(r"\{(\w+)(:int)?\}", lambda m: _ANYTHING.get(m[1], "0"), self.path)


class WorkbenchProbe:
    """Asks each route without a permission, for a strange host, from a strange site.

    Args:
        routes: What is asked; empty = nothing is, and that is said.
    """

    def __init__(self, routes: list[RouteProbe]) -> None:
        self._routes = routes

    def check(self, settings: Settings) -> Finding:
        """Ask the workbench that the settings describe, if it runs."""
        if not self._routes:
            return "degraded", "not asked: the workbench in the browser is not installed here"
        host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104 - compared
        ours = urlsplit(settings.public_url).netloc or f"{host}:{settings.port}"
        where = f"http://{host}:{settings.port}"
        ask = _Asking(host, settings.port, ours)
        try:
            headers = ask("GET", "/api/health")[1]
        except OSError as error:
            return "degraded", (
                f"nothing was asked: no workbench answers at {where} ({error}); start it and ask "
                "again"
            )
        wrong = self._find_open(ask, settings)
        wrong += [
            f"answers lack the header {name}" for name in _EXPECTED_HEADERS if name not in headers
        ]
        if wrong:
            more = f", and {len(wrong) - 3} more" if len(wrong) > 3 else ""
            return "error", f"{where}: {'; '.join(wrong[:3])}{more}; is it this version?"
        return "ok", (
            f"{where}: {len(self._routes)} routes answer nobody without a permission; another host "
            "and another site are refused"
            if settings.public_url or settings.is_local_only
            else f"{where}: {len(self._routes)} routes answer nobody without a permission; another "
            "site is refused"
        )

    def _find_open(self, ask: _Asking, settings: Settings) -> list[str]:
        wrong = []
        for route in self._routes:
            status, _ = ask(route.method, route.address)
            # 404: it says only that there is no such thing, before it asks for a permission.
            if status not in (403, 404):
                wrong.append(f"{route.method} {route.path} answered {status} to nobody")
        status, _ = ask("POST", "/api/queue", {"Origin": "https://another-site.invalid"})
        if status != 403:
            wrong.append(f"a request of another site was answered with {status}")
        if settings.public_url or settings.is_local_only:
            status, _ = ask("GET", "/", {"Host": _STRANGE_HOST})
            if status != 421:
                wrong.append(f"a request for another host was answered with {status}")
        return wrong


class _Asking:
    """Sends single requests, with the host that we are known under unless told otherwise."""

    def __init__(self, host: str, port: int, ours: str) -> None:
        self._host, self._port, self._ours = host, port, ours

    def __call__(
        self, method: str, path: str, headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, str]]:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=_TIMEOUT_SECONDS)
        try:
            connection.request(method, path, headers={"Host": self._ours} | dict(headers or {}))
            answer = connection.getresponse()
            answer.read(2**16)
        finally:
            connection.close()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}
