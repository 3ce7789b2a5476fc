"""Somebody who throws a ball: when, where from, how far; and what moves beside that.

Pure kinematics in a world of 320 x 180 units, y downwards. Invariant: everything is a function of
the seed and the time, so the pictures and the truth are computed from the same numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

WORLD_WIDTH, WORLD_HEIGHT = 320.0, 180.0
MIN_SECONDS = 5.0
HAND_RADIUS = 3.0
PERSON_HEIGHT = 60.0
"""Of what passes before the throwers, the lowest that is a person."""
TRIES = 6
"""Draws for a throw that still fits before the end of the video."""
VISIBLE_GAP = 1.0
"""World units between ball and hand from which on they are seen to be apart."""
GRAVITY = 300.0
"""World units per second squared: what looks right for a figure of this size."""

_SHOULDER_HEIGHT = 54.0
_UPPER_ARM, _FOREARM = 19.0, 18.0
# Angles of the throwing arm in degrees: 0 hangs down, 90 points ahead, 180 up; the arm goes
# backwards and over the top, as in bowling.
_REST, _BACK, _RELEASE, _FOLLOW = 15.0, -110.0, -205.0, -325.0

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Flight:
    """A ball on its way, from leaving the hand to vanishing on the ground."""

    start_s: float
    origin: Point
    velocity: Point
    landing_s: float
    vanish_s: float

    def ball(self, time_s: float) -> Point:
        """Where the ball's centre is at a time between `start_s` and `vanish_s`."""
        t = min(time_s, self.landing_s) - self.start_s
        x = self.origin[0] + self.velocity[0] * t
        y = self.origin[1] + self.velocity[1] * t + GRAVITY / 2 * t * t
        rolled = max(0.0, time_s - self.landing_s)
        # Friction stops the rolling exponentially: 0.25 s is its time constant.
        return x + 0.2 * self.velocity[0] * 0.25 * (1 - math.exp(-rolled / 0.25)), y


@dataclass(frozen=True, slots=True)
class Swing:
    """One swing of the arm; without a flight the ball stays in the hand."""

    start_s: float
    back_s: float
    """The arm is drawn back."""
    release_s: float
    follow_s: float
    end_s: float
    """The arm hangs down again."""
    x: float
    facing: int
    """1 to the right, -1 to the left."""
    flight: Flight | None = None
    turns_back: bool = False
    """A swing that is broken off before the top and returns the way it came."""
    run: float = 0.0
    """How far the figure runs up to `x` until the release; 0 = it stands."""

    def x_at(self, time_s: float) -> float:
        """Where the figure is at a time: running up until the release, then at `x`."""
        left = (self.release_s - time_s) / (self.release_s - self.start_s)
        return self.x - self.facing * self.run * min(1.0, max(0.0, left))


@dataclass(frozen=True, slots=True)
class Passage:
    """A distractor that crosses the picture."""

    start_s: float
    end_s: float
    from_x: float
    to_x: float
    height: float
    size: float

    def x(self, time_s: float) -> float:
        """Horizontal position at a time."""
        share = (time_s - self.start_s) / (self.end_s - self.start_s)
        return self.from_x + share * (self.to_x - self.from_x)


@dataclass(frozen=True, slots=True)
class Pose:
    """The figure at one instant."""

    x: float
    facing: int
    angle: float
    """Arm angle in degrees."""
    stride: float
    """Phase of the legs in radians; 0 stands still."""
    shoulder: Point
    elbow: Point
    hand: Point
    held_ball: Point


