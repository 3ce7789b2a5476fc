"""Thumbnails in sprites: one pass through the video, little pictures for the timeline."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from prismata.core.time import MICROSECONDS, FrameTimeline
from prismata.media.filmstrip import scaled
from prismata.media.jpeg import encode_jpeg
from prismata.media.readers import VideoReader

MAX_COUNT = 400
HEIGHT = 72
MAX_WIDTH = 4 * HEIGHT
COLUMNS, ROWS = 10, 10
MIN_STEP_US = MICROSECONDS

Progress = Callable[[int, int], None]
"""Called with thumbnails done and thumbnails in all."""


@dataclass(frozen=True, slots=True)
class ThumbPlan:
    """Which thumbnails there will be; thumbnail i is what is on screen at `i * every_us`."""

    every_us: int
    width: int
    height: int
    count: int

    @property
    def sprites(self) -> int:
        """How many sprites of `COLUMNS` times `ROWS` hold them all."""
        return -(-self.count // (COLUMNS * ROWS))


def plan_thumbs(timeline: FrameTimeline, displayed_size: tuple[int, int]) -> ThumbPlan:
    """Choose a step of whole seconds, so that there are at most `MAX_COUNT` thumbnails."""
    seconds = max(1, -(-timeline.duration_us // (MAX_COUNT * MIN_STEP_US)))
    every_us = seconds * MIN_STEP_US
    width, height = scaled(displayed_size, height=HEIGHT)
    count = -(-timeline.duration_us // every_us)
    return ThumbPlan(every_us, min(width, MAX_WIDTH), height, count)


def draw_sprites(
    reader: VideoReader, plan: ThumbPlan, *, on_progress: Progress = lambda _done, _total: None
) -> Iterator[bytes]:
    """Yield the sprites as JPEGs, in order; what the last one lacks is black.

    Args:
        reader: An open video; it is read forward once.
        plan: From `plan_thumbs`.
        on_progress: Called after each thumbnail.

    Raises:
        BadVideoError: While iterating, if a frame cannot be decoded.
    """
    indices = [reader.timeline.index_at(place * plan.every_us) for place in range(plan.count)]
    frames = reader.read(indices, size=(plan.width, plan.height))
    for sprite in range(plan.sprites):
        held = min(COLUMNS * ROWS, plan.count - sprite * COLUMNS * ROWS)
        rows = -(-held // COLUMNS)
        sheet = np.zeros((rows * plan.height, COLUMNS * plan.width, 3), np.uint8)
        for place in range(held):
            top, left = place // COLUMNS * plan.height, place % COLUMNS * plan.width
            sheet[top : top + plan.height, left : left + plan.width] = next(frames).pixels
            on_progress(sprite * COLUMNS * ROWS + place + 1, plan.count)
        yield encode_jpeg(sheet)
