"""Decord as the classic reader: only where its own index agrees with the timeline.

Decord counts frames from the header's packets and waits for ever for frames that never come
(dmlc/decord issue 373), and its seeks return neighbours of the frame asked for (91, 195, 365).
So a file whose timestamps it sees differently is refused before the first frame is asked for, and
frames are taken one by one with `next`: `skip_frames`, `seek` and `get_batch` gave wrong frames on
variable rate MP4 and on H.264 in AVI in our own contract suite.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import decord
import numpy as np
from decord import DECORDError
from numpy.typing import NDArray

from prismata.core.errors import InvalidInputError, UnavailableError
from prismata.core.time import MICROSECONDS, FrameTimeline
from prismata.media.facts import VideoProbe, probe
from prismata.media.pixels import Orientation, Resizer
from prismata.media.readers import undecodable
from prismata.media.sequence import SequentialReader
from prismata.media.source import MAX_THREADS

CLOCK_TOLERANCE_US = 1_000
FLOAT32_STEPS = 2.0**-22
"""Decord tells times as float32 seconds."""


class DecordReader(SequentialReader):
    """Reads frames in order through decord; see `VideoReader`.

    Frames arrive as RGB at full size and are resized afterwards, so it needs more memory than the
    default reader.

    Args:
        path: The file.
        timeline: Its timeline.
        threads: Decoder threads; 0 = decord's choice.

    Raises:
        BadVideoError: If it is not a video that can be read.
        UnavailableError: If decord cannot read this video exactly.
    """

    name = "decord"

    def __init__(self, path: Path, *, timeline: FrameTimeline, threads: int = 0) -> None:
        self.timeline = timeline
        self._path = path
        self._threads = min(threads, MAX_THREADS)
        facts = probe(path)  # also keeps playlists away from decord, which would follow them
        if facts.mirrored:
            raise self._unfit("it does not know mirrored pictures")
        self.displayed_size = (facts.width, facts.height)
        self._resizer = Resizer(
            Orientation(), self.displayed_size
        )  # decord turns the picture itself
        self._facts: VideoProbe = facts
        self._next = 0
        self._held: tuple[int, NDArray[np.uint8]] | None = None
        self._video: Any = self._opened()
        self._check_first_frame()

    def close(self) -> None:
        """Release the file."""
        self._video = None
        self._held = None

    def _picture(
        self, index: int, size: tuple[int, int] | None, out: NDArray[np.uint8] | None
    ) -> NDArray[np.uint8]:
        return self._resizer.rgb_from_array(self._displayed(index), "rgb24", size, out)

    def _displayed(self, target: int) -> NDArray[np.uint8]:
        """Return RGB pixels as displayed, in the order of the timeline."""
        if self._video is None:
            raise InvalidInputError(f"{self._path.name!r} was closed; open it again to read frames")
        if self._held is not None and self._held[0] == target:
            return self._held[1]
        try:
            if target < self._next:
                self._video = self._opened()  # after seek(0), frames of an AVI come out wrong
                self._next = 0
            while self._next < target:
                self._video.next()
                self._next += 1
                self.decoded_frames += 1
            pixels = np.asarray(self._video.next().asnumpy(), dtype=np.uint8)
        except (DECORDError, StopIteration) as error:
            raise undecodable(self._path, self.timeline, target) from error
        self._next = target + 1
        self.decoded_frames += 1
        self._held = (target, pixels)
        return pixels

    def _opened(self) -> Any:  # noqa: ANN401 - decord has no types
        try:
            video = decord.VideoReader(
                str(self._path.absolute()), num_threads=self._threads, fault_tol=0
            )
        except (DECORDError, RuntimeError) as error:
            raise self._unfit("it cannot open it") from error
        if len(video) != len(self.timeline):
            raise self._unfit(f"it counts {len(video)} frames instead of {len(self.timeline)}")
        starts = video.get_frame_timestamp(np.arange(len(video)))[:, 0].astype(np.float64)
        starts_us = (starts - starts[0]) * MICROSECONDS
        allowed = CLOCK_TOLERANCE_US + np.abs(starts) * MICROSECONDS * FLOAT32_STEPS
        if np.any(np.abs(starts_us - self.timeline.starts_us) > allowed):
            raise self._unfit("it dates frames differently")
        return video

    def _check_first_frame(self) -> None:
        facts = self._facts
        if self._displayed(0).shape[:2] != (facts.height, facts.width):
            raise self._unfit("it picks another video track or turns the picture differently")

    def _unfit(self, why: str) -> UnavailableError:
        return UnavailableError(
            f"decord cannot read {self._path.name!r} exactly ({why}); use the reader 'pyav'"
        )
