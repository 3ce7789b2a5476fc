"""Waveform: how loud a video is, fifty times a second, on the clock of its frames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prismata.core.time import MICROSECONDS, FrameTimeline
from prismata.media.sound import SoundTrack

PEAKS_PER_SECOND = 50
LOUDEST = 255

Progress = Callable[[int, int], None]
"""Called with microseconds done and microseconds in all."""


def measure_waveform(
    path: Path,
    timeline: FrameTimeline,
    *,
    on_progress: Progress = lambda _done, _total: None,
) -> NDArray[np.uint8] | None:
    """Return the loudest sample of each step, None if the file has no sound.

    Args:
        path: The video.
        timeline: Its timeline; step i begins `i / PEAKS_PER_SECOND` s after its first frame.
        on_progress: Called now and then.

    Returns:
        `(K,)` uint8, 0 = silence, 255 = full scale; K steps cover the video to its end.

    Raises:
        BadVideoError: If the file cannot be opened.
    """
    step = SoundTrack.RATE // PEAKS_PER_SECOND
    count = -(-timeline.duration_us * PEAKS_PER_SECOND // MICROSECONDS)
    peaks = np.zeros(count, np.float32)
    done = 0
    with SoundTrack(path, timeline) as sound:
        if not sound.is_there:
            return None
        for block in sound.blocks():
            loud = np.abs(block).max(axis=0)
            first = done // step
            cuts = np.arange(first * step, done + loud.size, step)[1:] - done
            starts = np.concatenate(([0], cuts[cuts < loud.size]))
            found = np.maximum.reduceat(loud, starts)
            part = peaks[first : first + found.size]
            np.maximum(part, found[: part.size], out=part)
            done += loud.size
            on_progress(
                min(done * MICROSECONDS // SoundTrack.RATE, timeline.duration_us),
                timeline.duration_us,
            )
    levels: NDArray[np.uint8] = np.rint(np.minimum(peaks, 1.0) * LOUDEST).astype(np.uint8)
    return levels
