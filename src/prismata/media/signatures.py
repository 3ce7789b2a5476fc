"""Signatures: a video as tiny grey pictures on its own clock, enough to know its footage again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prismata.core.time import FrameTimeline
from prismata.media.readers import open_video

RATE = 8
"""Pictures a second. Two cuts of one recording are then at most 1/16 s apart on their grids, less
than people move by in a cell."""
SIDE = 16
"""Cells to a side: few enough that another resolution or encoder leaves them as they are, and many
enough to tell movements apart (with 8, two falls of one person in one room look alike)."""
FORMAT = 1
"""To be raised when the numbers change: rate, side, resizing, colours."""

Progress = Callable[[int, int], None]
"""Called with pictures done and pictures in all."""

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""ITU-R BT.601."""


def make_signature(
    path: Path,
    timeline: FrameTimeline,
    *,
    on_progress: Progress = lambda _done, _total: None,
) -> NDArray[np.uint8]:
    """Return the `(K, SIDE, SIDE)` uint8 brightness of what is on screen at each k / RATE seconds.

    The picture is stretched to a square, so that it does not matter how often it was resized.

    Raises:
        BadVideoError: If a frame cannot be decoded.
    """
    plan = timeline.sample(RATE)
    signature = np.empty((len(plan), SIDE, SIDE), np.uint8)
    with open_video(path, timeline=timeline) as reader:
        for place, frame in enumerate(reader.read(plan.frame_indices, size=(SIDE, SIDE))):
            signature[place] = np.rint(frame.pixels @ _LUMA)
            on_progress(place + 1, len(plan))
    return signature
