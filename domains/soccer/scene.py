"""Soccer on half a pitch: the 17 actions, each as a short play, and plays without any.

The camera shows the half with one goal, and cuts to the referee or the touchline for cards and
substitutions, as broadcasts do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from prismata.testing.drawing import Canvas, Color, Point, darker, mixed
from prismata.testing.figures import (
    LYING,
    PRONE,
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
from prismata.testing.scenes import Camera, Happening

EXPECTED = {"point_map_1s": 0.3}
CAMERA = Camera(noise=2.5, shake=0.4)

LEFT, RIGHT, FAR, NEAR = 40.0, 290.0, 54.0, 164.0
"""Halfway line, goal line and both touchlines, in world units."""
POSTS = (92.0, 128.0)
"""Of the goal: their y."""
SPOT = (250.0, 110.0)
BEFORE_S, AFTER_S = (1.2, 1.6), (1.4, 1.7)
"""From the start of a play to its event, and from there to the next play."""
NUMBER_IN_A_TEAM = 6
ARMS_UP = replace(STANDING, near_arm=172, near_hand=176, far_arm=168, far_hand=172)
ONE_ARM_UP = replace(STANDING, near_arm=174, near_hand=178)
POINTING = replace(STANDING, near_arm=92, near_hand=92)
KICKING = replace(STANDING, lean=-12, near_thigh=62, near_shin=44, near_arm=-40, far_arm=50)
FLAG: Color = (250, 220, 40)

Key = tuple[float, float, float]
"""Time, x and y."""


@dataclass(slots=True)
class Play:
    """A few seconds of the match."""

    kind: str
    start_s: float
    event_s: float
    """When what the play is about happens."""
    end_s: float
    """When the next play begins."""
    ball: list[tuple[float, float, float, float]] = field(default_factory=list)
    """(time, x, y, height over the grass)."""
    paths: dict[str, list[Key]] = field(default_factory=dict)
    """Player → where: `a0` to `a5` attack the goal, `d0` to `d5` defend it, `k` is in it."""
    poses: list[tuple[str, str, float]] = field(default_factory=list)
    """(player, what, when)."""
    events: list[Happening] = field(default_factory=list)

    def says(self, name: str, time_s: float) -> None:
        """Note an event."""
        self.events.append(Happening(name, time_s))

    def kick(self, who: str, spot: Point, *, run: float = 34.0, at_s: float | None = None) -> None:
        """Let somebody run to a spot and kick there."""
        time_s = self.event_s if at_s is None else at_s
        self.paths[who] = [
            (time_s - 0.9, spot[0] - run, spot[1] + 2),
            (time_s, spot[0] - 5, spot[1] + 1),
            (time_s + 1.2, spot[0] + 4, spot[1] + 2),
        ]
        self.poses.append((who, "kick", time_s))

    def lies(self, spot: Point, until_s: float) -> None:
        """Let the ball lie until somebody plays it."""
        self.ball += [(self.start_s, *spot, 0.0), (until_s, *spot, 0.0)]

    def goes(self, spot: Point, lasts_s: float, high: float = 0.0) -> None:
        """Let the ball fly, or roll, from where it is to a spot."""
        time_s, x, y, _ = self.ball[-1]
        middle = ((x + spot[0]) / 2, (y + spot[1]) / 2)
        if high:
            self.ball.append((time_s + lasts_s / 2, *middle, high))
        self.ball.append((time_s + lasts_s, *spot, 0.0))


def _over(play: Play, first: Point, last: Point, start_s: float, lasts_s: float) -> None:
    """Note when the ball on its way between two spots is over an outer line."""
    for axis, line in ((0, RIGHT + 3), (1, FAR - 3), (1, NEAR + 3)):
        low, high = sorted((first[axis], last[axis]))
        if low < line < high:
            share = (line - first[axis]) / (last[axis] - first[axis])
            play.says("ball_out_of_play", start_s + share * lasts_s)


def _shoots(play: Play, rng: np.random.Generator, goal: Point, lasts_s: float) -> None:
    play.goes(goal, lasts_s, float(rng.uniform(0, 8)))
    play.paths["k"] = [
        (play.event_s, RIGHT - 4, 110.0),
        (play.event_s + lasts_s, RIGHT - 5, 110 + 0.7 * (goal[1] - 110)),
    ]
    play.poses.append(("k", "dive", play.event_s + 0.1))


def _penalty(play: Play, rng: np.random.Generator) -> None:
    play.lies(SPOT, play.event_s)
    play.kick("a0", SPOT)
    for number in range(1, NUMBER_IN_A_TEAM):
        play.paths[f"a{number}"] = [(play.start_s, 218.0, 66.0 + 17 * number)]
        play.paths[f"d{number}"] = [(play.start_s, 206.0, 60.0 + 17 * number)]
    play.paths["d0"] = [(play.start_s, 212.0, 70.0)]
    play.says("penalty", play.event_s)
    scores = rng.random() < 0.5
    goal = (RIGHT + (8 if scores else -5), float(rng.uniform(POSTS[0] + 4, POSTS[1] - 4)))
    _shoots(play, rng, goal, 0.4)
    if scores:
        play.says("goal", play.event_s + 0.4 * (RIGHT + 3 - SPOT[0]) / (goal[0] - SPOT[0]))
    else:
        play.goes((262.0, float(rng.uniform(70, 150))), 0.8)


def _kick_off(play: Play, rng: np.random.Generator) -> None:
    spot = (LEFT + 4, 110.0)
    play.lies(spot, play.event_s)
    for number, (x, y) in enumerate(((30, 104), (36, 120), (20, 80), (24, 140), (8, 96), (8, 126))):
        play.paths[f"a{number}"] = [(play.start_s, float(x), float(y))]
        play.paths[f"d{number}"] = [(play.start_s, 88.0 + 26 * (number % 4), 66.0 + 17 * number)]
    play.poses.append(("a1", "kick", play.event_s))
    play.says("kick_off", play.event_s)
    play.goes((4.0, float(rng.uniform(80, 140))), 0.8)


def _attack(play: Play, rng: np.random.Generator) -> Point:
    """Let an attacker come with the ball to where the shot is."""
    spot = (float(rng.uniform(206, 236)), float(rng.uniform(84, 136)))
    start = (float(rng.uniform(110, 150)), spot[1] + float(rng.uniform(-24, 24)))
    play.ball += [(play.start_s, *start, 0.0), (play.event_s, *spot, 0.0)]
    play.paths["a0"] = [
        (play.start_s, start[0] - 7, start[1]),
        (play.event_s, spot[0] - 6, spot[1]),
    ]
    play.poses.append(("a0", "kick", play.event_s))
    return spot


def _goal(play: Play, rng: np.random.Generator) -> None:
    spot = _attack(play, rng)
    goal = (RIGHT + 9, float(rng.uniform(POSTS[0] + 5, POSTS[1] - 5)))
    _shoots(play, rng, goal, 0.5)
    play.says("goal", play.event_s + 0.5 * (RIGHT + 3 - spot[0]) / (goal[0] - spot[0]))
    play.poses += [(f"a{number}", "cheer", play.event_s + 0.7) for number in range(4)]


def _on_target(play: Play, rng: np.random.Generator) -> None:
    _attack(play, rng)
    play.says("shots_on_target", play.event_s)
    _shoots(play, rng, (RIGHT - 6, float(rng.uniform(POSTS[0] + 3, POSTS[1] - 3))), 0.5)
    play.goes((float(rng.uniform(240, 262)), float(rng.uniform(66, 154))), 0.8)


def _off_target(play: Play, rng: np.random.Generator) -> None:
    spot = _attack(play, rng)
    play.says("shots_off_target", play.event_s)
    y = float(rng.choice([rng.uniform(66, POSTS[0] - 8), rng.uniform(POSTS[1] + 8, 154)]))
    goal = (316.0, y)
    play.goes(goal, 0.7, 5.0)
    _over(play, spot, goal, play.event_s, 0.7)


def _clearance(play: Play, rng: np.random.Generator) -> None:
    wing = (float(rng.uniform(200, 240)), float(rng.choice([68.0, 152.0])))
    spot = (float(rng.uniform(258, 272)), float(rng.uniform(96, 124)))
    play.ball += [(play.start_s, *wing, 0.0), (play.event_s - 0.7, *wing, 0.0)]
    play.kick("a1", wing, at_s=play.event_s - 0.7)
    play.goes(spot, 0.7, 14.0)
    play.kick("d0", spot, run=-20.0)
    play.says("clearance", play.event_s)
    play.goes((float(rng.uniform(60, 110)), float(rng.uniform(70, 150))), 1.3, 34.0)


def _out(play: Play, rng: np.random.Generator) -> None:
    start = (float(rng.uniform(90, 220)), float(rng.uniform(90, 130)))
    line = float(rng.choice([FAR, NEAR]))
    goal = (start[0] + float(rng.uniform(-10, 40)), line + math.copysign(12, line - 110))
    begin_s, lasts_s = play.event_s - 0.8, 1.0
    play.lies(start, begin_s)
    play.kick("a0", start, at_s=begin_s)
    play.goes(goal, lasts_s)
    _over(play, start, goal, begin_s, lasts_s)


def _throw_in(play: Play, rng: np.random.Generator) -> None:
    x = float(rng.uniform(80, 250))
    line = float(rng.choice([FAR - 2, NEAR + 5]))
    inward = 1 if line < 110 else -1
    hands = (x, line, 30.0)
    play.ball += [(play.start_s, *hands), (play.event_s, *hands)]
    play.paths["a0"] = [(play.start_s, x, line)]
    play.poses.append(("a0", "throw", play.event_s))
    play.says("throw_in", play.event_s)
    goal = (x + float(rng.uniform(-30, 30)), line + 44.0 * inward)
    play.ball.append((play.event_s + 0.8, *goal, 0.0))
    play.paths["a2"] = [(play.start_s, goal[0] + 6, goal[1])]


def _foul(play: Play, rng: np.random.Generator) -> None:
    start = (float(rng.uniform(100, 150)), float(rng.uniform(80, 140)))
    spot = (start[0] + 52, start[1] + float(rng.uniform(-14, 14)))
    play.ball += [(play.start_s, *start, 0.0), (play.event_s, *spot, 0.0)]
    play.goes((spot[0] + 22, spot[1] + 6), 0.7)
    play.paths["a0"] = [
        (play.start_s, start[0] - 6, start[1]),
        (play.event_s, spot[0] - 6, spot[1]),
        (play.event_s + 0.5, spot[0] + 2, spot[1]),
    ]
    play.paths["d0"] = [
        (play.start_s, spot[0] + 50, spot[1] - 12),
        (play.event_s, spot[0] + 4, spot[1] + 1),
    ]
    play.poses += [("a0", "falls", play.event_s), ("r", "arm", play.event_s + 0.6)]
    play.says("foul", play.event_s)


def _direct(play: Play, rng: np.random.Generator) -> None:
    spot = (float(rng.uniform(200, 214)), float(rng.uniform(86, 134)))
    play.lies(spot, play.event_s)
    play.kick("a0", spot)
    for number in range(4):
        y = spot[1] + (110 - spot[1]) * 0.4 + 7 * (number - 1.5)
        play.paths[f"d{number}"] = [(play.start_s, 238.0, y)]
    play.says("direct_free_kick", play.event_s)
    _shoots(play, rng, (RIGHT - 6, float(rng.uniform(98, 122))), 0.8)


def _indirect(play: Play, rng: np.random.Generator) -> None:
    spot = (float(rng.uniform(110, 150)), float(rng.uniform(80, 140)))
    play.lies(spot, play.event_s)
    play.kick("a0", spot)
    play.paths["r"] = [(play.start_s, spot[0] + 22, spot[1] - 22)]
    play.poses.append(("r", "arm", play.start_s))
    goal = (spot[0] + float(rng.uniform(40, 60)), spot[1] + float(rng.uniform(-20, 20)))
    play.paths["a1"] = [(play.start_s, goal[0] + 5, goal[1])]
    play.says("indirect_free_kick", play.event_s)
    play.goes(goal, 0.9)


def _corner(play: Play, rng: np.random.Generator) -> None:
    far = bool(rng.random() < 0.5)
    spot = (RIGHT - 2, FAR + 2 if far else NEAR - 2)
    play.lies(spot, play.event_s)
    outside = spot[1] + (-10 if far else 10)
    play.paths["a0"] = [
        (play.event_s - 0.8, RIGHT + 14, outside),
        (play.event_s, spot[0] + 3, spot[1]),
    ]
    play.poses.append(("a0", "kick", play.event_s))
    for number in range(1, NUMBER_IN_A_TEAM):
        play.paths[f"a{number}"] = [(play.start_s, 250.0 + 7 * (number % 3), 82.0 + 11 * number)]
        play.paths[f"d{number}"] = [(play.start_s, 262.0 + 6 * (number % 2), 78.0 + 11 * number)]
    play.says("corner", play.event_s)
    play.goes((262.0, float(rng.uniform(98, 122))), 0.9, 24.0)
    play.goes((224.0, float(rng.uniform(80, 140))), 0.6, 8.0)


def _offside(play: Play, rng: np.random.Generator) -> None:
    start = (float(rng.uniform(100, 130)), float(rng.uniform(90, 130)))
    goal = (float(rng.uniform(216, 240)), float(rng.uniform(80, 140)))
    play.lies(start, play.event_s - 1.0)
    play.kick("a1", start, at_s=play.event_s - 1.0)
    play.goes(goal, 0.9)
    play.paths["a0"] = [(play.event_s - 1.0, goal[0] - 20, goal[1]), (play.event_s, *goal)]
    for number in range(NUMBER_IN_A_TEAM):
        play.paths[f"d{number}"] = [(play.start_s, 176.0 + 4 * (number % 2), 64.0 + 17 * number)]
    play.paths["f"] = [(play.start_s, goal[0] - 10, FAR - 6)]
    play.poses.append(("f", "flag", play.event_s))
    play.says("offside", play.event_s)


def _passes(play: Play, rng: np.random.Generator) -> None:
    spots = [(float(rng.uniform(70, 220)), float(rng.uniform(72, 148))) for _ in range(3)]
    play.lies(spots[0], play.start_s + 0.6)
    for number, spot in enumerate(spots):
        play.paths[f"a{number}"] = [(play.start_s, spot[0] - 6, spot[1])]
    for number, spot in enumerate(spots[1:]):
        play.poses.append((f"a{number}", "kick", play.ball[-1][0]))
        play.goes(spot, 0.9)


def _along_line(play: Play, rng: np.random.Generator) -> None:
    line = float(rng.choice([FAR + 4, NEAR - 4]))
    start, goal = (float(rng.uniform(70, 110)), line), (float(rng.uniform(190, 240)), line)
    play.ball += [(play.start_s, *start, 0.0), (play.end_s, *goal, 0.0)]
    play.paths["a0"] = [(play.start_s, start[0] - 7, line), (play.end_s, goal[0] - 7, line)]


WIDE: dict[str, Callable[[Play, np.random.Generator], None]] = {
    "penalty": _penalty, "kick_off": _kick_off, "goal": _goal, "offside": _offside,
    "shots_on_target": _on_target, "shots_off_target": _off_target, "clearance": _clearance,
    "ball_out_of_play": _out, "throw_in": _throw_in, "foul": _foul,
    "indirect_free_kick": _indirect, "direct_free_kick": _direct, "corner": _corner,
    "passes": _passes, "along_line": _along_line,
}  # fmt: skip
NEAR_VIEWS = ("substitution", "yellow_card", "red_card", "yellow_red_card", "referee_points",
              "player_shown")  # fmt: skip
KINDS = (*WIDE, *NEAR_VIEWS)
DISTRACTORS = ("passes", "along_line", "referee_points", "player_shown")


class Match:
    """What happens in one video.

    Args:
        seconds: Its length.
        seed: Decides everything; three seeds in a row deal out all plays once.
    """

    def __init__(self, seconds: float, seed: int) -> None:
        rng = np.random.default_rng([seed, 601])
        self._look = np.random.default_rng([seed, 602])
        # All shirts but the last, which is as dark as the referee's.
        first, second = (SHIRTS[index] for index in rng.permutation(len(SHIRTS) - 1)[:2])
        self._teams = {
            "a": Outfit(first, darker(first, 0.6), (214, 166, 130), (50, 40, 34)),
            "d": Outfit(second, mixed(second, (255, 255, 255), 0.3), (150, 104, 76), (40, 32, 28)),
            "k": Outfit((120, 220, 90), (60, 120, 50), (214, 166, 130), (40, 32, 28)),
            "r": Outfit((24, 24, 28), (24, 24, 28), (214, 166, 130), (90, 70, 50)),
            "f": Outfit((24, 24, 28), (24, 24, 28), (180, 130, 100), (40, 32, 28)),
        }
        self._bases = {
            f"{team}{number}": (float(rng.uniform(*span)), 62 + 18.0 * number)
            for team, span in (("a", (80, 220)), ("d", (120, 262)))
            for number in range(NUMBER_IN_A_TEAM)
        }
        self._bases |= {"k": (RIGHT - 4, 110.0), "r": (150.0, 96.0), "f": (210.0, FAR - 6)}
        deck = np.random.default_rng([seed // 3, 603]).permutation(len(KINDS)).tolist()
        dealt = deck[len(deck) // 3 * (seed % 3) :] + deck
        self._plays: list[Play] = []
        time_s = 0.0
        for kind in dealt:
            event_s = time_s + float(rng.uniform(*BEFORE_S))
            play = Play(KINDS[kind], time_s, event_s, event_s + float(rng.uniform(*AFTER_S)))
            if play.kind in WIDE:
                WIDE[play.kind](play, rng)
            elif play.kind not in DISTRACTORS:
                play.says(play.kind, play.event_s)
            if play.end_s > seconds:
                break
            self._plays.append(play)
            time_s = play.end_s
        self.events: Sequence[Happening] = [item for play in self._plays for item in play.events]
        self.distractors: Sequence[Happening] = [
            Happening(play.kind, play.start_s, play.end_s)
            for play in self._plays
            if play.kind in DISTRACTORS
        ]

    def backdrop(self, canvas: Canvas) -> None:
        """Paint the stand and half a pitch with its lines and the goal."""
        look = self._look
        grass = pick(look, ((70, 132, 66), (86, 146, 78), (60, 116, 62)))
        canvas.fill((84, 88, 100))
        for _ in range(420):
            spot = (float(look.uniform(-8, 328)), float(look.uniform(-8, 34)))
            canvas.dot(spot, 1.7, pick(look, (*SHIRTS, (220, 214, 200))))
        canvas.box(-10, 34, 330, 42, (30, 60, 130))
        canvas.blend(42, 190, mixed(grass, (255, 255, 255), 0.06), grass)
        for left in range(-20, 330, 50):
            canvas.box(left, 42, left + 25, 190, mixed(grass, (0, 0, 0), 0.05))
        canvas.grain(look, 4)
        white = (236, 240, 236)
        for line in (
            [(-10, FAR), (RIGHT, FAR), (RIGHT, NEAR), (-10, NEAR)],
            [(LEFT, FAR), (LEFT, NEAR)],
            [(RIGHT, 70), (232, 70), (232, 150), (RIGHT, 150)],
            [(RIGHT, 88), (270, 88), (270, 132), (RIGHT, 132)],
            [(LEFT + 34 * math.cos(t / 9), 110 + 26 * math.sin(t / 9)) for t in range(58)],
        ):
            canvas.line(line, 1.3, white)
        canvas.dot(SPOT, 1.6, white)
        canvas.dot((LEFT, 110), 1.6, white)
        for shift in (0, 4, 8, 12):
            canvas.line(
                [(RIGHT + shift, POSTS[0]), (RIGHT + shift, POSTS[1])], 0.6, (190, 196, 200)
            )
        for y in np.linspace(POSTS[0], POSTS[1], 7).tolist():
            canvas.line([(RIGHT, y), (RIGHT + 13, y)], 0.6, (190, 196, 200))
        canvas.line([(RIGHT, POSTS[0]), (RIGHT, POSTS[1])], 2.4, (252, 252, 252))

    def paint(self, canvas: Canvas, time_s: float) -> None:
        """Paint the players and the ball, or a near view."""
        play = next((item for item in self._plays if time_s < item.end_s), self._plays[-1])
        if play.kind in NEAR_VIEWS:
            self._paint_near(canvas, play, time_s)
            return
        placed = [(who, *self._placed(play, who, time_s)) for who in self._bases]
        for who, spot, pose, facing in sorted(placed, key=lambda item: item[1][1]):
            Figure(25, self._teams[who[0]]).paint(canvas, spot, pose, facing=facing)
            if who == "f":
                hand = Figure(25, self._teams["f"]).hand(spot, pose, facing=facing)
                rise = 8 if pose.near_arm > 90 else -5
                canvas.box(
                    hand[0], hand[1] - max(rise, 0), hand[0] + 7, hand[1] - min(rise, 0), FLAG
                )
        if play.ball:
            times, *axes = zip(*play.ball, strict=True)
            x, y, high = (float(np.interp(time_s, times, axis)) for axis in axes)
            canvas.shade((x, y + 1), (3, 1.2))
            canvas.dot((x, y - 2 - high), 2.9, (30, 34, 30))
            canvas.dot((x, y - 2 - high), 2.4, (252, 252, 252))

    def _placed(self, play: Play, who: str, time_s: float) -> tuple[Point, Pose, int]:
        keys = play.paths.get(who)
        facing = -1 if who[0] in "dk" else 1
        if keys is None:
            base, turn = self._bases[who], sum(map(ord, who)) + play.start_s
            spot = (base[0] + 4 * math.sin(time_s + turn), base[1] + 2 * math.cos(time_s + turn))
            pose = walking(time_s * 5 + turn, 0.6) if who[0] in "ad" else STANDING
            return spot, self._special(play, who, time_s, pose), facing
        times, xs, ys = zip(*keys, strict=True)
        spot = (float(np.interp(time_s, times, xs)), float(np.interp(time_s, times, ys)))
        ahead = (
            float(np.interp(time_s + 0.1, times, xs)),
            float(np.interp(time_s + 0.1, times, ys)),
        )
        pose = walking(time_s * 12, 1.5) if math.dist(spot, ahead) > 1 else STANDING
        if abs(ahead[0] - spot[0]) > 0.5:
            facing = 1 if ahead[0] > spot[0] else -1
        return spot, self._special(play, who, time_s, pose), facing

    def _special(self, play: Play, who: str, time_s: float, pose: Pose) -> Pose:
        """Return the pose of somebody who does something out of the ordinary."""
        for name, what, at_s in play.poses:
            past = time_s - at_s
            if name != who:
                continue
            if what == "kick" and abs(past) < 0.3:
                return between(pose, KICKING, 1 - abs(past) / 0.3)
            if what == "falls" and past >= 0:
                return between(pose, PRONE, eased(past / 0.4))
            if what == "dive" and 0 <= past < 1.2:
                return between(pose, LYING, eased(past / 0.35))
            if what == "throw" and past < 0.4:
                return between(ARMS_UP, STANDING, past / 0.4)
            if what in ("arm", "flag") and past >= -0.15:
                return between(pose, ONE_ARM_UP, (past + 0.15) / 0.15)
            if what == "cheer" and past >= 0:
                return ARMS_UP
        return pose

    def _paint_near(self, canvas: Canvas, play: Play, time_s: float) -> None:
        past = time_s - play.event_s
        canvas.blend(-10, 70, (96, 100, 112), (70, 74, 84))
        canvas.blend(70, 190, (84, 142, 76), (60, 116, 60))
        for spot in range(0, 330, 14):
            canvas.dot((spot, 20 + 9 * (spot % 4)), 8, SHIRTS[spot % len(SHIRTS)])
        team = self._teams["a" if int(play.start_s * 10) % 2 else "d"]
        player = Figure(128, team)
        if play.kind == "player_shown":
            player.paint(canvas, (150 + 8 * past, 186), walking(time_s * 5, 0.8))
            return
        if play.kind == "substitution":
            self._paint_board(canvas, past)
            Figure(118, team).paint(canvas, (244 - 14 * past, 184), walking(time_s * 6), facing=-1)
            return
        player.paint(canvas, (222, 184), replace(STANDING, lean=-4), facing=-1)
        # A second yellow card is up for a moment before the red one.
        second = play.kind == "yellow_red_card"
        up = past >= (-0.9 if second else 0.0)
        arm = POINTING if play.kind == "referee_points" else ONE_ARM_UP
        pose = between(STANDING, arm, (past + (1.2 if second else 0.3)) / 0.3)
        referee = Figure(132, self._teams["r"])
        referee.paint(canvas, (120, 186), pose)
        if up and play.kind != "referee_points":
            yellow = play.kind == "yellow_card" or past < 0
            hand = referee.hand((120, 186), pose)
            card: Color = (250, 216, 40) if yellow else (222, 30, 40)
            canvas.box(hand[0] - 6, hand[1] - 20, hand[0] + 7, hand[1] - 1, card)

    def _paint_board(self, canvas: Canvas, past: float) -> None:
        official = Figure(132, self._teams["f"])
        pose = between(STANDING, ARMS_UP, (past + 0.3) / 0.3)
        official.paint(canvas, (110, 196), pose)
        if past >= 0:
            canvas.box(84, 14, 140, 48, (28, 28, 32))
            canvas.word("9", 92, 42, 20, (250, 60, 50))
            canvas.word("7", 118, 42, 20, (70, 240, 90))


plan = Match
