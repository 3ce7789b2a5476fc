"""Labels of one video in one domain: load, edit by operations, look back, restore.

A permission is signed for video, domain and person, so nobody edits in another name.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from prismata.api.answers import forbidden, refusal
from prismata.api.asking import in_thread, may, read_json, user_of, whole_number
from prismata.catalog import LABEL_FIELDS, Change, Changes, LoadedLabels
from prismata.core.coverage import coverage_to_json
from prismata.core.errors import InvalidInputError, UserError
from prismata.core.operations import (
    Operation,
    OperationResult,
    parse_client,
    parse_id,
    parse_operation,
)
from prismata.services.annotate import Answer, LabelDesk

MAX_OPERATIONS = 500
MAX_REMARKS = 200
"""In one answer: who has more first looks at these."""

_ROWS_AT_ONCE = 500
"""`json.dumps` holds the interpreter while it runs: in pieces, other requests get their turn."""
_WORTH_PACKING_BYTES = 64 * 1024

_OPS_EXAMPLE = '{"since": 0, "ops": [{"id": "…", "client": "…", "seq": 1, "kind": "create", …}]}'
_RESTORE_EXAMPLE = '{"seq": 17, "id": "…", "client": "…", "since": 20}'

Asked = Callable[[Request, str, str, str], Awaitable[bytes]]
"""Request, video id, domain name, person → JSON."""


class LabelRoutes:
    """Answers below `/api/labels/{video_id}/{domain}`.

    Args:
        secret: What tokens were signed with.
        desk: Takes the edits.
    """

    def __init__(self, secret: bytes, desk: LabelDesk) -> None:
        self._secret = secret
        self._desk = desk

    def routes(self) -> list[Route]:
        """Return the routes."""
        base = "/api/labels/{video_id}/{domain}"
        answers: dict[tuple[str, str], Asked] = {
            ("GET", base): self._load,
            ("POST", f"{base}/ops"): self._apply,
            ("GET", f"{base}/changes"): self._changes,
            ("GET", f"{base}/remarks"): self._remarks,
            ("GET", f"{base}/history"): self._history,
            ("POST", f"{base}/restore"): self._restore,
        }
        return [
            Route(path, partial(self._checked, answer), methods=[method])
            for (method, path), answer in answers.items()
        ]

    async def _checked(self, answer: Asked, request: Request) -> Response:
        """Check the permission and turn errors into answers."""
        video_id, domain = request.path_params["video_id"], request.path_params["domain"]
        user = user_of(request)
        if not user or not may(request, self._secret, "labels", f"{video_id}/{domain}/{user}"):
            return forbidden()
        try:
            content = await answer(request, video_id, domain, user)
        except UserError as error:
            return refusal(error)
        headers = {"Cache-Control": "no-store", "Vary": "Accept-Encoding"}
        is_long = len(content) > _WORTH_PACKING_BYTES
        if is_long and "gzip" in request.headers.get("accept-encoding", ""):
            content = await in_thread(lambda: gzip.compress(content, 1, mtime=0))
            headers["Content-Encoding"] = "gzip"
        return Response(content, media_type="application/json", headers=headers)

    async def _load(self, request: Request, video_id: str, domain: str, user: str) -> bytes:
        del request, user
        return await in_thread(lambda: b"".join(_loaded(self._desk.load(video_id, domain))))

    async def _apply(self, request: Request, video_id: str, domain: str, user: str) -> bytes:
        told = await read_json(request, _OPS_EXAMPLE)
        since = whole_number(told.get("since"), "since")
        batch = told.get("ops")
        if not isinstance(batch, list):
            raise InvalidInputError(f"operations come as a list, like {_OPS_EXAMPLE}")
        if len(batch) > MAX_OPERATIONS:
            raise InvalidInputError(
                f"{len(batch)} operations came at once, but at most {MAX_OPERATIONS} may; send "
                "the rest afterwards"
            )

        def work() -> bytes:
            operations, refused = _parsed(batch)
            answer = self._desk.apply(video_id, domain, operations, user, since=since)
            done = {result.id: result for result in answer.results} | refused
            return _answered(answer, [done[item["id"]] for item in batch])

        return await in_thread(work)

    async def _changes(self, request: Request, video_id: str, domain: str, user: str) -> bytes:
        del user
        since = whole_number(request.query_params.get("since", ""), "since")
        return await in_thread(lambda: _json(_changed(self._desk.changes(video_id, domain, since))))

    async def _remarks(self, request: Request, video_id: str, domain: str, user: str) -> bytes:
        del request, user

        def work() -> bytes:
            checked = self._desk.check(video_id, domain)
            failure = None if checked.failure is None else str(checked.failure)
            shown = checked.remarks[:MAX_REMARKS]
            return _json(
                {
                    "remarks": [item.to_dict() for item in shown],
                    "more": len(checked.remarks) - len(shown),
                    "failure": failure,
                }
            )

        return await in_thread(work)

    async def _history(self, request: Request, video_id: str, domain: str, user: str) -> bytes:
        del user
        told = request.query_params
        before = whole_number(told["before"], "before") if told.get("before") else None
        limit = whole_number(told.get("limit", "100"), "limit")

        def work() -> bytes:
            entries = self._desk.history(video_id, domain, before=before, limit=limit)
            return _json({"entries": [_change(item) for item in entries]})

        return await in_thread(work)

    async def _restore(self, request: Request, video_id: str, domain: str, user: str) -> bytes:
        told = await read_json(request, _RESTORE_EXAMPLE)
        seq = whole_number(told.get("seq"), "seq")
        since = whole_number(told.get("since"), "since")
        operation = Operation(
            id=parse_id(told.get("id"), "an operation"),
            client=parse_client(told.get("client")),
            seq=0,
            kind="sheet",
            event_id="",
            before={},
            after={},
        )

        def work() -> bytes:
            answer = self._desk.restore(video_id, domain, seq, operation, user, since=since)
            return _answered(answer, list(answer.results))

        return await in_thread(work)


def _parsed(batch: list[Any]) -> tuple[list[Operation], dict[str, OperationResult]]:
    """Return the operations of a batch, and by id those that are none, with the reason.

    One that cannot be is refused alone: the others of a person's queue must not wait behind it.

    Raises:
        InvalidInputError: If one has no id that an answer could name, or two have the same.
    """
    operations = []
    refused: dict[str, OperationResult] = {}
    seen: set[str] = set()
    for data in batch:
        operation_id = parse_id(data.get("id") if isinstance(data, dict) else None, "an operation")
        if operation_id in seen:
            raise InvalidInputError(f"two operations of this request have the id {operation_id}")
        seen.add(operation_id)
        try:
            operations.append(parse_operation(data))
        except InvalidInputError as error:
            refused[operation_id] = OperationResult(operation_id, "refused", str(error))
    return operations, refused


def _loaded(loaded: LoadedLabels) -> Iterator[bytes]:
    sheet = loaded.sheet
    head = {
        "seq": sheet.seq,
        "fields": LABEL_FIELDS,
        "coverage": coverage_to_json(sheet.coverage),
        "sheet": {"status": sheet.status, "assignee": sheet.assignee, "note": sheet.note},
    }
    yield _json(head)[:-1] + b',"rows":['
    between = b""
    for start in range(0, len(loaded.rows), _ROWS_AT_ONCE):
        yield between + _json(loaded.rows[start : start + _ROWS_AT_ONCE])[1:-1]
        between = b","
    yield b"]}"


def _answered(answer: Answer, results: list[OperationResult]) -> bytes:
    told = [
        {"id": item.id, "status": item.status, "message": item.message, "current": item.current}
        for item in results
    ]
    return _json({"results": told, **_changed(answer.changes)})


def _changed(changes: Changes) -> dict[str, Any]:
    if changes.changes is None:
        return {"seq": changes.seq, "reload": True}
    return {"seq": changes.seq, "changes": [_change(item) for item in changes.changes]}


def _change(change: Change) -> dict[str, Any]:
    return {
        "seq": change.seq,
        "op": change.op,
        "client": change.client,
        "author": change.author,
        "kind": change.kind,
        "event_id": change.event_id,
        "before": change.before,
        "after": change.after,
        "at": change.at.isoformat(),
    }


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
