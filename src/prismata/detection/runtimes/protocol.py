"""What a detector needs of a runtime: two small protocols, and a record of what really ran."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from prismata.core.architectures import ScoreLayout
from prismata.core.errors import InvalidInputError


class FrameEncoder(Protocol):
    """Frames in, features out; normalisation is inside."""

    feature_size: int
    width: int
    height: int

    def encode(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Turn `(N, H, W, 3)` uint8 RGB frames into `(N, F)` float32 features; N may be 0."""
        ...


class TemporalHead(Protocol):
    """Windows of features in, scores out."""

    num_frames: int

    def score(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn `(N, T, F)` float32 windows into float32 scores in [0, 1].

        They are `(N, C)`, or `(N, T, C)` where the model's card says `dense`.
        """
        ...


@dataclass(frozen=True, slots=True)
class RuntimeInfo:
    """What really ran; stored with every result."""

    name: str
    """`onnxruntime`, `openvino` or `pytorch`."""
    version: str
    device: str
    """`cpu` or `cuda`."""
    precision: str
    """`fp32`, `bf16` or `int8`: the encoder's arithmetic. Heads always run in fp32."""
    threads: int
    batch: int
    """Frames that the encoder takes at a time."""

    def describe(self) -> str:
        """One line for people."""
        return (
            f"{self.name} {self.version} · {self.device} · {self.precision} · "
            f"{self.threads} threads"
        )


def sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Numerically safe logistic function, float32 in and out."""
    half = np.float32(0.5)
    # tanh never overflows, unlike exp(-x) for large negative logits.
    scores: NDArray[np.float32] = (np.tanh(logits * half) + np.float32(1)) * half
    return scores


def in_batches(
    run: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
    frames: NDArray[np.uint8],
    *,
    batch: int,
    feature_size: int,
) -> NDArray[np.float32]:
    """Encode any number of frames through a network that always sees `batch` of them.

    A new shape makes a runtime plan its memory again, or compile again, so a part that is too
    short is filled with black frames and the answer cut. `run` may give its output buffer.
    """
    features = np.empty((len(frames), feature_size), np.float32)
    for start in range(0, len(frames), batch):
        part = frames[start : start + batch]
        count = len(part)
        if count < batch:
            part = np.concatenate([part, np.zeros((batch - count, *part.shape[1:]), np.uint8)])
        features[start : start + count] = run(np.ascontiguousarray(part))[:count]
    return features


@dataclass(frozen=True, slots=True)
class TensorShape:
    """One input or output of a model file."""

    dtype: str
    """numpy's name, for example `uint8`."""
    sizes: tuple[int | None, ...]
    """`None` where the file leaves it open."""


def check_encoder(
    name: str,
    inputs: Sequence[TensorShape],
    outputs: Sequence[TensorShape],
    *,
    width: int,
    height: int,
) -> None:
    """Refuse a file that does not turn uint8 `(N, height, width, 3)` into `(N, F)`.

    Raises:
        InvalidInputError: Saying what the file takes instead.
    """
    if len(inputs) != 1 or inputs[0].dtype != "uint8" or len(inputs[0].sizes) != 4:
        raise InvalidInputError(
            f"{name} is not an encoder: it must take one uint8 tensor (N, H, W, 3)"
        )
    if len(outputs) != 1 or len(outputs[0].sizes) != 2:
        raise InvalidInputError(f"{name} is not an encoder: it must return (N, F) features")
    wanted = (height, width, 3)
    found = inputs[0].sizes[1:]
    if any(size not in (None, want) for size, want in zip(found, wanted, strict=True)):
        raise InvalidInputError(
            f"{name} takes pictures of {found}, but its card says (H, W, 3) = {wanted}"
        )


def check_head(
    name: str,
    inputs: Sequence[TensorShape],
    outputs: Sequence[TensorShape],
    *,
    num_frames: int,
    scores: ScoreLayout,
) -> None:
    """Refuse a file that does not turn float32 `(N, num_frames, F)` into what `scores` says.

    Raises:
        InvalidInputError: Saying what the file takes instead.
    """
    if len(inputs) != 1 or inputs[0].dtype != "float32" or len(inputs[0].sizes) != 3:
        raise InvalidInputError(
            f"{name} is not a temporal head: it must take one float tensor (N, T, F)"
        )
    if inputs[0].sizes[1] not in (None, num_frames):
        raise InvalidInputError(
            f"{name} takes windows of {inputs[0].sizes[1]} frames, but its card says {num_frames}"
        )
    rank, shape = (3, "(N, T, C)") if scores == "dense" else (2, "(N, C)")
    if len(outputs) != 1 or len(outputs[0].sizes) != rank:
        raise InvalidInputError(
            f"{name} does not return {shape} scores, but its card says that they are {scores!r}"
        )
