"""The sound of a video, on the clock of its first displayed frame."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from prismata.core.time import MICROSECONDS, FrameTimeline
from prismata.media.source import open_container

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.resampler import AudioResampler
    from av.audio.stream import AudioStream

MAX_ERRORS = 1000
"""Packets that may be refused before the rest of the sound is given up."""
SLACK_SAMPLES = 960
"""Timestamps of sound jitter; below 20 ms nothing is filled up or cut."""


class SoundTrack:
    """The sound of one file as stereo at `RATE`, from the first displayed frame to the last.

    Gaps are silent, what lies before the first frame or after the last is left out. Sound that
    cannot be decoded is silence, never an error: a picture without sound can still be labelled.

    Args:
        path: The file.
        timeline: Of its video.

    Raises:
        BadVideoError: If the file cannot be opened.
    """

    RATE = 48_000

    def __init__(self, path: Path, timeline: FrameTimeline) -> None:
        from av.stream import Discard

        self._container = open_container(path)
        self._timeline = timeline
        self._errors = 0
        self._stream: AudioStream | None = None
        for stream in self._container.streams.audio:
            if stream.codec_context is not None:  # None: nothing here decodes it
                self._stream = stream
                break
        for other in self._container.streams:
            if self._stream is None or other.index != self._stream.index:
                other.discard = Discard.all

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._container.close()

    @property
    def is_there(self) -> bool:
        """Whether the file has a sound track that can be decoded here."""
        return self._stream is not None

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Yield `(2, n)` float32 samples, one after the other without a gap."""
        total = -(-self._timeline.duration_us * self.RATE // MICROSECONDS)
        done = 0
        for start, block in self._timed():
            if done >= total:
                return
            if start - done > SLACK_SAMPLES:
                for silence in _silence(min(start, total) - done):
                    yield silence
                    done += silence.shape[1]
            if done - start > SLACK_SAMPLES:
                block = block[:, done - start :]
            block = block[:, : total - done]
            if block.shape[1]:
                yield block
                done += block.shape[1]

    def _timed(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield where each block begins, in samples from the first displayed frame, and it."""
        resampler: AudioResampler | None = None
        shape: tuple[str, str, int] | None = None
        following = 0
        for frame in self._decoded():
            mine = (frame.format.name, frame.layout.name, frame.sample_rate)
            if resampler is None or mine != shape:
                resampler, shape = _resampler(self.RATE), mine
            start = following
            if frame.pts is not None and frame.time_base is not None:
                seconds = frame.pts * frame.time_base
                start = round(seconds * self.RATE)
                start -= round(self._timeline.first_pts_us * self.RATE / MICROSECONDS)
            for part in resampler.resample(frame):
                block = part.to_ndarray().astype(np.float32, copy=False)
                yield start, block
                start += block.shape[1]
            following = start

    def _decoded(self) -> Iterator[AudioFrame]:
        import av

        if self._stream is None:
            return
        packets = self._container.demux(self._stream)
        while self._errors < MAX_ERRORS:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.FFmpegError:
                self._errors += 1
                packets = self._container.demux(self._stream)
                continue
            try:
                yield from self._stream.codec_context.decode(packet)
            except av.FFmpegError:
                self._errors += 1


def _resampler(rate: int) -> AudioResampler:
    from av.audio.resampler import AudioResampler

    return AudioResampler(format="fltp", layout="stereo", rate=rate)


def _silence(samples: int) -> Iterator[NDArray[np.float32]]:
    """Yield silence in pieces, because a gap may last hours."""
    while samples > 0:
        piece = min(samples, SoundTrack.RATE)
        yield np.zeros((2, piece), np.float32)
        samples -= piece
