"""What a `Domain`'s hooks reach when called: the classic model and datasets from a declaration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset

from prismata.core.events import Event
from prismata.core.targets import build_targets
from prismata.core.time import FrameTimeline, to_us
from prismata.domains import Domain
from prismata.media import open_video, scan
from prismata.postprocess import window_centres, window_indices
from prismata.training.encoders import build_encoder
from prismata.training.heads import CnnLstm, CnnLstmHead
from prismata.training.recipe import Recipe


def create_model(domain: Domain, config: Mapping[str, Any] | None = None) -> CnnLstm:
    """Return the classic detector, untrained: `(B, T, 3, H, W)` normalised → `(B, C)` logits.

    Args:
        domain: Declares the event types (C).
        config: Settings of `Recipe`; the encoder must be a trainable one.

    Raises:
        InvalidInputError: If a setting is unknown or cannot be used.
    """
    recipe = Recipe.from_dict(dict(config or {}))
    encoder = build_encoder(recipe.encoder)
    head = CnnLstmHead(encoder.feature_size, len(domain.event_types), recipe.head)
    return CnnLstm(encoder, head)


class ClipDataset(Dataset[tuple[Tensor, Tensor]]):
    """Windows of labelled videos: `(T, H, W, 3)` uint8 frames and `(C,)` targets."""

    def __init__(self, domain: Domain, videos: Sequence[tuple[Path, Sequence[Event]]]) -> None:
        self._items: list[tuple[Path, FrameTimeline, np.ndarray, np.ndarray]] = []
        clip = domain.clip
        self._size = (clip.width, clip.height)
        for path, events in videos:
            timeline = scan(path).timeline
            plan = timeline.sample(clip.target_fps)
            windows = window_indices(len(plan), clip.num_frames, clip.window_stride)
            centres = window_centres(len(plan), clip.window_stride)
            targets, _ = build_targets(
                plan.times_us,
                events,
                domain.event_types,
                tolerance_us=to_us(domain.tolerance_seconds),
            )
            for window, centre in zip(windows, centres, strict=True):
                self._items.append((path, timeline, plan.frame_indices[window], targets[centre]))

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Decode one window; random access is for looking, training decodes each frame once."""
        path, timeline, frames, targets = self._items[index]
        with open_video(path, timeline=timeline) as reader:
            pixels = np.stack([frame.pixels for frame in reader.read(frames, size=self._size)])
        return torch.from_numpy(pixels), torch.from_numpy(targets)


class InferenceDataset(IterableDataset[tuple[int, Tensor]]):
    """Windows of one video in order: centre instant in microseconds, `(T, H, W, 3)` frames."""

    def __init__(self, domain: Domain, path: Path) -> None:
        super().__init__()
        self._path = path
        self._clip = domain.clip
        self._timeline = scan(path).timeline

    def __iter__(self) -> Iterator[tuple[int, Tensor]]:
        """Decode the video once, sequentially, and yield its windows."""
        clip = self._clip
        plan = self._timeline.sample(clip.target_fps)
        indices = window_indices(len(plan), clip.num_frames, clip.window_stride)
        centres = window_centres(len(plan), clip.window_stride)
        kept: dict[int, np.ndarray] = {}
        number = 0
        size = (clip.width, clip.height)
        with open_video(self._path, timeline=self._timeline) as reader:
            for sample, frame in enumerate(reader.read(plan.frame_indices, size=size)):
                kept[sample] = frame.pixels
                while number < len(indices) and indices[number].max() <= sample:
                    window = np.stack([kept[int(i)] for i in indices[number]])
                    yield int(plan.times_us[centres[number]]), torch.from_numpy(window)
                    number += 1
                    oldest = int(indices[number].min()) if number < len(indices) else sample
                    for gone in [i for i in kept if i < oldest]:
                        del kept[gone]


def create_dataset(
    domain: Domain, labels: Mapping[Path, Sequence[Event]], videos: Sequence[Path]
) -> ClipDataset:
    """Return the windows of `videos` with the targets that `labels` give."""
    return ClipDataset(domain, [(path, labels.get(path, ())) for path in videos])


def create_inference_dataset(domain: Domain, video: Path) -> InferenceDataset:
    """Return the windows of one video, in order, without labels."""
    return InferenceDataset(domain, video)
