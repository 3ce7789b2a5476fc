"""Clips of real footage for benchmarks: encoded once, then repeated to any length.

The two 720p recordings of gmdcsa24-falls have about 15 frames a second; each frame is shown once,
at the rate of the clip, so that the decoder has the work of ordinary footage.
"""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import av

if TYPE_CHECKING:
    from av.video.stream import VideoStream

REALDATA = Path(__file__).resolve().parents[1].parent / "shared" / "realdata"
SOURCE_HEIGHT = 720
BITS_PER_PIXEL_AND_FRAME = 1_400_000 / (1280 * 720 * 30)
"""1.4 Mb/s for 720p30, and in proportion."""
PASSES = 7
"""Runs of the recordings (176 frames) before the packets repeat: five groups of 250 pictures."""


def build_clip(
    target: Path,
    *,
    minutes: float,
    size: tuple[int, int] = (1280, 720),
    x264_params: str = "",
    rate: int = 30,
    codec: str = "libx264",
) -> None:
    """Write a clip of `minutes`, by looping the packets of one encoded stretch of footage.

    Args:
        target: The `.mp4` to write; appears when it is complete.
        minutes: Length, to the nearest loop.
        size: `(width, height)`.
        x264_params: As x264 takes them, for example `keyint=250:bframes=3`. `keyint=infinite` makes
            a file with one key frame: then nothing is looped, all of it is encoded.
        rate: Frames a second.
        codec: FFmpeg's name of the encoder.
    """
    once = target.with_suffix(".once.mp4")
    total = round(minutes * 60 * rate)
    endless = "keyint=infinite" in x264_params
    frames = _encode(once, size, x264_params, rate, codec, at_least=total if endless else 0)
    if endless:
        once.replace(target)
        return
    _repeat(once, target, frames=frames, rate=rate, times=max(1, round(total / frames)))
    once.unlink()


def _encode(
    target: Path, size: tuple[int, int], params: str, rate: int, codec: str, *, at_least: int
) -> int:
    """Encode the recordings `PASSES` times or up to `at_least` frames; return how many."""
    width, height = size
    frames = 0
    with av.open(str(target), "w") as output:
        stream = cast(
            "VideoStream",
            output.add_stream(
                codec, rate=rate, options={"preset": "medium", "x264-params": params}
            ),
        )
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.bit_rate = round(BITS_PER_PIXEL_AND_FRAME * width * height * rate)
        # PyAV's default would cut every frame into slices, which hardly any recording has.
        stream.codec_context.thread_type = "FRAME"
        passes = 0
        while passes < PASSES or frames < at_least:
            for path in _recordings():
                with av.open(str(path)) as video:
                    for frame in video.decode(video=0):
                        picture = frame.reformat(width, height, format="yuv420p")
                        # Otherwise x264 has to take over the source's picture types.
                        picture.pict_type = 0
                        picture.pts, picture.time_base = frames, Fraction(1, rate)
                        output.mux(stream.encode(picture))
                        frames += 1
            passes += 1
        output.mux(stream.encode(None))
    return frames


def _recordings() -> list[Path]:
    found = []
    for path in sorted((REALDATA / "gmdcsa24-falls").rglob("*.mp4")):
        with av.open(str(path)) as video:
            if video.streams.video[0].height == SOURCE_HEIGHT:
                found.append(path)
    if not found:
        sys.exit(f"there is no 720p footage in {REALDATA}")
    return found


def _repeat(source: Path, target: Path, *, frames: int, rate: int, times: int) -> None:
    """Write the packets of `source`, which holds `frames` frames, `times` times in a row."""
    temporary = target.with_suffix(".part.mp4")
    with av.open(str(temporary), "w") as output:
        stream = None
        for number in range(times):
            with av.open(str(source)) as video:
                track = video.streams.video[0]
                stream = stream or output.add_stream_from_template(track)
                ticks = round(Fraction(frames, rate) / Fraction(track.time_base or 1))
                for packet in video.demux(track):
                    if packet.dts is None or packet.pts is None:
                        continue
                    packet.pts += number * ticks
                    packet.dts += number * ticks
                    packet.stream = stream
                    output.mux(packet)
    temporary.replace(target)
