"""An aisle between racks: trucks, people and loads, and what looks like trouble and is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from prismata.testing.drawing import Canvas, Color, darker, mixed
from prismata.testing.figures import STANDING, Figure, Outfit, Pose, between, pick, walking
from prismata.testing.scenes import Camera, Happening

EXPECTED = {"point_map_0.5s": 0.4, "segment_map_0.5": 0.6}
CAMERA = Camera(shake=0.0, flicker=0.05)

LINE_TOP, LINE_BOTTOM = 112.0, 156.0
"""The yellow lines."""
AISLE_Y, WALKWAY_Y = 140.0, 172.0
TRUCK_Y = 150.0
TRUCK_BACK, TRUCK_FRONT = 48.0, 42.0
"""How far the truck reaches behind and before its middle, forks and load included."""
SPEED = 120.0
SHELF_Y = 58.0
JUMP = Pose(
    lean=-24, hips=0.5, near_thigh=50, near_shin=10, far_thigh=-30, far_shin=-50, near_arm=120,
    near_hand=140, far_arm=100, far_hand=130,
)  # fmt: skip
KINDS = ("passes", "crosses", "near_miss", "stops_early", "drop", "lowered", "flutter", "robot")
SHARES = (0.14, 0.15, 0.2, 0.12, 0.19, 0.08, 0.07, 0.05)


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that happens; times are seconds of the video."""

    kind: str
    start_s: float
    end_s: float
    x: float
    """Where: of the person, or of the load."""
    facing: int
    """Of the truck: 1 drives to the right."""
    truck: tuple[tuple[float, float], ...] = ()
    """(time, way): how far the truck has come, in world units from where it enters."""
    steps: tuple[float, ...] = ()
    """When the person has left the walkway, stands in the aisle, turns back and is back."""


