"""Proxies: the same frames at the same times, coded so that every browser shows them exactly.

H.264, 8 bit 4:2:0, no B-frames, a key frame at most every `KEY_FRAMES` frames and, where frames
allow it, every second. Ticks are whole microseconds, so the times are the timeline's to the digit.
Rotation, mirroring and pixels that are not square are worked into the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prismata.core.errors import BadVideoError
from prismata.core.time import MICROSECONDS, FrameTimeline
from prismata.media.facts import VideoProbe, probe
from prismata.media.matching import FrameMatcher
from prismata.media.painting import Painter, upright_size
from prismata.media.scanning import scan
from prismata.media.sound import SoundTrack
from prismata.media.source import VideoSource, frame_tick

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

MAX_SIDE = 1280
KEY_FRAMES = 15
KEY_US = MICROSECONDS
OPTIONS = {"preset": "ultrafast", "crf": "23", "bf": "0", "maxrate": "8M", "bufsize": "16M"}
"""Made a third cheaper than with `superfast`, for a fifth more bytes, and quicker to decode, which
is what stepping waits for. The bound keeps noise from becoming a file larger than its source."""
TIME_BASE = Fraction(1, MICROSECONDS)
AUDIO_BITS = 96_000

Progress = Callable[[int, int], None]
"""Called with frames done and frames in all."""


@dataclass(frozen=True, slots=True)
class ProxyFacts:
    """What became of it."""

    width: int
    height: int
    frames: int
    has_sound: bool
    size_bytes: int


def proxy_size(facts: VideoProbe) -> tuple[int, int]:
    """Return a proxy's `(width, height)`: square pixels, even sides, `MAX_SIDE` at most."""
    return upright_size(facts, MAX_SIDE)


def make_proxy(
    path: Path,
    target: Path,
    *,
    timeline: FrameTimeline,
    on_progress: Progress = lambda _done, _total: None,
) -> ProxyFacts:
    """Write the proxy of a video and check that it has the same frames at the same times.

    Args:
        path: The video.
        target: Where to, a path that ends in `.mp4`; removed again if the check fails.
        timeline: The video's timeline.
        on_progress: Called after each frame.

    Raises:
        BadVideoError: If the video cannot be read, or a frame of the timeline is not in the proxy.
    """
    import av

    facts = probe(path)
    size = proxy_size(facts)
    try:
        with (
            VideoSource(path) as source,
            SoundTrack(path, timeline) as sound,
            av.open(str(target), "w", format="mp4", options={"movflags": "+faststart"}) as output,
        ):
            writer = _ProxyWriter(output, source, size, timeline, with_sound=sound.is_there)
            writer.write(sound.blocks(), on_progress)
        _check(path, target, timeline)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return ProxyFacts(*size, len(timeline), sound.is_there, target.stat().st_size)


def proxy_timeline(timeline: FrameTimeline) -> FrameTimeline:
    """Return the timeline of a video's proxy: the same times, with the first frame at 0."""
    return FrameTimeline(timeline.starts_us, end_us=timeline.duration_us)


def key_frames(timeline: FrameTimeline) -> NDArray[np.bool_]:
    """Return `(N,)` which frames are to be key frames, so that no seek decodes more than a second.

    Two key frames are more than a second apart only where neighbouring frames are.
    """
    starts = timeline.starts_us.tolist()
    keys = np.zeros(len(starts), dtype=bool)
    last = 0
    keys[0] = True
    for index in range(1, len(starts)):
        following = starts[index + 1] if index + 1 < len(starts) else starts[index]
        if index - last >= KEY_FRAMES or following - starts[last] > KEY_US:
            keys[index], last = True, index
    return keys


