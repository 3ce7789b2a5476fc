"""A line of text burnt into the lower edge of a picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_SHARE = 14
"""The strip takes a fourteenth of the picture's height."""
_LEAST_HEIGHT = 16
_PAPER, _INK, _NO_COLOUR = 24, 235, 128
"""Of limited-range luma, and the chroma that is grey."""


class Caption:
    """Text in a dark strip, drawn once and laid over any number of pictures.

    Characters that OpenCV's font does not have appear as question marks; a text wider than the
    picture is cut off, with an ellipsis.

    Args:
        text: One line.
        size: `(width, height)` of the pictures, both even.
    """

    def __init__(self, text: str, size: tuple[int, int]) -> None:
        width, height = size
        strip = min(max(_LEAST_HEIGHT, height // _SHARE // 2 * 2), height)
        self._strip = _drawn(text, (width, strip))

    @property
    def height(self) -> int:
        """Rows of the picture that it covers."""
        return int(self._strip.shape[0])

    def lay_over(self, planes: list[NDArray[np.uint8]]) -> None:
        """Write it into Y, U and V of a yuv420p picture, each `(h, w)` uint8."""
        rows = self.height
        planes[0][-rows:] = self._strip
        for plane in planes[1:]:
            plane[-(rows // 2) :] = _NO_COLOUR


def _drawn(text: str, size: tuple[int, int]) -> NDArray[np.uint8]:
    import cv2

    width, height = size
    font, margin = cv2.FONT_HERSHEY_SIMPLEX, height // 3
    # Hershey fonts are some 30 rows high at scale 1.
    scale, thickness = height / 45, max(1, height // 24)
    words = " ".join(text.split())

    def reach(line: str) -> int:
        (width_px, _), _ = cv2.getTextSize(line, font, scale, thickness)
        return int(width_px)

    shown = words
    while shown and reach(shown) > width - 2 * margin:
        words = words[:-1]
        shown = f"{words.rstrip()}..." if words else ""
    strip = np.full((height, width), _PAPER, np.uint8)
    baseline = round(height * 0.68)
    cv2.putText(strip, shown, (margin, baseline), font, scale, _INK, thickness, cv2.LINE_AA)
    return strip
