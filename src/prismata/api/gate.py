"""The gate that every request passes, pages included: host, origin, rate, person and role.

What a token opens is checked by the routes; the gate asks who holds it, whether they may use such a
route at all, and whether the request comes from our own pages.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from prismata.api.answers import sentence
from prismata.api.asking import in_thread, user_of
from prismata.api.headers import security_headers
from prismata.api.rate import RateLimit
from prismata.api.return_path import go_on, remember
from prismata.api.rules import RULES, RouteRule
from prismata.core.roles import is_at_least
from prismata.services.people import Roster, refusal_of
from prismata.services.workbench import Workbench
from prismata.settings import LOOPBACK_HOSTS, Settings

logger = logging.getLogger(__name__)

Who = Callable[[Mapping[str, str]], str]
"""Cookies → name of the person who is signed in; empty if nobody is."""

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_NO_RULE = RouteRule("admin", "unknown_route")
_MISDIRECTED = 421

_PAGE_RULES: tuple[tuple[str, RouteRule], ...] = (
    ("/_stcore/upload_file", RouteRule("annotator")),
    ("/media/", RouteRule("viewer")),
)
"""What Streamlit serves of people's own, by the start of its path."""

_CLOSED = "/_stcore/agent"
"""A way to drive the pages without a browser, which nobody here needs."""

_ANY_HOST = ("/api/health", "/api/metrics", "/_stcore/health", "/_stcore/host-config")
"""Load balancers and collectors ask by address."""


