"""The default reader: PyAV, sequential, addressed by timestamp only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from prismata.core.errors import InvalidInputError
from prismata.core.time import FrameTimeline
from prismata.media.matching import FrameMatcher
from prismata.media.pixels import Orientation, Resizer
from prismata.media.readers import undecodable
from prismata.media.sequence import SequentialReader
from prismata.media.skipping import Effort, may_leave_out
from prismata.media.source import VideoSource, frame_tick

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream

SHORT_GAP = 32
"""Frames decoded and dropped rather than jumped over: a jump costs at least a key frame."""
MOST_AHEAD = 256
"""Far more frames than a decoder ever holds; what was left out is forgotten behind the position."""
BACK_OFF_SECONDS = (0, 2, 10)
"""How far before a frame to look for its key frame, until the file is read from its start."""
SPARSE_FRAMES = 8
"""Fewer frames than this are not worth leaving pictures out for: whoever steps through a video asks
for one after the other, and would ask for what was left out."""


class PyAVReader(SequentialReader):
    """Reads frames by their presentation timestamps; see `VideoReader`.

    Going on is decoding on. Jumping is seeking to a key frame at or before the target, decoding up
    to the target's timestamp and believing the result only if the first frame was a key frame with
    a timestamp of the timeline; otherwise it looks further back, in the end from the start.

    In a pass over every few frames the decoder leaves out pictures that are not asked for and that
    no other picture refers to (`skipping`). What was left out ahead of the position and is asked
    for by a later pass is got by jumping.

    Args:
        path: The file.
        timeline: Its timeline.
        threads: Decoder threads; 0 = as many as there are cores, 8 at most.
        only_key_frames: Decode nothing but key frames; only such frames can be asked for.

    Raises:
        BadVideoError: If it is not a video that can be read.
    """

    name = "pyav"

    def __init__(
        self,
        path: Path,
        *,
        timeline: FrameTimeline,
        threads: int = 0,
        only_key_frames: bool = False,
    ) -> None:
        self.timeline = timeline
        self._path = path
        self._threads = threads
        with VideoSource(path, threads=1) as source:
            first = source.first_frame()
            orientation = Orientation.of(first)
            self.displayed_size = orientation.displayed_size(first.width, first.height)
        self._resizer = Resizer(orientation, self.displayed_size)
        self._closed = False
        self._source = VideoSource(path, threads=threads)
        self._matcher = FrameMatcher(timeline, self._source.time_base)
        self._only_key_frames = only_key_frames
        self._may_leave_out = may_leave_out(self._source.stream.codec_context)
        self._wanted: frozenset[int] | None = None
        """What the present pass asks for; None = leave nothing out."""
        self._left_out: set[int] = set()
        """Frames that were left out and may lie ahead of the position."""
        self._frames = self._pictures()
        self._current: tuple[int, VideoFrame] | None = None
        self._unbroken = True
        """Whether everything up to here was decoded without a jump."""

    def close(self) -> None:
        """Close the file."""
        self._closed = True
        self._current = None
        self._source.close()

    def decoded(self, frame_index: int) -> VideoFrame:
        """Return a frame as the decoder gave it: not resized, not turned; cheapest going forward.

        Raises:
            OutsideVideoError: If there is no such frame.
            BadVideoError: If it cannot be decoded (`damaged`).
        """
        self.timeline.start_us(frame_index)
        self._wanted = None  # whoever asks for one after the other leaves nothing out
        return self._decoded(frame_index)[1]

    def _picture(
        self, index: int, size: tuple[int, int] | None, out: NDArray[np.uint8] | None
    ) -> NDArray[np.uint8]:
        return self._resizer.rgb(self._decoded(index)[1], size, out)

    def _look_ahead(self, indices: list[int]) -> None:
        wanted = frozenset(indices)
        span = indices[-1] - indices[0] + 1 if indices else 0
        sparse = SPARSE_FRAMES <= len(wanted) <= span // 2
        self._wanted = wanted if self._may_leave_out and sparse else None

    def _pictures(self) -> Iterator[VideoFrame]:
        """Decode from where the file is now."""
        if self._only_key_frames:
            return self._source.key_pictures()
        return self._source.frames(self._effort)

    def _effort(self, packet: Packet[VideoStream]) -> Effort:
        """Say which pictures the decoder may leave out of a packet."""
        if self._wanted is None or packet.pts is None:
            return "DEFAULT"
        index = self._matcher.index_of_tick(packet.pts)
        if index is None or index in self._wanted:
            return "DEFAULT"
        self._left_out.add(index)
        if len(self._left_out) > MOST_AHEAD:
            position = self._current[0] if self._current else 0
            self._left_out = {number for number in self._left_out if number > position}
        return "NONREF"

    def _decoded(self, target: int) -> tuple[int, VideoFrame]:
        """Return the frame at `target`, by the cheapest exact way."""
        if self._closed:
            raise InvalidInputError(f"{self._path.name!r} was closed; open it again to read frames")
        if target not in self._left_out and self._is_near(target):
            if found := self._decode_on(target):
                return found
            if self._unbroken:
                raise undecodable(self._path, self.timeline, target)
        for seconds in BACK_OFF_SECONDS if target > SHORT_GAP else ():
            if self._jump(target, seconds) and (found := self._decode_on(target)):
                return found
        self._start_over()
        if found := self._decode_on(target):
            return found
        raise undecodable(self._path, self.timeline, target)

    def _is_near(self, target: int) -> bool:
        """Say whether decoding on is no dearer than jumping."""
        position = self._current[0] if self._current else 0
        if target < position:
            return False
        if target - position <= SHORT_GAP:
            return True
        wanted = self._matcher.tick_of(target)
        entries = self._source.stream.index_entries
        reaches_target = len(entries) > 0 and entries[len(entries) - 1].timestamp >= wanted
        key = entries.search_timestamp(wanted) if reaches_target else -1
        if key < 0:  # the container's index does not say
            return target - position <= 10 * SHORT_GAP
        return entries[key].timestamp <= self._matcher.tick_of(position)

    def _decode_on(self, target: int) -> tuple[int, VideoFrame] | None:
        """Decode forward to the target; None if the decoder passes it by without giving it."""
        if self._current is not None and self._current[0] == target:
            return self._current
        for frame in self._frames:
            self.decoded_frames += 1
            tick = frame_tick(frame)
            index = None if tick is None else self._matcher.index_of_tick(tick)
            if index is None or (self._current is not None and index <= self._current[0]):
                continue  # not part of the timeline: cut off, doubled, or without a timestamp
            self._current = (index, frame)
            if index == target:
                return self._current
            if index > target:
                return None
        return None

    def _jump(self, target: int, seconds: int) -> bool:
        """Seek to a key frame at or before the target; say whether one was found."""
        back = round(seconds / self._source.time_base)
        self._current, self._unbroken = None, False
        self._left_out.clear()
        try:
            self._source.container.seek(
                self._matcher.tick_of(target) - back, stream=self._source.stream
            )
        except av.FFmpegError:
            return False
        self._frames = self._pictures()
        first = next(self._frames, None)
        self.decoded_frames += first is not None
        tick = frame_tick(first) if first is not None else None
        if first is None or tick is None or not first.key_frame:
            return False
        index = self._matcher.index_of_tick(tick)
        if index is None or index > target:
            return False
        self._current = (index, first)
        return True

    def _start_over(self) -> None:
        """Open the file anew at its first frame."""
        self._source.close()
        self._source = VideoSource(self._path, threads=self._threads)
        self._left_out.clear()
        self._frames = self._pictures()
        self._current, self._unbroken = None, True