class Aisle:
    """What happens in one video.

    Args:
        seconds: Its length.
        seed: Decides everything.
    """

    def __init__(self, seconds: float, seed: int) -> None:
        rng = np.random.default_rng([seed, 401])
        self._look = np.random.default_rng([seed, 402])
        self._worker = Figure(float(rng.uniform(54, 60)), Outfit.drawn(rng, ((236, 128, 40),)))
        self._walker = Figure(float(rng.uniform(60, 66)), Outfit.drawn(rng))
        self._truck: Color = pick(rng, ((226, 178, 40), (200, 70, 50), (60, 130, 160)))
        self._acts: list[Act] = []
        time_s = float(rng.uniform(0.3, 1.0))
        while True:
            act = _drawn(rng, time_s)
            if act.end_s > seconds - 0.3:
                break
            self._acts.append(act)
            time_s = act.end_s + float(rng.uniform(0.1, 0.7))
        self._walks = [
            Happening("on_walkway", start_s, start_s + 7.0)
            for start_s in np.arange(float(rng.uniform(1, 8)), seconds - 7, 11.0).tolist()
        ]
        self.events: Sequence[Happening] = [item for act in self._acts for item in _events(act)]
        self.distractors: Sequence[Happening] = [
            *self._walks,
            *(
                Happening(act.kind, act.start_s, act.end_s)
                for act in self._acts
                if act.kind in ("stops_early", "lowered", "flutter", "robot")
            ),
        ]

    def backdrop(self, canvas: Canvas) -> None:
        """Paint racks with loads, the floor, the yellow lines and the walkway."""
        look = self._look
        floor = pick(look, ((150, 148, 144), (128, 132, 136), (160, 154, 142)))
        steel = pick(look, ((40, 78, 140), (190, 90, 40), (70, 74, 80)))
        canvas.blend(-10, 108, (70, 72, 78), (96, 96, 98))
        canvas.blend(104, 190, mixed(floor, (255, 255, 255), 0.08), floor)
        canvas.box(-10, LINE_BOTTOM + 2, 330, 190, mixed(floor, (70, 120, 80), 0.45))
        for level in (24.0, SHELF_Y, 96.0):
            x = -20 + float(look.uniform(0, 14))
            while x < 330:
                wide, high = float(look.uniform(16, 24)), float(look.uniform(14, 25))
                if look.random() < 0.8:
                    tone = pick(look, ((172, 130, 84), (150, 112, 74), (120, 132, 142)))
                    canvas.box(x, level - high, x + wide, level, tone)
                    canvas.box(x, level - 2.5, x + wide, level, (110, 84, 56))
                x += wide + float(look.uniform(2, 10))
            canvas.box(-10, level, 330, level + 3.5, steel)
        for x in range(-4, 330, 54):
            canvas.box(x, -10, x + 4, 104, darker(steel))
        canvas.grain(look, 5)
        for line in (LINE_TOP, LINE_BOTTOM):
            canvas.box(-10, line - 1.3, 330, line + 1.3, (232, 198, 50))

    def paint(self, canvas: Canvas, time_s: float) -> None:
        """Paint from the back to the front: loads, people in the aisle, trucks, the walkway."""
        for act in self._acts:
            if act.kind in ("drop", "lowered", "flutter"):
                _paint_load(canvas, act, time_s)
        for act in self._acts:
            if not act.start_s <= time_s < act.end_s:
                continue
            if act.steps:
                self._paint_worker(canvas, act, time_s)
            if act.truck:
                self._paint_truck(canvas, act, time_s)
            if act.kind == "robot":
                x = -30 + 380 * (time_s - act.start_s) / (act.end_s - act.start_s)
                canvas.shade((x, 150), (17, 4))
                canvas.box(x - 15, 139, x + 15, 148, (208, 210, 214))
                canvas.box(x - 12, 136, x + 12, 140, (60, 130, 190))
        for walk in self._walks:
            if walk.covers(time_s):
                way = 360 * walk.share(time_s)
                self._walker.paint(canvas, (-20 + way, WALKWAY_Y), walking(way / 7))

    def _paint_worker(self, canvas: Canvas, act: Act, time_s: float) -> None:
        out, there, turns, back = act.steps
        share = float(np.interp(time_s, (out, there, turns, back), (0, 1, 1, 0)))
        y = WALKWAY_Y + share * (AISLE_Y - WALKWAY_Y)
        moves = out <= time_s < there or turns <= time_s < back
        pose = walking(time_s * 8) if moves else STANDING
        facing = -act.facing
        x = act.x
        if act.kind == "near_miss" and turns <= time_s < back:
            pose = between(JUMP, STANDING, (time_s - turns) / (back - turns))
        elif act.kind == "crosses" and there <= time_s < turns:
            x += 26 * np.sin(np.pi * (time_s - there) / (turns - there))
            pose = walking(time_s * 7)
        self._worker.paint(canvas, (x, y), pose, facing=facing)

    def _paint_truck(self, canvas: Canvas, act: Act, time_s: float) -> None:
        x, way = truck_x(act, time_s), act.facing
        dips = _brakes(act, time_s)
        canvas.shade((x, TRUCK_Y + 5), (44, 6))
        body, dark = self._truck, (44, 46, 50)

        def box(left: float, top: float, right: float, bottom: float, color: Color) -> None:
            ends = sorted((x + way * left, x + way * right))
            canvas.box(ends[0], TRUCK_Y + top + dips, ends[1], TRUCK_Y + bottom + dips, color)

        box(-46, -30, -4, -6, body)
        box(-46, -34, -26, -26, darker(body, 0.8))
        for post in (-42, -6):
            box(post, -70, post + 3, -28, dark)
        box(-44, -73, 0, -68, dark)
        box(-22, -56, -10, -32, (236, 150, 60))
        canvas.dot((x - way * 14, TRUCK_Y - 61 + dips), 5, (204, 152, 114))
        box(2, -76, 6, -4, (90, 92, 98))
        box(6, -8, 40, -5, (70, 72, 76))
        box(10, -30, 36, -9, (176, 134, 88))
        box(10, -9, 36, -6, (112, 86, 58))
        for wheel in (-34, -4):
            canvas.dot((x + way * wheel, TRUCK_Y - 2), 7, dark)
            canvas.dot((x + way * wheel, TRUCK_Y - 2), 3, (150, 150, 152))
        if dips:
            canvas.dot((x - way * 45, TRUCK_Y - 20), 3.5, (250, 60, 40))


def truck_x(act: Act, time_s: float) -> float:
    """Return where the middle of an act's truck is."""
    times, ways = zip(*act.truck, strict=True)
    way = float(np.interp(time_s, times, ways))
    return way - TRUCK_FRONT if act.facing > 0 else 320 + TRUCK_FRONT - way


def _brakes(act: Act, time_s: float) -> float:
    """Return by how much the truck dips because it brakes hard."""
    if act.kind != "near_miss":
        return 0.0
    stop = act.truck[1][0]
    return max(0.0, 3 - 10 * abs(time_s - stop - 0.05)) if time_s > stop - 0.25 else 0.0


