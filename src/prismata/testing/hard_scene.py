"""The scene of the hard throwing videos: two throwers, passers-by, camera switches and replays.

Built from the throwers of `throw_scene`. Two clocks: scene time, in which people act, and video
time, in which it is shown; a replay stops the first while the second goes on. Invariant: everything
is a function of the seed and the time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from prismata.testing.throw_scene import (
    PERSON_HEIGHT,
    WORLD_WIDTH,
    Flight,
    Passage,
    Point,
    Swing,
    ThrowScene,
    draw_swing,
    plan_passages,
    with_flight,
)

GAP_S = (0.5, 6.0)
"""Shortest and longest time between two releases in the video."""
REPLAY_RATE = 0.5
PASSER_EVERY_S = 2.5
"""Mean time between two passers-by in the hardest video."""
CLEAR_S = (0.12, 0.2)
"""So long before and after a release no passer-by covers hand or ball."""

_REPLAY_BEFORE_S, _REPLAY_AFTER_S = 0.8, 0.45
_REPLAY_LASTS_S = (_REPLAY_BEFORE_S + _REPLAY_AFTER_S) / REPLAY_RATE
_LEAD_S = 0.6
"""From a cut or the end of a replay to the next release: the arm is seen to come over."""
_QUIET_END_S = 0.6
_INNER = (64.0, 256.0)
"""Where throwers stand, so that every camera sees them."""
_REACH = 110.0
"""World units a second that somebody walks at most."""
_GROUNDS = (-5.0, 3.0)
"""How much the two throwers stand behind and before the ground line."""


@dataclass(frozen=True, slots=True)
class Return:
    """A ball that is thrown back from outside the picture and caught: no event."""

    absent_s: float
    """From here on there is no ball."""
    start_s: float
    end_s: float
    """The hand has it."""
    origin: Point
    target: Point

    def ball(self, time_s: float) -> Point:
        """Where the ball's centre is at a time between `start_s` and `end_s`."""
        share = (time_s - self.start_s) / (self.end_s - self.start_s)
        rise = 4 * 22.0 * share * (1 - share)
        x = self.origin[0] + share * (self.target[0] - self.origin[0])
        return x, self.origin[1] + share * (self.target[1] - self.origin[1]) - rise


@dataclass(frozen=True, slots=True)
class Thrower:
    """One of the two people: a scene of one thrower, and balls that come back."""

    scene: ThrowScene
    returns: tuple[Return, ...]
    holds: tuple[tuple[float, float], ...]
    """Times between which a hand that is not empty shows its ball: it is taken out for an act."""

    def ball(self, time_s: float) -> tuple[Point, Flight | None] | None:
        """Return where this thrower's ball is and its flight, if it flies; None without ball."""
        for item in self.returns:
            if item.absent_s <= time_s < item.end_s:
                return (item.ball(time_s), None) if time_s >= item.start_s else None
        ball = self.scene.ball(time_s)
        if ball is None or ball[1] is not None:
            return ball
        return ball if any(start <= time_s < end for start, end in self.holds) else None


@dataclass(frozen=True, slots=True)
class Shot:
    """A stretch of video from one camera, in video time."""

    start_s: float
    end_s: float
    scene_start_s: float
    camera: int
    is_replay: bool = False

    def scene_time(self, video_s: float) -> float:
        """Return the scene time that is shown at a video time."""
        rate = REPLAY_RATE if self.is_replay else 1.0
        return self.scene_start_s + (video_s - self.start_s) * rate


@dataclass(frozen=True, slots=True)
class Confuser:
    """Something that looks like a throw and is none."""

    kind: str
    """`aborted`, `practice` or `thrown back`."""
    scene_s: float


@dataclass(frozen=True, slots=True)
class HardScene:
    """All that happens in one hard video."""

    seed: int
    throwers: tuple[Thrower, Thrower]
    """The one behind first."""
    passers: tuple[Passage, ...]
    shots: tuple[Shot, ...]
    confusers: tuple[Confuser, ...]
    hardness: float
    """0 to 1: how much passes before the throwers, and how faint the colours are."""

    @classmethod
    def plan(cls, seconds: float, seed: int, *, hardness: float = 1.0) -> HardScene:
        """Draw a scene for a video of so many seconds; the same seed gives the same scene."""
        rng = np.random.default_rng([seed, 31])
        throws, shots = _plan_throws(rng, seconds)
        acts = [_plan_acts(rng, throws, index, shots[-1]) for index in range(2)]
        ground, radius = float(rng.uniform(150, 156)), float(rng.uniform(6.8, 7.6))
        beside = plan_passages(np.random.default_rng([seed, 5]), seconds)
        throwers, confusers = [], []
        for index, swings in enumerate(acts):
            level = ground + _GROUNDS[index]
            placed = _placed(rng, swings, [t for t in throws if t.thrower == index], level, radius)
            # Birds, lights and rolling balls belong to the place: the first scene has them.
            passages = beside if index == 0 and hardness > 0 else ((), (), ())
            scene = ThrowScene(seconds, seed, level, radius, placed, *passages, ())
            returns = _plan_returns(rng, scene)
            throwers.append(Thrower(scene, returns, _plan_holds(rng, scene, returns)))
            confusers += [Confuser("thrown back", item.end_s) for item in returns]
            confusers += [
                Confuser("aborted" if swing.turns_back else "practice", swing.release_s)
                for swing in placed
                if swing.flight is None
            ]
        both = (throwers[0], throwers[1])
        passers = _plan_passers(rng, both, seconds, round(hardness * seconds / PASSER_EVERY_S))
        confusers.sort(key=lambda item: item.scene_s)
        return cls(seed, both, passers, tuple(shots), tuple(confusers), hardness)

    def shot_at(self, video_s: float) -> Shot:
        """Return the shot that is on at a video time; the last one goes on for ever."""
        return next((shot for shot in self.shots if video_s < shot.end_s), self.shots[-1])

    def video_time(self, scene_s: float) -> float:
        """Return when a scene time is shown live, in video time."""
        live = [shot for shot in self.shots if not shot.is_replay]
        for shot in live:
            if scene_s < shot.scene_time(shot.end_s):
                return shot.start_s + scene_s - shot.scene_start_s
        return live[-1].start_s + scene_s - live[-1].scene_start_s


