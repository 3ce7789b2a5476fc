"""Links to a page survive signing in: the provider sends people back to the start, and we go on."""

from __future__ import annotations

from urllib.parse import quote, unquote

from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse
from starlette.types import Scope

COOKIE = "prismata_return_path"
_LIVES_SECONDS = 600


def remember(scope: Scope) -> str | None:
    """Return the cookie that keeps which page somebody asked for who has to sign in first."""
    if not _is_page(scope) or (asked := _path_of(scope)) == "/":
        return None
    return f"{COOKIE}={quote(asked, safe='')}; Max-Age={_LIVES_SECONDS}; {_ATTRIBUTES}"


def go_on(scope: Scope) -> RedirectResponse | None:
    """Return the way to the page that somebody asked for before they signed in."""
    if not _is_page(scope) or _path_of(scope) != "/":
        return None
    wanted = unquote(HTTPConnection(scope).cookies.get(COOKIE, ""))
    # Never to another site, whoever wrote the cookie: browsers read `//` and `/\` as one.
    if not wanted.startswith("/") or wanted[1:2] in ("/", "\\") or not wanted.isprintable():
        return None
    answer = RedirectResponse(wanted, status_code=303)
    answer.headers["set-cookie"] = f"{COOKIE}=; Max-Age=0; {_ATTRIBUTES}"
    return answer


_ATTRIBUTES = "Path=/; HttpOnly; SameSite=Lax"

_NO_PAGES = ("/api/", "/_stcore", "/auth/", "/oauth2callback")


def _is_page(scope: Scope) -> bool:
    """Whether a browser asks for a page, and not for a part of one."""
    if scope["type"] != "http" or scope["method"] != "GET":
        return False
    headers = HTTPConnection(scope).headers
    if headers.get("sec-fetch-dest", "document") != "document":
        return False
    return "text/html" in headers.get("accept", "") and not scope["path"].startswith(_NO_PAGES)


def _path_of(scope: Scope) -> str:
    query = scope.get("query_string", b"").decode("latin-1")
    return str(scope["path"]) + (f"?{query}" if query else "")
