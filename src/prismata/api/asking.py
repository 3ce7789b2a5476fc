"""What requests bring along: a permission, a person, a bounded JSON body; and work that blocks."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar
from urllib.parse import unquote

import anyio.to_thread
from starlette.requests import HTTPConnection, Request

from prismata.core.errors import InvalidInputError
from prismata.services.access import Scope, is_token_valid

TOKEN_HEADER = "x-prismata-token"  # noqa: S105 - the name of a header
USER_HEADER = "x-prismata-user"

MAX_BODY_BYTES = 2**20

T = TypeVar("T")


def user_of(request: HTTPConnection) -> str:
    """Return the name of the person that the request says it comes from; maybe empty.

    Nothing may be done in that name before `may` said that the token was signed for it.
    """
    return unquote(request.headers.get(USER_HEADER, ""), errors="replace").strip()


def person_of(request: Request) -> str:
    """Return who the gate let through; without a gate, who the request says it is."""
    return str(request.scope.get("state", {}).get("person") or user_of(request))


def note_deed(request: Request, subject: str) -> None:
    """Say what was done, in words for the list of who did what."""
    request.state.deed = subject


def may(request: Request, secret: bytes, scope: Scope, subject: str) -> bool:
    """Say whether the token of the request, in its header, opens this subject."""
    return is_token_valid(secret, request.headers.get(TOKEN_HEADER, ""), scope, subject)


def token_of(request: Request) -> str:
    """Return the token of a request: from its header, or for media elements from its address."""
    return request.headers.get(TOKEN_HEADER) or request.query_params.get("token", "")


async def read_json(request: Request, expected: str) -> dict[str, Any]:
    """Return the JSON object that a request brings, of at most `MAX_BODY_BYTES`.

    Args:
        request: The request; its body is read.
        expected: An example of what is expected, for the message.

    Raises:
        InvalidInputError: If it is too large or no JSON object.
    """
    parts = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY_BYTES:
            raise InvalidInputError(
                f"a request holds at most {MAX_BODY_BYTES // 1024} kB; send less at once"
            )
        parts.append(part)
    try:
        told = json.loads(b"".join(parts), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"this is not JSON; send something like {expected}") from error
    if not isinstance(told, dict):
        raise InvalidInputError(f"the JSON of this request is an object like {expected}")
    return told


def whole_number(value: object, name: str) -> int:
    """Return a number that counts something: whole, from 0 on.

    Raises:
        InvalidInputError: If it is none.
    """
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise InvalidInputError(f"{name} has to be a whole number from 0 on, not {value!r:.40}")
    return int(text)


async def in_thread(work: Callable[[], T]) -> T:
    """Do something that blocks without making other requests wait."""
    return await anyio.to_thread.run_sync(work)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)
