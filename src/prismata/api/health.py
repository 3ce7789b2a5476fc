"""Health for whoever watches the process: does the catalog answer, does the storage?"""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from prismata._version import __version__
from prismata.core.errors import PrismataError
from prismata.services.workbench import Workbench


class HealthRoute:
    """Answers 200 when everything needed answers, 503 with the reason when something does not.

    Args:
        bench: The workbench.
    """

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench

    def answer(self, request: Request) -> Response:
        """Ask catalog and storage, each with one cheap question."""
        del request
        parts: dict[str, Callable[[], object]] = {
            "catalog": lambda: self._bench.catalog.jobs.list(limit=1),
            "storage": lambda: self._bench.storage.exists("videos/probe"),
        }
        found: dict[str, str] = {}
        for name, ask in parts.items():
            try:
                ask()
            except (PrismataError, OSError) as error:
                found[name] = str(error)
            else:
                found[name] = "ok"
        healthy = all(word == "ok" for word in found.values())
        return JSONResponse(
            {"state": "ok" if healthy else "error", "version": __version__, **found},
            200 if healthy else 503,
            headers={"Cache-Control": "no-store"},
        )
