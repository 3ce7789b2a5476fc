"""Export to ONNX: `encoder.onnx` + `temporal.onnx`, and the single-file classic on request.

The legacy (TorchScript) exporter is used on purpose: the newer one needs another package and
froze the time axis of recurrent layers in several releases. The parity gate, not the choice of
exporter, is what makes a model publishable.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, shape_inference
from torch import nn

from prismata.core.errors import InvalidInputError
from prismata.training.encoders import FrameEncoder
from prismata.training.heads import CnnLstm
from prismata.training.model import Detector

OPSET = 17


def export_encoder(encoder: FrameEncoder, path: Path, *, width: int, height: int) -> None:
    """Write `encoder.onnx`: uint8 `(N, H, W, 3)` → float32 `(N, F)`, normalisation inside.

    N is open; if the encoder looks at blocks of frames, it has to be a multiple of a block.
    """
    example = torch.zeros(2 * encoder.block, height, width, 3, dtype=torch.uint8)
    _export(encoder, example, path, inputs="frames", outputs="features")


def export_head(detector: Detector, path: Path) -> None:
    """Write `temporal.onnx`: float32 `(N, T, F)` → logits, any N.

    They are `(N, C)`; of a dense head `(N, T, C)`, and then T is open, too.
    """
    example = torch.zeros(2, detector.num_frames, detector.head.feature_size)
    open_axes = {0: "n", 1: "t"} if detector.is_dense else {0: "n"}
    _export(detector.head, example, path, inputs="features", outputs="logits", open_axes=open_axes)


def export_classic(detector: Detector, path: Path, *, width: int, height: int) -> None:
    """Write the single-file classic: float32 `(B, T, 3, H, W)`, normalised as ImageNet → `(B, C)`.

    Raises:
        InvalidInputError: If the encoder is a frozen `.onnx`, of which there is no torch module.
    """
    if detector.encoder is None:
        raise InvalidInputError(
            "a single-file classic model was asked for, but this model's encoder is frozen and "
            "lives in encoder.onnx; use the bundle, or train with an encoder that is not frozen"
        )
    if detector.is_dense:
        raise InvalidInputError(
            "a single-file classic model was asked for, which has one score for a window, but this "
            "model scores every sample; use the bundle, or train a cnn_lstm"
        )
    example = torch.zeros(2, detector.num_frames, 3, height, width)
    _export(
        CnnLstm(detector.encoder, detector.head), example, path, inputs="clips", outputs="logits"
    )


def _export(
    module: nn.Module,
    example: torch.Tensor,
    path: Path,
    *,
    inputs: str,
    outputs: str,
    open_axes: Mapping[int, str] = MappingProxyType({0: "n"}),
) -> None:
    # The legacy exporter puts sub-modules back into the mode of the outermost one.
    was_training = module.training
    module.eval()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecation and tracing notes of the exporter
            torch.onnx.export(
                module,
                (example,),
                str(path),
                input_names=[inputs],
                output_names=[outputs],
                dynamic_axes={inputs: dict(open_axes), outputs: dict(open_axes)},
                opset_version=OPSET,
                dynamo=False,
            )
    finally:
        module.train(was_training)
    onnx.checker.check_model(str(path))


def wrap_frozen_encoder(source: Path, target: Path, *, width: int, height: int) -> int:
    """Turn a published `.onnx` image encoder into our `encoder.onnx`.

    The source takes float32 RGB `(N, 3, H, W)` in 0..255 (normalisation inside) and has an output
    `features` `(N, F)`. Only a cast and a transpose are put before it, so not one weight changes;
    outputs other than the features, and what only they need, are dropped.

    Args:
        source: The published file.
        target: Where `encoder.onnx` goes.
        width: Pixels the encoder will see.
        height: Likewise.

    Returns:
        F.

    Raises:
        InvalidInputError: If the file is not such an encoder.
    """
    try:
        model = onnx.load(str(source))
    except Exception as error:  # protobuf and onnx raise unrelated classes for a broken file
        raise InvalidInputError(f"{source.name} is not an ONNX file: {error}") from error
    graph = model.graph
    initializers = {item.name for item in graph.initializer}
    inputs = [item for item in graph.input if item.name not in initializers]
    outputs = [item for item in graph.output if item.name == "features"] or list(graph.output)[:1]
    if len(inputs) != 1 or len(inputs[0].type.tensor_type.shape.dim) != 4 or not outputs:
        raise InvalidInputError(
            f"{source.name} cannot be a frozen encoder: it must take one float image tensor "
            "(N, 3, H, W) in 0..255 and return features (N, F)"
        )
    image = inputs[0].name
    before = [
        helper.make_node("Cast", ["frames"], ["prismata_float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["prismata_float"], [image], perm=[0, 3, 1, 2]),
    ]
    needed = _needed_nodes(graph, outputs[0].name)
    nodes = [*before, *(node for i, node in enumerate(graph.node) if i in needed)]
    used = {name for node in nodes for name in node.input}
    frames = helper.make_tensor_value_info("frames", TensorProto.UINT8, ["n", height, width, 3])
    features = helper.make_tensor_value_info(outputs[0].name, TensorProto.FLOAT, None)
    wrapped = helper.make_graph(
        nodes,
        "encoder",
        [frames],
        [features],
        initializer=[item for item in graph.initializer if item.name in used],
    )
    result = helper.make_model(wrapped, opset_imports=model.opset_import)
    result.ir_version = model.ir_version
    inferred = shape_inference.infer_shapes(result)
    shape = inferred.graph.output[0].type.tensor_type.shape.dim
    if len(shape) != 2 or shape[1].dim_value <= 0:
        raise InvalidInputError(
            f"{source.name} cannot be a frozen encoder: its output {outputs[0].name!r} is not "
            "(N, F) with a fixed F"
        )
    onnx.checker.check_model(inferred)
    onnx.save(inferred, str(target))
    return int(shape[1].dim_value)


def _needed_nodes(graph: onnx.GraphProto, output: str) -> set[int]:
    """Return the indices of the nodes that `output` depends on."""
    producer = {name: i for i, node in enumerate(graph.node) for name in node.output}
    needed: set[int] = set()
    waiting = [output]
    while waiting:
        index = producer.get(waiting.pop())
        if index is not None and index not in needed:
            needed.add(index)
            waiting.extend(graph.node[index].input)
    return needed


def opset_of(path: Path) -> int:
    """Return the version of ONNX's own operators that a model file asks for."""
    model = onnx.load(str(path), load_external_data=False)
    return max(int(item.version) for item in model.opset_import if item.domain in ("", "ai.onnx"))


def max_difference(left: np.ndarray, right: np.ndarray) -> float:
    """Largest absolute difference between two score arrays of one shape."""
    return float(np.abs(left.astype(np.float64) - right.astype(np.float64)).max(initial=0.0))
