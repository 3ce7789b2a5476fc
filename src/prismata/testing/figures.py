"""Drawn people for invented scenes: poses, what lies between two poses, and how they are painted.

Invariant: a pose is a handful of angles, so anything between two poses is a pose; a figure stands
where it is put, whatever its pose.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from prismata.testing.drawing import Canvas, Color, Point, darker

SHIRTS: tuple[Color, ...] = (
    (40, 70, 150), (170, 44, 52), (36, 120, 96), (232, 228, 220), (92, 60, 124), (226, 152, 44),
    (60, 64, 72),
)  # fmt: skip
TROUSERS: tuple[Color, ...] = ((40, 44, 58), (92, 76, 60), (56, 70, 104), (120, 120, 124))
SKINS: tuple[Color, ...] = ((236, 192, 160), (204, 152, 114), (148, 100, 70), (98, 66, 48))
HAIRS: tuple[Color, ...] = ((46, 36, 30), (110, 76, 46), (190, 160, 104), (150, 150, 152))


@dataclass(frozen=True, slots=True)
class Pose:
    """How a body is held. Angles in degrees; a limb at 0 hangs down, at 90 points ahead.

    "Ahead" is where the figure faces; "near" limbs are those on the side of the camera.
    """

    lean: float = 0.0
    """Of the trunk: 0 upright, 90 flat ahead, -90 on the back."""
    hips: float = 0.47
    """Height of the hips over the ground, as a share of the body height."""
    near_thigh: float = 4.0
    near_shin: float = 0.0
    far_thigh: float = -4.0
    far_shin: float = 0.0
    near_arm: float = 6.0
    near_hand: float = 16.0
    """Of the forearm, likewise from hanging down."""
    far_arm: float = -4.0
    far_hand: float = 8.0


STANDING = Pose()
SITTING = Pose(
    lean=-4, hips=0.27, near_thigh=86, near_shin=4, far_thigh=80, far_shin=-2, near_arm=22,
    near_hand=72, far_arm=18, far_hand=66,
)  # fmt: skip
BENDING = Pose(
    lean=82, hips=0.43, near_thigh=14, near_shin=-12, far_thigh=6, far_shin=-16, near_arm=4,
    near_hand=8, far_arm=-2, far_hand=2,
)  # fmt: skip
LYING = Pose(
    lean=-88, hips=0.06, near_thigh=88, near_shin=90, far_thigh=82, far_shin=94, near_arm=70,
    near_hand=84, far_arm=100, far_hand=92,
)  # fmt: skip
"""On the back, the head where the figure has its back."""
PRONE = Pose(
    lean=88, hips=0.06, near_thigh=-88, near_shin=-90, far_thigh=-80, far_shin=-92, near_arm=140,
    near_hand=110, far_arm=60, far_hand=80,
)  # fmt: skip
"""On the belly, the head where the figure faces."""


def between(first: Pose, second: Pose, share: float) -> Pose:
    """Return the pose on the way from one to another: 0 = the first, 1 = the second."""
    share = min(1.0, max(0.0, share))
    return Pose(
        **{
            item.name: getattr(first, item.name)
            + share * (getattr(second, item.name) - getattr(first, item.name))
            for item in fields(Pose)
        }
    )


def eased(share: float) -> float:
    """Return a share that starts and ends gently, as muscles move: 0 → 0, 1 → 1."""
    share = min(1.0, max(0.0, share))
    return share * share * (3 - 2 * share)


def walking(phase: float, stride: float = 1.0) -> Pose:
    """Return a pose of walking.

    Args:
        phase: In radians; a full turn is two steps.
        stride: 1 = walks, 1.7 = runs.
    """
    swing = math.sin(phase)
    run = max(0.0, stride - 1.0)
    return Pose(
        lean=3 + 12 * run,
        hips=0.46 + 0.012 * math.cos(2 * phase),
        near_thigh=28 * stride * swing,
        near_shin=28 * stride * swing - 24 * stride * max(0.0, math.cos(phase)),
        far_thigh=-28 * stride * swing,
        far_shin=-28 * stride * swing - 24 * stride * max(0.0, -math.cos(phase)),
        near_arm=-26 * stride * swing,
        near_hand=-26 * stride * swing + 18 + 70 * run,
        far_arm=26 * stride * swing,
        far_hand=26 * stride * swing + 18 + 70 * run,
    )


@dataclass(frozen=True, slots=True)
class Outfit:
    """The colours of one person."""

    shirt: Color
    trousers: Color
    skin: Color
    hair: Color

    @classmethod
    def drawn(cls, rng: np.random.Generator, shirts: Sequence[Color] = SHIRTS) -> Outfit:
        """Draw somebody's clothes, skin and hair."""
        return cls(pick(rng, shirts), pick(rng, TROUSERS), pick(rng, SKINS), pick(rng, HAIRS))


