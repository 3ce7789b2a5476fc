"""Backgrounds for the throwing videos: a few places, each different with every seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prismata.core.errors import InvalidInputError
from prismata.testing.throw_scene import WORLD_HEIGHT, WORLD_WIDTH

Image = NDArray[np.uint8]
Color = tuple[int, int, int]

MARGIN = 4
"""Pixels around the picture, so that the camera can shake."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a scene is set: what stands in the background and all its colours."""

    name: str
    kind: str
    top: Color
    bottom: Color
    ground_far: Color
    ground_near: Color
    decor: Color
    balls: tuple[Color, ...]
    """Colours of balls that can be seen here."""


PLACES = (
    Place(
        name="meadow",
        kind="hills",
        top=(116, 178, 226),
        bottom=(214, 232, 240),
        ground_far=(112, 152, 84),
        ground_near=(74, 118, 60),
        decor=(70, 108, 74),
        balls=((232, 74, 52), (255, 158, 30), (236, 60, 120)),
    ),
    Place(
        name="hall",
        kind="hall",
        top=(216, 206, 188),
        bottom=(232, 222, 204),
        ground_far=(190, 140, 90),
        ground_near=(152, 104, 62),
        decor=(176, 92, 76),
        balls=((228, 62, 40), (40, 84, 190), (34, 34, 40)),
    ),
    Place(
        name="dusk",
        kind="hills",
        top=(92, 80, 130),
        bottom=(244, 168, 120),
        ground_far=(150, 116, 94),
        ground_near=(104, 78, 70),
        decor=(64, 52, 84),
        balls=((252, 232, 70), (150, 240, 140), (112, 224, 232)),
    ),
    Place(
        name="town",
        kind="houses",
        top=(176, 196, 208),
        bottom=(206, 216, 222),
        ground_far=(150, 152, 156),
        ground_near=(112, 114, 120),
        decor=(122, 134, 150),
        balls=((240, 112, 34), (226, 48, 58), (36, 44, 60)),
    ),
    Place(
        name="beach",
        kind="sea",
        top=(120, 200, 220),
        bottom=(206, 238, 240),
        ground_far=(232, 212, 164),
        ground_near=(210, 184, 130),
        decor=(66, 150, 176),
        balls=((222, 52, 60), (56, 66, 170), (120, 40, 130)),
    ),
)

PLACE_NAMES = tuple(place.name for place in PLACES)


def find_place(name: str) -> Place:
    """Return the place with this name.

    Raises:
        InvalidInputError: If there is none.
    """
    for place in PLACES:
        if place.name == name:
            return place
    raise InvalidInputError(f"there is no place {name!r}; there is {', '.join(PLACE_NAMES)}")