def _paint_load(canvas: Canvas, act: Act, time_s: float) -> None:
    passed = time_s - act.start_s
    tone = (186, 142, 92)
    if act.kind == "flutter":
        if 0 <= passed < act.end_s - act.start_s:
            share = passed / (act.end_s - act.start_s)
            x = act.x + 16 * np.sin(passed * 3.2)
            y = SHELF_Y - 12 + share * (LINE_TOP - SHELF_Y + 14)
            canvas.oval((x, y), (8, 3.4), (226, 232, 236), 30 * np.sin(passed * 4.1))
        return
    if act.kind == "lowered":
        share = min(1.0, max(0.0, passed / (act.end_s - act.start_s - 0.4)))
        y = SHELF_Y + share * (116 - SHELF_Y)
        if passed >= 0 and share < 1:
            canvas.line([(act.x, -8), (act.x, y - 22)], 1.6, (40, 40, 44))
        if time_s < act.end_s + 1:
            _paint_pallet(canvas, act.x, y, tone)
        return
    # A falling load: it tips over the edge of the shelf, lands and bursts.
    fall_s = 0.55
    share = min(1.0, max(0.0, passed / fall_s))
    y = SHELF_Y + share * share * (118 - SHELF_Y)
    if share < 1:
        tilt = 12 * share * act.facing
        _paint_pallet(canvas, act.x + tilt, y, tone, turn=0.5 * share * act.facing)
        return
    for number, (shift, high) in enumerate(((-20, 9), (-6, 13), (9, 10), (22, 7))):
        left = act.x + shift + 12 * act.facing
        color = darker(tone, 0.8 + 0.08 * number)
        canvas.polygon(
            [(left - 7, 121), (left - 5, 121 - high), (left + 7, 119 - high), (left + 8, 121)],
            color,
        )
    if passed < fall_s + 0.7:
        dust = (passed - fall_s) / 0.7
        for side in (-1, 1):
            spot = (act.x + side * (18 + 26 * dust), 118 - 8 * dust)
            canvas.shade(spot, (14 + 12 * dust, 7), 1.22 - 0.2 * dust)


def _paint_pallet(canvas: Canvas, x: float, bottom: float, color: Color, turn: float = 0.0) -> None:
    def spot(left: float, up: float) -> tuple[float, float]:
        return x + left * np.cos(turn) + up * np.sin(turn), bottom - up * np.cos(
            turn
        ) + left * np.sin(turn)

    canvas.polygon([spot(-12, 3), spot(-12, 23), spot(12, 23), spot(12, 3)], color)
    canvas.polygon([spot(-13, 0), spot(-13, 3), spot(13, 3), spot(13, 0)], (108, 80, 52))
    canvas.line([spot(-12, 13), spot(12, 13)], 1.4, darker(color, 0.7))


def _events(act: Act) -> list[Happening]:
    events = []
    if act.truck:
        # In and out of the picture are the instants at which an end of the truck is at its edge.
        times, ways = zip(*act.truck, strict=True)
        inside = float(np.interp(0.5, ways, times))
        outside = float(np.interp(320 + TRUCK_FRONT + TRUCK_BACK, ways, times))
        events.append(Happening("forklift_pass", inside, outside))
    if act.steps:
        out, there, turns, back = act.steps
        over = (WALKWAY_Y - LINE_BOTTOM) / (WALKWAY_Y - AISLE_Y)
        events.append(
            Happening("person_in_aisle", out + over * (there - out), back - over * (back - turns))
        )
    if act.kind == "near_miss":
        events.append(Happening("near_miss", act.truck[1][0]))
    if act.kind == "drop":
        events.append(Happening("pallet_drop", act.start_s))
    return events


def _drawn(rng: np.random.Generator, time_s: float) -> Act:
    kind = KINDS[int(rng.choice(len(KINDS), p=SHARES))]
    facing = 1 if rng.random() < 0.5 else -1
    x = float(rng.uniform(130, 190))
    out_of_sight = 320.0 + TRUCK_FRONT + TRUCK_BACK + 6
    speed = SPEED * float(rng.uniform(0.9, 1.25))
    if kind == "passes":
        end_s = time_s + out_of_sight / speed
        return Act(kind, time_s, end_s, x, facing, ((time_s, 0.0), (end_s, out_of_sight)))
    if kind in ("near_miss", "stops_early"):
        gap = float(rng.uniform(5, 9) if kind == "near_miss" else rng.uniform(74, 90))
        way = (x if facing > 0 else 320 - x) - gap - 8
        # Soft brakes: half as fast over the last part of the way.
        slow = min(35.0, way / 2) if kind == "stops_early" else 0.0
        arrives = time_s + 0.7 + (way + slow) / speed
        there = arrives - (0.5 if kind == "near_miss" else 0.0)
        leaves = arrives + (0.7 if kind == "near_miss" else 1.6)
        turns = arrives if kind == "near_miss" else arrives + 0.4
        back = turns + (0.35 if kind == "near_miss" else 0.9)
        end_s = leaves + (out_of_sight - way) / speed
        truck = [(time_s + 0.7, 0.0), (arrives, way), (leaves, way), (end_s, out_of_sight)]
        if slow:
            truck.insert(1, (arrives - 2 * slow / speed, way - slow))
        steps = (there - 0.8, there, turns, back)
        start_s = min(time_s, steps[0])
        return Act(kind, start_s, end_s, x, facing, tuple(truck), steps)
    if kind == "crosses":
        there, stays = time_s + 0.8, float(rng.uniform(1.2, 2.6))
        steps = (time_s, there, there + stays, there + stays + 0.8)
        return Act(kind, time_s, steps[-1], x, facing, (), steps)
    x = float(rng.uniform(40, 280))
    lasts_s = {"drop": 2.2, "lowered": 2.8, "flutter": 2.6, "robot": 4.0}[kind]
    return Act(kind, time_s, time_s + lasts_s, x, facing)


plan = Aisle