def pick(rng: np.random.Generator, colors: Sequence[Color]) -> Color:
    """Draw one of several colours."""
    return colors[int(rng.integers(len(colors)))]


@dataclass(frozen=True, slots=True)
class Figure:
    """One person, ready to be painted."""

    height: float
    """Of the body, upright, in world units."""
    outfit: Outfit

    def paint(self, canvas: Canvas, foot: Point, pose: Pose, *, facing: int = 1) -> None:
        """Paint the person in a pose.

        Args:
            canvas: What to paint on.
            foot: Where the ground is below the hips.
            pose: How the body is held.
            facing: 1 to the right, -1 to the left.
        """
        size, outfit = self.height, self.outfit
        canvas.shade(foot, (size * (0.16 + 0.2 * abs(pose.lean) / 90), size * 0.045))
        hip = (foot[0], foot[1] - pose.hips * size)
        shoulder = _along(hip, 180 - pose.lean, 0.34 * size, facing)
        shoes = darker(outfit.trousers, 0.5)
        self._arm(canvas, shoulder, (pose.far_arm, pose.far_hand), facing, dim=0.7)
        for upper, lower, dim in (
            (pose.far_thigh, pose.far_shin, 0.72),
            (pose.near_thigh, pose.near_shin, 1.0),
        ):
            knee = _along(hip, upper, 0.235 * size, facing)
            heel = _along(knee, lower, 0.225 * size, facing)
            canvas.line([hip, knee, heel], 0.1 * size, darker(outfit.trousers, dim))
            toe = _along(heel, lower + 78, 0.07 * size, facing)
            canvas.line([heel, toe], 0.06 * size, shoes)
        canvas.line([hip, shoulder], 0.17 * size, outfit.shirt)
        neck = _along(shoulder, 180 - pose.lean, 0.07 * size, facing)
        head = _along(shoulder, 180 - pose.lean, 0.155 * size, facing)
        canvas.line([shoulder, neck], 0.07 * size, outfit.skin)
        canvas.dot(head, 0.075 * size, outfit.hair)
        face = _along(head, 90 - pose.lean, 0.022 * size, facing)
        canvas.dot(face, 0.062 * size, outfit.skin)
        self._arm(canvas, shoulder, (pose.near_arm, pose.near_hand), facing, dim=0.86)

    def hand(self, foot: Point, pose: Pose, *, facing: int = 1, near: bool = True) -> Point:
        """Return where a hand is; the arguments are those of `paint`."""
        angles = (pose.near_arm, pose.near_hand) if near else (pose.far_arm, pose.far_hand)
        hip = (foot[0], foot[1] - pose.hips * self.height)
        shoulder = _along(hip, 180 - pose.lean, 0.34 * self.height, facing)
        elbow = _along(shoulder, angles[0], 0.17 * self.height, facing)
        return _along(elbow, angles[1], 0.17 * self.height, facing)

    def _arm(
        self, canvas: Canvas, shoulder: Point, angles: Point, facing: int, *, dim: float
    ) -> None:
        elbow = _along(shoulder, angles[0], 0.17 * self.height, facing)
        hand = _along(elbow, angles[1], 0.17 * self.height, facing)
        canvas.line([shoulder, elbow], 0.075 * self.height, darker(self.outfit.shirt, dim))
        canvas.line([elbow, hand], 0.058 * self.height, darker(self.outfit.skin, dim))
        canvas.dot(hand, 0.036 * self.height, darker(self.outfit.skin, dim))


def _along(start: Point, angle: float, length: float, facing: int) -> Point:
    """Go from a point into a direction: 0 = down, 90 = ahead, 180 = up."""
    turn = math.radians(angle)
    return start[0] + facing * length * math.sin(turn), start[1] + length * math.cos(turn)
