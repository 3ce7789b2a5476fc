"""Scenes of domains: a plugin's `scene.py` invents its kind of events, this films them.

A `scene.py` beside `domain.py` holds

    def plan(seconds: float, seed: int) -> Scene: ...
    EXPECTED = {"point_map_0.5s": 0.7}

`plan` decides what happens in one video; a class with these two arguments does as well. `EXPECTED`
says what a model trained on such videos reaches at least on others, by the names that
`benchmarks/packs.py` prints. The file is loaded only when somebody asks for it.

Invariant: a picture is a function of scene, size and time; a seed always gives the same video; and
every truth time is the presentation time of a frame that is in the file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from prismata.core.errors import InvalidInputError, NotFoundError
from prismata.core.events import Event, check_name
from prismata.core.time import MICROSECONDS, FrameTimeline
from prismata.domains import Domain
from prismata.testing.drawing import Canvas, Image, Point
from prismata.testing.synth import SynthVideo, encode_video, plan_ticks

SCENE_MODULE = "scene"
SIZE = (256, 144)
"""Width and height of a filmed video in pixels, unless asked for otherwise."""
FPS = 25
MIN_SECONDS, MAX_SECONDS = 4.0, 3600.0

_NOISE_PICTURES = 8
_SHAKE_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happens in a scene: an event, or what only looks like one.

    Raises:
        InvalidInputError: If the name cannot be used or the times are out of order.
    """

    name: str
    """Of the event type, or of the kind of distractor."""
    start_s: float
    end_s: float | None = None
    """None = an instant, a point event."""

    def __post_init__(self) -> None:
        check_name(self.name, "happening")
        end_s = self.start_s if self.end_s is None else self.end_s
        if not 0 <= self.start_s <= end_s < math.inf:
            raise InvalidInputError(
                f"{self.name!r} goes from {self.start_s} to {self.end_s} s; it cannot start before "
                "the scene or end before it starts"
            )

    def covers(self, time_s: float) -> bool:
        """Return whether an instant lies within this stretch."""
        return self.end_s is not None and self.start_s <= time_s < self.end_s

    def share(self, time_s: float) -> float:
        """Return how much of this stretch has passed, in [0, 1]; an instant has none or all."""
        if self.end_s is None or self.end_s == self.start_s:
            return float(time_s >= self.start_s)
        return min(1.0, max(0.0, (time_s - self.start_s) / (self.end_s - self.start_s)))


def act_at(acts: Sequence[Happening], time_s: float) -> Happening | None:
    """Return the one of several stretches in which a time lies, the first if there are two."""
    return next((act for act in acts if act.covers(time_s)), None)


@dataclass(frozen=True, slots=True)
class Camera:
    """What the camera does to a scene."""

    noise: float = 3.0
    """Standard deviation of the sensor noise in grey levels; 0 = none."""
    shake: float = 0.6
    """How far it moves now and then, in world units; 0 = it stands still."""
    sway: float = 0.06
    """Share by which the light slowly comes and goes."""
    flicker: float = 0.0
    """Share by which the light jumps now and then, as a lamp or a cloud makes it."""


CLEAN = Camera(noise=0.0, shake=0.0, sway=0.0)
"""Shows the scene as it is: for stills and tests."""


@runtime_checkable
class Scene(Protocol):
    """What a `plan` returns: all that happens in one video, and how it is painted."""

    @property
    def events(self) -> Sequence[Happening]:
        """The events, named like event types of the domain, in any order."""

    @property
    def distractors(self) -> Sequence[Happening]:
        """What looks like an event and is none, named by kind."""

    def backdrop(self, canvas: Canvas) -> None:
        """Paint what never moves; called once for each video."""

    def paint(self, canvas: Canvas, time_s: float) -> None:
        """Paint what there is at a time, over the backdrop; a function of the time alone."""


Plan = Callable[[float, int], Scene]
"""Seconds and seed → the scene. The scene must be the same for the same arguments."""


@dataclass(frozen=True, slots=True)
class ScenePack:
    """What a `scene.py` brings."""

    domain: str
    plan: Plan
    camera: Camera
    expected: Mapping[str, float]
    """Metric → what a model trained on such videos reaches at least on others."""


