"""ONNX Runtime: always there, and what every exported model is checked against."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prismata.core.architectures import ScoreLayout
from prismata.core.errors import InvalidInputError
from prismata.core.machine import usable_cores
from prismata.detection.runtimes.protocol import (
    RuntimeInfo,
    TensorShape,
    check_encoder,
    check_head,
    in_batches,
    sigmoid,
)

_DTYPES = {"tensor(uint8)": "uint8", "tensor(float)": "float32"}
_DEVICES = {"CPUExecutionProvider": "cpu", "CUDAExecutionProvider": "cuda"}
# The CPU takes over what a GPU cannot run, or all of it if there is no GPU after all. TF32 is off
# because fp32 features of all runtimes stand in for each other, and 10 bits of mantissa could not.
_CUDA_PROVIDERS = [("CUDAExecutionProvider", {"use_tf32": "0"}), "CPUExecutionProvider"]


def open_session(path: Path, *, threads: int = 0, device: str = "cpu") -> Any:  # noqa: ANN401 - untyped library
    """Open an ONNX file.

    Spinning is off, so that the decode thread gets the cores while inference waits for frames. The
    arena stays on: without it the C library keeps more (benchmarks/results/runtimes.md).

    Args:
        path: The file.
        threads: 0 = all cores that this process may use.
        device: `cpu` or `cuda`; `session_device` tells what came of it.

    Raises:
        InvalidInputError: If the file is not a model that ONNX Runtime can load.
    """
    import onnxruntime as ort  # heavy: 40 MB, only when a model is really opened

    ort.set_default_logger_severity(3)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or usable_cores()
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers = _CUDA_PROVIDERS if device == "cuda" else ["CPUExecutionProvider"]
    try:
        return ort.InferenceSession(str(path), sess_options=options, providers=providers)
    except Exception as error:  # onnxruntime raises a dozen unrelated pybind classes for bad files
        first = str(error).strip().splitlines()[0]
        raise InvalidInputError(
            f"{path.name} cannot be loaded as an ONNX model: {first}"
        ) from error


def session_device(session: Any) -> str:  # noqa: ANN401 - untyped library
    """Return where a session really runs: its first provider, not what was asked for."""
    first: str = session.get_providers()[0]
    return _DEVICES.get(first, first)


def onnx_runtime_info(
    threads: int = 0, *, precision: str = "fp32", device: str = "cpu", batch: int = 1
) -> RuntimeInfo:
    """Describe the ONNX Runtime that `open_session` uses."""
    import onnxruntime as ort

    return RuntimeInfo(
        "onnxruntime", ort.__version__, device, precision, threads or usable_cores(), batch
    )


class OnnxEncoder:
    """`encoder.onnx`: uint8 `(N, H, W, 3)` → float32 `(N, F)`.

    Args:
        path: The file.
        width: Pixels; likewise `height`.
        height: Pixels.
        threads: 0 = all cores.
        batch: Frames at a time.
        device: `cpu` or `cuda`.

    Raises:
        InvalidInputError: If the file does not have that shape.
    """

    def __init__(
        self,
        path: Path,
        *,
        width: int,
        height: int,
        threads: int = 0,
        batch: int = 8,
        device: str = "cpu",
    ) -> None:
        self._session = open_session(path, threads=threads, device=device)
        inputs, outputs = _shapes(self._session.get_inputs()), _shapes(self._session.get_outputs())
        check_encoder(path.name, inputs, outputs, width=width, height=height)
        self._input, self._batch = self._session.get_inputs()[0].name, batch
        self.width, self.height = width, height
        self.device = session_device(self._session)
        size = outputs[0].sizes[1]
        if size is None:
            size = int(self._run(np.zeros((batch, height, width, 3), np.uint8)).shape[1])
        self.feature_size = size

    def encode(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Turn `(N, H, W, 3)` uint8 RGB frames into `(N, F)` float32 features."""
        return in_batches(self._run, frames, batch=self._batch, feature_size=self.feature_size)

    def _run(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        features: NDArray[np.float32] = self._session.run(None, {self._input: frames})[0]
        return features


class OnnxHead:
    """`temporal.onnx`: float32 `(N, T, F)` → float32 logits `(N, C)` or `(N, T, C)`; any N.

    Raises:
        InvalidInputError: If the file does not have that shape.
    """

    def __init__(
        self, path: Path, *, num_frames: int, scores: ScoreLayout = "centre", threads: int = 0
    ) -> None:
        self._session = open_session(path, threads=threads)
        inputs = self._session.get_inputs()
        check_head(
            path.name,
            _shapes(inputs),
            _shapes(self._session.get_outputs()),
            num_frames=num_frames,
            scores=scores,
        )
        self._input, self.num_frames = inputs[0].name, num_frames

    def score(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn `(N, T, F)` float32 windows into float32 scores in [0, 1]."""
        return sigmoid(self._session.run(None, {self._input: windows})[0])


def _shapes(tensors: Any) -> list[TensorShape]:  # noqa: ANN401 - untyped library
    return [
        TensorShape(
            _DTYPES.get(tensor.type, tensor.type),
            tuple(size if isinstance(size, int) else None for size in tensor.shape),
        )
        for tensor in tensors
    ]
