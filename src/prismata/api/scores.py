"""Confidence curves of detection runs: tiles for the timeline, and events at other thresholds."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from prismata.api.answers import forbidden, refusal
from prismata.api.asking import TOKEN_HEADER, in_thread, token_of
from prismata.catalog import DetectionRunRecord
from prismata.core.errors import InvalidInputError, UserError
from prismata.evaluation import confidence_of
from prismata.services.access import is_token_valid
from prismata.services.score_tiles import ScoreDesk
from prismata.services.workbench import Workbench

CACHED = "private, max-age=86400, immutable"
"""The scores of a finished run never change."""

T = TypeVar("T")
Answer = Callable[[Request, DetectionRunRecord], Awaitable[Response]]


class ScoreRoutes:
    """Answers below `/api/scores/{run_id}`; the permission is that of the run's video.

    Args:
        bench: The workbench.
        secret: What tokens were signed with.
    """

    def __init__(self, bench: Workbench, secret: bytes) -> None:
        self._bench = bench
        self._secret = secret
        self._desk = ScoreDesk(bench)

    def routes(self) -> list[Route]:
        """Return the routes."""
        base = "/api/scores/{run_id}"
        answers: dict[str, Answer] = {
            base: self._about,
            f"{base}/tiles/{{level:int}}/{{index:int}}": self._tile,
            f"{base}/events": self._events,
        }
        return [
            Route(path, partial(self._checked, answer), methods=["GET"])
            for path, answer in answers.items()
        ]

    async def _checked(self, answer: Answer, request: Request) -> Response:
        """Find the run, check the permission for its video and turn errors into answers."""
        run_id = request.path_params["run_id"]
        try:
            run = await in_thread(lambda: self._bench.catalog.detections.get(run_id))
            if not is_token_valid(self._secret, token_of(request), "video", run.video_id):
                return forbidden()
            return await answer(request, run)
        except UserError as error:
            return refusal(error)

    async def _about(self, request: Request, run: DetectionRunRecord) -> Response:
        del request
        about = await in_thread(lambda: self._desk.describe(run))
        return JSONResponse(about, headers={"Cache-Control": "no-store"})

    async def _tile(self, request: Request, run: DetectionRunRecord) -> Response:
        level, index = request.path_params["level"], request.path_params["index"]
        curves = await in_thread(lambda: self._desk.curves(run))
        return Response(
            curves.pyramid.tile(level, index),
            media_type="application/octet-stream",
            headers={"Cache-Control": CACHED},
        )

    async def _events(self, request: Request, run: DetectionRunRecord) -> Response:
        thresholds, grouping = _asked(request)
        found = await in_thread(lambda: self._desk.regroup(run, thresholds, grouping=grouping))
        events = [
            {
                "start_us": event.start_us,
                "end_us": event.end_us,
                "event_type": event.event_type,
                "kind": event.kind,
                "score": event.score,
                "confidence": confidence_of(found.calibration, event.event_type, event.score),
            }
            for event in found.events
        ]
        return JSONResponse(
            {"thresholds": found.thresholds, "events": events},
            headers={"Cache-Control": "no-store"},
        )


def _asked(request: Request) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """Return the thresholds and the other values of grouping rules that the query names.

    `release=0.4` is a threshold, `release.min_gap_seconds=2` another field of its rule.
    """
    thresholds: dict[str, float] = {}
    grouping: dict[str, dict[str, float]] = {}
    for key, text in request.query_params.items():
        if key == "token" and TOKEN_HEADER not in request.headers:
            continue
        name, _, field = key.partition(".")
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if field:
            if not math.isfinite(value):
                raise InvalidInputError(f"{key[:64]!r} has to be a number, not {text[:40]!r}")
            grouping.setdefault(name, {})[field] = value
            continue
        # Not a number compares as outside, too.
        if not 0 < value <= 1:
            raise InvalidInputError(
                f"the threshold of {name[:64]!r} has to be a number above 0 and at most 1, "
                f"not {text[:40]!r}"
            )
        thresholds[name] = value
    return thresholds, grouping
