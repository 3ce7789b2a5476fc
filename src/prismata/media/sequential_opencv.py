"""OpenCV as a fallback: sequential grabbing only, each frame checked by its time.

OpenCV's own seeks land on wrong frames in files with variable rate, B-frames or MPEG transport
streams (opencv/opencv issues 9053, 20227), so this reader never uses them: going back means opening
the file anew.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from prismata.core.errors import InvalidInputError, UnavailableError
from prismata.core.time import FrameTimeline
from prismata.media.facts import probe
from prismata.media.matching import FrameMatcher
from prismata.media.pixels import Resizer
from prismata.media.readers import undecodable
from prismata.media.sequence import SequentialReader
from prismata.media.source import MAX_THREADS, VideoSource

POSITION_TOLERANCE_US = 60
"""OpenCV tells positions as float milliseconds that it derives from float seconds."""


class OpenCVReader(SequentialReader):
    """Reads frames in order through OpenCV's FFmpeg; see `VideoReader`.

    Args:
        path: The file.
        timeline: Its timeline.
        threads: Decoder threads; 0 = OpenCV's choice.

    Raises:
        BadVideoError: If it is not a video that can be read.
        UnavailableError: If OpenCV cannot read this video exactly.
    """

    name = "opencv"

    def __init__(self, path: Path, *, timeline: FrameTimeline, threads: int = 0) -> None:
        self.timeline = timeline
        self._path = path
        self._threads = min(threads, MAX_THREADS)
        facts = probe(path)  # also keeps playlists away from OpenCV, which would follow them
        if facts.high_dynamic_range:
            raise UnavailableError(
                f"OpenCV changes the colours of high dynamic range videos such as {path.name!r}; "
                "use the reader 'pyav'"
            )
        with VideoSource(path, threads=1) as source:
            self._stream_place = source.video_place
            self._matcher = FrameMatcher(timeline, source.time_base)
        self._coded_size = (facts.coded_width, facts.coded_height)
        self.displayed_size = (facts.width, facts.height)
        self._resizer = Resizer(facts.orientation, self.displayed_size)
        self._codec = facts.codec
        self._capture = self._opened()
        self._next = 0
        self._held: tuple[int, NDArray[np.uint8]] | None = None

    def close(self) -> None:
        """Release the file."""
        self._held = None
        self._capture.release()

    def _picture(
        self, index: int, size: tuple[int, int] | None, out: NDArray[np.uint8] | None
    ) -> NDArray[np.uint8]:
        return self._resizer.rgb_from_array(self._stored(index), "bgr24", size, out)

    def _stored(self, target: int) -> NDArray[np.uint8]:
        """Return BGR pixels as stored, in the order of the timeline."""
        if not self._capture.isOpened():
            raise InvalidInputError(f"{self._path.name!r} was closed; open it again to read frames")
        if self._held is not None and self._held[0] == target:
            return self._held[1]
        if target < self._next:
            self._capture.release()
            self._capture = self._opened()
            self._next = 0
        while self._next <= target:
            if not self._capture.grab():
                if self._next == 0:
                    raise UnavailableError(
                        f"OpenCV cannot decode {self._path.name!r} ({self._codec}); use the reader "
                        "'pyav'"
                    )
                raise undecodable(self._path, self.timeline, self._next)
            self.decoded_frames += 1
            index = self._index_now()
            if index is None or index < self._next:
                continue  # not part of the timeline: cut off or doubled
            if index > self._next:
                raise undecodable(self._path, self.timeline, self._next)
            self._next += 1
        grabbed, image = self._capture.retrieve()
        if not grabbed:
            raise undecodable(self._path, self.timeline, target)
        self._held = (target, np.asarray(image, dtype=np.uint8))
        return self._held[1]

    def _index_now(self) -> int | None:
        position_us = round(self._capture.get(cv2.CAP_PROP_POS_MSEC) * 1000)
        return self._matcher.index_of_time(position_us, tolerance_us=POSITION_TOLERANCE_US)

    def _opened(self) -> cv2.VideoCapture:
        parameters: list[int] = []
        if self._stream_place:
            parameters += [cv2.CAP_PROP_VIDEO_STREAM, self._stream_place]
        if self._threads:
            parameters += [cv2.CAP_PROP_N_THREADS, self._threads]
        capture = cv2.VideoCapture(str(self._path.absolute()), cv2.CAP_FFMPEG, parameters)
        capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)  # its default differs between versions
        size = (
            int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
            int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
        )
        if not capture.isOpened() or size != self._coded_size:
            capture.release()
            raise UnavailableError(
                f"OpenCV cannot open the video in {self._path.name!r}; use the reader 'pyav'"
            )
        return capture
