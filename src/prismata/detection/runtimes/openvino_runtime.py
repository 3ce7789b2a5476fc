"""OpenVINO: an optional extra that is as fast as ONNX Runtime in fp32 and faster in bf16 and int8.

Only the encoder runs here. Heads stay with ONNX Runtime: OpenVINO took as long for them and more
memory (benchmarks/results/runtimes.md).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from prismata.core.errors import InvalidInputError
from prismata.core.machine import usable_cores
from prismata.detection.runtimes.protocol import (
    RuntimeInfo,
    TensorShape,
    check_encoder,
    in_batches,
)

_DTYPES = {"u8": "uint8", "f32": "float32"}
_TYPES_OF_PRECISION = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}
_REPORTING = ("openvino_telemetry", "openvino.tools.ovc")


def import_openvino() -> Any:  # noqa: ANN401 - untyped library
    """Import the library without its reporting home.

    `import openvino` imports its converter, whose import writes an identifier below the user's
    home and sends an event to an analytics service, without having asked. A module that is None
    cannot be imported, which the library takes for "not installed"; it also saves 45 MB.
    """
    for name in _REPORTING:
        sys.modules.setdefault(name, cast(ModuleType, None))
    import openvino

    return openvino


class OpenVinoEncoder:
    """`encoder.onnx` or `encoder_int8.onnx`: uint8 `(N, H, W, 3)` → float32 `(N, F)`.

    Args:
        path: The file.
        width: Pixels; likewise `height`.
        height: Pixels.
        precision: `fp32`, `bf16`, or `int8` if the file is the 8-bit one.
        threads: 0 = all cores that this process may use.
        batch: Frames at a time; the network is compiled for this many.

    Raises:
        InvalidInputError: If the file cannot be read or does not have that shape.
    """

    def __init__(
        self,
        path: Path,
        *,
        width: int,
        height: int,
        precision: str = "fp32",
        threads: int = 0,
        batch: int = 8,
    ) -> None:
        openvino = import_openvino()
        model = _read(path)
        check_encoder(
            path.name, _shapes(model.inputs), _shapes(model.outputs), width=width, height=height
        )
        model.reshape([batch, height, width, 3])
        properties = {
            # Without this hint, fp32 becomes bf16 wherever the processor has it.
            "INFERENCE_PRECISION_HINT": _TYPES_OF_PRECISION[precision],
            "INFERENCE_NUM_THREADS": threads or usable_cores(),
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
            # Decoding runs beside; the system knows better which core is free.
            "ENABLE_CPU_PINNING": False,
        }
        with _memory_errors():
            self._compiled = openvino.Core().compile_model(model, "CPU", properties)
            self._request = self._compiled.create_infer_request()
        self._batch, self.width, self.height = batch, width, height
        self.feature_size = int(self._compiled.output(0).shape[1])
        self._precision, self._version = precision, openvino.__version__.split("-")[0]

    @property
    def runtime(self) -> RuntimeInfo:
        """What really runs, as the compiled network says it."""
        asked = _TYPES_OF_PRECISION[self._precision]
        real = self._compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        precision = self._precision if real == asked else {"f32": "fp32"}.get(real, real)
        threads = int(self._compiled.get_property("INFERENCE_NUM_THREADS"))
        return RuntimeInfo("openvino", self._version, "cpu", precision, threads, self._batch)

    def encode(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Turn `(N, H, W, 3)` uint8 RGB frames into `(N, F)` float32 features."""
        return in_batches(self._run, frames, batch=self._batch, feature_size=self.feature_size)

    def _run(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        with _memory_errors():
            outputs = self._request.infer([frames], share_inputs=True, share_outputs=True)
        features: NDArray[np.float32] = outputs[0]
        return features


@contextmanager
def _memory_errors() -> Iterator[None]:
    """Let lost memory be a `MemoryError`; OpenVINO has only RuntimeErrors."""
    try:
        yield
    except RuntimeError as error:
        if "Failed to allocate" in str(error):
            raise MemoryError(str(error).strip().splitlines()[-1]) from error
        raise


def _read(path: Path) -> Any:  # noqa: ANN401 - untyped library
    """Read an ONNX file; `Core.read_model` would try its parsers of all other formats too."""
    from openvino.frontend import FrontEndManager

    frontend = FrontEndManager().load_by_framework("onnx")
    try:
        return frontend.convert(frontend.load(str(path)))
    except MemoryError:
        raise
    except Exception as error:  # pybind classes of their own for bad files
        last = str(error).strip().splitlines()[-1]
        raise InvalidInputError(f"{path.name} cannot be loaded as an ONNX model: {last}") from error


def _shapes(ports: Any) -> list[TensorShape]:  # noqa: ANN401 - untyped library
    return [
        TensorShape(
            _DTYPES.get(port.element_type.get_type_name(), port.element_type.get_type_name()),
            tuple(size.get_length() if size.is_static else None for size in port.partial_shape),
        )
        for port in ports
    ]
