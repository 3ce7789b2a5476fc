"""Two people in a street: they meet, shake hands, hug, argue, and sometimes fight."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from prismata.testing.drawing import Canvas, mixed
from prismata.testing.figures import (
    SHIRTS,
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

EXPECTED = {"segment_map_0.5": 0.7}
CAMERA = Camera(shake=0.4)

GROUND = 150.0
APART = {"fight": 30.0, "hugs": 9.0, "shakes_hands": 42.0, "argues": 46.0}
"""Between the two while they do it, in world units."""
SHARES = (0.4, 0.22, 0.2, 0.18)
APPROACH_S = (0.9, 1.4)
GUARD = Pose(
    lean=8, hips=0.45, near_thigh=24, near_shin=2, far_thigh=-22, far_shin=-34, near_arm=52,
    near_hand=126, far_arm=44, far_hand=120,
)  # fmt: skip
PUNCH = replace(GUARD, lean=20, near_arm=96, near_hand=92)
CROSS = replace(GUARD, lean=22, far_arm=98, far_hand=94)
KICK = replace(GUARD, lean=-18, near_thigh=88, near_shin=74)
HIT = replace(GUARD, lean=-26, near_arm=30, near_hand=80, far_arm=20, far_hand=70)
HOLD = Pose(
    lean=34, hips=0.43, near_thigh=30, near_shin=-6, far_thigh=-34, far_shin=-46, near_arm=94,
    near_hand=104, far_arm=88, far_hand=96,
)  # fmt: skip
HUG = replace(STANDING, lean=7, near_arm=74, near_hand=96, far_arm=66, far_hand=104)
SHAKE = replace(STANDING, near_arm=44, near_hand=86)
ARGUE = replace(STANDING, lean=6, near_arm=50, near_hand=128)


@dataclass(frozen=True, slots=True)
class Meeting:
    """The two come together, do one thing and part."""

    kind: str
    span: Happening
    """Of what they do."""
    approach_s: float
    x: float
    """Where they meet."""
    beat_s: float
    """From one blow, or gesture, to the next."""
    wrestles: bool
    seed: int


class Street:
    """What happens in one video.

    Args:
        seconds: Its length.
        seed: Decides everything.
    """

    def __init__(self, seconds: float, seed: int) -> None:
        rng = np.random.default_rng([seed, 201])
        self._look = np.random.default_rng([seed, 202])
        shirts = [SHIRTS[index] for index in rng.permutation(len(SHIRTS))]
        self._people = [
            Figure(float(rng.uniform(72, 84)), Outfit.drawn(rng, [shirt])) for shirt in shirts[:2]
        ]
        self._passer = Figure(float(rng.uniform(52, 58)), Outfit.drawn(rng))
        self._homes = (float(rng.uniform(30, 60)), float(rng.uniform(262, 292)))
        self._meetings: list[Meeting] = []
        time_s = float(rng.uniform(0.2, 0.8))
        while True:
            meeting = _drawn(rng, time_s, fights=len(self._meetings) == seed % 2)
            end_s = _end(meeting) + meeting.approach_s
            if end_s > seconds - 0.2:
                break
            self._meetings.append(meeting)
            time_s = end_s + float(rng.uniform(0.1, 0.6))
        self._runs = [
            Happening("runs_past", start_s, start_s + 3.2)
            for start_s in np.arange(float(rng.uniform(1, 7)), seconds - 3.4, 9.0).tolist()
        ]
        spans = [meeting.span for meeting in self._meetings]
        self.events: Sequence[Happening] = [span for span in spans if span.name == "fight"]
        self.distractors: Sequence[Happening] = [
            *(span for span in spans if span.name != "fight"),
            *self._runs,
        ]

    def backdrop(self, canvas: Canvas) -> None:
        """Paint a street: houses, a pavement and a lamp post."""
        look = self._look
        wall = pick(look, ((168, 150, 134), (140, 150, 158), (186, 172, 148), (128, 120, 122)))
        stone = pick(look, ((150, 150, 152), (134, 130, 126), (166, 162, 154)))
        canvas.blend(-10, 104, mixed(wall, (255, 255, 255), 0.12), wall)
        left = float(look.uniform(-20, 20))
        while left < 330:
            wide = float(look.uniform(26, 44))
            shade = mixed(wall, (20, 24, 30), float(look.uniform(0.4, 0.7)))
            canvas.box(left, 22, left + wide, 62, shade)
            canvas.box(left + 2, 24, left + wide / 2 - 1, 60, mixed(shade, (190, 214, 230), 0.35))
            left += wide + float(look.uniform(14, 40))
        door = float(look.uniform(40, 250))
        canvas.box(door, 56, door + 26, 104, mixed(wall, (60, 30, 20), 0.6))
        canvas.blend(104, 190, stone, mixed(stone, (0, 0, 0), 0.2))
        canvas.box(-10, 104, 330, 107, mixed(stone, (255, 255, 255), 0.2))
        canvas.grain(look, 6)
        post = float(look.uniform(90, 230))
        canvas.line([(post, 112), (post, 14)], 3, (52, 54, 58))
        canvas.dot((post, 12), 5, (240, 232, 190))

    def paint(self, canvas: Canvas, time_s: float) -> None:
        """Paint the passer-by, then the two."""
        run = act_at(self._runs, time_s)
        if run is not None:
            x = -20 + 360 * run.share(time_s)
            self._passer.paint(canvas, (x, 116), walking(time_s * 11, 1.7))
        meetings = [
            item for item in self._meetings if item.span.start_s - item.approach_s <= time_s
        ]
        meeting = meetings[-1] if meetings else None
        for side in (0, 1):
            facing = 1 if side == 0 else -1
            x, pose, turned = self._placed(meeting, side, time_s)
            self._people[side].paint(canvas, (x, GROUND + 3 * side), pose, facing=facing * turned)

    def _placed(self, meeting: Meeting | None, side: int, time_s: float) -> tuple[float, Pose, int]:
        """Return where one of them is, how held, and 1 if he faces the other."""
        home = self._homes[side]
        if meeting is None:
            return home, STANDING, 1
        outward = -1 if side == 0 else 1
        goal = meeting.x + outward * APART[meeting.kind] / 2
        start_s, end_s = meeting.span.start_s, _end(meeting)
        if time_s < start_s:
            share = 1 - (start_s - time_s) / meeting.approach_s
            x = home + share * (goal - home)
            return x, walking(abs(x - home) / 8, 1.1), 1
        if time_s < end_s:
            return self._doing(meeting, side, goal, time_s)
        share = min(1.0, (time_s - end_s) / meeting.approach_s)
        x = goal + share * (home - goal)
        if share < 1:
            return x, walking(abs(x - goal) / 8, 1.1), -1
        return home, STANDING, 1

    def _doing(
        self, meeting: Meeting, side: int, goal: float, time_s: float
    ) -> tuple[float, Pose, int]:
        passed = time_s - meeting.span.start_s
        if meeting.kind == "fight":
            return self._fighting(meeting, side, goal, passed)
        soft = eased(min(1.0, passed / 0.35, (_end(meeting) - time_s) / 0.35))
        turn = math.sin(2 * math.pi * passed / meeting.beat_s)
        if meeting.kind == "shakes_hands":
            goes = replace(SHAKE, near_hand=SHAKE.near_hand + 9 * turn)
        elif meeting.kind == "hugs":
            goes = replace(HUG, lean=HUG.lean + 1.5 * turn)
        else:
            speaks = math.sin(2 * math.pi * (passed / meeting.beat_s + side / 2)) > 0
            raised = ARGUE.near_hand + 14 * turn
            goes = replace(ARGUE, near_hand=raised) if speaks else STANDING
        return goal, between(STANDING, goes, soft), 1

    def _fighting(
        self, meeting: Meeting, side: int, goal: float, passed: float
    ) -> tuple[float, Pose, int]:
        beat = int(passed / meeting.beat_s)
        share = passed / meeting.beat_s - beat
        dice = np.random.default_rng([meeting.seed, beat])
        strikes = int(dice.integers(2)) == side
        out = math.sin(math.pi * share)
        drift = 5 * math.sin(passed * 2.3)
        if meeting.wrestles:
            tug = 8 * math.sin(2 * math.pi * passed / (2.4 * meeting.beat_s))
            pose = replace(HOLD, lean=HOLD.lean + 14 * math.sin(passed * 9 + 2 * side))
            return goal + tug, pose, 1
        if strikes:
            blow = (PUNCH, CROSS, KICK)[int(dice.integers(3))]
            return goal + drift + (4 if side == 0 else -4) * out, between(GUARD, blow, out), 1
        outward = -1 if side == 0 else 1
        return goal + drift + 3 * outward * out, between(GUARD, HIT, out * (share > 0.3)), 1


def _drawn(rng: np.random.Generator, time_s: float, *, fights: bool) -> Meeting:
    kinds = tuple(APART)
    drawn = kinds[int(rng.choice(len(kinds), p=SHARES))]
    # No video is without a fight.
    kind = "fight" if fights else drawn
    approach_s = float(rng.uniform(*APPROACH_S))
    lasts_s = float(rng.uniform(1.6, 3.4) if kind == "fight" else rng.uniform(1.2, 2.4))
    start_s = time_s + approach_s
    beat_s = {"fight": 0.34, "hugs": 1.1, "shakes_hands": 0.45, "argues": 0.9}[kind]
    return Meeting(
        kind,
        Happening(kind, start_s, start_s + lasts_s),
        approach_s,
        float(rng.uniform(120, 200)),
        beat_s * float(rng.uniform(0.85, 1.2)),
        bool(rng.random() < 0.3),
        int(rng.integers(1_000_000)),
    )


def _end(meeting: Meeting) -> float:
    return meeting.span.end_s or meeting.span.start_s


plan = Street
