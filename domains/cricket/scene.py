"""Balls bowled from the left to a batter on the right, and all that goes on in between."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from prismata.testing.drawing import Canvas, Color, Point, mixed
from prismata.testing.figures import (
    STANDING,
    Figure,
    Outfit,
    Pose,
    between,
    eased,
    pick,
    walking,
)
from prismata.testing.scenes import Camera, Happening

EXPECTED = {"segment_map_0.5": 0.8}
CAMERA = Camera()

GROUND = 146.0
CREASE_X, BATTER_X = 122.0, 268.0
RUN_SPEED, WALK_SPEED = 72.0, 52.0
"""World units a second."""
ARM_S = 0.5
"""From the arm going back to the release; it comes down as long again."""
WHITES: tuple[Color, ...] = ((238, 236, 228), (228, 232, 236))
READY = Pose(
    lean=26, hips=0.44, near_thigh=22, near_shin=-8, far_thigh=-14, far_shin=-24, near_arm=22,
    near_hand=34, far_arm=16, far_hand=30,
)  # fmt: skip
CROUCHING = Pose(
    lean=40, hips=0.24, near_thigh=84, near_shin=-26, far_thigh=74, far_shin=-30, near_arm=48,
    near_hand=74, far_arm=40, far_hand=70,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ball:
    """One turn of the bowler: a ball, or a run-up that is broken off."""

    start_s: float
    mark_x: float
    """Where the run-up starts."""
    stop_x: float
    """Where it ends: behind the crease, or halfway."""
    run_s: float
    flight_s: float
    """Of the ball to the batter; 0 = no ball is bowled."""
    plays: bool
    """Whether the batter strokes; otherwise the ball is left."""
    away: Point
    """Where the ball ends up."""
    rest_s: float
    throw_s: float | None
    """When a fielder throws the ball back."""

    @property
    def release_s(self) -> float:
        """When the ball leaves the hand, or the bowler stops."""
        return self.start_s + self.run_s

    @property
    def stroke_s(self) -> float:
        """When the ball is at the batter."""
        return self.release_s + self.flight_s

    @property
    def back_s(self) -> float:
        """When the bowler turns round."""
        return self.stroke_s + self.rest_s

    @property
    def end_s(self) -> float:
        """When the bowler is back at the mark."""
        return self.back_s + abs(self.stop_x + 26 * bool(self.flight_s) - self.mark_x) / WALK_SPEED


class Ground:
    """What happens in one video.

    Args:
        seconds: Its length.
        seed: Decides everything.
    """

    def __init__(self, seconds: float, seed: int) -> None:
        rng = np.random.default_rng([seed, 301])
        self._look = np.random.default_rng([seed, 302])
        self._bowler, self._batter, self._keeper = (
            Figure(float(rng.uniform(58, 64)), Outfit.drawn(rng, WHITES)) for _ in range(3)
        )
        self._umpire = Figure(58, Outfit.drawn(rng, ((40, 44, 60), (30, 30, 34))))
        self._fielder = Figure(38, Outfit.drawn(rng, WHITES))
        self._fielder_x = float(rng.uniform(170, 230))
        self._ball: Color = pick(rng, ((190, 34, 38), (240, 244, 240)))
        self._balls: list[Ball] = []
        mark_x, time_s = float(rng.uniform(12, 34)), float(rng.uniform(0.4, 1.4))
        while True:
            ball = _drawn(rng, time_s, mark_x, bowls=len(self._balls) == seed % 2)
            if ball.back_s + 0.4 > seconds:
                break
            self._balls.append(ball)
            time_s = ball.end_s + float(rng.uniform(0.3, 1.2))
        self._mark_x = mark_x
        bowled = [ball for ball in self._balls if ball.flight_s]
        self.events: Sequence[Happening] = [
            Happening("delivery", ball.start_s, ball.stroke_s) for ball in bowled
        ]
        # Between two balls, batters take guard and try their stroke.
        self._tries = [
            Happening("practice_swing", ball.back_s + 0.6, ball.back_s + 1.5)
            for ball in self._balls
            if rng.random() < 0.45 and ball.back_s + 1.7 < min(seconds, ball.end_s)
        ]
        self.distractors: Sequence[Happening] = [
            *self._tries,
            *(
                Happening("aborted_run_up", ball.start_s, ball.release_s)
                for ball in self._balls
                if not ball.flight_s
            ),
            *(
                Happening("fielder_throws", ball.throw_s, ball.throw_s + 0.9)
                for ball in bowled
                if ball.throw_s is not None and ball.throw_s + 1 < seconds
            ),
            *(
                Happening("walks_back", ball.back_s, min(seconds, ball.end_s))
                for ball in self._balls
            ),
        ]

    def backdrop(self, canvas: Canvas) -> None:
        """Paint the ground, the stand behind it, the pitch and the stumps."""
        look = self._look
        grass = pick(look, ((86, 140, 70), (104, 148, 84), (74, 124, 66)))
        canvas.blend(-10, 60, (150, 194, 230), (206, 226, 238))
        canvas.box(-10, 44, 330, 84, (96, 100, 112))
        for _ in range(260):
            spot = (float(look.uniform(-8, 328)), float(look.uniform(46, 80)))
            tone = pick(look, ((200, 80, 70), (80, 110, 180), (220, 214, 200), (60, 60, 70)))
            canvas.dot(spot, 1.6, tone)
        canvas.box(-10, 80, 330, 88, (236, 236, 236))
        canvas.blend(88, 190, mixed(grass, (255, 255, 255), 0.1), grass)
        for left in range(-10, 330, 56):
            canvas.box(left, 88, left + 28, 190, mixed(grass, (0, 0, 0), 0.06))
        canvas.grain(look, 5)
        earth = (196, 176, 132)
        canvas.polygon([(104, 139), (296, 139), (302, 156), (98, 156)], earth)
        for crease in (CREASE_X, BATTER_X + 4):
            canvas.line([(crease, 139), (crease, 156)], 1.4, (250, 250, 250))
        for stumps in (112.0, 288.0):
            for shift in (-2.2, 0.0, 2.2):
                foot = (stumps + shift, 150 + shift)
                canvas.line([foot, (foot[0], foot[1] - 20)], 1.4, (222, 196, 130))

    def paint(self, canvas: Canvas, time_s: float) -> None:
        """Paint fielder, umpire, keeper, batter, bowler and ball."""
        ball = next((item for item in reversed(self._balls) if item.start_s <= time_s), None)
        self._fielder.paint(canvas, (self._fielder_x, 118), _throwing(ball, time_s), facing=-1)
        self._umpire.paint(canvas, (100, 136), STANDING)
        self._keeper.paint(canvas, (304, GROUND), CROUCHING, facing=-1)
        self._paint_batter(canvas, ball, time_s)
        x, pose, facing = self._bowling(ball, time_s)
        self._bowler.paint(canvas, (x, GROUND + 4), pose, facing=facing)
        centre = self._ball_at(ball, time_s)
        if centre is not None:
            canvas.shade((centre[0], GROUND + 3), (2.4, 0.9))
            canvas.dot(centre, 2.1, self._ball)

    def _bowling(self, ball: Ball | None, time_s: float) -> tuple[float, Pose, int]:
        if ball is None:
            return self._mark_x, STANDING, 1
        if time_s < ball.release_s:
            x = ball.mark_x + (ball.stop_x - ball.mark_x) * ball_share(ball, time_s)
            pose = walking((x - ball.mark_x) / 8.5, 1.7)
            left = ball.release_s - time_s
            if ball.flight_s and left < ARM_S:
                pose = replace(pose, near_arm=-80 - 100 * (1 - left / ARM_S), near_hand=_arm(left))
            return x, pose, 1
        past = time_s - ball.release_s
        follow = 26.0 * bool(ball.flight_s)
        if time_s < ball.back_s:
            share = eased(past / 0.7)
            pose = between(walking((ball.stop_x - ball.mark_x) / 8.5, 1.5), STANDING, share)
            if ball.flight_s and past < ARM_S:
                angle = 180 - 240 * past / ARM_S
                pose = replace(pose, lean=40 * (1 - past / ARM_S), near_arm=angle, near_hand=angle)
            return ball.stop_x + follow * share, pose, 1
        if time_s < ball.end_s:
            gone = (time_s - ball.back_s) * WALK_SPEED
            return ball.stop_x + follow - gone, walking(gone / 7.5), -1
        return ball.mark_x, STANDING, 1

    def _paint_batter(self, canvas: Canvas, ball: Ball | None, time_s: float) -> None:
        swing = 0.0
        if ball is not None and ball.flight_s and ball.plays:
            swing = _swing(time_s - ball.stroke_s)
        for item in self._tries:
            if item.covers(time_s):
                swing = _swing((item.share(time_s) - 0.5) * 0.9)
        reach = READY.near_arm + 52 * max(0.0, swing) - 50 * max(0.0, -swing)
        pose = replace(READY, near_arm=reach, near_hand=reach + 14, far_arm=reach, far_hand=reach)
        foot = (BATTER_X, GROUND)
        self._batter.paint(canvas, foot, pose, facing=-1)
        hand = self._batter.hand(foot, pose, facing=-1)
        turn = math.radians(20 + 110 * swing)
        tip = (hand[0] - 22 * math.sin(turn), hand[1] + 22 * math.cos(turn))
        canvas.line([hand, tip], 3.6, (226, 200, 150))

    def _ball_at(self, ball: Ball | None, time_s: float) -> Point | None:
        if ball is None or time_s < ball.release_s:
            x, pose, facing = self._bowling(ball, time_s)
            return self._bowler.hand((x, GROUND + 4), pose, facing=facing)
        if not ball.flight_s:
            x, pose, facing = self._bowling(ball, time_s)
            return self._bowler.hand((x, GROUND + 4), pose, facing=facing)
        start, bounce, end = (CREASE_X + 14, 84.0), (226.0, GROUND + 2), (BATTER_X - 10, 122.0)
        share = (time_s - ball.release_s) / ball.flight_s
        if share < 0.65:
            return _curve(start, bounce, share / 0.65)
        if share < 1:
            return _curve(bounce, end, (share - 0.65) / 0.35)
        past = time_s - ball.stroke_s
        goal = ball.away if ball.plays else (312.0, 122.0)
        if past < 0.7:
            return _curve(end, goal, past / 0.7)
        if ball.throw_s is not None and time_s > ball.throw_s + 0.4:
            share = (time_s - ball.throw_s - 0.4) / 0.6
            return _curve((self._fielder_x, 90), (60.0, 112.0), share) if share < 1 else None
        return None


def ball_share(ball: Ball, time_s: float) -> float:
    """Return how much of the run-up is behind the bowler, who gets faster."""
    share = (time_s - ball.start_s) / ball.run_s
    return share * (0.72 + 0.28 * share)


def _arm(left_s: float) -> float:
    return -60 - 120 * (1 - left_s / ARM_S)


def _swing(past_s: float) -> float:
    """Return how far the bat is: -1 drawn back, 1 through; 0 at rest."""
    if past_s < -0.45 or past_s > 0.6:
        return 0.0
    if past_s < -0.12:
        return -eased((past_s + 0.45) / 0.33)
    if past_s < 0.12:
        return -1 + 2 * (past_s + 0.12) / 0.24
    return 1 - eased((past_s - 0.12) / 0.48)


def _throwing(ball: Ball | None, time_s: float) -> Pose:
    if ball is None or ball.throw_s is None:
        return STANDING
    past = time_s - ball.throw_s
    if not 0 <= past < 0.9:
        return STANDING
    angle = -40 - 140 * past / 0.4 if past < 0.4 else 180 - 170 * (past - 0.4) / 0.5
    return replace(STANDING, lean=6, near_arm=angle, near_hand=angle)


def _curve(first: Point, last: Point, share: float) -> Point:
    """Return a point on a low arc."""
    rise = abs(last[0] - first[0]) * 0.1
    y = first[1] + share * (last[1] - first[1]) - 4 * rise * share * (1 - share)
    return first[0] + share * (last[0] - first[0]), y


def _drawn(rng: np.random.Generator, time_s: float, mark_x: float, *, bowls: bool) -> Ball:
    # No video is without a ball.
    bowls |= bool(rng.random() < 0.7)
    stop_x = CREASE_X if bowls else mark_x + (CREASE_X - mark_x) * float(rng.uniform(0.4, 0.65))
    run_s = (stop_x - mark_x) / RUN_SPEED * float(rng.uniform(0.9, 1.2))
    flight_s = float(rng.uniform(0.5, 0.75)) if bowls else 0.0
    rest_s = float(rng.uniform(0.9, 1.4)) if bowls else 0.5
    throws = bool(bowls and rng.random() < 0.6)
    throw_s = time_s + run_s + flight_s + rest_s + 0.3 if throws else None
    away = (float(rng.uniform(60, 330)), float(rng.uniform(70, 100)))
    plays = bool(rng.random() < 0.75)
    return Ball(time_s, mark_x, stop_x, run_s, flight_s, plays, away, rest_s, throw_s)


plan = Ground
