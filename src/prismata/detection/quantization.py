"""An encoder in 8 bits: static quantisation with frames of real video.

Activations are unsigned, weights signed with a scale for each channel, because that pair is fast on
x86-64 with VNNI in ONNX Runtime and OpenVINO alike; signed activations are slow there. Processors
without such instructions add pairs of 8-bit products in 16 bits, which may overflow, so the choice
of runtime never takes an 8-bit encoder to them. What is quantised and what it costs in accuracy:
docs/adr/0018-eight-bit-encoders.md.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prismata.core.errors import InvalidInputError, UnavailableError

METHOD = (
    "static, QDQ: activations uint8 (smallest to largest value seen), weights int8 with one scale "
    "per channel; normalisation stays in float"
)

# Named, because ONNX Runtime's default is a set without order. Sub, Mul and Div are not among
# them: they are the normalisation. Clip and Relu are, so that they melt into the scales before them
_QUANTIZED = (
    *("Conv", "Gemm", "MatMul", "Add", "Relu", "Clip"),
    *("MaxPool", "AveragePool", "GlobalAveragePool"),
)
_BATCH = 8
_LARGEST = 127
_OFF_GRID = 0.01
"""Share of a step by which weights of one grid may miss it: rounding of float32."""


def quantize_encoder(source: Path, target: Path, frames: Iterable[NDArray[np.uint8]]) -> None:
    """Write an 8-bit copy of an encoder; the same input gives the same file.

    Args:
        source: `encoder.onnx`: uint8 `(N, H, W, 3)` → float32 `(N, F)`.
        target: Where the copy goes; it appears complete or not at all.
        frames: `(N, H, W, 3)` uint8 arrays for calibration; about a hundred frames of the kind
            that the encoder will see.

    Raises:
        UnavailableError: If the package `onnx` is missing.
        InvalidInputError: If there is no frame, or the file cannot be quantised.
    """
    try:
        import onnx  # noqa: F401 - what follows needs it and says so less plainly
        from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
        from onnxruntime.quantization.shape_inference import quant_pre_process
    except ImportError as error:
        raise UnavailableError(
            f"an 8-bit encoder needs the train extra, but {error.name} is not installed: "
            'pip install "prismata[train]"'
        ) from error
    import onnxruntime

    onnxruntime.set_default_logger_severity(3)
    batches = [part for array in frames for part in _parts(array)]
    if not batches:
        raise InvalidInputError(
            f"{source.name} cannot be quantised without frames to calibrate it with; give some"
        )
    with TemporaryDirectory(dir=target.parent, prefix=".quantising-") as folder:
        prepared, written = Path(folder) / "prepared.onnx", Path(folder) / target.name
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
                quantize_static(
                    str(prepared),
                    str(written),
                    _Frames(_input_name(prepared), batches),
                    quant_format=QuantFormat.QDQ,
                    activation_type=QuantType.QUInt8,
                    weight_type=QuantType.QInt8,
                    per_channel=True,
                    op_types_to_quantize=list(_QUANTIZED),
                    extra_options={"TensorQuantOverrides": _kept_grids(prepared, QuantType.QInt8)},
                )
        except MemoryError:
            raise
        except Exception as error:  # protobuf, onnx and onnxruntime raise unrelated classes
            first = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise InvalidInputError(f"{source.name} cannot be quantised: {first}") from error
        written.replace(target)


class _Frames:
    """What ONNX Runtime calls a calibration data reader."""

    def __init__(self, name: str, batches: list[NDArray[np.uint8]]) -> None:
        self._name = name
        self._batches: Iterator[NDArray[np.uint8]] = iter(batches)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """Return the next input, `None` after the last."""
        batch = next(self._batches, None)
        return None if batch is None else {self._name: batch}


def _parts(frames: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    for start in range(0, len(frames), _BATCH):
        yield np.ascontiguousarray(frames[start : start + _BATCH])


def _input_name(path: Path) -> str:
    import onnx

    return str(onnx.load(str(path)).graph.input[0].name)


def _kept_grids(path: Path, weight_type: Any) -> dict[str, list[dict[str, Any]]]:  # noqa: ANN401 - untyped library
    """Return the scales of weights that were quantised before, for each channel.

    Published 8-bit networks come as their values in float. Rounded once more, to other scales,
    they lose what their training made them bear: the features of MobileNetV2 are then off by 16 %
    instead of 6 %. On their own grid they stay exactly what they are.
    """
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(str(path)).graph
    weights = {node.input[1] for node in graph.node if node.op_type == "Conv"}
    kept = {}
    for tensor in graph.initializer:
        if tensor.name not in weights:
            continue
        values = numpy_helper.to_array(tensor).astype(np.float64)
        step = grid_step(values)
        if step is None:
            continue
        largest = np.abs(values).reshape(len(values), -1).max(axis=1)
        # A channel that reaches further than 127 steps does not fit and is rounded anew.
        ranges = np.where(largest <= (_LARGEST + 0.5) * step, _LARGEST * step, largest)
        kept[tensor.name] = [
            {
                "quant_type": weight_type,
                "rmin": np.float32(-limit),
                "rmax": np.float32(limit),
                "symmetric": True,
                **({"axis": 0} if channel == 0 else {}),
            }
            for channel, limit in enumerate(ranges)
        ]
    return kept


def grid_step(values: NDArray[np.float64]) -> float | None:
    """Return the step of the grid of 256 levels that all values lie on.

    `None` if there is no such grid, because the values were never quantised.
    """
    levels = np.unique(values)
    if not 2 <= len(levels) <= 256:
        return None
    step = float(np.diff(levels).min())
    places = np.round(levels / step)
    if np.ptp(places) > 255 or not places.any():
        return None
    step = float(levels @ places / (places @ places))
    return step if np.abs(levels / step - places).max() <= _OFF_GRID else None
