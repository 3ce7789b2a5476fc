"""How errors become answers: one sentence as JSON, with the status that says whose turn it is."""

from __future__ import annotations

from starlette.responses import JSONResponse

from prismata.core.errors import (
    BadVideoError,
    BusyError,
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    UnavailableError,
    UserError,
)

_STATUS: tuple[tuple[type[UserError], int], ...] = (
    (BadVideoError, 422),
    (NotFoundError, 404),
    (ForbiddenError, 403),
    (ConflictError, 409),
    (BusyError, 409),
    (InvalidInputError, 400),
    (UnavailableError, 503),
)


def refusal(error: UserError) -> JSONResponse:
    """Return the answer for an error that a person can fix."""
    status = next((code for kind, code in _STATUS if isinstance(error, kind)), 400)
    return sentence(str(error), status)


def forbidden() -> JSONResponse:
    """Return the answer for a token that is missing, wrong or too old."""
    return sentence("this address is not or no longer valid; reload the page", 403)


def sentence(text: str, status: int) -> JSONResponse:
    """Return one sentence with a status."""
    return JSONResponse({"error": text}, status, headers={"Cache-Control": "no-store"})
