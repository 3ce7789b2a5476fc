"""Paint a `ThrowScene`: one RGB picture for any time.

Invariant: the picture is a function of scene, size and the order in which times are asked for
(sensor noise and camera shake come from a generator seeded by the scene).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prismata.testing.throw_scene import (
    HAND_RADIUS,
    PERSON_HEIGHT,
    WORLD_HEIGHT,
    WORLD_WIDTH,
    Flight,
    Passage,
    Point,
    Pose,
    ThrowScene,
)
from prismata.testing.throw_scenery import (
    MARGIN,
    PLACES,
    Color,
    Place,
    find_place,
    paint_scenery,
)

Image = NDArray[np.uint8]

_SHIFT = 4  # OpenCV draws in sixteenths of a pixel, so slow motion does not stutter
_NOISE_PICTURES = 8


_SHIRTS: tuple[Color, ...] = ((40, 70, 140), (150, 40, 52), (36, 110, 90), (230, 228, 222),
                              (70, 50, 96), (222, 150, 40))  # fmt: skip
_TROUSERS: tuple[Color, ...] = ((40, 44, 56), (84, 72, 60), (52, 66, 94), (228, 224, 216))
_SKINS: tuple[Color, ...] = ((236, 192, 160), (200, 148, 110), (142, 96, 66), (96, 64, 46))


@dataclass(frozen=True, slots=True)
class Outfit:
    """The colours of one thrower."""

    shirt: Color
    trousers: Color
    skin: Color
    ball: Color


@dataclass(frozen=True, slots=True)
class View:
    """Which part of the world a camera shows."""

    zoom: float = 1.0
    left: float = 0.0
    """World coordinates of the picture's left upper corner."""
    top: float = 0.0

    def seen_height(self, y: float) -> float:
        """Where a line of the world lies in the picture, in units of an unzoomed picture."""
        return (y - self.top) * self.zoom


WHOLE = View()


