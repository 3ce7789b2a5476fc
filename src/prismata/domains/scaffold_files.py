"""The text of a new plugin's files; `scaffold` fills it in.

Invariant: what comes out is formatted as this project is, and passes the published checks.
"""

from __future__ import annotations

DOMAIN = '''"""{title}: what is labelled and found."""

from __future__ import annotations

from prismata.domains import {imports}


@register_domain
class {class_name}(Domain):
    """{title}."""

    name = "{name}"
    title = "{title}"
    version = 1
    guide = "Mark what you see, not what you expect; leave out what you cannot see."
    event_types = (
{event_types}
    )
    clip = ClipSpec(target_fps={target_fps:g}, num_frames={num_frames})
    # What is not listed here gets the default rule.
    rules = {{"{first}": GroupingRule(min_gap_seconds=0.3)}}
    tolerance_seconds = 0.5
'''
README = """# {title}: label guide

One paragraph for the person who labels: which videos these are, what counts, what does not.

| event | kind | key | which frame exactly |
| --- | --- | --- | --- |
{rows}

Every event can have a note. What else annotators should say about one, for example which hand, is
declared in `domain.py` as `attributes=(Attribute("hand", "choice", ("left", "right")),)` of its
event type, and explained here. Pictures that show an event lie in `guide/` and are named after it:
`guide/{first}_seen_from_behind.jpg`.

## Doubtful cases

- Hidden by something: mark the frame in which you could see it again, and say so in a note.
- Cut off by the start or end of the video: leave it out.
"""
SCENE = '''"""Lamps that light up, one for each event: try the domain before there are real videos.

Paint what yours look like instead: `plan` says what happens and when, `paint` shows it.
"""

from __future__ import annotations

import numpy as np

from prismata.testing.drawing import Canvas, darker, mixed
from prismata.testing.scenes import Camera, Happening

# What a model reaches at least on videos that it has not seen.
EXPECTED = {{{expected}}}
CAMERA = Camera(shake=0.2)
SECONDS = {{
{seconds}
}}
COLORS = ((250, 190, 40), (70, 170, 250), (60, 200, 120), (250, 110, 90), (200, 120, 220))
GLOW = max(30.0, 150 / len(SECONDS))
DARK, WALL, FLOOR, BALL = (46, 48, 56), (96, 100, 112), (66, 60, 58), (210, 210, 200)


class Room:
    """What happens in one video.

    Args:
        seconds: Its length.
        seed: Decides everything.
    """

    def __init__(self, seconds: float, seed: int) -> None:
        rng = np.random.default_rng([seed, 7])
        self.events: list[Happening] = []
        self.distractors: list[Happening] = []
        # What is seen: the lamp, from when to when, and how bright.
        self._lit: list[tuple[int, float, float, float]] = []
        names = rng.permutation(list(SECONDS)).tolist()
        time_s = float(rng.uniform(0.5, 1.2))
        while time_s < seconds - 1.5:
            if rng.random() < 0.2:
                self.distractors.append(Happening("flicker", time_s, time_s + 0.3))
                self._lit.append((int(rng.integers(len(SECONDS))), time_s, time_s + 0.3, 0.35))
                time_s += float(rng.uniform(0.6, 1.0))
                continue
            name = names[len(self.events) % len(names)]
            length = SECONDS[name]
            end_s = time_s + (length or 0.4)
            self.events.append(Happening(name, time_s, end_s if length else None))
            self._lit.append((list(SECONDS).index(name), time_s, end_s, 1.0))
            time_s = end_s + float(rng.uniform(0.5, 1.1))

    def backdrop(self, canvas: Canvas) -> None:
        """Paint a wall, a floor and the lamps, dark."""
        canvas.fill(WALL)
        canvas.box(-10, 150, 330, 190, FLOOR)
        for number in range(len(SECONDS)):
            canvas.dot(_place(number), 22, DARK)

    def paint(self, canvas: Canvas, time_s: float) -> None:
        """Paint the lamps that are lit, and a ball that rolls by all the time."""
        for number, start_s, end_s, light in self._lit:
            if start_s <= time_s < end_s:
                color = COLORS[number % len(COLORS)]
                canvas.dot(_place(number), GLOW, mixed(WALL, color, 0.5 * light))
                canvas.dot(_place(number), 22, darker(color, light))
        canvas.dot((time_s * 40 % 360 - 20, 152), 9, BALL)


def _place(number: int) -> tuple[float, float]:
    return 320 * (number + 0.5) / len(SECONDS), 70.0


plan = Room
'''
TEST = '''"""The published checks for this domain; put tests of your own hooks beside them."""

from __future__ import annotations

from pathlib import Path

from prismata.testing.domain_contract import DomainContract
from prismata.testing.scene_contract import SceneContract


class Test{class_name}(DomainContract):
    folder = Path(__file__).parents[1]


class Test{class_name}Scene(SceneContract):
    folder = Path(__file__).parents[1]
'''
PYPROJECT = """[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "{distribution}"
version = "{version}"
description = {description}
readme = "src/{package}/{name}/README.md"
requires-python = ">=3.11"
dependencies = ["prismata"]

[project.entry-points."prismata.domains"]
{name} = "{package}.{name}.domain:{class_name}"

# The last folder is called like the domain, so that the files are the same inside and outside of a
# package. `{package}` has no `__init__.py`: packages of many authors share it.
[tool.setuptools.packages.find]
where = ["src"]

[tool.setuptools.package-data]
"*" = ["*.md", "guide/*"]
"""