@dataclass(frozen=True, slots=True)
class _Throw:
    """One planned event; times in scene time."""

    release_s: float
    lasts_s: float
    thrower: int
    swing: Swing


def _plan_throws(rng: np.random.Generator, seconds: float) -> tuple[list[_Throw], list[Shot]]:
    """Draw the events, and how they are shown.

    Flights never overlap, so that every one of them can be told from its release.
    """
    throws: list[_Throw] = []
    shots: list[Shot] = []
    free = [0.3, 0.3]
    camera, shot_start, shot_scene = int(rng.integers(2)), 0.0, 0.0
    release = float(rng.uniform(1.4, 2.2))
    while True:
        swing = draw_swing(rng, 0.0, 0.0, turns_back=False)
        ready = [since + swing.release_s + 0.05 for since in free]
        able = [index for index in (0, 1) if ready[index] <= release]
        thrower = able[int(rng.integers(len(able)))] if able else int(ready[1] < ready[0])
        release = max(release, ready[thrower])
        gap, is_replayed = _draw_gap(rng)
        lasts = float(rng.uniform(0.42, min(0.95, gap - 0.05)))
        shown_s = shot_start + release - shot_scene
        if shown_s + lasts + _QUIET_END_S > seconds:
            shots.append(Shot(shot_start, seconds, shot_scene, camera))
            return throws, shots
        throws.append(_Throw(release, lasts, thrower, _shifted(swing, release)))
        free[thrower] = release + lasts + 0.6
        following = release + gap
        cut = release + lasts + 0.1
        cut_video = shot_start + cut - shot_scene
        if is_replayed and cut_video + _REPLAY_LASTS_S + 1 < seconds:
            shots.append(Shot(shot_start, cut_video, shot_scene, camera))
            other = 1 - camera if rng.random() < 0.5 else camera
            end = cut_video + _REPLAY_LASTS_S
            shots.append(Shot(cut_video, end, release - _REPLAY_BEFORE_S, other, is_replay=True))
            shot_start, shot_scene = end, cut
        elif gap > _LEAD_S + 0.4 and rng.random() < 0.45:
            cut = float(rng.uniform(release + 0.35, following - _LEAD_S))
            cut_video = shot_start + cut - shot_scene
            shots.append(Shot(shot_start, cut_video, shot_scene, camera))
            camera, shot_start, shot_scene = 1 - camera, cut_video, cut
        release = following


def _draw_gap(rng: np.random.Generator) -> tuple[float, bool]:
    """Return the scene time to the next release, and whether there is a replay in between."""
    low, high = GAP_S
    # A frame's time stays in hand at both ends, for releases are shown on frames.
    gap = float(np.exp(rng.uniform(math.log(low + 0.1), math.log(high - 0.2))))
    if rng.random() >= 0.25:
        return gap, False
    least = 0.95 + 0.1 + _LEAD_S
    return float(rng.uniform(least, high - 0.2 - _REPLAY_LASTS_S)), True


def _shifted(swing: Swing, release_s: float) -> Swing:
    by = release_s - swing.release_s
    return replace(
        swing,
        start_s=swing.start_s + by,
        back_s=swing.back_s + by,
        release_s=swing.release_s + by,
        follow_s=swing.follow_s + by,
        end_s=swing.end_s + by,
    )


def _plan_acts(
    rng: np.random.Generator, throws: Sequence[_Throw], thrower: int, last: Shot
) -> list[Swing]:
    """Return the swings of one thrower: the throws and, where there is time, others."""
    acts: list[Swing] = []
    free = 0.2
    end = last.scene_time(last.end_s)
    mine = [throw for throw in throws if throw.thrower == thrower]
    for until, throw in [*((item.swing.start_s, item) for item in mine), (end, None)]:
        while True:
            start = free + float(rng.uniform(0.15, 0.7))
            swing = draw_swing(rng, start, 0.0, turns_back=bool(rng.random() < 0.5))
            if swing.end_s > until - 0.15:
                break
            if rng.random() < 0.4:
                acts.append(swing)
            free = swing.end_s
        if throw is not None:
            acts.append(throw.swing)
            free = throw.swing.end_s
    return acts


