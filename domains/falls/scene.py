"""One person at home: walks, sits down, bends, lies down on the bed, and sometimes falls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from prismata.testing.drawing import Canvas, mixed
from prismata.testing.figures import (
    BENDING,
    LYING,
    PRONE,
    SITTING,
    STANDING,
    Figure,
    Outfit,
    Pose,
    between,
    eased,
    pick,
    walking,
)
from prismata.testing.scenes import Camera, Happening, act_at

EXPECTED = {"point_map_0.5s": 0.8, "segment_map_0.5": 0.8}
CAMERA = Camera(shake=0.0, flicker=0.05)

CHAIR_X, BED_X = 58.0, 236.0
BED_HEIGHT = 20.0
FLOOR = 152.0
SPEED = 48.0
"""Of walking, in world units a second."""
FORWARD, BACKWARD = PRONE, LYING
KINDS = ("fall", "sits_down", "bends", "lies_down")
SHARES = (0.42, 0.2, 0.2, 0.18)
STUMBLE = Pose(
    lean=34, hips=0.42, near_thigh=58, near_shin=18, far_thigh=-36, far_shin=-58, near_arm=110,
    near_hand=120, far_arm=70, far_hand=90,
)  # fmt: skip
IN_BED = Pose(
    lean=-86, hips=0.33, near_thigh=86, near_shin=88, far_thigh=84, far_shin=86, near_arm=60,
    near_hand=80, far_arm=80, far_hand=88,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Move:
    """One thing that the person does, at one place."""

    kind: str
    span: Happening
    down_s: float
    """Seconds until the body has come down, and `up_s` until it stands again."""
    up_s: float
    x: float
    facing: int
    backward: bool


class Room:
    """What happens in one video.

    Args:
        seconds: Its length.
        seed: Decides everything.
    """

    def __init__(self, seconds: float, seed: int) -> None:
        rng = np.random.default_rng([seed, 101])
        self._look = np.random.default_rng([seed, 102])
        self._figure = Figure(float(rng.uniform(84, 94)), Outfit.drawn(rng))
        self._moves: list[Move] = []
        self._x = float(rng.uniform(80, 200))
        time_s, x = float(rng.uniform(0.3, 1.0)), self._x
        while True:
            move = self._next(rng, time_s, x, falls=len(self._moves) == seed % 3)
            if (move.span.end_s or 0) > seconds - 0.4:
                break
            self._moves.append(move)
            time_s, x = (move.span.end_s or 0) + float(rng.uniform(0.2, 0.9)), move.x
        falls = [move for move in self._moves if move.kind == "fall"]
        self.events: Sequence[Happening] = [
            item
            for move in falls
            for item in (
                Happening("fall", move.span.start_s),
                Happening("lying", move.span.start_s + move.down_s, _end(move) - move.up_s),
            )
        ]
        self.distractors: Sequence[Happening] = [
            Happening(move.kind, move.span.start_s, _end(move))
            for move in self._moves
            if move.kind != "fall"
        ]

    def backdrop(self, canvas: Canvas) -> None:
        """Paint a room with a window, a chair and a bed."""
        look = self._look
        wall = pick(look, ((214, 206, 190), (190, 204, 208), (208, 214, 190), (216, 196, 186)))
        floor = pick(look, ((150, 112, 78), (120, 116, 112), (170, 140, 104)))
        wood = pick(look, ((96, 66, 44), (70, 62, 60), (140, 104, 66)))
        canvas.blend(-10, 126, mixed(wall, (255, 255, 255), 0.15), wall)
        canvas.blend(126, 190, mixed(floor, (0, 0, 0), 0.12), floor)
        canvas.box(-10, 122, 330, 127, mixed(wall, (0, 0, 0), 0.3))
        left = float(look.uniform(110, 160))
        canvas.box(left, 26, left + 52, 78, (236, 236, 232))
        canvas.box(left + 3, 29, left + 24, 75, (176, 208, 232))
        canvas.box(left + 28, 29, left + 49, 75, (184, 214, 236))
        canvas.grain(look, 5)
        for leg in (CHAIR_X - 13, CHAIR_X + 10):
            canvas.line([(leg, 132), (leg, FLOOR)], 3, wood)
        canvas.line([(CHAIR_X - 13, 98), (CHAIR_X - 13, 133)], 4, wood)
        canvas.box(CHAIR_X - 15, 130, CHAIR_X + 13, 134, wood)
        sheet = pick(look, ((110, 140, 180), (180, 120, 120), (222, 220, 210)))
        canvas.box(BED_X - 54, FLOOR - BED_HEIGHT, BED_X + 62, FLOOR - 8, sheet)
        canvas.box(BED_X - 54, FLOOR - 10, BED_X + 62, FLOOR - 5, wood)
        canvas.box(BED_X + 60, 108, BED_X + 66, FLOOR, wood)
        canvas.oval((BED_X + 44, FLOOR - BED_HEIGHT - 2), (13, 4.5), (240, 238, 232))
        for leg in (BED_X - 50, BED_X + 58):
            canvas.line([(leg, FLOOR - 6), (leg, FLOOR)], 4, wood)

    def paint(self, canvas: Canvas, time_s: float) -> None:
        """Paint the person."""
        spans = [move.span for move in self._moves]
        act = act_at(spans, time_s)
        if act is None:
            x, pose, facing = self._between(time_s)
        else:
            move = self._moves[spans.index(act)]
            x, facing = move.x, move.facing
            pose = _posed(move, time_s)
        self._figure.paint(canvas, (x, FLOOR + 4), pose, facing=facing)

    def _next(self, rng: np.random.Generator, time_s: float, x: float, *, falls: bool) -> Move:
        drawn = KINDS[int(rng.choice(len(KINDS), p=SHARES))]
        # No video is without a fall.
        kind = "fall" if falls else drawn
        place = {"sits_down": CHAIR_X, "lies_down": BED_X}.get(kind, float(rng.uniform(84, 178)))
        down_s, rest_s, up_s = {
            "fall": (rng.uniform(0.5, 0.75), rng.uniform(1.4, 2.6), rng.uniform(1.2, 1.7)),
            "sits_down": (rng.uniform(0.6, 1.0), rng.uniform(0.8, 2.0), 0.8),
            "bends": (rng.uniform(0.4, 0.8), rng.uniform(0.2, 0.6), 0.6),
            "lies_down": (rng.uniform(1.5, 2.2), rng.uniform(1.0, 2.0), 1.8),
        }[kind]
        start_s = time_s + abs(place - x) / SPEED
        span = Happening(kind, start_s, start_s + float(down_s + rest_s + up_s))
        facing = 1 if place >= x else -1
        if kind == "sits_down":
            facing = 1
        if kind == "lies_down":
            facing = -1
        backward = bool(rng.random() < 0.4)
        return Move(kind, span, float(down_s), float(up_s), place, facing, backward)

    def _between(self, time_s: float) -> tuple[float, Pose, int]:
        """Return where the person is on the way, how it is held and where it faces."""
        before = [move for move in self._moves if _end(move) <= time_s]
        after = [move for move in self._moves if move.span.start_s > time_s]
        x = before[-1].x if before else self._x
        if not after:
            return x, STANDING, before[-1].facing if before else 1
        goal = after[0]
        left = (goal.span.start_s - time_s) * SPEED
        way = goal.x - x
        if left >= abs(way) or abs(way) < 1:
            return x, STANDING, 1 if way >= 0 else -1
        facing = 1 if way > 0 else -1
        return goal.x - facing * left, walking(left / 7.5), facing


def _end(move: Move) -> float:
    return move.span.end_s or move.span.start_s


def _posed(move: Move, time_s: float) -> Pose:
    passed, left = time_s - move.span.start_s, _end(move) - time_s
    if move.kind == "fall":
        floor = BACKWARD if move.backward else FORWARD
        if left < move.up_s:
            # Up again over the knees, much slower than down.
            share = 1 - left / move.up_s
            if share < 0.5:
                return between(floor, BENDING, eased(2 * share))
            return between(BENDING, STANDING, eased(2 * share - 1))
        share = min(1.0, passed / move.down_s)
        first = STANDING if move.backward else STUMBLE
        if not move.backward and share < 0.3:
            return between(STANDING, STUMBLE, share / 0.3)
        start = 0.0 if move.backward else 0.3
        return between(first, floor, ((share - start) / (1 - start)) ** 1.7)
    share = eased(min(1.0, passed / move.down_s, left / move.up_s))
    if move.kind == "lies_down":
        if share < 0.5:
            return between(STANDING, SITTING, 2 * share)
        return between(SITTING, IN_BED, 2 * share - 1)
    return between(STANDING, SITTING if move.kind == "sits_down" else BENDING, share)


plan = Room
