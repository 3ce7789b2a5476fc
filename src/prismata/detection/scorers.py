"""From a stream of frames to window scores: the house's bundles and foreign classic models.

A scorer is fed batches of sampled frames in order and returns scores as soon as their window is
complete. Memory does not grow with the length of the video.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from prismata.core.errors import InvalidInputError
from prismata.core.modelcard import ModelCard
from prismata.core.recipes import MotionGate
from prismata.detection.bundle import LoadedModel
from prismata.detection.encoding import FrameFeatures
from prismata.detection.runtimes import RuntimeInfo, onnx_runtime_info, open_session, sigmoid
from prismata.detection.windows import WindowBuffer, Windows, repeated

Normalization = Literal["imagenet", "unit", "none"]

# Channel statistics of ImageNet's training images, as torchvision's weights expect them.
IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
IMAGENET_STD = np.array([0.229, 0.224, 0.225], np.float32)

HEAD_BATCH = 64
SAMPLES_AT_ONCE = 256
"""A frame that stands for more samples than this is scored in pieces."""
FRAMES_AT_ONCE = 8
"""The same where samples are whole frames."""


class WindowScores:
    """`centres` `(M,)` int64 sample numbers and `scores` `(M, C)` float32 in [0, 1]."""

    __slots__ = ("centres", "scores")

    def __init__(self, centres: NDArray[np.int64], scores: NDArray[np.float32]) -> None:
        self.centres = centres
        self.scores = scores


class Scorer(Protocol):
    """Frames in, window scores out, in order."""

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
    ) -> WindowScores:
        """Take `(N, H, W, 3)` distinct frames, each standing for `repeats[i]` samples.

        `times_us`, the instants of the N first samples, is needed behind a motion gate only.
        """
        ...

    def finish(self) -> WindowScores:
        """Return the windows that were waiting for the end of the video."""
        ...


FeatureTap = Callable[[NDArray[np.float32]], None]
"""Gets `(n, F)` features, one row for each sample, in order."""


class BundleScorer:
    """Encode each frame once, then score windows of features.

    Args:
        model: An open bundle.
        card: With other thresholds than the model's; None = the model's card.
        gate: Frames in which nothing moves take over features; None = all are encoded.
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
        self._features = FrameFeatures(model.encoder, batch=model.runtime.batch, gate=gate)
        self._repeats: deque[int] = deque()
        self._buffer: WindowBuffer[np.float32] = WindowBuffer(
            model.card.clip.num_frames, model.card.clip.window_stride
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
    ) -> WindowScores:
        """Encode distinct frames and score every window they complete."""
        self._repeats.extend(repeats)
        return self._take(self._features.push(frames, times_us))

    def push_features(self, features: NDArray[np.float32], repeats: list[int]) -> WindowScores:
        """Score every window that these `(N, F)` features complete."""
        samples = repeated(features, repeats, at_most=SAMPLES_AT_ONCE)
        return _joined([self._score(self._buffer.push(piece)) for piece in samples])

    def finish(self) -> WindowScores:
        """Score the windows at the end of the video."""
        return _joined([self._take(self._features.finish()), self._score(self._buffer.finish())])

    def _take(self, features: NDArray[np.float32]) -> WindowScores:
        repeats = [self._repeats.popleft() for _ in range(len(features))]
        if self._tap is not None:
            for samples in repeated(features, repeats, at_most=SAMPLES_AT_ONCE):
                self._tap(samples)
        return self.push_features(features, repeats)

    def _score(self, windows: Windows[np.float32]) -> WindowScores:
        started = time.perf_counter()
        scores = np.empty((len(windows.centres), len(self.card.event_types)), np.float32)
        for start in range(0, len(scores), HEAD_BATCH):
            rows = slice(start, start + HEAD_BATCH)
            scores[rows] = self._model.head.score(windows.items[rows])
        self._head_seconds += time.perf_counter() - started
        return WindowScores(windows.centres, scores)


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
    ) -> WindowScores:
        """Score every window that these frames complete."""
        del times_us
        pieces = repeated(frames, repeats, at_most=FRAMES_AT_ONCE)
        return _joined([self._score(self._buffer.push(piece)) for piece in pieces])

    def finish(self) -> WindowScores:
        """Score the windows at the end of the video."""
        return self._score(self._buffer.finish())

    def _score(self, windows: Windows[np.uint8]) -> WindowScores:
        scores = np.empty((len(windows.centres), len(self.card.event_types)), np.float32)
        for row, window in enumerate(windows.items):
            scores[row] = self._run(window)[0]
        return WindowScores(windows.centres, scores)

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


def _joined(parts: list[WindowScores]) -> WindowScores:
    if len(parts) == 1:
        return parts[0]
    return WindowScores(
        np.concatenate([part.centres for part in parts]),
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