class Gate:
    """Wraps the whole application.

    Args:
        app: What is behind it.
        bench: The workbench.
        routes: Our routes, each of which has a rule.
        who: Tells who is signed in.
    """

    def __init__(
        self, app: ASGIApp, *, bench: Workbench, routes: Iterable[Route], who: Who
    ) -> None:
        self._app = app
        self._settings = bench.settings
        self._roster = Roster(bench)
        self._routes = list(routes)
        self._who = who
        self._hosts = allowed_hosts(bench.settings)
        # Without a login nobody is told apart: behind a proxy all have one address.
        per_minute = bench.settings.requests_per_minute if self._roster.needs_login else 0
        self._rate = RateLimit(per_minute)
        self._is_encrypted = bench.settings.public_url.startswith("https://")
        self._headers = security_headers(bench)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let through to whoever answers."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        person, refusal = await self._look(scope)
        if scope["type"] == "websocket":
            if refusal is not None:
                await receive()
                await send({"type": "websocket.close", "code": 1008, "reason": "refused"})
                return
            await self._app(scope, receive, send)
            return
        status = 0
        cookie = remember(scope) if self._roster.needs_login and not person else None

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                told = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    told.setdefault(name, value)
                if cookie is not None:
                    told.append("set-cookie", cookie)
                if self._is_encrypted:
                    _keep_cookies_encrypted(message)
            await send(message)

        await (refusal or self._app)(scope, receive, answer)
        rule = scope.get("prismata.rule")
        if rule is not None and rule.action and refusal is None and 200 <= status < 400:
            subject = str(scope.get("state", {}).get("deed") or scope["path"])
            await in_thread(lambda: self._roster.note(person, rule.action, subject))

    async def _look(self, scope: Scope) -> tuple[str, Response | None]:
        """Return who asks, and the answer if they do not get through."""
        headers, path = Headers(scope=scope), scope["path"]
        if not path.startswith(_ANY_HOST) and not self._is_our_host(headers):
            return "", sentence(
                "this is not an address of this workbench; use the one it is known under "
                "(PRISMATA_PUBLIC_URL)",
                _MISDIRECTED,
            )
        method = scope.get("method", "WEBSOCKET")
        if method not in _SAFE and not self._is_our_origin(headers):
            return "", sentence(
                "another site sent this request; use the workbench's own pages", 403
            )
        person = self._who(HTTPConnection(scope).cookies) if self._roster.needs_login else ""
        if wait := self._rate.wait_seconds(person or _address(scope)):
            refused = sentence("too many requests at once; go on in a moment", 429)
            refused.headers["retry-after"] = str(wait)
            return person, refused
        if path.startswith(_CLOSED):
            return person, sentence("there is nothing here", 404)
        if person and (way := go_on(scope)) is not None:
            return person, way
        rule = self._rule(scope, method, path)
        if isinstance(rule, Response):
            return person, rule
        if rule is None or rule.needs is None:
            return person, None
        scope["prismata.rule"] = rule
        return await self._admit(scope, rule, person)

    async def _admit(
        self, scope: Scope, rule: RouteRule, person: str
    ) -> tuple[str, Response | None]:
        """Let a person through whose role suffices, and tell the routes who it is."""
        told = user_of(HTTPConnection(scope))
        if self._roster.needs_login:
            if not person:
                return "", sentence("nobody is signed in here; reload the page and sign in", 403)
            if told and told != person:
                return person, sentence("this permission is somebody else's; reload the page", 403)
            role = await in_thread(lambda: self._roster.role_of(person))  # asks the catalog
        else:
            person = told
            role = self._roster.role_of(person)
        needed = rule.needs or "viewer"
        if not is_at_least(role, needed):
            action = rule.action or f"{scope.get('method', '').lower()} {scope['path']}"[:64]
            await in_thread(lambda: self._roster.note_refusal(person, action, scope["path"]))
            return person, sentence(refusal_of(role, needed), 403)
        scope.setdefault("state", {}).update(person=person, role=role)
        return person, None

    def _rule(self, scope: Scope, method: str, path: str) -> RouteRule | Response | None:
        """Return what a path takes; None for pages, an answer where there is nothing."""
        if path.startswith("/api/") or path == "/api":
            wanted = "GET" if method == "HEAD" else method
            for route in self._routes:
                if route.matches(scope)[0] is Match.FULL:
                    return RULES.get((wanted, route.path), _NO_RULE)
            known = any(route.matches(scope)[0] is Match.PARTIAL for route in self._routes)
            return None if known else sentence("there is no such address", 404)
        if not self._roster.needs_login:
            return None
        return next((rule for start, rule in _PAGE_RULES if path.startswith(start)), None)

    def _is_our_host(self, headers: Headers) -> bool:
        if self._hosts is None:
            return True
        try:
            name = urlsplit(f"//{headers.get('host', '')}").hostname
        except ValueError:
            return False
        return (name or "").rstrip(".") in self._hosts

    def _is_our_origin(self, headers: Headers) -> bool:
        """Whether a request that changes something comes from one of our pages, or no page."""
        origin = headers.get("origin")
        if origin is None:
            return headers.get("sec-fetch-site", "none") in ("same-origin", "none")
        if origin == self._settings.public_url:
            return True
        try:
            return urlsplit(origin).netloc.lower() == headers.get("host", "").lower()
        except ValueError:
            return False


def _keep_cookies_encrypted(message: Message) -> None:
    """Have browsers send cookies over https only; Streamlit leaves that open for its own."""
    message["headers"] = [
        (name, value + b"; Secure")
        if name.lower() == b"set-cookie" and b"; secure" not in value.lower()
        else (name, value)
        for name, value in message["headers"]
    ]


def create_gate(bench: Workbench, routes: Iterable[Route], who: Who) -> Middleware:
    """Return the gate, ready to be put before the whole application.

    Args:
        bench: The workbench.
        routes: Our routes.
        who: Tells from a request's cookies who is signed in.
    """
    return Middleware(Gate, bench=bench, routes=list(routes), who=who)


def allowed_hosts(settings: Settings) -> frozenset[str] | None:
    """Return the host names that requests may ask for; None if any may.

    A page of another site can have its name point to our address (DNS rebinding), and would then
    be of the same origin; but its requests still ask for its own name.
    """
    known = set(LOOPBACK_HOSTS)
    if settings.public_url:
        known.add(urlsplit(settings.public_url).hostname or "")
    elif not settings.is_local_only:
        return None
    return frozenset(known)


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""