def _placed(
    rng: np.random.Generator,
    swings: Sequence[Swing],
    throws: Sequence[_Throw],
    ground: float,
    radius: float,
) -> tuple[Swing, ...]:
    """Give every swing a place, a direction and perhaps a run-up; give throws their flights."""
    flying = {throw.swing: throw.lasts_s for throw in throws}
    placed: list[Swing] = []
    x, free_s = float(rng.uniform(*_INNER)), 0.0
    for swing in swings:
        way = _REACH * max(0.0, swing.start_s - free_s - 0.15)
        target = float(rng.uniform(max(_INNER[0], x - way), min(_INNER[1], x + way)))
        facing = 1 if target < WORLD_WIDTH / 2 else -1
        if abs(target - WORLD_WIDTH / 2) < 50 and rng.random() < 0.5:
            facing = -facing
        run = float(rng.uniform(18, 55)) if rng.random() < 0.7 else 0.0
        start_x = target - facing * run
        if not (_INNER[0] - 30 <= start_x <= _INNER[1] + 30 and abs(start_x - x) <= way):
            run = 0.0
        act = replace(swing, x=target, facing=facing, run=run)
        if swing in flying:
            lasts = flying[swing]
            act = with_flight(rng, act, ground, radius, lasts_s=(lasts, lasts))
        placed.append(act)
        x, free_s = target, swing.end_s
    return tuple(placed)


def _plan_returns(rng: np.random.Generator, scene: ThrowScene) -> tuple[Return, ...]:
    """Let half the balls come back through the air, where the thrower has time to catch."""
    returns = []
    for index, swing in enumerate(scene.swings):
        if swing.flight is None or rng.random() < 0.5:
            continue
        later = scene.swings[index + 1 :]
        until = later[0].start_s if later else scene.seconds
        start = max(swing.end_s, swing.flight.vanish_s) + float(rng.uniform(0.05, 0.3))
        end = start + float(rng.uniform(0.6, 0.95))
        if end + 0.1 > until:
            continue
        target = scene.pose(end).held_ball
        edge = -12.0 if rng.random() < 0.5 else WORLD_WIDTH + 12
        origin = (edge, float(rng.uniform(60, 110)))
        returns.append(Return(swing.flight.vanish_s, start, end, origin, target))
    return tuple(returns)


def _plan_holds(
    rng: np.random.Generator, scene: ThrowScene, returns: Sequence[Return]
) -> tuple[tuple[float, float], ...]:
    """Say when a ball is in the hand: for every throw, for most other swings, after a catch."""
    caught = [(item.end_s, item.end_s + 0.5) for item in returns]
    acting = [
        (swing.start_s - 0.2, swing.end_s + 0.1)
        for swing in scene.swings
        if swing.flight is not None or rng.random() < 0.7
    ]
    return (*caught, *acting)


def _plan_passers(
    rng: np.random.Generator, throwers: tuple[Thrower, Thrower], seconds: float, count: int
) -> tuple[Passage, ...]:
    """Draw what passes before the throwers and leaves every release visible."""
    flights = [(thrower.scene, f) for thrower in throwers for f in thrower.scene.flights]
    passers: list[Passage] = []
    for _ in range(count):
        is_person = rng.random() < 0.6
        size = float(rng.uniform(6.0, 8.5) if is_person else rng.uniform(14, 24))
        height = float(rng.uniform(68, 96) if is_person else rng.uniform(22, 46))
        for _ in range(12):
            start = float(rng.uniform(-2, seconds))
            lasts = (WORLD_WIDTH + 60) / float(rng.uniform(45, 120))
            ends = (-30.0, WORLD_WIDTH + 30)
            from_x, to_x = ends if rng.random() < 0.5 else ends[::-1]
            passer = Passage(start, start + lasts, from_x, to_x, height, size)
            if not any(_covers(passer, scene, flight) for scene, flight in flights):
                passers.append(passer)
                break
    return tuple(passers)


def _covers(passer: Passage, scene: ThrowScene, flight: Flight) -> bool:
    """Whether a passer-by is before hand or ball around a release."""
    times = np.arange(flight.start_s - CLEAR_S[0], flight.start_s + CLEAR_S[1], 0.02)
    is_low = passer.height < PERSON_HEIGHT
    for time in times.tolist():
        pose = scene.pose(time)
        ball = flight.ball(time) if time >= flight.start_s else pose.held_ball
        away = passer.size + scene.ball_radius + 2
        top = scene.ground - passer.height - scene.ball_radius - 2 if is_low else 0.0
        if any(y > top and abs(passer.x(time) - x) < away for x, y in (ball, pose.hand)):
            return True
    return False
