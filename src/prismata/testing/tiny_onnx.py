"""Tiny ONNX models built by hand: the whole detection path without torch and without training.

Invariant: they see brightness and nothing else, so what they should find in `render_flashes` is
known beforehand.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from prismata.core.architectures import ScoreLayout
from prismata.core.errors import InvalidInputError
from prismata.core.events import PALETTE, EventType
from prismata.core.modelcard import ModelCard
from prismata.core.recipes import ClipSpec, GroupingRule

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, ValueInfoProto

GRID = 4
"""The encoder's features are the mean brightness of GRID x GRID fields."""
FLASH = EventType(
    "flash", "point", hotkey="f", guide="First white frame of the flash.", color=PALETTE[0]
)

_OPSET = 17
# 8 goes with opset 17 and is what every ONNX Runtime since 1.12 reads.
_IR_VERSION = 8
# A dark room has brightness 0.2, a flash 0.96; the slope makes the logits about -8 and +7.
_THRESHOLD: Mapping[str, ArrayLike] = {"middle": np.float32(0.6), "slope": np.float32(20.0)}


def write_flash_bundle(
    folder: Path,
    *,
    num_frames: int = 3,
    window_stride: int = 1,
    scores: ScoreLayout = "centre",
    width: int = 32,
    height: int = 32,
) -> Path:
    """Write a bundle (`encoder.onnx`, `temporal.onnx`, `card.json`) that fires on white frames.

    `encoder.onnx` takes uint8 `frames` (N, H, W, 3) and gives float32 `features` (N, 16);
    `temporal.onnx` takes float32 `features` (N, T, 16) and gives float32 `logits` (N, 1) for the
    centre frame T // 2, or (N, T, 1) for every frame.

    Args:
        folder: Made if it is not there; its name is the model's name.
        num_frames: Frames in a window (T).
        window_stride: Samples between neighbouring windows.
        scores: Whether a window has one score or as many as frames.
        width: Pixels, a multiple of 4; likewise `height`.
        height: Pixels.

    Returns:
        The folder.

    Raises:
        InvalidInputError: If a size cannot be divided into the grid.
    """
    if width % GRID or height % GRID:
        raise InvalidInputError(
            f"width and height must be multiples of {GRID}, not {width} and {height}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    models = {
        "encoder.onnx": _encoder(width, height).SerializeToString(),
        "temporal.onnx": _temporal(num_frames, scores).SerializeToString(),
    }
    for name, content in models.items():
        (folder / name).write_bytes(content)
    card = ModelCard(
        name=folder.name,
        domain="flashes",
        domain_version=1,
        event_types=(FLASH,),
        clip=ClipSpec(
            target_fps=20.0,
            num_frames=num_frames,
            window_stride=window_stride,
            width=width,
            height=height,
        ),
        rules={FLASH.name: GroupingRule(threshold=0.5, min_gap_seconds=0.3)},
        architecture="centre_brightness",
        encoder="brightness_grid",
        encoder_frozen=True,
        feature_size=GRID * GRID,
        weights_origin="none",
        scores=scores,
        files={name: hashlib.sha256(content).hexdigest() for name, content in models.items()},
        created_at="2025-01-01T00:00:00+00:00",
    )
    (folder / "card.json").write_text(card.to_json(), encoding="utf-8")
    return folder


def write_classic_onnx(
    path: Path, *, num_frames: int = 8, width: int = 224, height: int = 224
) -> Path:
    """Write a single-file model of the classic shape that fires on windows with a white frame.

    It takes float32 `clips` (B, T, 3, H, W) and gives float32 `logits` (B, 1), from the brightest
    frame of the window. It works on pixels in 0..1 and on pixels normalised by ImageNet's mean and
    standard deviation, because both put a dark room below its threshold and a flash above.
    """
    shape: list[str | int] = ["B", num_frames, 3, height, width]
    nodes = [
        _node("ReduceMean", ["clips"], "frames", axes=[2, 3, 4], keepdims=0),
        _node("ReduceMax", ["frames"], "brightest", axes=[1], keepdims=1),
        *_threshold("brightest"),
    ]
    model = _model("classic", nodes, _tensor("clips", np.float32, shape))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())
    return path


