"""Chunked, resumable uploads: `PUT` announces a file, `PATCH` brings its pieces.

    PUT   /api/upload/{id}   {"name", "size", "domain"}        → 201, upload-offset
    GET   /api/upload/{id}                                     → 200, upload-offset
    PATCH /api/upload/{id}   upload-offset: 0, bytes           → 204, upload-offset
                             after the last piece              → 200, what became of the file

A piece at the wrong offset gets 409 with the right one. The token travels in a header, so a
foreign page cannot send it.
"""

from __future__ import annotations

import json

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from prismata.api.answers import forbidden, refusal, sentence
from prismata.api.asking import TOKEN_HEADER
from prismata.core.errors import BadVideoError, InvalidInputError, UserError
from prismata.services.access import is_token_valid
from prismata.services.uploads import MAX_CHUNK_BYTES, Upload, UploadDesk
from prismata.services.workbench import Workbench

OFFSET_HEADER = "upload-offset"
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
        self._desk = UploadDesk(bench.settings.data_dir / "uploads")

    async def answer(self, request: Request) -> Response:
        """Announce, ask or continue, as the method says."""
        token = request.headers.get(TOKEN_HEADER, "")
        if not is_token_valid(self._secret, token, "upload", ""):
            return forbidden()
        upload_id = request.path_params["upload_id"]
        try:
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
            return refusal(error)
        result = await run_in_threadpool(self._desk.result, upload_id)
        return _progress(upload, 200, {"offset": upload.offset, **(result or {})})

    async def _announce(self, request: Request, upload_id: str) -> Response:
        try:
            if int(request.headers.get("content-length", "0")) > _MAX_ANNOUNCEMENT:
                raise InvalidInputError("an upload is announced with a few words of JSON")
            told = json.loads(await request.body())
            name, size = str(told["name"]), int(told["size"])
            domain = str(told.get("domain") or "")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InvalidInputError(
                'an upload is announced with JSON like {"name": "clip.mp4", "size": 1024}'
            ) from error
        upload = await run_in_threadpool(
            lambda: self._desk.begin(upload_id, name=name, size=size, domain=domain)
        )
        return _progress(upload, 201, {"offset": upload.offset})

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
            upload = await run_in_threadpool(self._desk.get, upload.id)
            if not upload.is_complete:
                return Response(status_code=204, headers={OFFSET_HEADER: str(upload.offset)})
        result = await run_in_threadpool(self._desk.finish, self._bench, upload)
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
        try:
            async for part in request.stream():
                left -= len(part)
                if left < 0:
                    await run_in_threadpool(target.truncate, upload.offset)
                    return too_long
                await run_in_threadpool(target.write, part)
        except ClientDisconnect:
            # What arrived stays: the sender asks for the offset and goes on.
            return Response(status_code=400)
        finally:
            await run_in_threadpool(target.close)
        return None


def _progress(upload: Upload, status: int, content: dict[str, object]) -> Response:
    return JSONResponse(
        content,
        status,
        headers={OFFSET_HEADER: str(upload.offset), "Cache-Control": "no-store"},
    )
