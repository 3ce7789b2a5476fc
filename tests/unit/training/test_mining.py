"""What models that never saw a video mistake for events weighs more; nothing else does."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from prismata.core.errors import InvalidInputError
from prismata.core.events import EventType
from prismata.core.targets import HARD_NEGATIVE_WEIGHT
from prismata.storage.memory import MemoryStorage
from prismata.training.batches import chunk_batches
from prismata.training.heads import HeadSpec, build_head
from prismata.training.mining import mine_hard_negatives
from prismata.training.model import Detector
from prismata.training.recipe import Recipe
from prismata.worker.train.gather import GatheredData
from prismata.worker.train.mining import MINED_FILE, with_hard_negatives

DECOY = 70
HIT = EventType("hit", "point")


@pytest.fixture
def videos(feature_video):
    """Five videos of 80 samples; in each, sample 70 looks like an event and is none."""
    made = []
    for seed in range(5):
        video = feature_video(f"v{seed}", 60, seed=seed)
        quiet = np.random.default_rng(100 + seed).normal(0, 0.2, (20, 6)).astype(np.float32)
        quiet[DECOY - 61 : DECOY - 58, 0] += 3
        times = np.arange(80, dtype=np.int64) * 100_000
        made.append(
            replace(
                video,
                times_us=times,
                inputs=np.concatenate([video.inputs, quiet]),
                targets=np.concatenate([video.targets, np.zeros((20, 1), np.float32)]),
                weights=np.ones((80, 1), np.float32),
                duration_us=8_000_000,
            )
        )
    return made


@pytest.fixture
def untrained():
    torch.manual_seed(0)
    return Detector(None, build_head("linear_probe", 6, 1, HeadSpec(hidden=8)), 16)


@pytest.fixture
def task(new_task):
    made = new_task(
        architecture="linear_probe", epochs=20, chunk_samples=16, batch_chunks=2, mining_folds=3
    )
    return replace(made, window_stride=4)


GROUPS = {f"v{number}": f"place{number % 3}" for number in range(5)}


def test_what_is_mistaken_for_an_event_weighs_more_and_nothing_else(videos, untrained, task):
    before = {name: value.clone() for name, value in untrained.state_dict().items()}
    heard = []
    mined = mine_hard_negatives(
        untrained,
        task,
        videos[:4],
        videos[4:],
        GROUPS,
        folds=3,
        on_fold=lambda *at: heard.append(at),
    )
    assert heard == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert mined.scored == 4
    assert mined.moments["hit"] >= 4
    for video, original in zip(mined.videos, videos, strict=False):
        heavy = np.flatnonzero(video.weights[:, 0] > 1)
        assert DECOY in heavy
        assert set(video.weights[heavy, 0]) == {np.float32(HARD_NEGATIVE_WEIGHT)}
        near = [abs(video.times_us[heavy] - event.start_us).min() for event in video.events]
        assert min(near) > 900_000, "beside an event a high score is no mistake"
        assert (original.weights == 1).all(), "what was gathered stays"
    assert all(torch.equal(value, before[name]) for name, value in untrained.state_dict().items())


def test_moments_of_which_nothing_is_known_are_no_mistakes(videos, untrained, task):
    unknown = [replace(video, weights=video.weights.copy()) for video in videos[:4]]
    for video in unknown:
        video.weights[DECOY - 3 :] = 0
    mined = mine_hard_negatives(untrained, task, unknown, videos[4:], GROUPS, folds=3)
    for video in mined.videos:
        assert (video.weights[DECOY - 3 :] == 0).all()


def test_folds_need_two_groups(videos, untrained, task):
    with pytest.raises(InvalidInputError, match="all training videos are of one group"):
        mine_hard_negatives(
            untrained, task, videos, [], dict.fromkeys(GROUPS, "one place"), folds=3
        )


def test_where_nothing_can_be_left_out_it_says_so_instead_of_finding_nothing(
    videos, untrained, task
):
    empty = [
        replace(video, events=(), targets=np.zeros_like(video.targets)) for video in videos[1:]
    ]
    two = {"v0": "a", **{video.name: "b" for video in empty}}
    single = replace(task, event_types=(HIT, replace(HIT, name="never")))
    wide = [
        replace(
            video,
            targets=np.pad(video.targets, ((0, 0), (0, 1))),
            weights=np.pad(video.weights, ((0, 0), (0, 1)), constant_values=1),
        )
        for video in [videos[0], *empty]
    ]
    with pytest.raises(InvalidInputError, match="whichever part of the training videos is left"):
        mine_hard_negatives(untrained, single, wide, [], two, folds=2)


def test_half_of_the_background_stretches_are_around_hard_negatives(videos):
    recipe = Recipe(architecture="linear_probe", chunk_samples=5, batch_chunks=1, epoch_steps=1)

    def share(chosen):
        rng = np.random.default_rng(0)
        seen = [
            batch.inputs[0, :, 0].max() > 2 and not batch.targets.any()
            for _ in range(5)
            for batch in chunk_batches(chosen, recipe, 1, rng)
        ]
        return np.mean(seen)

    heavy = [replace(video, weights=video.weights.copy()) for video in videos]
    for video in heavy:
        video.weights[DECOY] = HARD_NEGATIVE_WEIGHT
    assert share(videos) < 0.15
    assert 0.25 < share(heavy) < 0.4


def test_a_resumed_run_sees_what_the_first_attempt_saw(videos, untrained, task):
    storage = MemoryStorage()
    notes = []
    reporter = SimpleNamespace(progress=lambda *at: notes.append(at[2]))
    bench = SimpleNamespace(storage=storage)
    records = {name: SimpleNamespace(group_name=group) for name, group in GROUPS.items()}
    data = GatheredData({"train": videos[:4], "val": videos[4:], "test": []}, records)
    first, facts = with_hard_negatives(bench, untrained, task, data, "runs/a/", reporter)
    assert storage.exists(f"runs/a/{MINED_FILE}")
    assert facts["moments"]["hit"] >= 4
    told = len(notes)
    assert told > 4, "it tells how far it is within a fold, too"
    again, same = with_hard_negatives(bench, untrained, task, data, "runs/a/", reporter)
    assert same == facts
    assert len(notes) == told, "nothing is trained a second time"
    for left, right in zip(first.videos["train"], again.videos["train"], strict=True):
        assert np.array_equal(left.weights, right.weights)
    off = replace(task, recipe=replace(task.recipe, mining_folds=0))
    assert with_hard_negatives(bench, untrained, off, data, "runs/b/", reporter) == (data, {})
    storage.close()