class ThrowPainter:
    """Paints one scene at one size.

    Args:
        scene: What happens.
        size: Width and height in pixels.
        place: Name of the place; empty = the seed decides.
        view: What the camera shows.
        noise: Standard deviation of the sensor noise in grey levels.
    """

    def __init__(
        self,
        scene: ThrowScene,
        size: tuple[int, int],
        place: str = "",
        *,
        view: View = WHOLE,
        noise: float = 2.2,
    ) -> None:
        self._scene = scene
        self._view = view
        self._width, self._height = size
        self._scale_x = size[0] / WORLD_WIDTH * view.zoom
        self._scale_y = size[1] / WORLD_HEIGHT * view.zoom
        self._scale = min(self._scale_x, self._scale_y)
        look = np.random.default_rng([scene.seed, 2])
        drawn = PLACES[int(look.integers(len(PLACES)))]
        self._place = find_place(place) if place else drawn
        ball = _pick(look, self._place.balls)
        self._other_ball_color = _pick(look, self._place.balls)
        self._outfit = draw_outfit(look, self._place, ball)
        self._lamp = (float(look.uniform(20, 300)), float(look.uniform(14, 44)))
        self._sway = (float(look.uniform(5, 12)), float(look.uniform(0, 6.28)))
        self._background = paint_scenery(
            look, self._place, size, ground=view.seen_height(scene.ground)
        )
        self._sensor = np.random.default_rng([scene.seed, 3])
        shape = (_NOISE_PICTURES, self._height, self._width, 3)
        pictures = self._sensor.normal(128, noise, shape)
        self._noise = np.clip(pictures, 96, 160).astype(np.uint8)
        self._offset: tuple[int, int] = (0, 0)

    def paint(self, time_s: float) -> Image:
        """Return the `(H, W, 3)` uint8 RGB picture at a time in seconds."""
        image = self.begin(time_s)
        self.thrower(image, self._scene, self._scene.ball(time_s), time_s, self._outfit)
        return self.expose(image, time_s)

    def begin(self, time_s: float) -> Image:
        """Return a new picture with the place and what moves in it beside the throwers."""
        scene = self._scene
        self._shake()
        dx, dy = self._offset
        image: Image = np.ascontiguousarray(
            self._background[
                MARGIN - dy : MARGIN - dy + self._height,
                MARGIN - dx : MARGIN - dx + self._width,
            ]
        )
        self._paint_lamp(image, lit=scene.lamp_is_on(time_s))
        for bird in _current(scene.birds, time_s):
            self._paint_bird(image, bird, time_s)
        for hop in _current(scene.hops, time_s):
            self._paint_hop(image, hop, time_s)
        for rolling in _current(scene.rolling, time_s):
            self._paint_rolling(image, rolling, time_s)
        return image

    def thrower(
        self,
        image: Image,
        scene: ThrowScene,
        ball: tuple[Point, Flight | None] | None,
        time_s: float,
        outfit: Outfit,
    ) -> None:
        """Paint the thrower of a scene in these colours, then the ball if there is one."""
        self._paint_figure(image, scene.pose(time_s), scene.ground, outfit)
        if ball is not None:
            centre, flight = ball
            if flight is not None:
                self._shadow(image, (centre[0], scene.ground), scene.ball_radius * 0.8)
            turn = centre[0] / scene.ball_radius if flight else 0.5
            self._sphere(image, centre, scene.ball_radius, outfit.ball, turn=turn)

    def passer(self, image: Image, passer: Passage, time_s: float, color: Color) -> None:
        """Paint somebody, or something low, that passes before everything else."""
        foot = (passer.x(time_s), self._scene.ground + 30)
        top = (foot[0], self._scene.ground - passer.height + passer.size)
        self._stroke(image, [foot, top], 2 * passer.size, color)
        if passer.height >= PERSON_HEIGHT:
            head = (foot[0], self._scene.ground - passer.height - 6)
            self._dot(image, head, 7.5, _darker(color))

    def _shake(self) -> None:
        if self._sensor.random() < 0.12:
            dx, dy = self._sensor.integers(-1, 2, 2).tolist()
            self._offset = (dx, dy)

    def expose(self, image: Image, time_s: float) -> Image:
        """Add slow changes of light and sensor noise."""
        import cv2

        period, phase = self._sway
        gain = 1.0 + 0.07 * math.sin(2 * math.pi * time_s / period + phase)
        noise = self._noise[int(self._sensor.integers(_NOISE_PICTURES))]
        exposed = cv2.addWeighted(image, gain, noise, 1.0, -128.0)
        return np.asarray(exposed, dtype=np.uint8)

    def _paint_lamp(self, image: Image, *, lit: bool) -> None:
        if self._scene.lamp_switches_s:
            color = (255, 250, 214) if lit else (120, 118, 112)
            self._dot(image, self._lamp, 6.5, (96, 94, 90))
            self._dot(image, self._lamp, 5.0, color)

    def _paint_bird(self, image: Image, bird: Passage, time_s: float) -> None:
        x, flap = bird.x(time_s), 0.7 * math.sin(time_s * 17 + bird.size)
        y = bird.height + 3 * math.sin(time_s * 2)
        for side in (-1, 1):
            joint = (x + side * bird.size * 0.6, y - bird.size * 0.5 * flap - 1.5)
            tip = (x + side * bird.size * 1.4, y - bird.size * flap)
            self._stroke(image, [(x, y), joint, tip], 1.8, (44, 44, 52))

    def _paint_hop(self, image: Image, hop: Passage, time_s: float) -> None:
        """Paint a reflected light that hops along like a small, pale ball."""
        phase = (time_s - hop.start_s) * 1.3 % 1.0
        y = self._scene.ground - 10 - 4 * hop.height * phase * (1 - phase)
        self._dot(image, (hop.x(time_s), y), hop.size + 1.2, (236, 232, 196))
        self._dot(image, (hop.x(time_s), y), hop.size, (255, 253, 232))

    def _paint_rolling(self, image: Image, rolling: Passage, time_s: float) -> None:
        x = rolling.x(time_s)
        y = self._scene.ground + rolling.height - rolling.size
        self._shadow(image, (x, self._scene.ground + rolling.height), rolling.size)
        self._sphere(image, (x, y), rolling.size, self._other_ball_color, turn=x / rolling.size)

    def _paint_figure(self, image: Image, pose: Pose, ground: float, outfit: Outfit) -> None:
        shoulder = pose.shoulder
        self._shadow(image, (pose.x, ground), 13)
        hip = (pose.x, ground - 29)
        step = 8 * math.sin(pose.stride) if pose.stride else 6.0
        for side, lift in ((1, math.cos(pose.stride)), (-1, -math.cos(pose.stride))):
            raised = 3 * max(0.0, lift) if pose.stride else 0.0
            foot = (pose.x + side * step, ground - raised)
            knee = ((hip[0] + foot[0]) / 2 + pose.facing * 2, (hip[1] + foot[1]) / 2)
            self._stroke(image, [hip, knee, foot], 6.5, outfit.trousers)
            toe = (foot[0] + pose.facing * 4, foot[1])
            self._stroke(image, [foot, toe], 3.5, (40, 36, 38))
        other = (shoulder[0] + pose.facing * 4, shoulder[1] + 16)
        rest = (other[0] + pose.facing * 9, other[1] + 9)
        self._stroke(image, [shoulder, other, rest], 4.0, _darker(outfit.skin))
        self._stroke(image, [hip, shoulder], 13.0, outfit.shirt)
        head = (shoulder[0] + pose.facing * 2.5, shoulder[1] - 13)
        self._stroke(image, [shoulder, head], 5.0, outfit.skin)
        self._dot(image, head, 7.5, outfit.skin)
        hair = (head[0] - pose.facing * 2, head[1] - 3)
        self._dot(image, hair, 6.0, (58, 44, 36))
        self._dot(image, (head[0] + pose.facing * 1.8, head[1] + 1.5), 5.4, outfit.skin)
        self._stroke(image, [shoulder, pose.elbow], 5.5, _darker(outfit.shirt))
        self._stroke(image, [pose.elbow, pose.hand], 4.0, outfit.skin)
        self._dot(image, pose.hand, HAND_RADIUS, outfit.skin)

    def _sphere(
        self, image: Image, centre: Point, radius: float, color: Color, *, turn: float
    ) -> None:
        self._dot(image, centre, radius, _darker(color, 0.62))
        self._dot(image, (centre[0] - 0.4, centre[1] - 0.5), radius - 1.0, color)
        seam = (
            centre[0] + radius * 0.45 * math.cos(turn),
            centre[1] + radius * 0.45 * math.sin(turn),
        )
        self._dot(image, seam, radius * 0.22, _darker(color, 0.8))
        light = (centre[0] - radius * 0.3, centre[1] - radius * 0.38)
        self._dot(image, light, radius * 0.24, _lighter(color))

    def _shadow(self, image: Image, centre: Point, radius: float) -> None:
        import cv2

        x, y = self._pixel(centre)
        half = (max(1, round(radius * self._scale)), max(1, round(radius * 0.22 * self._scale)))
        left, right = max(0, x - half[0]), min(self._width, x + half[0] + 1)
        top, bottom = max(0, y - half[1]), min(self._height, y + half[1] + 1)
        if left >= right or top >= bottom:
            return
        part = image[top:bottom, left:right]
        mask = np.zeros(part.shape[:2], np.uint8)
        cv2.ellipse(mask, (x - left, y - top), half, 0, 0, 360, 255, -1)
        part[mask > 0] = (part[mask > 0] * 0.62).astype(np.uint8)

    def _dot(self, image: Image, centre: Point, radius: float, color: Color) -> None:
        import cv2

        size = max(1, round(radius * self._scale * 2**_SHIFT))
        cv2.circle(image, self._fine(centre), size, color, -1, cv2.LINE_AA, _SHIFT)

    def _stroke(self, image: Image, points: Sequence[Point], width: float, color: Color) -> None:
        import cv2

        line = np.array([self._fine(point) for point in points], np.int32)
        thickness = max(1, round(width * self._scale))
        cv2.polylines(
            image,
            [line],
            isClosed=False,
            color=color,
            thickness=thickness,
            lineType=cv2.LINE_AA,
            shift=_SHIFT,
        )

    def _fine(self, point: Point) -> tuple[int, int]:
        one = 2**_SHIFT
        return (
            round(((point[0] - self._view.left) * self._scale_x + self._offset[0]) * one),
            round(((point[1] - self._view.top) * self._scale_y + self._offset[1]) * one),
        )

    def _pixel(self, point: Point) -> tuple[int, int]:
        x, y = self._fine(point)
        return x >> _SHIFT, y >> _SHIFT


def draw_outfit(look: np.random.Generator, place: Place, ball: Color) -> Outfit:
    """Draw somebody's clothes and skin for a place where this ball is thrown."""
    shirt, trousers = _pick(look, _SHIRTS), _pick(look, _TROUSERS)
    # The hand tells a release from a swing, so it must stand out from the sky or wall.
    skin = _pick(look, [skin for skin in _SKINS if _contrast(skin, place) > 75])
    return Outfit(shirt, trousers, skin, ball)


def _current(passages: Sequence[Passage], time_s: float) -> list[Passage]:
    return [item for item in passages if item.start_s <= time_s < item.end_s]


def _pick(look: np.random.Generator, colors: Sequence[Color]) -> Color:
    return colors[int(look.integers(len(colors)))]


def _contrast(color: Color, place: Place) -> float:
    return min(math.dist(color, place.top), math.dist(color, place.bottom))


def _darker(color: Color, share: float = 0.8) -> Color:
    return (round(color[0] * share), round(color[1] * share), round(color[2] * share))


def _lighter(color: Color) -> Color:
    red, green, blue = ((255 + part) // 2 for part in color)
    return (red, green, blue)
