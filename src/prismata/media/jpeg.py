"""The one way from RGB pixels to a JPEG."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prismata.core.errors import InvalidInputError

JPEG_QUALITY = 82
MAX_SIDE = 65_000
"""The format ends at 65,535 pixels a side."""


def encode_jpeg(pixels: NDArray[np.uint8]) -> bytes:
    """Return `(H, W, 3)` uint8 RGB as a JPEG.

    Raises:
        InvalidInputError: If the picture is too large for the format.
    """
    import cv2

    height, width = pixels.shape[:2]
    if max(height, width) > MAX_SIDE:
        raise InvalidInputError(
            f"a picture of {width}x{height} pixels is too large for a JPEG; ask for fewer or "
            "smaller frames"
        )
    written, data = cv2.imencode(
        ".jpg", np.ascontiguousarray(pixels[:, :, ::-1]), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    )
    if not written:
        raise InvalidInputError(f"a picture of {width}x{height} pixels cannot be written as JPEG")
    return data.tobytes()
