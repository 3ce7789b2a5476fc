"""One comparison: a signature of each video, then every pair of videos of different groups."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prismata.core.child import ChildReporter
from prismata.core.errors import BadVideoError, NotFoundError
from prismata.core.time import FrameTimeline
from prismata.media.likeness import Motion, find_shared
from prismata.media.signatures import make_signature
from prismata.settings import Settings
from prismata.storage import StorageBackend, open_storage
from prismata.worker.compare.kept import SignatureCache

SIGNATURES_SHARE = 0.9
"""Of the whole progress, where there are signatures to make: decoding takes most of the time."""

Video = Mapping[str, Any]


def compare(request: dict[str, Any], reporter: ChildReporter) -> dict[str, Any]:
    """Handle one request: `settings`, `videos`, `known`.

    What is `known`: id → group of videos of which each was compared with all of other groups.
    Each video has `id`, `name`, `group`, `sha256`, `storage_key`, `timeline_key`, `duration_us`.
    Answers `found` (what pairs share), `too_still` (ids) and `unreadable` (id → why).
    """
    settings = Settings(**request["settings"])
    videos: list[Video] = request["videos"]
    reporter.started(videos=len(videos))
    signatures = _Signatures(
        open_storage(settings), SignatureCache(settings.cache_dir / "signatures"), reporter
    )
    readable = [video for video in videos if signatures.make(video, videos)]
    pairs = list(_pairs(readable, request["known"]))
    found: list[dict[str, Any]] = []
    begun: tuple[str, Motion] | None = None
    too_still: set[str] = set()
    for number, (first, second) in enumerate(pairs):
        reporter.progress(signatures.share_at(number, len(pairs)), 1.0, "comparing videos")
        if begun is None or begun[0] != first["id"]:
            begun = first["id"], Motion(signatures.load(first))
        other = Motion(signatures.load(second))
        too_still |= {
            video["id"]
            for video, motion in ((first, begun[1]), (second, other))
            if motion.is_too_still
        }
        shared = find_shared(begun[1], other)
        if shared is not None:
            found.append(
                {
                    "first": first["id"],
                    "second": second["id"],
                    "first_us": [shared.first.start_us, shared.first.end_us],
                    "second_us": [shared.second.start_us, shared.second.end_us],
                    "similarity": round(shared.similarity, 4),
                }
            )
    reporter.progress(1.0, 1.0, "done")
    return {
        "found": found,
        "too_still": sorted(too_still),
        "unreadable": signatures.unreadable,
    }


class _Signatures:
    """The signatures of all videos, made where they are missing."""

    def __init__(
        self, storage: StorageBackend, cache: SignatureCache, reporter: ChildReporter
    ) -> None:
        self._storage, self._cache, self._reporter = storage, cache, reporter
        self._done_us = 0
        self._made = 0
        self.unreadable: dict[str, str] = {}

    def make(self, video: Video, videos: Sequence[Video]) -> bool:
        """See to it that there is a signature; say whether there is one now."""
        total_us = sum(item["duration_us"] for item in videos)

        def tell(done: int, total: int) -> None:
            seen_us = self._done_us + video["duration_us"] * done / total
            share = SIGNATURES_SHARE * seen_us / total_us
            self._reporter.progress(round(share, 5), 1.0, "looking at videos")

        try:
            self._get(video, tell)
        except (BadVideoError, NotFoundError) as error:
            self.unreadable[video["id"]] = str(error)
        self._done_us += video["duration_us"]
        return video["id"] not in self.unreadable

    def load(self, video: Video) -> NDArray[np.uint8]:
        """Return the signature of a video that could be read."""
        return self._get(video, lambda _done, _total: None)

    def share_at(self, number: int, pairs: int) -> float:
        """Return how far the whole is before this pair."""
        begun = SIGNATURES_SHARE if self._made else 0.0
        return round(begun + (1 - begun) * number / pairs, 5)

    def _get(self, video: Video, tell: Callable[[int, int], None]) -> NDArray[np.uint8]:
        def look() -> NDArray[np.uint8]:
            self._made += 1
            timeline = FrameTimeline.load(BytesIO(self._storage.get(video["timeline_key"])))
            with self._storage.local_copy(video["storage_key"]) as path:
                return make_signature(path, timeline, on_progress=tell)

        return self._cache.get(video["sha256"], look)


def _pairs(videos: Sequence[Video], known: Mapping[str, str]) -> Iterator[tuple[Video, Video]]:
    """Yield the pairs to compare: of different groups, and not compared before."""
    for place, first in enumerate(videos):
        for second in videos[place + 1 :]:
            before = known.get(first["id"]), known.get(second["id"])
            is_known = None not in before and before[0] != before[1]
            if first["group"] != second["group"] and not is_known:
                yield first, second
