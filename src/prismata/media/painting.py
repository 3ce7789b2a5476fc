"""Decoded frames to upright pictures for an encoder: yuv420p, square pixels, even sides."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prismata.media.facts import VideoProbe
from prismata.media.pixels import Orientation

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from av.video.reformatter import VideoReformatter


def upright_size(facts: VideoProbe, max_side: int) -> tuple[int, int]:
    """Return `(width, height)` with square pixels and even sides, `max_side` at most."""
    width, height = Fraction(facts.width), Fraction(facts.height)
    shape = facts.sample_aspect_ratio or Fraction(1)
    if facts.rotation in (90, 270):
        height *= shape
    else:
        width *= shape
    scale = min(Fraction(1), Fraction(max_side) / max(width, height))
    return _even(width * scale), _even(height * scale)


def fitted_size(inner: tuple[int, int], outer: tuple[int, int]) -> tuple[int, int]:
    """Return the largest even size of the shape of `inner` that fits into `outer`."""
    scale = min(Fraction(outer[0], inner[0]), Fraction(outer[1], inner[1]))
    return min(_even(inner[0] * scale), outer[0]), min(_even(inner[1] * scale), outer[1])


class Painter:
    """Turns the decoded frames of one video into upright yuv420p of one size.

    Args:
        size: `(width, height)` of the picture itself.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        self._reformatter: VideoReformatter | None = None
        self._orientation: Orientation | None = None

    def paint(self, frame: VideoFrame) -> VideoFrame:
        """Return the picture as it is to be displayed."""
        small, orientation = self._resized(frame)
        if not (orientation.rotation or orientation.mirrored):
            small.pict_type = 0  # else x264 would repeat the source's choice of key frames
            return small
        return frame_of(self._turned(small, orientation), self._size)

    def planes(self, frame: VideoFrame) -> list[NDArray[np.uint8]]:
        """Return Y, U and V of the picture as it is to be displayed, each `(h, w)` uint8."""
        return self._turned(*self._resized(frame))

    def _resized(self, frame: VideoFrame) -> tuple[VideoFrame, Orientation]:
        from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

        if self._reformatter is None or self._orientation is None:
            self._reformatter = VideoReformatter()
            self._orientation = Orientation.of(frame)
        width, height = self._orientation.displayed_size(*self._size)
        small = self._reformatter.reformat(
            frame,
            width,
            height,
            "yuv420p",
            interpolation=Interpolation.AREA,
            dst_color_range=ColorRange.MPEG,
        )
        return small, self._orientation

    @staticmethod
    def _turned(small: VideoFrame, orientation: Orientation) -> list[NDArray[np.uint8]]:
        return [
            np.ascontiguousarray(orientation.applied(plane))
            for plane in _planes(
                small.to_ndarray().astype(np.uint8, copy=False), small.width, small.height
            )
        ]


def frame_of(planes: list[NDArray[np.uint8]], size: tuple[int, int]) -> VideoFrame:
    """Return Y, U and V, each `(h, w)` uint8, as a yuv420p frame of `size` = (width, height)."""
    from av.video.frame import VideoFrame

    flat = np.concatenate([plane.ravel() for plane in planes])
    return VideoFrame.from_ndarray(flat.reshape(size[1] * 3 // 2, size[0]), format="yuv420p")


def _planes(picture: NDArray[np.uint8], width: int, height: int) -> list[NDArray[np.uint8]]:
    """Return Y, U and V of a yuv420p picture, each `(h, w)`."""
    flat = picture.reshape(-1)
    luma, chroma = width * height, width * height // 4
    return [
        flat[:luma].reshape(height, width),
        flat[luma : luma + chroma].reshape(height // 2, width // 2),
        flat[luma + chroma : luma + 2 * chroma].reshape(height // 2, width // 2),
    ]


def _even(length: Fraction) -> int:
    return max(2, round(length / 2) * 2)
