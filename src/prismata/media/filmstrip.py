"""Exact frames side by side as one JPEG, and the picture that stands for a whole video."""

from __future__ import annotations

import numpy as np

from prismata.core.errors import InvalidInputError
from prismata.media.jpeg import encode_jpeg
from prismata.media.readers import VideoReader

MAX_FRAMES = 32
HEIGHTS = (16, 360)
POSTER_WIDTH = 192
POSTER_SHARE = 0.1
"""A video's first frame is often black; this far into it something is to be seen."""


def draw_filmstrip(
    reader: VideoReader, *, first: int, count: int, height: int
) -> tuple[bytes, int]:
    """Draw `count` frames from `first` on, each decoded exactly, left to right.

    Args:
        reader: An open video.
        first: Index of the first frame.
        count: How many, 1 to `MAX_FRAMES`.
        height: Pixels, within `HEIGHTS`; the width keeps the shape of the displayed picture.

    Returns:
        The JPEG and the width of one frame in pixels.

    Raises:
        InvalidInputError: If count or height cannot be drawn.
        OutsideVideoError: If one of the frames does not exist.
        BadVideoError: If one cannot be decoded.
    """
    if not 1 <= count <= MAX_FRAMES:
        raise InvalidInputError(f"a filmstrip shows 1 to {MAX_FRAMES} frames, not {count}")
    if not HEIGHTS[0] <= height <= HEIGHTS[1]:
        raise InvalidInputError(
            f"a filmstrip is {HEIGHTS[0]} to {HEIGHTS[1]} pixels high, not {height}"
        )
    size = scaled(reader.displayed_size, height=height)
    frames = [frame.pixels for frame in reader.read(range(first, first + count), size=size)]
    return encode_jpeg(np.hstack(frames)), size[0]


def draw_poster(reader: VideoReader) -> bytes:
    """Return one frame from near the beginning as a JPEG, `POSTER_WIDTH` pixels wide.

    Raises:
        BadVideoError: If it cannot be decoded.
    """
    width, height = reader.displayed_size
    size = (POSTER_WIDTH, max(1, round(height * POSTER_WIDTH / width)))
    index = round((len(reader.timeline) - 1) * POSTER_SHARE)
    return encode_jpeg(reader.frame(index, size=size).pixels)


def scaled(size: tuple[int, int], *, height: int) -> tuple[int, int]:
    """Return `(width, height)` of the same shape with this height."""
    return max(1, round(size[0] * height / size[1])), height
