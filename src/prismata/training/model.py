"""The detector under training: an optional encoder and the temporal head."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from prismata.core.scores import ScoreTrack
from prismata.postprocess import DenseStitcher, build_track, window_centres, window_indices
from prismata.training.encoders import FrameEncoder
from prismata.training.heads import TemporalHead

ENCODE_BATCH = 32
HEAD_BATCH = 512


class Detector(nn.Module):
    """Encoder (absent when features are frozen) and head.

    Args:
        encoder: Trained together with the head, or `None`.
        head: `(N, T, F)` → `(N, C)`, or `(N, T, C)` if it is dense.
        num_frames: T in detection.
    """

    def __init__(self, encoder: FrameEncoder | None, head: TemporalHead, num_frames: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head
        self.num_frames = num_frames

    @property
    def device(self) -> torch.device:
        """Where the parameters live."""
        return next(self.parameters()).device

    @property
    def is_dense(self) -> bool:
        """Whether every sample of a window has scores, not only its centre."""
        return self.head.scores == "dense"

    @property
    def context(self) -> int:
        """Samples that a stretch needs beyond those that get scores: T - 1, or 0 if dense."""
        return 0 if self.is_dense else self.num_frames - 1

    def forward_windows(self, features: Tensor) -> Tensor:
        """Turn `(N, T, F)` features into `(N, C)` logits, `(N, T, C)` if dense."""
        return cast(Tensor, self.head(features))

    def forward_stretch(self, inputs: Tensor) -> Tensor:
        """Turn stretches of frames or features into a logit for every sample.

        Each frame is encoded once; overlapping windows reuse its features, which equals encoding
        every window on its own.

        Args:
            inputs: `(B, L + context, H, W, 3)` uint8 frames or `(B, L + context, F)` features.

        Returns:
            `(B, L, C)` logits.
        """
        batch, samples = inputs.shape[0], inputs.shape[1]
        features = inputs
        if inputs.ndim == 5:
            assert self.encoder is not None  # noqa: S101 - there are frames only to train it
            features = self.encoder.encode_stretches(inputs)
        if self.is_dense:
            return cast(Tensor, self.head(features))
        windows = features.unfold(1, self.num_frames, 1).transpose(2, 3)
        logits = self.head(windows.flatten(0, 1))
        return cast(Tensor, logits.view(batch, samples - self.context, -1))

    def encode(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Turn `(N, H, W, 3)` uint8 frames into `(N, F)` float32 features, without gradients.

        If the encoder looks at blocks of frames, the first one begins one.
        """
        assert self.encoder is not None  # noqa: S101
        step = max(ENCODE_BATCH, self.encoder.block)
        parts = []
        with evaluating(self):
            for start in range(0, len(frames), step):
                part = torch.from_numpy(np.array(frames[start : start + step])).to(self.device)
                parts.append(self.encoder.encode_stretches(part[None])[0].float().cpu().numpy())
        return np.concatenate(parts)

    def score(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn `(N, T, F)` windows into `(N, C)` scores in [0, 1], `(N, T, C)` if dense."""
        parts = []
        with evaluating(self):
            for start in range(0, len(windows), HEAD_BATCH):
                part = torch.from_numpy(np.array(windows[start : start + HEAD_BATCH]))
                logits = self.head(part.to(self.device))
                parts.append(torch.sigmoid(logits).float().cpu().numpy())
        return np.concatenate(parts)

    def score_video(
        self,
        inputs: NDArray[np.uint8] | NDArray[np.float32],
        times_us: NDArray[np.int64],
        event_names: tuple[str, ...],
        *,
        stride: int = 1,
    ) -> ScoreTrack:
        """Return the score track of one video from its frames or features.

        Windows are `stride` samples apart; a dense head scores the samples between them, too.
        """
        features = (
            cast(NDArray[np.float32], inputs)
            if inputs.ndim == 2
            else self.encode(cast(NDArray[np.uint8], inputs))
        )
        windows = features[window_indices(len(features), self.num_frames, stride)]
        samples = window_centres(len(features), stride)
        scores = self.score(windows)
        if self.is_dense:
            stitcher = DenseStitcher(self.num_frames, stride)
            samples, scores = stitcher.finish(samples, scores, num_samples=len(features))
        return build_track(times_us, samples, scores, event_names)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Switch dropout and batch statistics off inside, and back to what they were after."""
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(was_training)