@dataclass(frozen=True, slots=True)
class ThrowScene:
    """All that happens in one video."""

    seconds: float
    seed: int
    ground: float
    """Height of the line on which feet and balls stand."""
    ball_radius: float
    swings: tuple[Swing, ...]
    rolling: tuple[Passage, ...]
    birds: tuple[Passage, ...]
    hops: tuple[Passage, ...]
    lamp_switches_s: tuple[float, ...]

    @classmethod
    def plan(cls, seconds: float, seed: int, *, distractors: bool) -> ThrowScene:
        """Draw a scene that lasts at least `MIN_SECONDS`; the same seed gives the same scene."""
        rng = np.random.default_rng([seed, 1])
        ground, radius = float(rng.uniform(150, 158)), float(rng.uniform(6.8, 8.0))
        swings = _plan_swings(rng, seconds, ground, radius, distractors=distractors)
        beside = np.random.default_rng([seed, 5])
        passages = plan_passages(beside, seconds) if distractors else ((), (), ())
        switches = tuple(np.cumsum(beside.exponential(0.8, 400)).tolist()) if distractors else ()
        return cls(seconds, seed, ground, radius, swings, *passages, switches)

    @property
    def flights(self) -> tuple[Flight, ...]:
        """The throws, in order of time."""
        return tuple(swing.flight for swing in self.swings if swing.flight)

    def pose(self, time_s: float) -> Pose:
        """Return the figure at a time."""
        swing, x, facing, stride = _stance(self.swings, time_s)
        return _posed(x, facing, _arm_angle(swing, time_s), stride, self.ground, self.ball_radius)

    def ball(self, time_s: float) -> tuple[Point, Flight | None] | None:
        """Return where the ball is and its flight, if it has left the hand; None without ball."""
        reload_s = 0.0
        for flight in self.flights:
            if time_s < flight.start_s:
                break
            if time_s < flight.vanish_s:
                return flight.ball(time_s), flight
            reload_s = flight.vanish_s + 0.1
        return None if time_s < reload_s else (self.pose(time_s).held_ball, None)

    def gap_to_hand(self, flight: Flight, time_s: float) -> float:
        """Return the free distance between a flying ball and the hand; not positive: they touch."""
        ball, hand = flight.ball(time_s), self.pose(time_s).hand
        return math.dist(ball, hand) - self.ball_radius - HAND_RADIUS

    def lamp_is_on(self, time_s: float) -> bool:
        """Whether the flickering lamp shines."""
        return sum(switch <= time_s for switch in self.lamp_switches_s) % 2 == 1


def _ease(share: float) -> float:
    share = min(1.0, max(0.0, share))
    return share * share * (3 - 2 * share)


def _arm_angle(swing: Swing | None, time_s: float) -> float:
    if swing is None or not swing.start_s <= time_s < swing.end_s:
        return _REST
    follow, rest = (_BACK, _REST) if swing.turns_back else (_FOLLOW, _REST - 360)
    top = -170.0 if swing.turns_back else _RELEASE
    moments = (swing.start_s, swing.back_s, swing.release_s, swing.follow_s, swing.end_s)
    angles = (_REST, _BACK, top, follow, rest)
    for index in range(4):
        if time_s < moments[index + 1]:
            share = (time_s - moments[index]) / (moments[index + 1] - moments[index])
            # The throw speeds up to the release and runs out after it; the other phases start and
            # end at rest.
            eased = (_ease(share), share**1.5, 1 - (1 - share) ** 2, _ease(share))
            share = eased[index]
            return angles[index] + share * (angles[index + 1] - angles[index])
    return _REST


def _stance(swings: tuple[Swing, ...], time_s: float) -> tuple[Swing | None, float, int, float]:
    """Return the swing in progress, the figure's place, its facing and its leg phase."""
    before = swings[0]
    for swing in swings:
        if time_s < swing.start_s:
            leave, arrive = before.end_s, swing.start_s - 0.1
            share = _ease((time_s - leave) / (arrive - leave)) if arrive > leave else 1.0
            arrival_x = swing.x_at(swing.start_s)
            x = before.x + share * (arrival_x - before.x)
            facing = swing.facing if share > 0.5 else before.facing
            walking = 0 < share < 1 and abs(arrival_x - before.x) > 2
            return None, x, facing, (x / 5.0 if walking else 0.0)
        before = swing
        if time_s < swing.end_s:
            x = swing.x_at(time_s)
            return swing, x, swing.facing, (x / 5.0 if x != swing.x else 0.0)
    return None, before.x, before.facing, 0.0


def _posed(
    x: float, facing: int, angle: float, stride: float, ground: float, radius: float
) -> Pose:
    # The body leans back while the arm is drawn back and forward after the release.
    lean = 5.0 * math.sin(math.radians(angle - _REST))
    shoulder = (x + facing * lean, ground - _SHOULDER_HEIGHT)
    bend = 12.0 + 18.0 * max(0.0, math.sin(math.radians(-angle)))
    elbow = _reach(shoulder, angle - bend / 2, _UPPER_ARM, facing)
    hand = _reach(elbow, angle + bend / 2, _FOREARM, facing)
    held = _reach(hand, angle + bend / 2, HAND_RADIUS + radius - 1.5, facing)
    return Pose(x, facing, angle, stride, shoulder, elbow, hand, held)


def _reach(start: Point, angle: float, length: float, facing: int) -> Point:
    radians = math.radians(angle)
    return (
        start[0] + facing * length * math.sin(radians),
        start[1] + length * math.cos(radians),
    )


