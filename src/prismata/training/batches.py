"""What one optimisation step sees: windows of frozen features, or stretches of frames."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.transforms import v2

from prismata.postprocess import window_indices
from prismata.training.data import LabelledVideo
from prismata.training.ranks import ALONE, Ranks
from prismata.training.recipe import Recipe


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Inputs with their truth."""

    inputs: Tensor
    """`(N, T, F)` float32 windows, or stretches: `(B, L + context, H, W, 3)` uint8 frames or
    `(B, L, F)` float32 features."""
    targets: Tensor
    """`(N, C)`, or `(B, L, C)`."""
    weights: Tensor
    divisor: Tensor | None = None
    """`()`, what a rank divides its loss by so that the losses of all add up to that of the whole
    batch; `None` if nobody else has a part of it."""
    is_shared: bool = False
    """Whether other ranks have other parts of it."""

    def digest(self) -> str:
        """Return eight hexadecimal digits that tell one batch from another; reads all of it."""
        inputs, targets = self.inputs.numpy(), self.targets.numpy()
        return f"{zlib.crc32(targets.tobytes(), zlib.crc32(inputs.tobytes())):08x}"


def feature_batches(
    videos: Sequence[LabelledVideo],
    recipe: Recipe,
    num_frames: int,
    rng: np.random.Generator,
    ranks: Ranks = ALONE,
) -> Iterator[Batch]:
    """Yield every window once, shuffled, whose centre something is known of.

    They come again, shuffled anew, where they are too few for the steps of an epoch. `ranks` draw
    the same windows, and each yields its part of them.
    """
    rows = [(index, int(row)) for index, video in enumerate(videos) for row in video.known_rows]
    windows = [window_indices(len(video.times_us), num_frames, 1) for video in videos]
    wanted = recipe.epoch_items(len(rows), recipe.batch_windows)
    rounds = -(-wanted // max(1, len(rows)))
    order = np.concatenate([rng.permutation(len(rows)) for _ in range(rounds)])[:wanted]
    for start in range(0, len(order), recipe.batch_windows):
        picked = [rows[i] for i in order[start : start + recipe.batch_windows]]
        mine = picked[ranks.share_of(len(picked))]
        inputs = np.stack([videos[v].inputs[windows[v][row]] for v, row in mine])
        targets = np.stack([videos[v].targets[row] for v, row in picked])
        weights = np.stack([videos[v].weights[row] for v, row in picked])
        yield _part_of(
            torch.from_numpy(inputs), torch.from_numpy(targets), torch.from_numpy(weights), ranks
        )


def chunk_batches(
    videos: Sequence[LabelledVideo],
    recipe: Recipe,
    num_frames: int,
    rng: np.random.Generator,
    ranks: Ranks = ALONE,
) -> Iterator[Batch]:
    """Yield random stretches: half of them around an event, half anywhere.

    If there are hard negatives (background that weighs more than 1), half of the stretches that
    would lie anywhere are around one of them.

    An epoch has as many scored samples as the videos have samples of which something is known, more
    if the recipe wants more steps, and every stretch holds at least one of them.

    Args:
        videos: With frames or with features.
        recipe: How long stretches are, and what is done to them.
        num_frames: Samples that one score is made from; 1 if the head is dense, which sees all of
            its stretch and nothing else.
        rng: Decides everything but the augmentation, which torch's dice decide.
        ranks: All draw the same stretches, from dice that stand alike, and each yields its part.
    """
    length = recipe.chunk_samples
    known = [video.known_rows for video in videos]
    share = np.array([rows.size for rows in known], np.float64)
    count = recipe.epoch_items(max(1, -(-int(share.sum()) // length)), recipe.batch_chunks)
    positives = [
        (index, row)
        for index, video in enumerate(videos)
        for row in np.flatnonzero(((video.targets > 0) & (video.weights > 0)).any(axis=1))
    ]
    hard = [
        (index, row)
        for index, video in enumerate(videos)
        for row in np.flatnonzero(((video.targets == 0) & (video.weights > 1)).any(axis=1))
    ]
    augment = clip_augmentation(flip=recipe.flip)
    inputs: list[Tensor] = []
    truth: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []
    for number in range(count):
        if positives and rng.random() < 0.5:
            index, row = positives[rng.integers(len(positives))]
            first = int(row) - int(rng.integers(length))
        elif hard and rng.random() < 0.5:
            index, row = hard[rng.integers(len(hard))]
            first = int(row) - int(rng.integers(length))
        else:
            index = int(rng.choice(len(videos), p=share / share.sum()))
            first = _anywhere(known[index], len(videos[index].times_us), length, rng)
        rows = min(recipe.batch_chunks, count - number + len(truth))
        # Any stretch may be blended into ours.
        mine = range(rows) if recipe.mixup else range(rows)[ranks.share_of(rows)]
        if len(truth) in mine:
            inputs.append(_cut(videos[index], first, length, num_frames, augment))
        else:
            _pass_over(videos[index], augment)
        truth.append(_truth(videos[index], first, length))
        if len(truth) == rows:
            targets = torch.from_numpy(np.stack([pair[0] for pair in truth]))
            weights = torch.from_numpy(np.stack([pair[1] for pair in truth]))
            stacked = torch.stack(inputs)
            if recipe.mixup:
                whole = blended(Batch(stacked, targets, weights), recipe.mixup, rng)
                stacked, targets, weights = whole.inputs, whole.targets, whole.weights
                stacked = stacked[ranks.share_of(rows)]
            yield _part_of(stacked, targets, weights, ranks)
            inputs, truth = [], []


def _part_of(inputs: Tensor, targets: Tensor, weights: Tensor, ranks: Ranks) -> Batch:
    """Return this rank's part of a batch, whose inputs are cut out already, its truth not yet."""
    if ranks.is_alone:
        return Batch(inputs, targets, weights)
    share, is_shared = ranks.share_of(len(targets)), ranks.can_share(len(targets))
    divisor = weights.sum().clamp(min=1.0) * (1 if is_shared else ranks.count)
    return Batch(inputs, targets[share], weights[share], divisor, is_shared)


def blended(batch: Batch, alpha: float, rng: np.random.Generator) -> Batch:
    """Return each stretch blended with another of the batch, inputs and truth alike.

    A sample of which nothing is known in one of the two has weight 0.
    """
    count = len(batch.targets)
    share = torch.from_numpy(rng.beta(alpha, alpha, count).astype(np.float32))
    other = torch.from_numpy(rng.permutation(count))

    def blend(values: Tensor) -> Tensor:
        weight = share.view(-1, *[1] * (values.ndim - 1))
        mixed = weight * values.float() + (1 - weight) * values[other].float()
        return mixed.round().to(torch.uint8) if values.dtype == torch.uint8 else mixed

    is_known = (batch.weights > 0) & (batch.weights[other] > 0)
    return Batch(blend(batch.inputs), blend(batch.targets), blend(batch.weights) * is_known)


def _anywhere(
    known: NDArray[np.int64], num_samples: int, length: int, rng: np.random.Generator
) -> int:
    """Return where a stretch begins that holds a known sample."""
    if known.size == num_samples:
        return int(rng.integers(-length // 2, max(1, num_samples - length // 2)))
    return int(known[rng.integers(known.size)]) - int(rng.integers(length))


def _cut(
    video: LabelledVideo, first: int, length: int, num_frames: int, augment: v2.Transform
) -> Tensor:
    """Return the inputs of the samples `first` … `first + length - 1`.

    Samples outside the video are replicas of its edge, as in detection. Frames come with what their
    windows see to either side.
    """
    last = len(video.times_us) - 1
    before = num_frames // 2
    samples = np.arange(first - before, first - before + length + num_frames - 1).clip(0, last)
    inputs = torch.from_numpy(np.array(video.inputs[samples]))
    if inputs.ndim == 2:
        return inputs
    # (S, H, W, 3) → (S, 3, H, W) for the transforms, which draw once for the whole stretch.
    return cast(Tensor, augment(inputs.permute(0, 3, 1, 2))).permute(0, 2, 3, 1).contiguous()


def _pass_over(video: LabelledVideo, augment: v2.Transform) -> None:
    """Leave torch's dice where `_cut` would; how often it draws has nothing to do with the size."""
    if video.inputs.ndim == 4:
        augment(torch.zeros(1, 3, 2, 2, dtype=torch.uint8))


def _truth(
    video: LabelledVideo, first: int, length: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return `(L, C)` targets and weights; samples outside the video have weight 0."""
    last = len(video.times_us) - 1
    rows = np.arange(first, first + length)
    inside = (rows >= 0) & (rows <= last)
    centres = rows.clip(0, last)
    weights = video.weights[centres] * inside[:, None].astype(np.float32)
    return video.targets[centres], weights


def clip_augmentation(*, flip: bool) -> v2.Transform:
    """Return an augmentation that draws its parameters once for a whole stretch of frames."""
    steps: list[v2.Transform] = [
        # Colours carry little about movement: any order of the channels must do.
        v2.RandomApply([v2.RandomChannelPermutation()], p=0.5),
        v2.ColorJitter(brightness=0.3, contrast=0.3),
        v2.RandomApply([v2.RandomAffine(degrees=0, translate=(0.08, 0.08), scale=(0.9, 1.1))], 0.5),
    ]
    if flip:
        steps.insert(0, v2.RandomHorizontalFlip())
    return v2.Compose(steps)
