"""A press on a belt: cycles, stoppages, hands in the zone, and what only looks like these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from prismata.testing.drawing import Canvas, Color, darker, mixed
from prismata.testing.figures import SHIRTS, SKINS, pick
from prismata.testing.scenes import Camera, Happening, act_at

EXPECTED = {"segment_map_0.5": 0.75}
CAMERA = Camera(shake=0.3, flicker=0.04)

BELT_Y = 126.0
PRESS_X = 170.0
ZONE = (134.0, 206.0)
"""Left and right edge of the marked zone under the ram."""
RAM_UP, RAM_DOWN = 66.0, 112.0
BELT_SPEED = 70.0
FEED_S, EJECT_S = 0.55, 0.55
"""A part comes in before a cycle, and goes out after it."""
KINDS = ("cycle", "stoppage", "hand_in_zone", "hand_beside", "gripper_in_zone", "waits")
SHARES = (0.52, 0.13, 0.13, 0.09, 0.07, 0.06)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens at the press."""

    span: Happening
    """Of all that belongs to it."""
    core: Happening
    """Of what is an event, or looks like one."""
    x: float
    """Where a hand reaches."""


class Press:
    """What happens in one video.

    Args:
        seconds: Its length.
        seed: Decides everything.
    """

    def __init__(self, seconds: float, seed: int) -> None:
        rng = np.random.default_rng([seed, 501])
        self._look = np.random.default_rng([seed, 502])
        self._seed = seed
        self._skin, self._sleeve = pick(rng, SKINS), pick(rng, SHIRTS)
        self._part: Color = pick(rng, ((196, 120, 60), (120, 150, 190), (160, 164, 168)))
        self._down_s = float(rng.uniform(0.3, 0.45))
        self._hold_s = float(rng.uniform(0.25, 0.5))
        self._steps: list[Step] = []
        time_s = float(rng.uniform(0.2, 0.8))
        while True:
            step = self._next(rng, time_s)
            if step.span.end_s is None or step.span.end_s > seconds - 0.2:
                break
            self._steps.append(step)
            time_s = step.span.end_s + float(rng.uniform(0.05, 0.35))
        cores = [step.core for step in self._steps]
        self.events: Sequence[Happening] = [
            core for core in cores if core.name in ("cycle", "stoppage", "hand_in_zone")
        ]
        self.distractors: Sequence[Happening] = [core for core in cores if core not in self.events]

    def backdrop(self, canvas: Canvas) -> None:
        """Paint a hall, the frame of the press, the belt and the marked zone."""
        look = self._look
        wall = pick(look, ((120, 128, 134), (146, 140, 128), (104, 116, 112)))
        steel = pick(look, ((70, 104, 96), (84, 92, 120), (150, 96, 60)))
        canvas.blend(-10, 150, mixed(wall, (255, 255, 255), 0.15), darker(wall, 0.85))
        canvas.blend(150, 190, (92, 92, 94), (70, 70, 72))
        for x in range(-4, 330, int(look.integers(46, 80))):
            canvas.box(x, -10, x + 3, 150, darker(wall, 0.8))
        canvas.grain(look, 5)
        for left in (112.0, 214.0):
            canvas.box(left, 14, left + 14, 164, steel)
            canvas.box(left + 2, 14, left + 4, 164, mixed(steel, (255, 255, 255), 0.25))
        canvas.box(104, 8, 236, 40, darker(steel, 0.85))
        canvas.box(104, 8, 236, 13, steel)
        canvas.box(-10, BELT_Y, 330, BELT_Y + 9, (48, 50, 54))
        canvas.box(-10, BELT_Y + 9, 330, BELT_Y + 13, (84, 86, 90))
        canvas.box(ZONE[0], BELT_Y + 13, ZONE[1], BELT_Y + 20, (236, 200, 40))
        for x in np.arange(ZONE[0], ZONE[1] - 4, 12.0).tolist():
            stripe = [(x, BELT_Y + 20), (x + 6, BELT_Y + 13), (x + 11, BELT_Y + 13)]
            canvas.polygon([*stripe, (x + 5, BELT_Y + 20)], (30, 30, 32))
        canvas.box(252, 84, 300, 88, (110, 90, 70))
        canvas.box(256, 70, 276, 84, (60, 100, 160))
        canvas.box(280, 74, 296, 84, (170, 60, 50))
        canvas.line([(86, 60), (86, 14)], 3, (60, 62, 66))

    def paint(self, canvas: Canvas, time_s: float) -> None:
        """Paint part, ram, gripper, hand and the lamp."""
        step = self._step_at(time_s)
        core = step.core if step is not None else None
        kind = core.name if core is not None else ""
        for x in np.arange(self._belt_way(time_s) % 24 - 24, 330, 24).tolist():
            canvas.line([(x, BELT_Y + 8), (x + 5, BELT_Y + 1)], 3, (128, 130, 134))
        self._paint_parts(canvas, core, time_s)
        ram = self._ram(core, time_s)
        canvas.box(PRESS_X - 7, 38, PRESS_X + 7, ram - 10, (178, 182, 188))
        canvas.box(PRESS_X - 3, 38, PRESS_X, ram - 10, (226, 230, 234))
        canvas.box(PRESS_X - 26, ram - 12, PRESS_X + 26, ram, (98, 102, 110))
        canvas.box(PRESS_X - 26, ram - 3, PRESS_X + 26, ram, (60, 62, 68))
        if kind == "gripper_in_zone" and core is not None:
            reach = _reach(core, time_s, 0.3)
            x = 300 - reach * (300 - PRESS_X)
            canvas.box(x, 102, 330, 108, (140, 146, 152))
            canvas.line([(x, 105), (x - 9, 98)], 3, (60, 64, 70))
            canvas.line([(x, 105), (x - 9, 113)], 3, (60, 64, 70))
        if kind in ("hand_in_zone", "hand_beside") and step is not None:
            self._paint_hand(canvas, step, time_s)
        # The lamp of a machine that stands turns red a moment late, as real ones do.
        stands = kind == "stoppage" and core is not None and time_s > core.start_s + 1.0
        blinks = int(time_s * 3) % 2 == 0
        canvas.dot((86, 24), 5, (244, 60, 44) if stands and blinks else (92, 40, 36))
        canvas.dot((86, 36), 5, (70, 90, 70) if stands else (80, 226, 110))

    def _step_at(self, time_s: float) -> Step | None:
        spans = [step.span for step in self._steps]
        span = act_at(spans, time_s)
        return None if span is None else self._steps[spans.index(span)]

    def _belt_way(self, time_s: float) -> float:
        """Return how far the belt has run; it stands during stoppages and short waits."""
        stood = sum(
            min(max(0.0, time_s - step.core.start_s), (step.core.end_s or 0) - step.core.start_s)
            for step in self._steps
            if step.core.name in ("stoppage", "waits")
        )
        return BELT_SPEED * (time_s - stood)

    def _ram(self, core: Happening | None, time_s: float) -> float:
        if core is None or core.name != "cycle" or not core.covers(time_s):
            return RAM_UP
        passed, left = time_s - core.start_s, (core.end_s or 0) - time_s
        share = min(1.0, passed / self._down_s, left / self._down_s)
        return RAM_UP + (0.06 + 0.94 * share) * (RAM_DOWN - RAM_UP)

    def _paint_parts(self, canvas: Canvas, core: Happening | None, time_s: float) -> None:
        if core is None or core.end_s is None or core.name == "waits":
            return
        x, pressed = PRESS_X, False
        if core.name == "cycle":
            if time_s < core.start_s:
                x = PRESS_X - 220 * min(1.0, (core.start_s - time_s) / FEED_S)
            elif time_s >= core.end_s:
                x = PRESS_X + 190 * min(1.0, (time_s - core.end_s) / EJECT_S)
            pressed = time_s > core.start_s + self._down_s
        elif core.name == "gripper_in_zone":
            share = core.share(time_s)
            x = PRESS_X if share < 0.5 else PRESS_X + (2 * share - 1) * 180
        elif core.name == "stoppage":
            # A part has come in askew and is stuck before the ram.
            x = PRESS_X - 34 - 150 * min(1.0, max(0.0, core.start_s - time_s) / FEED_S)
            canvas.polygon(
                [
                    (x - 15, BELT_Y),
                    (x - 19, BELT_Y - 13),
                    (x + 8, BELT_Y - 23),
                    (x + 13, BELT_Y - 9),
                ],
                self._part,
            )
            return
        elif core.name == "hand_beside":
            return
        high = 8.0 if pressed else 14.0
        wide = 19.0 if pressed else 15.0
        canvas.box(x - wide, BELT_Y - high, x + wide, BELT_Y, self._part)
        canvas.box(x - wide, BELT_Y - high, x + wide, BELT_Y - high + 2, darker(self._part, 1.15))

    def _paint_hand(self, canvas: Canvas, step: Step, time_s: float) -> None:
        """Paint an arm that comes from below, in front of everything."""
        core = step.core
        # Within the core, the fingers are over the upper edge of the zone's marking.
        lead = 0.35
        end_s = core.end_s or core.start_s
        if core.covers(time_s):
            middle = min(time_s - core.start_s, end_s - time_s)
            tip = BELT_Y + 12 - 30 * min(1.0, middle / 0.25)
        else:
            outside = max(core.start_s - time_s, time_s - end_s)
            tip = BELT_Y + 21 + 50 * min(1.0, outside / lead)
        x = step.x + 3 * np.sin(5 * time_s)
        elbow = (x + 20, 200.0)
        wrist = (x + 4, tip + 18)
        canvas.line([elbow, (x + 8, tip + 34)], 19, self._sleeve)
        canvas.line([(x + 8, tip + 34), wrist], 13, self._skin)
        canvas.dot((x + 2, tip + 11), 9, self._skin)
        for finger in (-7, -2.5, 2, 6.5):
            canvas.line([(x + 2 + finger * 0.7, tip + 10), (x + finger, tip + 2)], 3.6, self._skin)

    def _next(self, rng: np.random.Generator, time_s: float) -> Step:
        drawn = KINDS[int(rng.choice(len(KINDS), p=SHARES))]
        # Every video begins with the machine at work, and then something is up.
        first = ("cycle", ("stoppage", "hand_in_zone")[self._seed % 2])
        kind = first[len(self._steps)] if len(self._steps) < len(first) else drawn
        x = float(rng.uniform(ZONE[0] + 12, ZONE[1] - 16))
        before, after = 0.0, 0.0
        lasts_s = float(rng.uniform(0.7, 1.4))
        if kind == "cycle":
            before, after = FEED_S, EJECT_S
            lasts_s = 2 * self._down_s + self._hold_s
        elif kind == "stoppage":
            before, lasts_s = FEED_S, float(rng.uniform(2.3, 4.0))
        elif kind in ("hand_in_zone", "hand_beside"):
            before = after = 0.35
        elif kind == "gripper_in_zone":
            lasts_s = 1.6
        if kind == "hand_beside":
            x = float(rng.choice([rng.uniform(30, 100), rng.uniform(236, 286)]))
        start_s = time_s + before
        core = Happening(kind, start_s, start_s + lasts_s)
        return Step(Happening(kind, time_s, start_s + lasts_s + after), core, x)


def _reach(core: Happening, time_s: float, lead_s: float) -> float:
    """Return how far something has reached in: 0 = outside, 1 = all the way."""
    end_s = core.end_s or core.start_s
    return min(1.0, max(0.0, min(time_s - core.start_s, end_s - time_s) / lead_s))


plan = Press
