"""What a person prefers in the label station: keys, lag, speeds. The page decides what is in it."""

from __future__ import annotations

import json

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from prismata.api.answers import forbidden, refusal
from prismata.api.asking import in_thread, may, read_json, user_of
from prismata.core.errors import InvalidInputError, UserError
from prismata.services.workbench import Workbench

MAX_PREFERENCES_BYTES = 64 * 1024

_EXAMPLE = '{"preferences": {"lag": {"enabled": true}}}'


class AnnotatorRoute:
    """Answers `GET` and `PUT` for the person that the token was signed for.

    Args:
        bench: The workbench.
        secret: What tokens were signed with.
    """

    def __init__(self, bench: Workbench, secret: bytes) -> None:
        self._bench = bench
        self._secret = secret

    async def answer(self, request: Request) -> Response:
        """Return the preferences, after they were stored if the request brings some."""
        user = user_of(request)
        if not user or not may(request, self._secret, "annotator", user):
            return forbidden()
        annotators = self._bench.catalog.annotators
        try:
            if request.method == "PUT":
                preferences = (await read_json(request, _EXAMPLE)).get("preferences")
                if not isinstance(preferences, dict):
                    raise InvalidInputError(f"preferences are a JSON object, like {_EXAMPLE}")
                size = len(json.dumps(preferences).encode())
                if size > MAX_PREFERENCES_BYTES:
                    raise InvalidInputError(
                        f"these preferences take {size} bytes, but there is room for "
                        f"{MAX_PREFERENCES_BYTES}"
                    )
                await in_thread(lambda: annotators.set_preferences(user, preferences))
            found = await in_thread(lambda: annotators.get(user))
        except UserError as error:
            return refusal(error)
        return JSONResponse(
            {"preferences": {} if found is None else found.preferences},
            headers={"Cache-Control": "no-store"},
        )
