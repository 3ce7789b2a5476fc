"""A canvas for invented scenes: anti-aliased shapes in a world of 320 x 180 units, y downwards.

Invariant: shapes land on fractions of a pixel, so slow things move smoothly at any size, and the
canvas is wider than the picture by a margin, so that a camera can shake.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Color = tuple[int, int, int]
"""Red, green, blue in 0..255."""
Point = tuple[float, float]
"""World coordinates, x to the right and y downwards."""

WORLD_WIDTH, WORLD_HEIGHT = 320.0, 180.0
MARGIN_UNITS = 8.0
"""World units around the picture that are painted, too."""

_SHIFT = 4  # OpenCV draws in sixteenths of a pixel
_ONE = 2**_SHIFT


def darker(color: Color, share: float = 0.75) -> Color:
    """Return a colour with its light times `share`."""
    return (round(color[0] * share), round(color[1] * share), round(color[2] * share))


def mixed(first: Color, second: Color, share: float) -> Color:
    """Return a colour between two: 0 = the first, 1 = the second."""
    red, green, blue = (
        round(one + share * (two - one)) for one, two in zip(first, second, strict=True)
    )
    return (red, green, blue)


class Canvas:
    """A picture to paint on, addressed in world units.

    Args:
        size: Width and height of the picture in pixels, without the margin.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size
        self._scale = (size[0] / WORLD_WIDTH, size[1] / WORLD_HEIGHT)
        self._margin = (
            round(MARGIN_UNITS * self._scale[0]),
            round(MARGIN_UNITS * self._scale[1]),
        )
        shape = (size[1] + 2 * self._margin[1], size[0] + 2 * self._margin[0], 3)
        self._pixels: Image = np.zeros(shape, np.uint8)

    def copy(self) -> Canvas:
        """Return a canvas with the same picture on it."""
        other = Canvas(self.size)
        other._pixels[:] = self._pixels
        return other

    def view(self, shift: Point = (0.0, 0.0)) -> Image:
        """Return the `(H, W, 3)` uint8 RGB picture that a camera sees.

        Args:
            shift: How far the camera looks aside, in world units; at most the margin.
        """
        left = self._margin[0] + round(_clipped(shift[0]) * self._scale[0])
        top = self._margin[1] + round(_clipped(shift[1]) * self._scale[1])
        return self._pixels[top : top + self.size[1], left : left + self.size[0]].copy()

    def fill(self, color: Color) -> None:
        """Paint everything in one colour."""
        self._pixels[:] = color

    def blend(self, top: float, bottom: float, first: Color, last: Color) -> None:
        """Paint a band over the whole width whose colour runs from the first to the last.

        Args:
            top: Upper edge in world units; `bottom` likewise.
            bottom: Lower edge.
            first: Colour at the upper edge.
            last: Colour at the lower edge.
        """
        begin, end = (min(max(self._row(y), 0), len(self._pixels)) for y in (top, bottom))
        share = np.linspace(0, 1, max(0, end - begin), dtype=np.float32)[:, None, None]
        low, high = np.array(first, np.float32), np.array(last, np.float32)
        self._pixels[begin:end] = (low + share * (high - low)).astype(np.uint8)

    def grain(self, rng: np.random.Generator, strength: float = 6.0) -> None:
        """Lay soft, uneven patches over everything, as real walls and grounds have them."""
        import cv2

        height, width = self._pixels.shape[:2]
        texture = np.zeros((height, width), np.float32)
        for cells, share in ((9, 1.0), (33, 0.7), (100, 0.5)):
            patches = rng.normal(0, strength * share, (max(2, cells * height // width), cells))
            texture += cv2.resize(
                patches.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
            )
        self._pixels = np.clip(self._pixels + texture[..., None], 0, 255).astype(np.uint8)

    def dot(self, centre: Point, radius: float, color: Color) -> None:
        """Paint a disc."""
        import cv2

        size = max(1, round(radius * min(self._scale) * _ONE))
        cv2.circle(self._pixels, self._fine(centre), size, color, -1, cv2.LINE_AA, _SHIFT)

    def line(self, points: Sequence[Point], width: float, color: Color) -> None:
        """Paint a line through points, with round ends."""
        import cv2

        path = np.array([self._fine(point) for point in points], np.int32)
        thickness = max(1, round(width * min(self._scale)))
        cv2.polylines(
            self._pixels,
            [path],
            isClosed=False,
            color=color,
            thickness=thickness,
            lineType=cv2.LINE_AA,
            shift=_SHIFT,
        )

    def polygon(self, points: Sequence[Point], color: Color) -> None:
        """Paint a filled polygon."""
        import cv2

        path = np.array([self._fine(point) for point in points], np.int32)
        cv2.fillPoly(self._pixels, [path], color, cv2.LINE_AA, _SHIFT)

    def box(self, left: float, top: float, right: float, bottom: float, color: Color) -> None:
        """Paint a filled rectangle."""
        self.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], color)

    def oval(self, centre: Point, radii: Point, color: Color, angle: float = 0.0) -> None:
        """Paint a filled ellipse, turned clockwise by an angle in degrees."""
        import cv2

        axes = (
            max(1, round(radii[0] * self._scale[0] * _ONE)),
            max(1, round(radii[1] * self._scale[1] * _ONE)),
        )
        cv2.ellipse(
            self._pixels, self._fine(centre), axes, angle, 0, 360, color, -1, cv2.LINE_AA, _SHIFT
        )

    def shade(self, centre: Point, radii: Point, light: float = 0.65) -> None:
        """Darken an ellipse, as a shadow on the ground does, or brighten it if `light` > 1."""
        import cv2

        x, y = (part >> _SHIFT for part in self._fine(centre))
        wide = max(1, round(radii[0] * self._scale[0]))
        high = max(1, round(radii[1] * self._scale[1]))
        top, left = max(0, y - high), max(0, x - wide)
        part = self._pixels[top : y + high + 1, left : x + wide + 1]
        if part.size == 0:
            return
        mask = np.zeros(part.shape[:2], np.uint8)
        cv2.ellipse(mask, (x - left, y - top), (wide, high), 0, 0, 360, 255, -1)
        lit = np.clip(part[mask > 0] * light, 0, 255)
        part[mask > 0] = lit.astype(np.uint8)

    def word(self, text: str, left: float, bottom: float, height: float, color: Color) -> None:
        """Write a short text, such as a number on a board, with its lower left corner there."""
        import cv2

        size = height * min(self._scale) / 21  # 21 pixels: a capital letter of this font at size 1
        corner = (self._fine((left, bottom))[0] >> _SHIFT, self._row(bottom))
        thickness = max(1, round(height * min(self._scale) / 8))
        cv2.putText(
            self._pixels,
            text,
            corner,
            cv2.FONT_HERSHEY_SIMPLEX,
            size,
            color,
            thickness,
            cv2.LINE_AA,
        )

    def _row(self, y: float) -> int:
        return round(y * self._scale[1]) + self._margin[1]

    def _fine(self, point: Point) -> tuple[int, int]:
        return (
            round((point[0] * self._scale[0] + self._margin[0]) * _ONE),
            round((point[1] * self._scale[1] + self._margin[1]) * _ONE),
        )


def _clipped(shift: float) -> float:
    return max(-MARGIN_UNITS, min(MARGIN_UNITS, shift))
