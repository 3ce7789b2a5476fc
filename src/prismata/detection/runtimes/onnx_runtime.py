"""ONNX Runtime: the default, and what every exported model is checked against."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prismata.core.errors import InvalidInputError
from prismata.core.machine import usable_cores
from prismata.detection.runtimes.protocol import RuntimeInfo, in_batches, sigmoid


def open_session(path: Path, *, threads: int = 0, arena: bool = True) -> Any:  # noqa: ANN401 - untyped library
    """Open an ONNX file on the CPU.

    Spinning is off, so that the decode thread gets the cores while inference waits for frames.

    Args:
        path: The file.
        threads: 0 = all cores that this process may use.
        arena: Keep freed memory for the next run; faster and larger.

    Raises:
        InvalidInputError: If the file is not a model that ONNX Runtime can load.
    """
    import onnxruntime as ort  # heavy: 40 MB, only when a model is really opened

    ort.set_default_logger_severity(3)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or usable_cores()
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = arena
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


def onnx_runtime_info(threads: int = 0, *, precision: str = "fp32", batch: int = 1) -> RuntimeInfo:
    """Describe the ONNX Runtime that `open_session` uses."""
    import onnxruntime as ort

    return RuntimeInfo(
        "onnxruntime", ort.__version__, "cpu", precision, threads or usable_cores(), batch
    )


class OnnxEncoder:
    """`encoder.onnx`: uint8 `(N, H, W, 3)` → float32 `(N, F)`.

    Args:
        path: The file.
        width: Pixels; likewise `height`.
        height: Pixels.
        threads: 0 = all cores.
        batch: Frames at a time.
        arena: See `open_session`.

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
        arena: bool = True,
    ) -> None:
        self._session = open_session(path, threads=threads, arena=arena)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or inputs[0].type != "tensor(uint8)" or len(inputs[0].shape) != 4:
            raise InvalidInputError(
                f"{path.name} is not an encoder: it must take one uint8 tensor (N, H, W, 3)"
            )
        if len(outputs) != 1 or len(outputs[0].shape) != 2:
            raise InvalidInputError(
                f"{path.name} is not an encoder: it must return (N, F) features"
            )
        self._input, self._batch = inputs[0].name, batch
        self.width, self.height = width, height
        size = outputs[0].shape[1]
        if not isinstance(size, int):
            probe = np.zeros((batch, height, width, 3), np.uint8)
            size = int(self._run(probe).shape[1])
        self.feature_size = size

    def encode(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Turn `(N, H, W, 3)` uint8 RGB frames into `(N, F)` float32 features."""
        return in_batches(self._run, frames, batch=self._batch, feature_size=self.feature_size)

    def _run(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        features: NDArray[np.float32] = self._session.run(None, {self._input: frames})[0]
        return features


class OnnxHead:
    """`temporal.onnx`: float32 `(N, T, F)` → float32 logits `(N, C)`; any N.

    Raises:
        InvalidInputError: If the file does not have that shape.
    """

    def __init__(
        self, path: Path, *, num_frames: int, threads: int = 0, arena: bool = True
    ) -> None:
        self._session = open_session(path, threads=threads, arena=arena)
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
