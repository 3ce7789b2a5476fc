"""Chunked, resumable uploads: `PUT` announces a file, `PATCH` brings its pieces.

    PUT   /api/upload/{id}   {"name", "size", "domain"}        → 201, upload-offset
    GET   /api/upload/{id}                                     → 200, upload-offset
    PATCH /api/upload/{id}   upload-offset: 0, bytes           → 204, upload-offset
                             after the last piece              → 200, what became of the file
    DELETE /api/upload/{id}                                    → 204, nothing of it stays
    GET   /api/uploads                                         → 200, those that can be gone on with

Where the storage has addresses for it, a browser that says `"direct": true` in its announcement is
answered with `direct`: the parts that are there and addresses to which it sends the next ones, past
this program.

    GET   /api/upload/{id}/parts                               → 200, the same, with fresh addresses
    POST  /api/upload/{id}/parts                               → 200, what became of the file

A piece at the wrong offset gets 409 with the right one; while another one is being written, or the
file is being checked, 409 with retry-after. The last piece may bring `x-prismata-digest`, see
`digest_of`. The token travels in a header, so a
foreign page cannot send it.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from prismata.api.answers import forbidden, refusal, sentence
from prismata.api.asking import TOKEN_HEADER, note_deed
from prismata.core.errors import (
    BadVideoError,
    BusyError,
    InvalidInputError,
    NotFoundError,
    UserError,
)
from prismata.media.first_bytes import NEEDED_BYTES
from prismata.services.access import is_token_valid
from prismata.services.direct_uploads import DirectDesk, DirectParts, remove_direct
from prismata.services.uploads import MAX_CHUNK_BYTES, Upload, UploadDesk
from prismata.services.workbench import Workbench

OFFSET_HEADER = "upload-offset"
DIGEST_HEADER = "x-prismata-digest"
SILENT_SECONDS = 20.0
"""A sender that brings no byte for so long is gone, though its connection may not know it yet."""

_BUSY_SECONDS = 1
_MAX_ANNOUNCEMENT = 64 * 1024


class UploadRoute:
    """Answers everything about one upload.

    Args:
        bench: The workbench.
        secret: What tokens were signed with.
    """

    def __init__(self, bench: Workbench, secret: bytes) -> None:
        self._bench = bench
        self._secret = secret
        settings = bench.settings
        self._desk = UploadDesk(
            settings.data_dir / "uploads",
            max_bytes=int(settings.upload_max_gb * 1e9),
            max_seconds=settings.upload_max_hours * 3600,
        )
        parts = bench.storage.part_uploads
        self._direct = DirectDesk(self._desk, parts) if parts is not None else None

    async def answer(self, request: Request) -> Response:
        """Announce, ask or continue, as the method says."""
        token = request.headers.get(TOKEN_HEADER, "")
        if not is_token_valid(self._secret, token, "upload", ""):
            return forbidden()
        upload_id = request.path_params["upload_id"]
        try:
            if request.url.path.endswith("/parts"):
                return await self._parts(request, upload_id)
            if request.method == "DELETE":
                await run_in_threadpool(remove_direct, self._bench, self._desk, upload_id)
                return Response(status_code=204)
            if request.method == "PUT":
                return await self._announce(request, upload_id)
            upload = await run_in_threadpool(self._desk.get, upload_id)
            if request.method == "PATCH":
                with self._desk.hold(upload_id):
                    upload = await run_in_threadpool(self._desk.get, upload_id)
                    return await self._continue(request, upload)
        except BadVideoError as error:
            answer = refusal(error)
            answer.headers["x-reason"] = error.reason
            return answer
        except UserError as error:
            answer = refusal(error)
            if isinstance(error, BusyError):
                answer.headers["retry-after"] = str(_BUSY_SECONDS)
            return answer
        result = await run_in_threadpool(self._desk.result, upload_id)
        return _progress(upload, 200, {"offset": upload.offset, **(result or {})})

    async def list(self, request: Request) -> Response:
        """Return the uploads that can be gone on with."""
        if not is_token_valid(self._secret, request.headers.get(TOKEN_HEADER, ""), "upload", ""):
            return forbidden()
        found = await run_in_threadpool(_unfinished, self._desk, self._direct)
        told = [
            {"id": item.id, "name": item.name, "size": item.size, "offset": item.offset}
            for item in found
        ]
        return JSONResponse({"uploads": told}, headers={"Cache-Control": "no-store"})

    async def _announce(self, request: Request, upload_id: str) -> Response:
        try:
            if int(request.headers.get("content-length", "0")) > _MAX_ANNOUNCEMENT:
                raise InvalidInputError("an upload is announced with a few words of JSON")
            told = json.loads(await request.body())
            name, size = str(told["name"]), int(told["size"])
            domain = str(told.get("domain") or "")
            wants_direct = told.get("direct") is True
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InvalidInputError(
                'an upload is announced with JSON like {"name": "clip.mp4", "size": 1024}'
            ) from error
        direct = self._direct
        copies = 1 if wants_direct and direct is not None else 2
        upload = await run_in_threadpool(
            lambda: self._desk.begin(upload_id, name=name, size=size, domain=domain, copies=copies)
        )
        note_deed(request, upload.name)
        content: dict[str, object] = {"offset": upload.offset}
        if direct is not None and not wants_direct:
            await run_in_threadpool(direct.give_up, self._bench, upload_id)
        elif direct is not None and upload.offset == 0:
            with self._desk.hold(upload_id):
                content["direct"] = _told(await run_in_threadpool(direct.where_to_go_on, upload))
        return _progress(upload, 201, content)

    async def _parts(self, request: Request, upload_id: str) -> Response:
        """Say where the next parts go, or take in what they have become."""
        upload = await run_in_threadpool(self._desk.get, upload_id)
        finished = await run_in_threadpool(self._desk.result, upload_id)
        if finished is not None:
            return _progress(upload, 200, {"offset": upload.size, **finished})
        direct = self._direct
        if direct is None or not direct.is_direct(upload_id):
            raise NotFoundError(f"{upload.name!r} is not sent in parts to the store; announce it")
        with self._desk.hold(upload_id):
            if request.method == "GET":
                parts = await run_in_threadpool(direct.where_to_go_on, upload)
                return _progress(upload, 200, _told(parts))
            digest = request.headers.get(DIGEST_HEADER, "")
            result = await run_in_threadpool(
                lambda: direct.finish(self._bench, upload, digest=digest)
            )
        return _progress(upload, 200, {"offset": upload.size, **result})

    async def _continue(self, request: Request, upload: Upload) -> Response:
        offset = request.headers.get(OFFSET_HEADER, "")
        finished = await run_in_threadpool(self._desk.result, upload.id)
        if finished is None:
            if not (offset.isascii() and offset.isdigit()):
                raise InvalidInputError("a piece says where it begins in the header upload-offset")
            if int(offset) != upload.offset:
                answer = sentence(
                    f"{upload.offset} bytes are here, so go on from there, not from {offset}", 409
                )
                answer.headers[OFFSET_HEADER] = str(upload.offset)
                return answer
            if refused := await self._receive(request, upload):
                return refused
            began = upload.offset < NEEDED_BYTES
            upload = await run_in_threadpool(self._desk.get, upload.id)
            if began:
                await run_in_threadpool(self._desk.check_beginning, upload)
            if not upload.is_complete:
                return Response(status_code=204, headers={OFFSET_HEADER: str(upload.offset)})
        digest = request.headers.get(DIGEST_HEADER, "")
        result = await run_in_threadpool(
            lambda: self._desk.finish(self._bench, upload, digest=digest)
        )
        return _progress(upload, 200, {"offset": upload.size, **result})

    async def _receive(self, request: Request, upload: Upload) -> Response | None:
        """Append the body to the file as it arrives; return a refusal if it is too long."""
        left = min(MAX_CHUNK_BYTES, upload.size - upload.offset)
        length = request.headers.get("content-length", "")
        too_long = sentence(f"a piece holds at most {left} bytes here", 413)
        if length.isdigit() and int(length) > left:
            return too_long
        path = self._desk.path_of(upload.id, upload.name)
        target = await run_in_threadpool(path.open, "ab")
        parts = request.stream()
        try:
            while True:
                async with asyncio.timeout(SILENT_SECONDS):
                    part = await anext(parts, None)
                if part is None:
                    break
                left -= len(part)
                if left < 0:
                    await run_in_threadpool(target.truncate, upload.offset)
                    return too_long
                await run_in_threadpool(target.write, part)
        except ClientDisconnect:
            # What arrived stays: the sender asks for the offset and goes on.
            return Response(status_code=400)
        except TimeoutError:
            return sentence("nothing came for a while; ask for the offset and go on there", 408)
        finally:
            await run_in_threadpool(target.close)
        return None


def _unfinished(desk: UploadDesk, direct: DirectDesk | None) -> list[Upload]:
    return [
        replace(item, offset=direct.bytes_there(item))
        if direct is not None and direct.is_direct(item.id)
        else item
        for item in desk.unfinished()
    ]


def _told(parts: DirectParts) -> dict[str, object]:
    return {
        "part_bytes": parts.part_bytes,
        "count": parts.count,
        "done": list(parts.done),
        "urls": {str(number): url for number, url in parts.urls.items()},
    }


def _progress(upload: Upload, status: int, content: dict[str, object]) -> Response:
    return JSONResponse(
        content,
        status,
        headers={OFFSET_HEADER: str(upload.offset), "Cache-Control": "no-store"},
    )
