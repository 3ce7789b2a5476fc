"""Pictures of stored videos: exact frames side by side, posters, and the table of frame times."""

from __future__ import annotations

import threading
from collections import OrderedDict

import numpy as np

from prismata.catalog import VideoRecord
from prismata.core.errors import InvalidInputError, NotFoundError
from prismata.media import open_video
from prismata.media.filmstrip import draw_filmstrip, draw_poster
from prismata.media.proxies import proxy_timeline
from prismata.services.renditions import load_renditions, rendition_key
from prismata.services.workbench import Workbench

CACHED_BYTES = 32 * 2**20
"""Filmstrips kept in memory; some 1,000 of usual size."""


def frame_durations(bench: Workbench, video: VideoRecord) -> bytes:
    """Return how long each frame stays, little-endian uint32 microseconds, in display order.

    Raises:
        NotFoundError: If the frame table is missing from storage.
        InvalidInputError: If a frame stays longer than 71 minutes.
    """
    timeline = bench.timeline(video)
    durations = np.diff(np.append(timeline.starts_us, timeline.duration_us))
    if durations.max() > np.iinfo(np.uint32).max:
        raise InvalidInputError(
            f"a frame of {video.name!r} stays longer than 71 minutes; cut the video there first"
        )
    return durations.astype("<u4").tobytes()


class PictureDesk:
    """Draws pictures and keeps the latest; safe to share between threads.

    Args:
        bench: The workbench.
    """

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, int, int, int], tuple[bytes, int]] = OrderedDict()
        self._kept_bytes = 0

    def filmstrip(
        self, video: VideoRecord, *, first: int, count: int, height: int
    ) -> tuple[bytes, int]:
        """Return exact frames side by side as a JPEG, and the width of one.

        They come from the proxy where there is one: its key frames are near, its frames the same.

        Raises:
            InvalidInputError: If these frames cannot be drawn or do not exist.
            NotFoundError: If the file is missing from storage.
            BadVideoError: If a frame cannot be decoded.
        """
        asked = (video.sha256, first, count, height)
        with self._lock:
            if asked in self._kept:
                self._kept.move_to_end(asked)
                return self._kept[asked]
        strip = self._draw(video, first=first, count=count, height=height)
        with self._lock:
            if asked not in self._kept:
                self._kept[asked] = strip
                self._kept_bytes += len(strip[0])
            while self._kept_bytes > CACHED_BYTES:
                _, (dropped, _width) = self._kept.popitem(last=False)
                self._kept_bytes -= len(dropped)
        return strip

    def poster(self, video: VideoRecord) -> bytes:
        """Return the picture that stands for a video, drawn and stored at the first time.

        Raises:
            NotFoundError: If the file is missing from storage.
            BadVideoError: If it cannot be decoded.
        """
        storage, key = self._bench.storage, rendition_key(video, "poster.jpg")
        try:
            return storage.get(key)
        except NotFoundError:
            pass
        timeline = self._bench.timeline(video)
        with (
            storage.local_copy(video.storage_key) as path,
            open_video(path, timeline=timeline, threads=1) as reader,
        ):
            picture = draw_poster(reader)
        storage.put(key, picture)
        return picture

    def _draw(
        self, video: VideoRecord, *, first: int, count: int, height: int
    ) -> tuple[bytes, int]:
        timeline, key = self._bench.timeline(video), video.storage_key
        made = load_renditions(self._bench, video)
        if made is not None and made.proxy:
            timeline, key = proxy_timeline(timeline), rendition_key(video, "proxy.mp4")
        with (
            self._bench.storage.local_copy(key) as path,
            open_video(path, timeline=timeline, threads=1) as reader,
        ):
            return draw_filmstrip(reader, first=first, count=count, height=height)
