"""The two small protocols a detector needs, and their ONNX Runtime implementations.

Another runtime (PyTorch when only a checkpoint exists) supplies the same two protocols, so the
pipeline does not know which one it drives.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from prismata.core.errors import InvalidInputError
from prismata.core.machine import usable_cores


class FrameEncoder(Protocol):
    """Frames in, features out; normalisation is inside."""

    feature_size: int
    width: int
    height: int

    def encode(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Turn `(N, H, W, 3)` uint8 RGB frames into `(N, F)` float32 features."""
        ...


class TemporalHead(Protocol):
    """Windows of features in, scores out."""

    num_frames: int

    def score(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn `(N, T, F)` float32 windows into `(N, C)` float32 scores in [0, 1]."""
        ...


@dataclass(frozen=True, slots=True)
class RuntimeInfo:
    """What really ran; stored with every result."""

    name: str
    """`onnxruntime` or `pytorch`."""
    version: str
    device: str
    precision: str
    threads: int

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


def open_session(path: Path, *, threads: int = 0) -> Any:  # noqa: ANN401 - untyped library
    """Open an ONNX file on the CPU.

    Spinning is off, so that the decode thread gets the cores while inference waits for frames.

    Raises:
        InvalidInputError: If the file is not a model that ONNX Runtime can load.
    """
    import onnxruntime as ort  # heavy: 40 MB, only when a model is really opened

    ort.set_default_logger_severity(3)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or usable_cores()
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return ort.InferenceSession(
            str(path), sess_options=options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime raises a dozen unrelated pybind classes for bad files
        first = str(error).strip().splitlines()[0]
        raise InvalidInputError(
            f"{path.name} cannot be loaded as an ONNX model: {first}"
        ) from error


def onnx_runtime_info(threads: int = 0) -> RuntimeInfo:
    """Describe the ONNX Runtime that `open_session` uses."""
    import onnxruntime as ort

    return RuntimeInfo("onnxruntime", ort.__version__, "cpu", "fp32", threads or usable_cores())


class OnnxEncoder:
    """`encoder.onnx`: uint8 `(N, H, W, 3)` → float32 `(N, F)`.

    Raises:
        InvalidInputError: If the file does not have that shape.
    """

    def __init__(self, path: Path, *, width: int, height: int, threads: int = 0) -> None:
        self._session = open_session(path, threads=threads)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or inputs[0].type != "tensor(uint8)" or len(inputs[0].shape) != 4:
            raise InvalidInputError(
                f"{path.name} is not an encoder: it must take one uint8 tensor (N, H, W, 3)"
            )
        if len(outputs) != 1 or len(outputs[0].shape) != 2:
            raise InvalidInputError(
                f"{path.name} is not an encoder: it must return (N, F) features"
            )
        self._input, self.width, self.height = inputs[0].name, width, height
        size = outputs[0].shape[1]
        if not isinstance(size, int):
            probe = np.zeros((1, height, width, 3), np.uint8)
            size = int(self._session.run(None, {self._input: probe})[0].shape[1])
        self.feature_size = size

    def encode(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Turn `(N, H, W, 3)` uint8 RGB frames into `(N, F)` float32 features."""
        features: NDArray[np.float32] = self._session.run(None, {self._input: frames})[0]
        return features


class OnnxHead:
    """`temporal.onnx`: float32 `(N, T, F)` → float32 logits `(N, C)`; any N.

    Raises:
        InvalidInputError: If the file does not have that shape.
    """

    def __init__(self, path: Path, *, num_frames: int, threads: int = 0) -> None:
        self._session = open_session(path, threads=threads)
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or inputs[0].type != "tensor(float)" or len(inputs[0].shape) != 3:
            raise InvalidInputError(
                f"{path.name} is not a temporal head: it must take one float tensor (N, T, F)"
            )
        if isinstance(inputs[0].shape[1], int) and inputs[0].shape[1] != num_frames:
            raise InvalidInputError(
                f"{path.name} takes windows of {inputs[0].shape[1]} frames, but its card says "
                f"{num_frames}"
            )
        self._input, self.num_frames = inputs[0].name, num_frames

    def score(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn `(N, T, F)` float32 windows into `(N, C)` float32 scores in [0, 1]."""
        return sigmoid(self._session.run(None, {self._input: windows})[0])