def _plan_swings(
    rng: np.random.Generator, seconds: float, ground: float, radius: float, *, distractors: bool
) -> tuple[Swing, ...]:
    swings: list[Swing] = []
    x, free_s = float(rng.uniform(40, WORLD_WIDTH - 40)), 0.2
    start = float(rng.uniform(0.4, 0.9))
    tries = 0
    while True:
        # First a throw, so that every video has one.
        aborts = distractors and bool(swings) and rng.random() < 0.3
        reach = 110.0 * max(0.0, start - free_s - 0.2)
        x = float(rng.uniform(max(32.0, x - reach), min(WORLD_WIDTH - 32, x + reach)))
        swing = draw_swing(rng, start, x, turns_back=aborts and bool(rng.random() < 0.5))
        if not aborts:
            swing = with_flight(rng, swing, ground, radius)
        last_s = swing.flight.landing_s + 0.5 if swing.flight else swing.end_s
        if last_s > seconds:
            tries += 1
            if tries == TRIES:
                return tuple(swings)
            continue  # a shorter flight may still fit
        swings.append(swing)
        free_s = swing.end_s
        ready_s = swing.flight.vanish_s + 0.15 if swing.flight else free_s
        start = max(ready_s, free_s) + float(rng.uniform(0.1, 0.8))


def draw_swing(rng: np.random.Generator, start: float, x: float, *, turns_back: bool) -> Swing:
    """Draw the phases of a swing that begins at `start` seconds and ends at the place `x`."""
    middle = WORLD_WIDTH / 2
    facing = 1 if x < middle else -1
    if abs(x - middle) < 35 and rng.random() < 0.5:
        facing = -facing
    back = start + float(rng.uniform(0.38, 0.65))
    release = back + float(rng.uniform(0.16, 0.24))
    follow = release + float(rng.uniform(0.24, 0.32))
    end = follow + float(rng.uniform(0.2, 0.3))
    return Swing(start, back, release, follow, end, x, facing, turns_back=turns_back)


def with_flight(
    rng: np.random.Generator,
    swing: Swing,
    ground: float,
    radius: float,
    *,
    lasts_s: tuple[float, float] = (0.5, 1.4),
) -> Swing:
    """Return the swing with a ball that leaves the hand at its release and flies `lasts_s` long.

    Args:
        rng: Draws how long and how far within the bounds.
        swing: The swing of the arm.
        ground: Height of the line on which the ball lands.
        radius: Of the ball.
        lasts_s: Shortest and longest flight in seconds.
    """
    origin = _posed(swing.x, swing.facing, _RELEASE, 0.0, ground, radius).held_ball
    lasts = float(rng.uniform(*lasts_s))
    edge = WORLD_WIDTH - 28 if swing.facing > 0 else 28.0
    width = min(abs(edge - origin[0]), float(rng.uniform(110, 290)) * lasts)
    drop = ground - radius - origin[1]
    velocity = (swing.facing * width / lasts, drop / lasts - GRAVITY / 2 * lasts)
    landing = swing.release_s + lasts
    vanish = landing + float(rng.uniform(0.2, 0.5))
    return replace(swing, flight=Flight(swing.release_s, origin, velocity, landing, vanish))


def plan_passages(
    rng: np.random.Generator, seconds: float
) -> tuple[tuple[Passage, ...], tuple[Passage, ...], tuple[Passage, ...]]:
    """Draw rolling balls, birds and hopping lights."""
    kinds: list[tuple[Passage, ...]] = []
    for every_s, low, high, sizes, heights in (
        (9.0, 60.0, 140.0, (5.0, 7.0), (4.0, 14.0)),
        (8.0, 50.0, 120.0, (5.0, 8.0), (18.0, 70.0)),
        (12.0, 30.0, 80.0, (3.0, 4.5), (30.0, 60.0)),
    ):
        passages: list[Passage] = []
        for _ in range(max(1, round(seconds / every_s))):
            start = float(rng.uniform(-1, seconds))
            lasts = (WORLD_WIDTH + 40) / float(rng.uniform(low, high))
            ends = (-20.0, WORLD_WIDTH + 20)
            from_x, to_x = ends if rng.random() < 0.5 else ends[::-1]
            size, height = float(rng.uniform(*sizes)), float(rng.uniform(*heights))
            passages.append(Passage(start, start + lasts, from_x, to_x, height, size))
        kinds.append(tuple(passages))
    return kinds[0], kinds[1], kinds[2]
