"""What a player needs beside the video itself: frame times, thumbnails, waveform, filmstrips."""

from __future__ import annotations

import gzip
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from prismata.api.answers import forbidden, refusal, sentence
from prismata.api.asking import in_thread, token_of
from prismata.catalog import VideoRecord
from prismata.core.errors import BusyError, InvalidInputError, UserError
from prismata.services.access import is_token_valid
from prismata.services.pictures import PictureDesk, frame_durations
from prismata.services.prepare import (
    Material,
    describe_material,
    needs_preparation,
    start_preparation,
)
from prismata.services.renditions import load_renditions, rendition_key
from prismata.services.runs import finished_runs
from prismata.services.workbench import Workbench

DECODERS = 2
"""Pictures decoded at the same time; more would take the player's and the workbench's cores."""

CACHED = "private, max-age=3600"

T = TypeVar("T")
Answer = Callable[[Request, VideoRecord], Awaitable[Response]]


class VideoMaterialRoutes:
    """Answers below `/api/video/{video_id}/`.

    Args:
        bench: The workbench.
        secret: What tokens were signed with.
    """

    def __init__(self, bench: Workbench, secret: bytes) -> None:
        self._bench = bench
        self._secret = secret
        self._desk = PictureDesk(bench)
        self._limiter: anyio.CapacityLimiter | None = None

    def routes(self) -> list[Route]:
        """Return the routes, to be mounted before `/api/video/{video_id}`."""
        base = "/api/video/{video_id}"
        answers: dict[str, Answer] = {
            "frames": self._frames,
            "material": self._material,
            "thumbs/{sprite:int}": self._thumbs,
            "waveform": self._waveform,
            "filmstrip": self._filmstrip,
            "poster": self._poster,
            "runs": self._runs,
        }
        told = [
            Route(f"{base}/{path}", partial(self._checked, answer), methods=["GET"])
            for path, answer in answers.items()
        ]
        prepare = partial(self._checked, self._prepare)
        return [*told, Route(f"{base}/prepare", prepare, methods=["POST"])]

    async def _checked(self, answer: Answer, request: Request) -> Response:
        """Check the permission, find the video and turn errors into answers."""
        video_id = request.path_params["video_id"]
        if not is_token_valid(self._secret, token_of(request), "video", video_id):
            return forbidden()
        try:
            video = await in_thread(lambda: self._bench.catalog.videos.get(video_id))
            return await answer(request, video)
        except UserError as error:
            return refusal(error)

    async def _frames(self, request: Request, video: VideoRecord) -> Response:
        tag = f'"{video.sha256}-frames"'
        if _is_known(request, tag):
            return _unchanged(tag)
        content = await in_thread(lambda: frame_durations(self._bench, video))
        headers = {"Vary": "Accept-Encoding"}
        if "gzip" in request.headers.get("accept-encoding", ""):
            # A steady rate packs to a hundredth; an hour of it is 432 kB plain.
            content = await in_thread(lambda: gzip.compress(content, 1, mtime=0))
            headers["Content-Encoding"] = "gzip"
        return _content(content, "application/octet-stream", tag, **headers)

    async def _material(self, request: Request, video: VideoRecord) -> Response:
        del request
        material = await in_thread(lambda: describe_material(self._bench, video))
        return JSONResponse(material.to_json(), headers={"Cache-Control": "no-store"})

    async def _prepare(self, request: Request, video: VideoRecord) -> Response:
        """Start making what is missing; whoever asks while it runs just gets told how far it is."""
        del request

        def start() -> Material:
            if needs_preparation(self._bench, video):
                with suppress(BusyError):
                    start_preparation(self._bench, video)
            return describe_material(self._bench, video)

        material = await in_thread(start)
        return JSONResponse(material.to_json(), 202, headers={"Cache-Control": "no-store"})

    async def _thumbs(self, request: Request, video: VideoRecord) -> Response:
        number = int(request.path_params["sprite"])
        made = await in_thread(lambda: load_renditions(self._bench, video))
        if made is None or made.thumbs is None:
            return sentence(f"there are no thumbnails of {video.name!r} yet; prepare it first", 404)
        if number >= made.thumbs.sprites:
            return sentence(
                f"{video.name!r} has the sprites 0 to {made.thumbs.sprites - 1}, not {number}", 404
            )
        return await self._stored(request, video, f"thumbs-{number}.jpg", "image/jpeg")

    async def _waveform(self, request: Request, video: VideoRecord) -> Response:
        made = await in_thread(lambda: load_renditions(self._bench, video))
        if made is None:
            return sentence(f"there is no waveform of {video.name!r} yet; prepare it first", 404)
        if made.peaks_per_second is None:
            return sentence(f"{video.name!r} has no sound, so there is no waveform", 404)
        return await self._stored(request, video, "waveform.bin", "application/octet-stream")

    async def _filmstrip(self, request: Request, video: VideoRecord) -> Response:
        asked = {
            name: _number(request, name, default)
            for name, default in (("first", None), ("count", 11), ("height", 72))
        }
        tag = f'"{video.sha256}-{asked["first"]}-{asked["count"]}-{asked["height"]}"'
        if _is_known(request, tag):
            return _unchanged(tag)
        picture, width = await self._decode(lambda: self._desk.filmstrip(video, **asked))
        return _content(picture, "image/jpeg", tag, **{"x-frame-width": str(width)})

    async def _poster(self, request: Request, video: VideoRecord) -> Response:
        tag = f'"{video.sha256}-poster"'
        if _is_known(request, tag):
            return _unchanged(tag)
        picture = await self._decode(lambda: self._desk.poster(video))
        return _content(picture, "image/jpeg", tag)

    async def _runs(self, request: Request, video: VideoRecord) -> Response:
        domain = request.query_params.get("domain", "")
        runs = await in_thread(lambda: finished_runs(self._bench, video, domain))
        return JSONResponse({"runs": runs}, headers={"Cache-Control": "no-store"})

    async def _stored(
        self, request: Request, video: VideoRecord, name: str, media_type: str
    ) -> Response:
        key = rendition_key(video, name)
        tag = f'"{video.sha256}-{name}"'
        if _is_known(request, tag):
            return _unchanged(tag)
        content = await in_thread(lambda: self._bench.storage.get(key))
        return _content(content, media_type, tag)

    async def _decode(self, work: Callable[[], T]) -> T:
        """Run in a thread, `DECODERS` at a time; who waits holds no thread."""
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(DECODERS)
        return await anyio.to_thread.run_sync(work, limiter=self._limiter)


def _number(request: Request, name: str, default: int | None) -> int:
    text = request.query_params.get(name, "" if default is None else str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise InvalidInputError(f"{name} has to be a whole number from 0 on, not {text[:40]!r}")
    return int(text)


def _is_known(request: Request, tag: str) -> bool:
    """Say whether the browser has this version already."""
    return tag in request.headers.get("if-none-match", "")


def _unchanged(tag: str) -> Response:
    return Response(status_code=304, headers={"ETag": tag, "Cache-Control": CACHED})


def _content(content: bytes, media_type: str, tag: str, **headers: str) -> Response:
    return Response(
        content, media_type=media_type, headers={"ETag": tag, "Cache-Control": CACHED, **headers}
    )
