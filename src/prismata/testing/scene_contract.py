"""The promises of every `scene.py`, as a pytest class for its authors to inherit.

    class TestTennisServeScene(SceneContract):
        folder = Path(__file__).parents[1]

Invariant: the plugin is loaded as discovery loads it, and the registry is left alone.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from prismata.core.time import MICROSECONDS, FrameTimeline
from prismata.domains.hooks import check_labels
from prismata.domains.loading import load_plugin
from prismata.domains.spec import Domain
from prismata.testing.scenes import (
    FilmedScene,
    Happening,
    Scene,
    ScenePack,
    film,
    load_scene,
    pictures,
)

SIZE = (160, 90)
VISIBLE_LEVELS = 24
"""Grey levels by which a pixel must change to count, and `VISIBLE_PIXELS` how many must."""
VISIBLE_PIXELS = 12
_MOMENTS = (-0.4, -0.04, 0.16, 0.4, 0.8)
"""Seconds from the instant of an event at which it is looked at."""


class SceneContract:
    """Loads the plugin in `folder`, films its scene and checks that the truth is true."""

    folder: ClassVar[Path]
    """The plugin's folder."""
    seeds: ClassVar[range] = range(4)
    """Of the scenes looked at; together they must show every event type and a distractor."""
    seconds: ClassVar[float] = 24.0
    """Length of each."""

    @pytest.fixture(scope="class")
    @classmethod
    def domain(cls) -> Domain:
        """The plugin's domain, freshly loaded; the registry is not touched."""
        return load_plugin(cls.folder)()

    @pytest.fixture(scope="class")
    @classmethod
    def pack(cls, domain: Domain) -> ScenePack:
        """What `scene.py` brings."""
        return load_scene(domain)

    @pytest.fixture(scope="class")
    @classmethod
    def scenes(cls, pack: ScenePack) -> list[Scene]:
        """One scene for each of `seeds`."""
        return [pack.plan(cls.seconds, seed) for seed in cls.seeds]

    @pytest.fixture(scope="class")
    @classmethod
    def filmed(cls, pack: ScenePack, tmp_path_factory: pytest.TempPathFactory) -> FilmedScene:
        """A small video with a variable frame rate."""
        path = tmp_path_factory.mktemp("scene") / "scene.mp4"
        return film(pack, path, seconds=12, seed=cls.seeds[0], size=SIZE, variable_rate=True)

    def test_every_event_type_happens_and_no_other(
        self, domain: Domain, scenes: list[Scene]
    ) -> None:
        """Scenes show what the domain declares, as points where it declares points."""
        declared = {(item.name, item.kind) for item in domain.event_types}
        assert {(item.name, _kind(item)) for scene in scenes for item in scene.events} == declared

    def test_every_scene_has_something_to_mislead(
        self, domain: Domain, scenes: list[Scene]
    ) -> None:
        """Distractors are there and are no event types."""
        kinds = Counter(item.name for scene in scenes for item in scene.distractors)
        assert kinds
        assert not set(kinds) & set(domain.event_names)

    def test_the_domain_finds_nothing_wrong_with_the_truth(
        self, domain: Domain, filmed: FilmedScene
    ) -> None:
        """Lengths, rules and the domain's own review accept the labels of its scene."""
        found = check_labels(domain, filmed.events)
        assert (found.remarks, found.failure) == ((), None)

    def test_every_time_is_a_frame_of_the_file(self, filmed: FilmedScene) -> None:
        """Events begin and end on frames that are in the file, or with it."""
        stored = _timeline(filmed.path)
        assert np.array_equal(stored.starts_us, filmed.timeline.starts_us)
        starts = set(stored.starts_us.tolist())
        for event in (*filmed.events, *filmed.distractors):
            assert event.start_us in starts
            assert event.end_us in starts | {filmed.timeline.duration_us}

    def test_a_seed_repeats_and_another_does_not(self, pack: ScenePack) -> None:
        """The same arguments give the same scene and pictures, whatever was painted before."""
        first, second = (pack.plan(self.seconds, 5) for _ in range(2))
        times = [1.0, 3.5, 9.25]
        one = list(pictures(first, times, SIZE, pack.camera, 5))
        two = list(pictures(second, times[1:], SIZE, pack.camera, 5))
        assert list(first.events) == list(second.events)
        assert all(np.array_equal(*pair) for pair in zip(one[1:], two, strict=True))
        other = pack.plan(self.seconds, 6)
        assert list(other.events) != list(first.events)

    def test_events_can_be_seen(self, scenes: list[Scene]) -> None:
        """Around where an event begins, a picture without noise changes."""
        unseen = [
            f"{item.name} at {item.start_s:.2f} s of seed {seed}"
            for seed, scene in zip(self.seeds, scenes, strict=True)
            for item in scene.events
            if _change(scene, item.start_s, self.seconds) < VISIBLE_PIXELS
        ]
        assert not unseen

    def test_it_says_what_a_model_reaches(self, pack: ScenePack) -> None:
        """Expectations are declared."""
        assert pack.expected


def _kind(item: Happening) -> str:
    return "point" if item.end_s is None else "segment"


def _change(scene: Scene, time_s: float, seconds: float) -> int:
    """Return how many pixels change around a time."""
    times = [min(max(0.0, time_s + offset), seconds - 0.01) for offset in _MOMENTS]
    looks = np.stack([image.astype(np.int16) for image in pictures(scene, times, SIZE)])
    spread = (looks.max(0) - looks.min(0)).max(-1)
    return int((spread >= VISIBLE_LEVELS).sum())


def _timeline(path: Path) -> FrameTimeline:
    import av

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        ticks = [frame.pts for frame in container.decode(stream)]
        base = Fraction(stream.time_base or Fraction(1, MICROSECONDS))
    return FrameTimeline.from_pts(np.array(ticks), time_base=base)
