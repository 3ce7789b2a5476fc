"""Stored videos for the player: from disk in bounded ranges, or by a presigned address."""

from __future__ import annotations

import re
from contextlib import ExitStack
from mimetypes import guess_type

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response

from prismata.api.answers import forbidden, refusal
from prismata.catalog import VideoRecord
from prismata.core.errors import InvalidInputError, NotFoundError, UserError
from prismata.services.access import DAY_SECONDS, is_token_valid
from prismata.services.renditions import load_renditions, rendition_key
from prismata.services.workbench import Workbench

MAX_RANGE_BYTES = 4 * 2**20
"""A browser keeps an open-ended range open while the player is paused, and has six connections a
host: longer answers would make the whole page wait."""

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


class MediaRoute:
    """Answers `GET` and `HEAD` for one video.

    Args:
        bench: The workbench.
        secret: What tokens were signed with.
    """

    def __init__(self, bench: Workbench, secret: bytes) -> None:
        self._bench = bench
        self._secret = secret

    def answer(self, request: Request) -> Response:
        """Return the part of the video that was asked for, of its source or of its proxy.

        A single range gets at most `MAX_RANGE_BYTES` of it. Without a range, or with several, the
        whole file streams from disk, as HTTP wants it; players always ask for ranges.
        """
        video_id = request.path_params["video_id"]
        token = request.query_params.get("token", "")
        rendition = request.query_params.get("rendition", "source")
        if not is_token_valid(self._secret, token, "video", video_id):
            return forbidden()
        held = ExitStack()
        try:
            video = self._bench.catalog.videos.get(video_id)
            key, tag = self._object_of(video, rendition)
            if request.method == "GET":
                url = self._bench.storage.url_for(key, expires_seconds=DAY_SECONDS)
                if url is not None:
                    return RedirectResponse(url, 307, headers={"Cache-Control": "no-store"})
            path = held.enter_context(self._bench.storage.local_copy(key))
            size = path.stat().st_size
        except UserError as error:
            held.close()
            return refusal(error)
        bound_range(request, size)
        return FileResponse(
            path,
            media_type=guess_type(key)[0] or "video/mp4",
            headers={"Cache-Control": "private, max-age=3600", "ETag": tag},
            background=BackgroundTask(held.close),
        )

    def _object_of(self, video: VideoRecord, rendition: str) -> tuple[str, str]:
        """Return storage key and version of what is asked for.

        Raises:
            NotFoundError: If there is no such rendition.
            InvalidInputError: If there can be none.
        """
        if rendition == "source":
            return video.storage_key, f'"{video.sha256}"'
        if rendition != "proxy":
            raise InvalidInputError(
                f"a video has the renditions source and proxy, not {rendition[:40]!r}"
            )
        made = load_renditions(self._bench, video)
        if made is None or not made.proxy:
            raise NotFoundError(f"there is no proxy of {video.name!r}; play its source")
        return rendition_key(video, "proxy.mp4"), f'"{video.sha256}-proxy"'


def bound_range(request: Request, size: int) -> None:
    """Shorten the range that a request asks for; Starlette reads the header from the scope."""
    found = _RANGE.fullmatch(request.headers.get("range", "").strip())
    if found is None or not any(found.groups()):
        _drop_range(request)
        return
    first, last = found.groups()
    start = int(first) if first else max(0, size - int(last))
    asked_end = int(last) if first and last else max(start, size - 1)
    end = min(asked_end, start + MAX_RANGE_BYTES - 1)
    _drop_range(request, replacement=f"bytes={start}-{end}")


def _drop_range(request: Request, *, replacement: str = "") -> None:
    headers = [item for item in request.scope["headers"] if item[0] != b"range"]
    if replacement:
        headers.append((b"range", replacement.encode()))
    request.scope["headers"] = headers
