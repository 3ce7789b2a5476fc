"""From a stream of frames to scores: the house's bundles and foreign classic models.

A scorer is fed batches of sampled frames in order and returns scores as soon as their window is
complete. Memory does not grow with the length of the video.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from prismata.core.errors import InvalidInputError
from prismata.core.modelcard import ModelCard
from prismata.core.recipes import MotionGate
from prismata.detection.bundle import LoadedModel
from prismata.detection.encoding import BlockFeatures, Features, FeatureStream, FrameFeatures
from prismata.detection.runtimes import RuntimeInfo, onnx_runtime_info, open_session, sigmoid
from prismata.detection.windows import WindowBuffer, Windows, repeated
from prismata.postprocess import DenseStitcher

Normalization = Literal["imagenet", "unit", "none"]

# Channel statistics of ImageNet's training images, as torchvision's weights expect them.
IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
IMAGENET_STD = np.array([0.229, 0.224, 0.225], np.float32)

HEAD_BATCH = 64
SAMPLES_AT_ONCE = 256
"""A frame that stands for more samples than this is scored in pieces."""
FRAMES_AT_ONCE = 8
"""The same where samples are whole frames."""


class SampleScores:
    """`samples` `(M,)` int64, their numbers, and `scores` `(M, C)` float32 in [0, 1]."""

    __slots__ = ("samples", "scores")

    def __init__(self, samples: NDArray[np.int64], scores: NDArray[np.float32]) -> None:
        self.samples = samples
        self.scores = scores


class Scorer(Protocol):
    """Frames in, scores out, in order."""

    card: ModelCard
    runtime: RuntimeInfo

    @property
    def seconds(self) -> dict[str, float]:
        """Wall time spent per stage."""
        ...

    @property
    def encoded(self) -> int:
        """Frames that went through the encoder so far."""
        ...

    def push(
        self, frames: NDArray[np.uint8], repeats: list[int], times_us: Sequence[int] = ()
    ) -> SampleScores:
        """Take `(N, H, W, 3)` distinct frames, each standing for `repeats[i]` samples.

        `times_us`, the instants of the N first samples, is needed behind a motion gate only.
        """
        ...

    def finish(self) -> SampleScores:
        """Return the scores that were waiting for the end of the video."""
        ...


FeatureTap = Callable[[NDArray[np.float32]], None]
"""Gets `(n, F)` features, one row for each sample, in order."""


class BundleScorer:
    """Encode each frame once, then score windows of features.

    Args:
        model: An open bundle.
        card: With other thresholds than the model's; None = the model's card.
        gate: Frames in which nothing moves take over features; None = all are encoded. Not for
            encoders that look at neighbouring frames together.
        tap: Gets the features of all samples as they are computed, for a cache.
    """

    def __init__(
        self,
        model: LoadedModel,
        card: ModelCard | None = None,
        *,
        gate: MotionGate | None = None,
        tap: FeatureTap | None = None,
    ) -> None:
        self.card = card or model.card
        self.runtime = model.runtime
        self._head_seconds = 0.0
        self._model = model
        self._tap = tap
        clip, block = model.card.clip, model.card.encoder_block
        self._features: FeatureStream = (
            BlockFeatures(model.encoder, block)
            if block > 1
            else FrameFeatures(model.encoder, batch=model.runtime.batch, gate=gate)
        )
        self._buffer: WindowBuffer[np.float32] = WindowBuffer(clip.num_frames, clip.window_stride)
        self._stitcher = (
            DenseStitcher(clip.num_frames, clip.window_stride)
            if model.card.scores == "dense"
            else None
        )

    @property
    def seconds(self) -> dict[str, float]:
        """Wall time spent per stage."""
        return {**self._features.seconds, "head": self._head_seconds}

    @property
    def encoded(self) -> int:
        """Frames that went through the encoder so far."""
        return self._features.encoded

    def push(
        self, frames: NDArray[np.uint8], repeats: list[int], times_us: Sequence[int] = ()
    ) -> SampleScores:
        """Encode distinct frames and score every window they complete."""
        ready = self._features.push(frames, repeats, times_us)
        nothing = np.zeros((0, len(self.card.event_types)), np.float32)
        parts = [self._take(features) for features in ready]
        return _joined(parts or [SampleScores(np.zeros(0, np.int64), nothing)])

    def push_features(self, features: NDArray[np.float32], repeats: list[int]) -> SampleScores:
        """Score every window that these `(N, F)` features complete."""
        samples = repeated(features, repeats, at_most=SAMPLES_AT_ONCE)
        return _joined([self._score(self._buffer.push(piece)) for piece in samples])

    def finish(self) -> SampleScores:
        """Score the windows at the end of the video."""
        before = self._take(self._features.finish())
        windows = self._buffer.finish()
        scores = self._run(windows)
        if self._stitcher is None:
            return _joined([before, SampleScores(windows.centres, scores)])
        kept = self._stitcher.finish(windows.centres, scores, num_samples=self._buffer.count)
        return _joined([before, SampleScores(*kept)])

    def _take(self, features: Features) -> SampleScores:
        if self._tap is not None:
            for samples in repeated(features.rows, features.repeats, at_most=SAMPLES_AT_ONCE):
                self._tap(samples)
        return self.push_features(features.rows, features.repeats)

    def _score(self, windows: Windows[np.float32]) -> SampleScores:
        scores = self._run(windows)
        if self._stitcher is None:
            return SampleScores(windows.centres, scores)
        return SampleScores(*self._stitcher.push(windows.centres, scores))

    def _run(self, windows: Windows[np.float32]) -> NDArray[np.float32]:
        """Return the `(M, C)` scores of M windows, `(M, T, C)` if the head is dense."""
        started = time.perf_counter()
        card, count = self._model.card, len(windows.centres)
        each = (card.clip.num_frames,) if self._stitcher is not None else ()
        scores = np.empty((count, *each, len(card.event_types)), np.float32)
        for start in range(0, count, HEAD_BATCH):
            rows = slice(start, start + HEAD_BATCH)
            scores[rows] = self._model.head.score(windows.items[rows])
        self._head_seconds += time.perf_counter() - started
        return scores


class ForeignScorer:
    """A classic single-file model: `(B, T, 3, H, W)` float32 → `(B, C)` logits.

    Nothing can be reused between overlapping windows here, because the file hides its encoder;
    that is why bundles are several times faster.

    Args:
        path: The `.onnx`.
        card: What the events are called and how scores are grouped.
        normalization: What the model was trained on: `imagenet` (torchvision's mean and standard
            deviation, the classic), `unit` (0..1) or `none` (0..255).
        threads: Inference threads, 0 = all.

    Raises:
        InvalidInputError: If the file does not have the classic shape.
    """

    def __init__(
        self,
        path: Path,
        card: ModelCard,
        *,
        normalization: Normalization = "imagenet",
        threads: int = 0,
    ) -> None:
        self._session = open_session(path, threads=threads)
        shape = classic_shape(self._session, path.name)
        clip = card.clip
        for what, declared, wanted in (
            ("frames", shape[0], clip.num_frames),
            ("rows", shape[1], clip.height),
            ("columns", shape[2], clip.width),
        ):
            if declared is not None and declared != wanted:
                raise InvalidInputError(
                    f"{path.name} takes windows of {declared} {what}, the card says {wanted}"
                )
        self.card = card
        self.runtime = onnx_runtime_info(threads)
        self.seconds = {"encode": 0.0}
        self.encoded = 0
        self._input = self._session.get_inputs()[0].name
        self._normalization = normalization
        self._buffer: WindowBuffer[np.uint8] = WindowBuffer(clip.num_frames, clip.window_stride)

    def push(
        self, frames: NDArray[np.uint8], repeats: list[int], times_us: Sequence[int] = ()
    ) -> SampleScores:
        """Score every window that these frames complete."""
        del times_us
        pieces = repeated(frames, repeats, at_most=FRAMES_AT_ONCE)
        return _joined([self._score(self._buffer.push(piece)) for piece in pieces])

    def finish(self) -> SampleScores:
        """Score the windows at the end of the video."""
        return self._score(self._buffer.finish())

    def _score(self, windows: Windows[np.uint8]) -> SampleScores:
        scores = np.empty((len(windows.centres), len(self.card.event_types)), np.float32)
        for row, window in enumerate(windows.items):
            scores[row] = self._run(window)[0]
        return SampleScores(windows.centres, scores)

    def _run(self, window: NDArray[np.uint8]) -> NDArray[np.float32]:
        # One window at a time: 4.8 MB of float32 each, so a batch buys memory, not speed.
        started = time.perf_counter()
        pixels = normalize(window, self._normalization).transpose(0, 3, 1, 2)[None]
        logits = self._session.run(None, {self._input: np.ascontiguousarray(pixels)})[0]
        self.seconds["encode"] += time.perf_counter() - started
        self.encoded += len(window)
        if logits.ndim != 2 or logits.shape[1] != len(self.card.event_types):
            raise InvalidInputError(
                f"the model returns {tuple(logits.shape)} for one window, but "
                f"{len(self.card.event_types)} event types need (1, {len(self.card.event_types)})"
            )
        return sigmoid(logits.astype(np.float32, copy=False))


def _joined(parts: list[SampleScores]) -> SampleScores:
    if len(parts) == 1:
        return parts[0]
    return SampleScores(
        np.concatenate([part.samples for part in parts]),
        np.concatenate([part.scores for part in parts]),
    )


def normalize(frames: NDArray[np.uint8], normalization: Normalization) -> NDArray[np.float32]:
    """Turn uint8 `(..., 3)` RGB into what a foreign model was trained on, float32."""
    pixels: NDArray[np.float32] = frames.astype(np.float32)
    if normalization == "none":
        return pixels
    pixels /= np.float32(255)
    if normalization == "imagenet":
        pixels = (pixels - IMAGENET_MEAN) / IMAGENET_STD
    return pixels


def classic_shape(session: object, name: str) -> tuple[int | None, int | None, int | None]:
    """Return `(T, H, W)` as far as the file fixes them; `None` where it is dynamic.

    Raises:
        InvalidInputError: If the model does not take one float tensor `(B, T, 3, H, W)`.
    """
    inputs = session.get_inputs()  # type: ignore[attr-defined]  # untyped library object
    shape = inputs[0].shape if len(inputs) == 1 else []
    if len(shape) != 5 or inputs[0].type != "tensor(float)" or shape[2] not in (3, "3", None):
        found = f"{inputs[0].type} {shape}" if len(inputs) == 1 else f"{len(inputs)} inputs"
        raise InvalidInputError(
            f"{name} is not a classic model: it must take one float tensor (B, T, 3, H, W), this "
            f"one takes {found}"
        )
    fixed = [size if isinstance(size, int) else None for size in (shape[1], shape[3], shape[4])]
    return fixed[0], fixed[1], fixed[2]
