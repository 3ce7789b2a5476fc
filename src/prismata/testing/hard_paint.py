"""Paint a `HardScene` through its two cameras.

Invariant: the picture is a function of scene, size, places and the order in which times are asked
for.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from prismata.testing.hard_scene import HardScene
from prismata.testing.throw_paint import Image, Outfit, ThrowPainter, View, draw_outfit
from prismata.testing.throw_scene import WORLD_HEIGHT, WORLD_WIDTH
from prismata.testing.throw_scenery import Color, Place, find_place

NOISE = 3.0
"""Standard deviation of the sensor noise in grey levels."""
FADING = (0.1, 0.35)
"""How far the colours of people and balls go towards those of the place in the hardest video."""
LEAST_CONTRAST = 45.0
"""Distance in RGB that a ball keeps to the colours of the place, where it had it."""

_PASSERS: tuple[Color, ...] = ((62, 58, 66), (96, 84, 78), (58, 72, 92), (120, 108, 96))
_REPLAY_SIGN: Color = (240, 60, 60)


class HardPainter:
    """Paints one hard scene at one size.

    Args:
        scene: What happens.
        size: Width and height in pixels.
        places: Names of places: the first is what the first camera shows, the second shows one of
            the others. In the easiest scenes it shows the first too, only nearer or mirrored.
    """

    def __init__(self, scene: HardScene, size: tuple[int, int], places: Sequence[str]) -> None:
        self._scene = scene
        look = np.random.default_rng([scene.seed, 32])
        others = [place for place in places[1:] if scene.hardness > 0] or [places[0]]
        self.places = (places[0], others[int(look.integers(len(others)))])
        shown = [find_place(name) for name in self.places]
        views = [_draw_view(look, scene.throwers[1].scene.ground) for _ in shown]
        self._mirrored = (False, bool(look.random() < 0.7))
        first = scene.throwers[0].scene
        self._cameras = [
            ThrowPainter(first, size, place.name, view=view, noise=NOISE)
            for place, view in zip(shown, views, strict=True)
        ]
        choice = sorted(
            {ball for place in shown for ball in place.balls},
            key=lambda ball: min(_contrast(ball, place) for place in shown),
        )[-3:]
        balls = [choice[int(look.integers(len(choice)))] for _ in scene.throwers]
        outfits = [draw_outfit(look, shown[0], ball) for ball in balls]
        shares = (scene.hardness * look.uniform(*FADING, len(shown))).tolist()
        self._outfits = [
            [_faded(outfit, place, share) for outfit in outfits]
            for place, share in zip(shown, shares, strict=True)
        ]
        self._passers = [_PASSERS[int(look.integers(len(_PASSERS)))] for _ in scene.passers]

    def paint(self, video_s: float) -> Image:
        """Return the `(H, W, 3)` uint8 RGB picture at a video time in seconds.

        A replay has a red square in its left upper corner.
        """
        shot = self._scene.shot_at(video_s)
        time_s = shot.scene_time(video_s)
        camera = self._cameras[shot.camera]
        image = camera.begin(time_s)
        for thrower, outfit in zip(self._scene.throwers, self._outfits[shot.camera], strict=True):
            camera.thrower(image, thrower.scene, thrower.ball(time_s), time_s, outfit)
        for passer, color in zip(self._scene.passers, self._passers, strict=True):
            if passer.start_s <= time_s < passer.end_s:
                camera.passer(image, passer, time_s, color)
        image = camera.expose(image, time_s)
        if self._mirrored[shot.camera]:
            image = np.ascontiguousarray(image[:, ::-1])
        if shot.is_replay:
            edge = max(4, image.shape[0] // 14)
            image[edge // 2 : edge // 2 + edge, edge // 2 : edge // 2 + edge] = _REPLAY_SIGN
        return image


def _draw_view(look: np.random.Generator, ground: float) -> View:
    """Draw a camera's part of the world: all throwers and their raised arms are in it."""
    zoom = float(look.uniform(1.05, 1.3))
    width, height = WORLD_WIDTH / zoom, WORLD_HEIGHT / zoom
    left = (WORLD_WIDTH - width) / 2 + float(look.uniform(-6, 6))
    # The feet stand near the lower edge, whatever the zoom.
    return View(zoom, left, ground + float(look.uniform(10, 16)) - height)


def _tones(place: Place) -> NDArray[np.float64]:
    """Return the `(4, 3)` colours before which throws are seen."""
    return np.array([place.top, place.bottom, place.decor, place.ground_far], np.float64)


def _contrast(color: Color, place: Place) -> float:
    """Return the distance in RGB to the nearest colour of the place."""
    return float(np.linalg.norm(_tones(place) - color, axis=1).min())


def _faded(outfit: Outfit, place: Place, share: float) -> Outfit:
    """Return the colours as seen through the haze of a place; the ball stays to be seen."""
    middle = _tones(place).mean(axis=0)

    def mix(color: Color, part: float) -> Color:
        red, green, blue = ((1 - part) * np.array(color) + part * middle).round().astype(int)
        return (int(red), int(green), int(blue))

    part = share
    while part > 0 and _contrast(mix(outfit.ball, part), place) < LEAST_CONTRAST:
        part -= 0.05
    return Outfit(
        mix(outfit.shirt, share),
        mix(outfit.trousers, share),
        mix(outfit.skin, share),
        mix(outfit.ball, max(0.0, part)),
    )
