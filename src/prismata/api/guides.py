"""Pictures of a domain's label guide; nothing else of a plugin's folder is ever sent."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from prismata.api.answers import forbidden, refusal, sentence
from prismata.api.asking import token_of
from prismata.core.errors import UserError
from prismata.domains import read_guide
from prismata.domains.guide import MAX_PICTURE_BYTES
from prismata.services.access import is_token_valid
from prismata.services.workbench import Workbench


class GuideRoute:
    """Answers with one picture, by its file name.

    Args:
        bench: The workbench.
        secret: What tokens were signed with.
    """

    def __init__(self, bench: Workbench, secret: bytes) -> None:
        self._bench = bench
        self._secret = secret

    def answer(self, request: Request) -> Response:
        """Send a picture, if the guide of the domain has it."""
        name, wanted = request.path_params["domain"], request.path_params["name"]
        if not is_token_valid(self._secret, token_of(request), "guide", name):
            return forbidden()
        try:
            domain = self._bench.domain(name)
        except UserError as error:
            return refusal(error)
        # Looked up among those that were found, so no name leads anywhere else.
        pictures = read_guide(domain.folder, domain.event_names).pictures
        found = next((item for item in pictures if item.path.name == wanted), None)
        if found is None:
            return sentence(f"the guide of {name!r} has no picture {wanted!r:.80}", 404)
        try:
            with found.path.open("rb") as file:
                content = file.read(MAX_PICTURE_BYTES)
        except OSError:
            return sentence(f"the picture {wanted!r:.80} of {name!r} cannot be read", 404)
        return Response(
            content,
            media_type=found.media_type,
            headers={
                "Cache-Control": "private, no-cache",
                "X-Content-Type-Options": "nosniff",
                "Content-Security-Policy": "default-src 'none'",
            },
        )