def paint_scenery(
    look: np.random.Generator, place: Place, size: tuple[int, int], *, ground: float
) -> Image:
    """Return the background, `MARGIN` pixels larger on each side than `size`.

    Args:
        look: Where the details are drawn from.
        place: What to paint.
        size: Width and height of the picture in pixels.
        ground: The line on which things stand, in world units.
    """
    import cv2

    width, height = size[0] + 2 * MARGIN, size[1] + 2 * MARGIN
    scale = min(size[0] / WORLD_WIDTH, size[1] / WORLD_HEIGHT)
    # The ground begins above the line on which things stand, or they would float.
    horizon = MARGIN + round((ground - 16) * size[1] / WORLD_HEIGHT)
    picture = np.empty((height, width, 3), np.float32)
    picture[:horizon] = _gradient(place.top, place.bottom, horizon)
    picture[horizon:] = _gradient(place.ground_far, place.ground_near, height - horizon)
    canvas = np.clip(picture, 0, 255).astype(np.uint8)
    _DECORATORS[place.kind](canvas, look, place.decor, horizon, scale)
    texture = np.zeros((height, width), np.float32)
    for cells, strength in ((10, 7.0), (36, 5.0), (110, 4.0)):
        rows = max(2, cells * height // width)
        patches = look.normal(0, strength, (rows, cells)).astype(np.float32)
        texture += cv2.resize(patches, (width, height), interpolation=cv2.INTER_CUBIC)
    texture[:horizon] *= 0.5
    finished: Image = np.clip(canvas + texture[..., None], 0, 255).astype(np.uint8)
    return finished


def _hills(
    canvas: Image, look: np.random.Generator, color: Color, horizon: int, scale: float
) -> None:
    import cv2

    width = canvas.shape[1]
    columns = np.arange(width, dtype=np.float64)
    for height, haze in ((45.0, 0.3), (30.0, 0.0)):
        outline = np.zeros(width)
        for _ in range(3):
            wave = look.uniform(0.008, 0.02) / scale
            outline += np.sin(columns * wave + look.uniform(0, 6.28))
        top = horizon - (height + 9 * outline) * scale
        corners = np.array([[width, horizon], [0, horizon]], np.float64)
        points = np.concatenate([np.stack([columns, top], axis=1), corners])
        tone = _mixed(color, (200, 205, 215), haze)
        cv2.fillPoly(canvas, [points.round().astype(np.int32)], tone, cv2.LINE_AA)


def _hall(
    canvas: Image, look: np.random.Generator, color: Color, horizon: int, scale: float
) -> None:
    import cv2

    width, unit = canvas.shape[1], max(1, round(scale))
    for above, thick in ((34, 5), (24, 2)):
        row = int(horizon - above * scale)
        cv2.line(canvas, (0, row), (width, row), color, thick * unit)
    left = look.uniform(0, 40) * scale
    while left < width:
        first, last = (int(left), int(14 * scale)), (int(left + 34 * scale), int(52 * scale))
        cv2.rectangle(canvas, first, last, (238, 242, 244), -1)
        cv2.rectangle(canvas, first, last, (150, 146, 138), 2 * unit)
        left += 64 * scale


def _houses(
    canvas: Image, look: np.random.Generator, color: Color, horizon: int, scale: float
) -> None:
    import cv2

    left = -10.0
    while left < canvas.shape[1]:
        wide, high = look.uniform(26, 60) * scale, look.uniform(40, 110) * scale
        red, green, blue = (round(part + look.uniform(-22, 14)) for part in color)
        top = horizon - high
        corners = (int(left), int(top)), (int(left + wide), horizon)
        cv2.rectangle(canvas, *corners, (red, green, blue), -1)
        lit = (red + 40, green + 40, blue + 40)
        for column in range(int((wide - 7 * scale) / (10 * scale)) + 1):
            for row in range(int((high - 12 * scale) / (14 * scale)) + 1):
                x = int(left + (5 + 10 * column) * scale)
                y = int(top + (6 + 14 * row) * scale)
                corner = (x + max(1, int(4 * scale)), y + max(1, int(6 * scale)))
                cv2.rectangle(canvas, (x, y), corner, lit, -1)
        left += wide + look.uniform(0, 14) * scale


def _sea(
    canvas: Image, look: np.random.Generator, color: Color, horizon: int, scale: float
) -> None:
    import cv2

    width = canvas.shape[1]
    cv2.rectangle(canvas, (0, int(horizon - 22 * scale)), (width, horizon), color, -1)
    for _ in range(24):
        x, y = int(look.uniform(0, width)), int(horizon - look.uniform(3, 20) * scale)
        cv2.line(canvas, (x, y), (int(x + 12 * scale), y), (150, 206, 220), 1)


_DECORATORS = {"hills": _hills, "hall": _hall, "houses": _houses, "sea": _sea}


def _gradient(top: Color, bottom: Color, rows: int) -> NDArray[np.float32]:
    share = np.linspace(0, 1, rows, dtype=np.float32)[:, None, None]
    first, last = np.array(top, np.float32), np.array(bottom, np.float32)
    return first + share * (last - first)


def _mixed(color: Color, other: Color, share: float) -> Color:
    red, green, blue = (
        round(part + share * (into - part)) for part, into in zip(color, other, strict=True)
    )
    return (red, green, blue)
