"""From decoded frames to uint8 RGB: the one resize, colour conversion and rotation of the house.

The one resize is libswscale's area averaging (`SWS_AREA`; it becomes bilinear where a side grows)
with full chroma resolution and accurate rounding, stretched to the size asked for. It goes straight
from the decoder's format to RGB at the small size, so RGB at full size never exists. Untagged
colours are read as BT.601 limited range, which is libswscale's default and what every reader does.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from av.video.reformatter import VideoReformatter


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One decoded frame as a person would see it."""

    index: int
    """Its place in the video's timeline."""
    time_us: int
    """When it appears, in microseconds from the first displayed frame."""
    pixels: NDArray[np.uint8]
    """`(H, W, 3)` uint8 RGB, contiguous and read-only, rotation applied."""


@dataclass(frozen=True, slots=True)
class Orientation:
    """How stored pixels become displayed pixels: mirror first, then turn clockwise."""

    rotation: int = 0
    """Degrees clockwise: 0, 90, 180 or 270."""
    mirrored: bool = False

    @classmethod
    def of(cls, frame: VideoFrame) -> Orientation:
        """Read a decoded frame's display matrix (ISO/IEC 14496-12, 6.2.2), rounded to 90°."""
        if "DISPLAYMATRIX" not in frame.side_data:
            return cls()
        entry = frame.side_data["DISPLAYMATRIX"]  # type: ignore[typeddict-item]  # PyAV types it wrongly
        a, b, _, c, d = np.frombuffer(bytes(entry), dtype="<i4")[:5].tolist()
        mirrored = a * d - b * c < 0
        x, y = (-a, -b) if mirrored else (a, b)
        quarters = round(float(np.degrees(np.arctan2(y, x))) / 90) % 4
        return cls(quarters * 90, mirrored)

    @property
    def swaps_sides(self) -> bool:
        """Whether width and height change places."""
        return self.rotation in (90, 270)

    def displayed_size(self, width: int, height: int) -> tuple[int, int]:
        """Return the displayed (or, the other way round, stored) size."""
        return (height, width) if self.swaps_sides else (width, height)

    def applied(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return `(H, W, 3)` pixels as displayed."""
        if self.mirrored:
            pixels = pixels[:, ::-1]
        return np.rot90(pixels, -(self.rotation // 90))


class Resizer:
    """Turns decoder frames into displayed RGB; keeps libswscale's tables between calls.

    Args:
        orientation: What to apply after resizing.
        natural_size: Displayed `(width, height)` used where no size is asked for, so that a video
            that changes its resolution midway still gives frames of one shape.
    """

    def __init__(self, orientation: Orientation, natural_size: tuple[int, int]) -> None:
        self._orientation = orientation
        self._natural_size = natural_size
        self._reformatter: VideoReformatter | None = None
        self.seconds = 0.0
        """Time spent so far."""

    def rgb(
        self,
        frame: VideoFrame,
        size: tuple[int, int] | None,
        out: NDArray[np.uint8] | None = None,
    ) -> NDArray[np.uint8]:
        """Return `(H, W, 3)` uint8 RGB at the displayed `size` = (width, height).

        Without `out` the array is new and read-only; with it, that is where the pixels go.
        """
        started = time.perf_counter()
        pixels = self._convert(frame, size)
        if out is None:
            # What libswscale wrote belongs to the frame, and its rows may be padded.
            out = pixels.copy()
            out.flags.writeable = False
        else:
            np.copyto(out, pixels)
        self.seconds += time.perf_counter() - started
        return out

    def _convert(self, frame: VideoFrame, size: tuple[int, int] | None) -> NDArray[np.uint8]:
        """Return a view of the resized picture as displayed."""
        from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

        if self._reformatter is None:
            self._reformatter = VideoReformatter()
        width, height = self._orientation.displayed_size(*(size or self._natural_size))
        small = self._reformatter.reformat(
            frame,
            width,
            height,
            "rgb24",
            interpolation=Interpolation.AREA
            | Interpolation.FULL_CHR_H_INT
            | Interpolation.ACCURATE_RND,
            dst_color_range=ColorRange.JPEG,
            threads=1,
        )
        plane = small.planes[0]
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        stored = rows[: small.height, : small.width * 3].reshape(small.height, small.width, 3)
        return self._orientation.applied(stored)

    def rgb_from_array(
        self,
        stored: NDArray[np.uint8],
        order: str,
        size: tuple[int, int] | None,
        out: NDArray[np.uint8] | None = None,
    ) -> NDArray[np.uint8]:
        """Do the same to `(H, W, 3)` stored pixels in `order` (`rgb24` or `bgr24`)."""
        from av.video.frame import VideoFrame

        frame = VideoFrame.from_ndarray(np.ascontiguousarray(stored), format=order)
        return self.rgb(frame, size, out)
