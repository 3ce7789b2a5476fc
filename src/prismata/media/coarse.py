"""A first look at key frames only: little decoding, at the price of resolution in time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prismata.core.errors import BadVideoError
from prismata.core.time import FrameTimeline, SamplePlan
from prismata.media.matching import FrameMatcher
from prismata.media.source import VideoSource


def key_frames(path: Path, timeline: FrameTimeline) -> NDArray[np.int64]:
    """Return `(M,)` int64 places of a video's key frames in its timeline, increasing.

    Reads the packets and decodes nothing.

    Raises:
        BadVideoError: If the video cannot be read.
    """
    with VideoSource(path, threads=1) as source:
        matcher = FrameMatcher(timeline, source.time_base)
        found = (
            matcher.index_of_tick(packet.pts)
            for packet in source.packets()
            if packet.size and packet.is_keyframe and packet.pts is not None
        )
        return np.array(sorted({index for index in found if index is not None}), np.int64)


def coarse_plan(path: Path, timeline: FrameTimeline, plan: SamplePlan) -> SamplePlan:
    """Replace each frame of a plan by the last key frame at or before it; instants stay.

    Instants before the first key frame get the first.

    Raises:
        BadVideoError: If the video cannot be read, or says of no frame that it is a key frame
            (`damaged`).
    """
    keys = key_frames(path, timeline)
    if keys.size == 0:
        raise BadVideoError(
            f"{path.name!r} does not say which of its frames are key frames, so there is no coarse "
            "look at it; detect on all frames",
            reason="damaged",
        )
    places = np.searchsorted(keys, plan.frame_indices, side="right") - 1
    return SamplePlan(plan.times_us, keys[np.maximum(places, 0)])