@dataclass(frozen=True, slots=True)
class FilmedScene(SynthVideo):
    """One filmed video, its truth and what was put in to mislead."""

    distractors: tuple[Event, ...] = ()
    """Like events; every time is the start of a frame. No label says them."""


def load_scene(domain: Domain) -> ScenePack:
    """Load the `scene.py` of a domain.

    Raises:
        NotFoundError: If the domain has none.
        InvalidInputError: If it does not hold what a scene needs.
        Exception: Whatever the file itself raises.
    """
    package = type(domain).__module__.rpartition(".")[0]
    name = f"{package}.{SCENE_MODULE}"
    if not package or find_spec(name) is None:
        raise NotFoundError(
            f"domain {domain.name!r} has no {SCENE_MODULE}.py beside its domain.py, so there is "
            "nothing to film; the file of another domain shows what goes into it"
        )
    module = import_module(name)
    plan = getattr(module, "plan", None)
    if not callable(plan):
        raise InvalidInputError(
            f"{SCENE_MODULE}.py of domain {domain.name!r} has no plan(seconds, seed); that is what "
            "decides what happens in a video"
        )
    camera = getattr(module, "CAMERA", Camera())
    expected = getattr(module, "EXPECTED", {})
    if not isinstance(camera, Camera):
        raise InvalidInputError(
            f"{SCENE_MODULE}.py of domain {domain.name!r} has CAMERA = {camera!r}; it must be a "
            "Camera"
        )
    if not isinstance(expected, Mapping) or not all(
        isinstance(key, str) and isinstance(value, int | float) and 0 <= value <= 1
        for key, value in expected.items()
    ):
        raise InvalidInputError(
            f"{SCENE_MODULE}.py of domain {domain.name!r} has EXPECTED = {expected!r}; it must say "
            "for each metric what is reached at least, from 0 to 1"
        )
    return ScenePack(domain.name, plan, camera, dict(expected))


def film(
    pack: ScenePack,
    path: Path,
    *,
    seconds: float = 20.0,
    seed: int,
    size: tuple[int, int] = SIZE,
    fps: int = FPS,
    variable_rate: bool = False,
) -> FilmedScene:
    """Film one scene.

    Args:
        pack: From `load_scene`.
        path: The `.mp4` to write.
        seconds: Length, 4 s to an hour.
        seed: Decides everything.
        size: Width and height in pixels, both even; scenes are designed for 16:9.
        fps: Frames a second when the rate is constant.
        variable_rate: Frames 20 to 90 ms apart at random instead of `1 / fps`.

    Raises:
        InvalidInputError: If the length, rate or size cannot be used, or if the scene tells of
            something that is not in the video.
    """
    if not MIN_SECONDS <= seconds <= MAX_SECONDS:
        raise InvalidInputError(
            f"a filmed scene lasts {MIN_SECONDS:g} to {MAX_SECONDS:g} seconds, not {seconds:g}"
        )
    ticks, time_base = plan_ticks(seconds, fps, seed, variable_rate=variable_rate)
    timeline = FrameTimeline.from_pts(np.array(ticks), time_base=time_base)
    scene = pack.plan(seconds, seed)
    events = on_frames(scene.events, timeline)
    distractors = on_frames(scene.distractors, timeline)
    times = [start / MICROSECONDS for start in timeline.starts_us.tolist()]
    encode_video(path, pictures(scene, times, size, pack.camera, seed), ticks, time_base, size)
    return FilmedScene(path, events, timeline, seed, variable_rate, distractors)


def film_set(
    pack: ScenePack,
    folder: Path,
    *,
    videos: int,
    seconds: float = 20.0,
    seed: int = 0,
    size: tuple[int, int] = SIZE,
    progress: Callable[[int, int, str], None] | None = None,
) -> list[FilmedScene]:
    """Film several scenes, `DOMAIN-SEED.mp4` each; every second one has a variable frame rate.

    Args:
        pack: From `load_scene`.
        folder: Where they are written; made if it is not there.
        videos: How many.
        seconds: Length of each.
        seed: Of the first; each has the next one.
        size: Width and height in pixels.
        progress: Told after each: finished, of how many, and the name.

    Raises:
        InvalidInputError: As `film`, or if no video is asked for.
    """
    if videos < 1:
        raise InvalidInputError(f"at least one video must be filmed, not {videos}")
    folder.mkdir(parents=True, exist_ok=True)
    filmed: list[FilmedScene] = []
    for number in range(videos):
        path = folder / f"{pack.domain}-{seed + number:04d}.mp4"
        filmed.append(
            film(
                pack,
                path,
                seconds=seconds,
                seed=seed + number,
                size=size,
                variable_rate=number % 2 == 1,
            )
        )
        if progress is not None:
            progress(number + 1, videos, path.name)
    return filmed


