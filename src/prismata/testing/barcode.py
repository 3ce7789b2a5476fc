"""Videos that know their truth: every frame carries its own number as a bar code."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from prismata.core.errors import InvalidInputError

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

BITS = 10
COLUMNS = BITS + 2
"""A white column, the bits from the highest down, a black column."""
DARK, BRIGHT = 32, 224
MIN_CONTRAST = 60

OPTIONS = {
    "libx264": {"preset": "ultrafast", "crf": "18", "threads": "1"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "crf": "20", "b": "0", "threads": "1"},
    "libvpx": {"deadline": "realtime", "cpu-used": "8", "crf": "10", "b": "1M", "threads": "1"},
    "mpeg4": {"qscale": "3", "threads": "1"},
    "libx265": {"preset": "ultrafast", "crf": "18", "x265-params": "log-level=error:pools=1"},
}


def paint_barcode(number: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a `(H, W, 3)` uint8 RGB picture of a number, as it is to be displayed.

    The bottom third is the negative of the rest, so that a turned or mirrored code is no code.

    Raises:
        InvalidInputError: If the number does not fit into `BITS` bits.
    """
    if not 0 <= number < 2**BITS:
        raise InvalidInputError(f"a bar code holds 0 to {2**BITS - 1}, not {number}")
    width, height = size
    bits = [True, *(bool(number >> place & 1) for place in reversed(range(BITS))), False]
    columns = np.array(bits)[np.arange(width) * COLUMNS // width]
    rows = np.arange(height) >= height * 2 // 3
    bright = columns[np.newaxis, :] ^ rows[:, np.newaxis]
    grey = np.where(bright, BRIGHT, DARK).astype(np.uint8)
    return np.repeat(grey[:, :, np.newaxis], 3, axis=2)


def read_barcode(pixels: NDArray[np.uint8]) -> int:
    """Return the number in a displayed picture of any size from about 48x24 up.

    Raises:
        InvalidInputError: If there is no upright, readable bar code in it.
    """
    height, width = pixels.shape[:2]
    grey = pixels.astype(np.float64).mean(axis=2)
    centres = [int((column + 0.5) * width / COLUMNS) for column in range(COLUMNS)]
    upper = grey[height // 12 : height * 7 // 12, centres].mean(axis=0)
    lower = grey[height * 3 // 4 : height * 11 // 12, centres].mean(axis=0)
    bits = upper > lower
    if np.abs(upper - lower).min() < MIN_CONTRAST or not bits[0] or bits[-1]:
        raise InvalidInputError("this picture holds no upright bar code")
    return int("".join("1" if bit else "0" for bit in bits[1:-1]), 2)


def write_barcode_video(  # noqa: PLR0913 - one argument for each property a file can have
    path: Path,
    *,
    frames: int,
    codec: str = "libx264",
    pts_us: Sequence[int] | None = None,
    rotation: int = 0,
    size: tuple[int, int] = (320, 240),
    pix_fmt: str = "yuv420p",
    gop: int = 12,
    bframes: int = 0,
    rate: Fraction | None = None,
) -> Path:
    """Write a video whose i-th frame, in display order, shows the number i.

    Args:
        path: Where to; the suffix chooses the container.
        frames: How many.
        codec: FFmpeg's name of an encoder in `OPTIONS`.
        pts_us: Timestamp of each frame in microseconds, increasing; 25 a second by default. In
            MP4 and MOV, frames before 0 are stored but cut off by an edit list.
        rotation: Degrees clockwise that a player has to turn the stored picture.
        size: `(width, height)` as displayed.
        pix_fmt: FFmpeg's name of the pixel format.
        gop: Largest distance of key frames.
        bframes: B-frames between two others.
        rate: Exact frames a second, such as 30000/1001, in a time base of its own as cameras write
            it; instead of `pts_us`.

    Returns:
        `path`.

    Raises:
        InvalidInputError: If the timestamps or the rotation cannot be used.
    """
    import av

    if rate is not None and pts_us is not None:
        raise InvalidInputError("frames have either a rate or timestamps, not both")
    step = 1_000_000 / rate if rate is not None else Fraction(40_000)
    times = list(pts_us) if pts_us is not None else [round(i * step) for i in range(frames)]
    if len(times) != frames or any(np.diff(times) <= 0):
        raise InvalidInputError(f"{frames} frames need {frames} increasing timestamps")
    if rotation not in (0, 90, 180, 270):
        raise InvalidInputError(f"a picture is turned by 0, 90, 180 or 270 degrees, not {rotation}")
    time_base = 1 / Fraction(rate.numerator) if rate is not None else Fraction(1, 90_000)
    if path.suffix == ".avi" or codec == "mpeg4":  # no timestamps, or ticks of 16 bits: only a rate
        time_base = Fraction(times[1] - times[0], 1_000_000)
    with av.open(str(path), "w") as container:
        stream = _add_stream(container, codec, time_base, gop, bframes)
        stored = size[::-1] if rotation in (90, 270) else size
        stream.width, stream.height, stream.pix_fmt = *stored, pix_fmt
        if rotation:
            stream.set_display_rotation(-rotation)
        for number, time_us in enumerate(times):
            picture = np.rot90(paint_barcode(number, size), rotation // 90)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame = frame.reformat(format=pix_fmt)
            frame.pts, frame.time_base = round(Fraction(time_us, 1_000_000) / time_base), time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _add_stream(
    container: OutputContainer, codec: str, time_base: Fraction, gop: int, bframes: int
) -> VideoStream:
    stream = cast("VideoStream", container.add_stream(codec, rate=25, options=dict(OPTIONS[codec])))
    stream.time_base = stream.codec_context.time_base = time_base
    stream.codec_context.gop_size = gop
    stream.codec_context.max_b_frames = bframes
    if codec == "libx264":  # ultrafast switches B-frames off, and scene cuts would add key frames
        stream.options = {
            **OPTIONS[codec],
            "bf": str(bframes),
            "b-pyramid": "normal" if bframes > 2 else "none",
            "sc_threshold": "0",
        }
    return stream
