"""Tiny training data: features in which an event is plain to see, and frames that are noise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec

import numpy as np
import pytest

from prismata.core.events import Event, EventType
from prismata.core.recipes import GroupingRule

if find_spec("torch") is None:
    # Nothing here can even be imported; `pytest -ra` on a machine with torch is what counts.
    collect_ignore_glob = ["test_*.py"]
else:
    import torch

    from prismata.core.targets import build_targets
    from prismata.training.data import LabelledVideo
    from prismata.training.heads import CnnLstmHead, HeadSpec
    from prismata.training.loop import TrainingTask
    from prismata.training.model import Detector
    from prismata.training.recipe import Recipe

HIT = EventType("hit", "point")
OVER = EventType("over", "segment")
STEP_US = 100_000
FEATURES = 6


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = str(__file__).removesuffix("conftest.py")
    for item in items:
        if str(item.path).startswith(here):
            item.add_marker(pytest.mark.torch)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Networks this small only wait for each other's threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def feature_video() -> Callable[..., LabelledVideo]:
    """Make a video whose first feature is 1 at its events and noise elsewhere."""

    def make(name: str = "video", samples: int = 40, seed: int = 0) -> LabelledVideo:
        rng = np.random.default_rng(seed)
        times = np.arange(samples, dtype=np.int64) * STEP_US
        moments = rng.choice(np.arange(3, samples - 3, 8), 2, replace=False)
        events = tuple(Event.point("hit", int(times[at])) for at in sorted(moments))
        targets, weights = build_targets(times, events, [HIT])
        inputs = rng.normal(0, 0.2, (samples, FEATURES)).astype(np.float32)
        inputs[:, 0] += 3 * targets[:, 0]
        return LabelledVideo(name, times, inputs, targets, weights, events, samples * STEP_US)

    return make


@pytest.fixture
def frame_video() -> Callable[..., LabelledVideo]:
    """Make a video whose frame n is filled with n, with two events."""

    def make(name: str = "video", samples: int = 20, size: int = 16) -> LabelledVideo:
        times = np.arange(samples, dtype=np.int64) * STEP_US
        events = (Event.point("hit", 5 * STEP_US), Event.point("hit", 14 * STEP_US))
        targets, weights = build_targets(times, events, [HIT])
        frames = np.zeros((samples, size, size, 3), np.uint8)
        frames += np.arange(samples, dtype=np.uint8)[:, None, None, None]
        return LabelledVideo(name, times, frames, targets, weights, events, samples * STEP_US)

    return make


@pytest.fixture
def new_detector() -> Callable[..., Detector]:
    """Make a detector on frozen features, always with the same first weights."""

    def make(num_frames: int = 4, hidden: int = 8, classes: int = 1) -> Detector:
        torch.manual_seed(0)
        head = CnnLstmHead(FEATURES, classes, HeadSpec(hidden=hidden))
        return Detector(None, head, num_frames)

    return make


@pytest.fixture
def new_task() -> Callable[..., TrainingTask]:
    """Make a task of a few epochs."""

    def make(data_digest: str = "data", **recipe: object) -> TrainingTask:
        settings = {"epochs": 4, "batch_windows": 16, "head_lr": 0.01, "head": {"hidden": 8}}
        return TrainingTask(
            event_types=(HIT,),
            rules={"hit": GroupingRule(min_gap_seconds=0.1)},
            num_frames=4,
            recipe=Recipe.from_dict(settings | recipe),
            data_digest=data_digest,
        )

    return make
