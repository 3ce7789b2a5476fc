"""Review: what to look at next, decisions about it, and how good the rest is.

A permission is signed for domain and person, so nobody decides in another name.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from functools import partial
from typing import Any, get_args

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from prismata.api.answers import forbidden, refusal
from prismata.api.asking import in_thread, may, note_deed, read_json, user_of, whole_number
from prismata.catalog import Decision, ReviewReason
from prismata.core.errors import InvalidInputError, UserError
from prismata.core.events import Event
from prismata.core.operations import parse_id
from prismata.core.time import TimeSpan
from prismata.services.access import mint_token
from prismata.services.annotate import LabelDesk
from prismata.services.renditions import load_renditions
from prismata.services.review import ReviewDesk, ReviewQueue, Verdict
from prismata.services.review_queue import ReviewCard, ReviewOrder
from prismata.services.review_rest import Rest
from prismata.services.wording import one_of
from prismata.services.workbench import Workbench

MOST_CARDS = 50
CONTEXT_US = 1_000_000
"""What is shown before and after a candidate."""
_MOST_SEEN = 200
CURVE_US = 2_000_000
"""How much of the curve is drawn to both sides of it."""

_VERDICT = (
    '{"id": "…", "run": "…", "event_type": "…", "start_us": 0, "end_us": 0, '
    '"decision": "accepted", "reason": "doubt", "seen": [[0, 0]]}'
)
_UNDO = '{"ids": ["…"]}'
_BULK = '{"model": "…", "event_type": "…", "score": 0.9}'

Asked = Callable[[Request, str, str], Awaitable[dict[str, Any]]]
"""Request, domain name, person → JSON."""


class ReviewRoutes:
    """Answers below `/api/review/{domain}`.

    Args:
        bench: The workbench.
        secret: What tokens are signed with.
        labels: Where decisions become labels.
    """

    def __init__(self, bench: Workbench, secret: bytes, labels: LabelDesk) -> None:
        self._bench = bench
        self._secret = secret
        self._desk = ReviewDesk(bench, labels)

    def routes(self) -> list[Route]:
        """Return the routes."""
        base = "/api/review/{domain}"
        answers: dict[tuple[str, str], Asked] = {
            ("GET", f"{base}/queue"): self._queue,
            ("POST", f"{base}/decide"): self._decide,
            ("POST", f"{base}/undo"): self._undo,
            ("POST", f"{base}/accept-above"): self._accept_above,
        }
        return [
            Route(path, partial(self._checked, answer), methods=[method])
            for (method, path), answer in answers.items()
        ]

    async def _checked(self, answer: Asked, request: Request) -> Response:
        """Check the permission and turn errors into answers."""
        domain, user = request.path_params["domain"], user_of(request)
        if not user or not may(request, self._secret, "review", f"{domain}/{user}"):
            return forbidden()
        try:
            told = await answer(request, domain, user)
        except UserError as error:
            return refusal(error)
        return JSONResponse(told, headers={"Cache-Control": "no-store"})

    async def _queue(self, request: Request, domain: str, user: str) -> dict[str, Any]:
        del user
        told = request.query_params
        order = one_of(told.get("order", "doubt"), get_args(ReviewOrder), "order")
        limit = min(MOST_CARDS, whole_number(told.get("limit", "20"), "limit"))
        skip = set(told.getlist("skip"))

        def work() -> dict[str, Any]:
            queue = self._desk.queue(
                domain,
                told.get("model", ""),
                order=order,
                event_type=told.get("event_type", ""),
                limit=limit,
                skip=skip,
            )
            return self._told(queue)

        return await in_thread(work)

    async def _decide(self, request: Request, domain: str, user: str) -> dict[str, Any]:
        told = await read_json(request, _VERDICT)
        verdict = _verdict(told)

        def work() -> dict[str, Any]:
            decision = self._desk.decide(verdict, user, domain=domain)
            return {"id": decision.id, "event_id": decision.event_id, "domain": domain}

        return await in_thread(work)

    async def _undo(self, request: Request, domain: str, user: str) -> dict[str, Any]:
        told = await read_json(request, _UNDO)
        ids = told.get("ids")
        if not isinstance(ids, list):
            raise InvalidInputError(f"what is undone comes as a list, like {_UNDO}")
        parsed = [parse_id(item, "a decision") for item in ids]

        def work() -> dict[str, Any]:
            for decision_id in parsed:
                self._desk.undo(decision_id, user, domain=domain)
            return {"undone": len(parsed)}

        return await in_thread(work)

    async def _accept_above(self, request: Request, domain: str, user: str) -> dict[str, Any]:
        told = await read_json(request, _BULK)
        score = told.get("score")
        if isinstance(score, bool) or not isinstance(score, int | float) or not 0 < score <= 1:
            raise InvalidInputError(f"a score is a number above 0 and at most 1, not {score!r:.40}")

        def work() -> dict[str, Any]:
            made = self._desk.accept_above(
                domain, str(told.get("model", "")), str(told.get("event_type", "")), score, user
            )
            note_deed(request, f"{len(made)} of {domain} above {score:g}")
            return {"ids": [item.id for item in made]}

        return await in_thread(work)

    def _told(self, queue: ReviewQueue) -> dict[str, Any]:
        return {
            "model": {"id": queue.model.id, "name": queue.model.name},
            "decided": queue.decided,
            "rest": describe_rest(queue.rest),
            "cards": [self._card(card) for card in queue.cards],
        }

    def _card(self, card: ReviewCard) -> dict[str, Any]:
        item, video = card.item, card.item.video
        context = TimeSpan(
            max(0, item.span.start_us - CONTEXT_US),
            min(video.duration_us, item.span.end_us + CONTEXT_US),
        )
        around = TimeSpan(
            max(0, item.span.start_us - CURVE_US),
            min(video.duration_us, item.span.end_us + CURVE_US),
        )
        made = load_renditions(self._bench, video)
        return {
            "key": item.key,
            "run": item.run_id,
            "reason": card.reason,
            "stratum": item.stratum,
            "doubt": round(item.doubt.value, 4),
            "why": item.doubt.reasons,
            "start_us": item.span.start_us,
            "end_us": item.span.end_us,
            "event_type": "" if item.event is None else item.event.event_type,
            "kind": "segment" if item.event is None else item.event.kind,
            "score": None if item.event is None else item.event.score,
            "threshold": item.threshold,
            "probability": item.probability,
            "loop": [context.start_us, context.end_us],
            "around": [around.start_us, around.end_us],
            "curve": self._desk.curve(item, around),
            "video": {
                "id": video.id,
                "name": video.name,
                "codec": video.codec,
                "group": video.group_name,
                "token": mint_token(
                    self._secret,
                    "video",
                    video.id,
                    lives_seconds=self._bench.settings.permission_seconds,
                ),
                "rendition": "proxy" if made is not None and made.proxy else "",
            },
        }


def describe_rest(rest: Rest) -> dict[str, Any]:
    """Return what is known of the rest as JSON values."""
    return {
        "open": rest.open,
        "controls": rest.controls,
        "estimate": asdict(rest.estimate),
        "advice": rest.advice,
    }


def _verdict(told: dict[str, Any]) -> Verdict:
    decision = one_of(told.get("decision"), get_args(Decision), "decision")
    reason = one_of(told.get("reason"), get_args(ReviewReason), "reason")
    doubt = told.get("doubt", 0.0)
    if isinstance(doubt, bool) or not isinstance(doubt, int | float) or not 0 <= doubt <= 1:
        raise InvalidInputError(f"a doubt lies from 0 to 1, not {doubt!r:.40}")
    found = told.get("found", [])
    corrected = told.get("corrected")
    if not isinstance(found, list):
        raise InvalidInputError(f"what was found comes as a list of events, not {found!r:.40}")
    return Verdict(
        id=parse_id(told.get("id"), "a decision"),
        run_id=str(told.get("run", "")),
        event_type=str(told.get("event_type", "")),
        span=_span(told),
        decision=decision,
        reason=reason,
        doubt=float(doubt),
        corrected=None if corrected is None else _event(corrected),
        found=tuple(_event(item) for item in found),
        seen=_seen(told.get("seen", [])),
    )


def _seen(told: object) -> tuple[TimeSpan, ...]:
    if not isinstance(told, list) or len(told) > _MOST_SEEN:
        raise InvalidInputError(
            f"what was seen comes as a list of at most {_MOST_SEEN} stretches "
            f"[start_us, end_us], not {told!r:.40}"
        )
    for item in told:
        if not isinstance(item, list) or len(item) != 2:
            raise InvalidInputError(
                f"a stretch that was seen is [start_us, end_us], not {item!r:.40}"
            )
    return tuple(
        TimeSpan(whole_number(start, "start_us"), whole_number(end, "end_us"))
        for start, end in told
    )


def _event(told: object) -> Event:
    if not isinstance(told, dict):
        raise InvalidInputError(f"an event is a JSON object, not {told!r:.40}")
    span = _span(told)
    kind = one_of(told.get("kind"), ("point", "segment"), "kind")
    return Event(span.start_us, span.end_us, str(told.get("event_type", "")), kind)


def _span(told: dict[str, Any]) -> TimeSpan:
    return TimeSpan(
        whole_number(told.get("start_us"), "start_us"), whole_number(told.get("end_us"), "end_us")
    )