def on_frames(happenings: Sequence[Happening], timeline: FrameTimeline) -> tuple[Event, ...]:
    """Return happenings as events whose times are starts of frames, in order of time.

    A point is the first frame at or after its instant. A segment goes from the first frame that
    shows it to the first that does not any more, or to the end of the video.

    Raises:
        InvalidInputError: If no frame shows one of them.
    """
    starts = timeline.starts_us
    edges = [*starts.tolist(), timeline.duration_us]

    def first_at(time_s: float) -> int:
        # Half a microsecond: a frame that was meant to show it, but was rounded, does show it.
        return int(np.searchsorted(starts, time_s * MICROSECONDS - 0.5))

    events: list[Event] = []
    for item in happenings:
        first = first_at(item.start_s)
        last = first if item.end_s is None else first_at(item.end_s)
        if first >= len(starts) or (item.end_s is not None and last <= first):
            raise InvalidInputError(
                f"the scene tells of {item.name!r} from {item.start_s:.3f} s, but no frame of the "
                f"{timeline.duration_us / MICROSECONDS:.3f} s shows it; plan only what fits"
            )
        if item.end_s is None:
            events.append(Event.point(item.name, edges[first]))
        else:
            events.append(Event.segment(item.name, edges[first], edges[last]))
    return tuple(sorted(events))


def pictures(
    scene: Scene,
    times: Sequence[float],
    size: tuple[int, int],
    camera: Camera = CLEAN,
    seed: int = 0,
) -> Iterator[Image]:
    """Yield the `(H, W, 3)` uint8 RGB pictures of a scene at these times, in seconds."""
    backdrop = Canvas(size)
    scene.backdrop(backdrop)
    sensor = _Sensor(camera, size, seed)
    for time_s in times:
        canvas = backdrop.copy()
        scene.paint(canvas, time_s)
        yield sensor.expose(canvas, time_s)


class _Sensor:
    def __init__(self, camera: Camera, size: tuple[int, int], seed: int) -> None:
        self._camera = camera
        self._seed = seed
        rng = np.random.default_rng([seed, 31])
        self._period, self._phase = rng.uniform(5, 12), rng.uniform(0, 2 * math.pi)
        shape = (_NOISE_PICTURES, size[1], size[0], 3)
        noise = rng.normal(0, camera.noise, shape) if camera.noise else np.zeros(shape)
        self._noise = noise.astype(np.float32)

    def expose(self, canvas: Canvas, time_s: float) -> Image:
        """Return what the camera records of a canvas at a time."""
        camera = self._camera
        image = canvas.view(self._shift(time_s))
        if camera == CLEAN:
            return image
        gain = 1 + camera.sway * math.sin(2 * math.pi * time_s / self._period + self._phase)
        if camera.flicker:
            gain += camera.flicker * (self._dice(time_s, 0.5, 2).random() < 0.15)
        number = int(self._dice(time_s, 1e-4, 3).integers(_NOISE_PICTURES))
        exposed = image * np.float32(gain) + self._noise[number]
        recorded: Image = np.clip(exposed, 0, 255).astype(np.uint8)
        return recorded

    def _shift(self, time_s: float) -> Point:
        if not self._camera.shake:
            return 0.0, 0.0
        dice = self._dice(time_s, _SHAKE_SECONDS, 1)
        x, y = dice.normal(0, self._camera.shake, 2).tolist() if dice.random() < 0.4 else (0.0, 0.0)
        return x, y

    def _dice(self, time_s: float, step_s: float, what: int) -> np.random.Generator:
        """Return dice that fall alike within each step of time, whatever was asked before."""
        return np.random.default_rng([self._seed, what, int(time_s / step_s)])