class _ProxyWriter:
    """Encodes one video into an open container."""

    def __init__(
        self,
        output: OutputContainer,
        source: VideoSource,
        size: tuple[int, int],
        timeline: FrameTimeline,
        *,
        with_sound: bool,
    ) -> None:
        self._output = output
        self._source = source
        self._timeline = timeline
        self._keys = key_frames(timeline)
        self._painter = Painter(size)
        self._video = self._add_video(size)
        self._audio: AudioStream | None = None
        if with_sound:
            self._audio = output.add_stream("aac", rate=SoundTrack.RATE, layout="stereo")
            self._audio.bit_rate = AUDIO_BITS
        self._samples = 0
        self._starts = timeline.starts_us.tolist()
        self._ends = [*self._starts[1:], timeline.duration_us]

    def write(self, sound: Iterator[NDArray[np.float32]], on_progress: Progress) -> None:
        """Encode every frame of the timeline, and the sound beside it."""
        sound_done_us = 0
        total = len(self._starts)
        for index, frame in self._matched():
            picture = self._painter.paint(frame)
            picture.pts, picture.time_base = self._starts[index], TIME_BASE
            if self._keys[index]:
                picture.pict_type = 1  # I; x264 makes it a key frame
            self._mux_video(picture)
            while self._audio is not None and sound_done_us <= self._starts[index]:
                block = next(sound, None)
                if block is None:
                    break
                sound_done_us = self._mux_sound(block)
            on_progress(index + 1, total)
        for block in sound if self._audio is not None else ():
            self._mux_sound(block)
        self._mux_video(None)
        if self._audio is not None:
            self._output.mux(self._audio.encode(None))

    def _matched(self) -> Iterator[tuple[int, VideoFrame]]:
        """Yield the frames of the timeline in order, as the reader finds them."""
        matcher = FrameMatcher(self._timeline, self._source.time_base)
        last = -1
        for frame in self._source.frames():
            tick = frame_tick(frame)
            index = None if tick is None else matcher.index_of_tick(tick)
            if index is None or index <= last:
                continue
            last = index
            yield index, frame

    def _add_video(self, size: tuple[int, int]) -> VideoStream:
        rate = min(max(self._timeline.average_frame_rate, Fraction(1)), Fraction(240))
        stream = self._output.add_stream("libx264", rate=rate.limit_denominator(1001))
        stream.options = dict(OPTIONS)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.time_base = stream.codec_context.time_base = TIME_BASE
        stream.codec_context.gop_size = KEY_FRAMES
        stream.codec_context.max_b_frames = 0
        theirs = self._source.stream.codec_context
        stream.codec_context.color_primaries = theirs.color_primaries
        stream.codec_context.color_trc = theirs.color_trc
        stream.codec_context.colorspace = theirs.colorspace
        return stream

    def _mux_video(self, picture: VideoFrame | None) -> None:
        for packet in self._video.encode(picture):
            place = int(np.searchsorted(self._timeline.starts_us, packet.pts or 0))
            packet.duration = self._ends[place] - self._starts[place]
            self._output.mux(packet)

    def _mux_sound(self, block: NDArray[np.float32]) -> int:
        """Encode one block; return up to which instant there is sound now, in microseconds."""
        from av.audio.frame import AudioFrame

        frame = AudioFrame.from_ndarray(np.ascontiguousarray(block), "fltp", "stereo")
        frame.sample_rate, frame.time_base = SoundTrack.RATE, Fraction(1, SoundTrack.RATE)
        frame.pts = self._samples
        self._samples += block.shape[1]
        if self._audio is not None:
            self._output.mux(self._audio.encode(frame))
        return self._samples * MICROSECONDS // SoundTrack.RATE


def _check(path: Path, target: Path, timeline: FrameTimeline) -> None:
    """Refuse a proxy that is not frame for frame the video.

    Raises:
        BadVideoError: If it differs (`damaged`); says in what.
    """
    made = scan(target)
    starts = made.timeline.starts_us
    if len(starts) != len(timeline):
        raise BadVideoError(
            f"the proxy of {path.name!r} has {len(starts)} frames instead of {len(timeline)}, "
            "because the others cannot be decoded; convert the file to H.264 and ingest that",
            reason="damaged",
        )
    if made.timeline.first_pts_us != 0 or not np.array_equal(starts, timeline.starts_us):
        place = int(np.argmax(starts != timeline.starts_us))
        raise BadVideoError(
            f"frame {place} of the proxy of {path.name!r} does not stand where the video has it; "
            "convert the file to H.264 and ingest that",
            reason="damaged",
        )