def _encoder(width: int, height: int) -> ModelProto:
    field = [height // GRID, width // GRID]
    nodes = [
        _node("Cast", ["frames"], "pixels", to=_data_type(np.float32)),
        _node("ReduceMean", ["pixels"], "bytes", axes=[3], keepdims=0),
        _node("Div", ["bytes", "white"], "brightness"),
        _node("Unsqueeze", ["brightness", "channel_axis"], "planes"),
        _node("AveragePool", ["planes"], "fields", kernel_shape=field, strides=field),
        _node("Flatten", ["fields"], "features", axis=1),
    ]
    constants: dict[str, ArrayLike] = {
        "white": np.float32(255.0),
        "channel_axis": np.array([1], np.int64),
    }
    frames = _tensor("frames", np.uint8, ["N", height, width, 3])
    features = _tensor("features", np.float32, ["N", GRID * GRID])
    return _model("brightness_grid", nodes, frames, features, constants)


def _temporal(num_frames: int, scores: ScoreLayout) -> ModelProto:
    features = _tensor("features", np.float32, ["N", num_frames, GRID * GRID])
    if scores == "dense":
        every = [
            _node("ReduceMean", ["features"], "brightness", axes=[2], keepdims=1),
            *_threshold("brightness"),
        ]
        logits = _tensor("logits", np.float32, ["N", num_frames, 1])
        return _model("every_brightness", every, features, logits, _THRESHOLD)
    nodes = [
        _node("Gather", ["features", "centre"], "centre_features", axis=1),
        _node("ReduceMean", ["centre_features"], "brightness", axes=[1], keepdims=1),
        *_threshold("brightness"),
    ]
    constants = {"centre": np.array(num_frames // 2, np.int64)}
    return _model("centre_brightness", nodes, features, None, constants)


def _threshold(source: str) -> list[NodeProto]:
    return [
        _node("Sub", [source, "middle"], "above"),
        _node("Mul", ["above", "slope"], "logits"),
    ]


def _model(
    name: str,
    nodes: Sequence[NodeProto],
    source: ValueInfoProto,
    result: ValueInfoProto | None = None,
    constants: Mapping[str, ArrayLike] | None = None,
) -> ModelProto:
    """Return a checked model; without `result` it ends in (N, 1) logits of `_threshold`."""
    import onnx
    from onnx import helper, numpy_helper

    values: dict[str, ArrayLike] = dict(constants or {})
    if result is None:
        result = _tensor("logits", np.float32, [source.type.tensor_type.shape.dim[0].dim_param, 1])
        values |= _THRESHOLD
    initializers = [numpy_helper.from_array(np.asarray(v), name=k) for k, v in values.items()]
    graph = helper.make_graph(list(nodes), name, [source], [result], initializer=initializers)
    model = helper.make_model(
        graph,
        ir_version=_IR_VERSION,
        opset_imports=[helper.make_opsetid("", _OPSET)],
        producer_name="prismata.testing",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def _node(
    operator: str, inputs: Sequence[str], output: str, **attributes: int | list[int]
) -> NodeProto:
    from onnx import helper

    node = helper.make_node(operator, list(inputs), [output])
    for name, value in attributes.items():
        node.attribute.append(helper.make_attribute(name, value))
    return node


def _tensor(name: str, dtype: type[np.generic], shape: Sequence[str | int]) -> ValueInfoProto:
    from onnx import helper

    return helper.make_tensor_value_info(name, _data_type(dtype), list(shape))


def _data_type(dtype: type[np.generic]) -> int:
    from onnx import helper

    return int(helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))
