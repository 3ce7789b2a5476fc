import logging
import sys

import numpy as np
import pytest

from prismata.core.errors import InvalidInputError, UnavailableError
from prismata.detection.quantization import grid_step, quantize_encoder
from prismata.detection.runtimes import OnnxEncoder

onnx = pytest.importorskip("onnx", reason="onnx is not installed: nothing can be quantised")
helper, numpy_helper, TensorProto = onnx.helper, onnx.numpy_helper, onnx.TensorProto

SIZE = 24
STEP = 0.02


def frames(count=12, seed=0):
    rng = np.random.default_rng(seed)
    low = rng.integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)
    return np.repeat(np.repeat(low, SIZE // 4, axis=1), SIZE // 4, axis=2)


def write_encoder(path, *, on_grid=False):
    """Normalise, two convolutions, average: uint8 `(n, 24, 24, 3)` → `(n, 16)`."""
    rng = np.random.default_rng(1)
    weights = {
        "mean": np.full((1, 3, 1, 1), 120, np.float32),
        "inverse": np.full((1, 3, 1, 1), 1 / 60, np.float32),
        "first": rng.normal(0, 0.3, (8, 3, 3, 3)).astype(np.float32),
        "second": rng.normal(0, 0.2, (16, 8, 3, 3)).astype(np.float32),
    }
    if on_grid:
        for name in ("first", "second"):
            places = np.round(weights[name] / STEP).clip(-100, 100)
            weights[name] = (places * STEP).astype(np.float32)
    nodes = [
        helper.make_node("Cast", ["frames"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Sub", ["planes", "mean"], ["centred"]),
        helper.make_node("Mul", ["centred", "inverse"], ["normal"]),
        helper.make_node("Conv", ["normal", "first"], ["a"], strides=[2, 2], kernel_shape=[3, 3]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "second"], ["c"], strides=[2, 2], kernel_shape=[3, 3]),
        helper.make_node("Relu", ["c"], ["d"]),
        helper.make_node("GlobalAveragePool", ["d"], ["e"]),
        helper.make_node("Flatten", ["e"], ["features"]),
    ]
    graph = helper.make_graph(
        nodes,
        "encoder",
        [helper.make_tensor_value_info("frames", TensorProto.UINT8, ["n", SIZE, SIZE, 3])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 16])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.save(model, str(path))
    return weights


def encode(path, pixels):
    return OnnxEncoder(path, width=SIZE, height=SIZE, threads=1).encode(pixels)


@pytest.fixture
def encoder(tmp_path):
    write_encoder(tmp_path / "encoder.onnx")
    return tmp_path / "encoder.onnx"


def test_features_of_unseen_frames_stay_close_and_the_input_stays_bytes(encoder, tmp_path):
    target = tmp_path / "encoder_int8.onnx"
    quantize_encoder(encoder, target, [frames(64)])
    unseen = frames(8, seed=9)
    before, after = encode(encoder, unseen), encode(target, unseen)
    error = np.linalg.norm(after - before) / np.linalg.norm(before)
    # 0.04 where 8-bit products are summed in 32 bits; 0.054 on processors without such
    # instructions, whose 16-bit sums saturate.
    assert 0 < error < 0.08


def test_only_convolutions_and_what_follows_are_in_8_bits(encoder, tmp_path):
    target = tmp_path / "encoder_int8.onnx"
    quantize_encoder(encoder, target, [frames()])
    graph = onnx.load(str(target)).graph
    producer = {name: node for node in graph.node for name in node.output}
    tensors = {item.name: item for item in graph.initializer}
    for node in graph.node:
        if node.op_type in ("Sub", "Mul", "Cast", "Transpose"):
            above = [producer[name].op_type for name in node.input if name in producer]
            assert "DequantizeLinear" not in above, "the normalisation must stay in float"
        if node.op_type == "Conv":
            weights = producer[node.input[1]]
            assert weights.op_type == "DequantizeLinear"
            assert tensors[weights.input[0]].data_type == TensorProto.INT8
            assert len(numpy_helper.to_array(tensors[weights.input[1]])) > 1, "one scale a channel"
            pixels = producer[node.input[0]]
            assert tensors[pixels.input[2]].data_type == TensorProto.UINT8
    first = next(node for node in graph.node if node.op_type == "QuantizeLinear")
    assert producer[first.input[0]].op_type == "Mul"


def test_the_same_frames_give_the_same_file_and_nothing_else_is_left(encoder, tmp_path):
    for name in ("one.onnx", "two.onnx"):
        quantize_encoder(encoder, tmp_path / name, [frames(5), frames(11, seed=2)])
    assert (tmp_path / "one.onnx").read_bytes() == (tmp_path / "two.onnx").read_bytes()
    quantize_encoder(encoder, tmp_path / "two.onnx", [frames(5)])
    assert (tmp_path / "one.onnx").read_bytes() != (tmp_path / "two.onnx").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"encoder.onnx", "one.onnx", "two.onnx"}


def test_it_says_nothing(encoder, tmp_path, capfd, caplog):
    with caplog.at_level(logging.INFO):
        quantize_encoder(encoder, tmp_path / "encoder_int8.onnx", [frames()])
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


def test_weights_that_were_quantised_before_keep_their_grid(tmp_path):
    """Rounded to another grid once more they would be off by half a step."""
    weights = write_encoder(tmp_path / "encoder.onnx", on_grid=True)
    target = tmp_path / "encoder_int8.onnx"
    quantize_encoder(tmp_path / "encoder.onnx", target, [frames()])
    graph = onnx.load(str(target)).graph
    producer = {name: node for node in graph.node for name in node.output}
    tensors = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    for node, name in zip(convolutions, ("first", "second"), strict=True):
        stored = producer[node.input[1]]
        scales = tensors[stored.input[1]][:, None, None, None]
        kept = tensors[stored.input[0]].astype(np.float64) * scales
        assert np.abs(kept - weights[name]).max() < 0.01 * STEP


def test_a_channel_that_does_not_fit_its_grid_is_rounded_anew(tmp_path):
    path = tmp_path / "encoder.onnx"
    write_encoder(path, on_grid=True)
    model = onnx.load(str(path))
    (tensor,) = (item for item in model.graph.initializer if item.name == "second")
    values = numpy_helper.to_array(tensor).copy()
    values[3, 0, 0, 0] = 150 * STEP
    tensor.CopyFrom(numpy_helper.from_array(values, "second"))
    onnx.save(model, str(path))
    quantize_encoder(path, tmp_path / "encoder_int8.onnx", [frames(32)])
    before, after = (encode(p, frames(32)) for p in (path, tmp_path / "encoder_int8.onnx"))
    # Cut off at 127 steps, the channel would be wrong by about a tenth.
    assert np.linalg.norm(after[:, 3] - before[:, 3]) < 0.02 * np.linalg.norm(before[:, 3])


@pytest.mark.parametrize(
    ("levels", "step"),
    [
        (np.arange(-127, 128) * 0.5, 0.5),
        (np.array([-3.0, 0.0, 2.0, 3.0]) * 0.1, 0.1),
        (np.random.default_rng(0).normal(size=100), None),
        (np.arange(300) * 0.5, None),
        (np.array([0.0, 1.0, 400.0]), None),
        (np.zeros(5), None),
    ],
)
def test_a_grid_is_recognised(levels, step):
    values = np.random.default_rng(1).permutation(np.repeat(levels, 2)).astype(np.float32)
    found = grid_step(values.astype(np.float64))
    assert found == (None if step is None else pytest.approx(step, rel=1e-4))


def test_without_frames_or_from_a_broken_file_nothing_is_written(encoder, tmp_path):
    target = tmp_path / "encoder_int8.onnx"
    with pytest.raises(InvalidInputError, match="without frames to calibrate it with"):
        quantize_encoder(encoder, target, [])
    encoder.write_bytes(encoder.read_bytes()[:200])
    with pytest.raises(InvalidInputError, match=r"encoder\.onnx cannot be quantised"):
        quantize_encoder(encoder, target, [frames()])
    assert list(tmp_path.iterdir()) == [encoder]


def test_without_onnx_it_says_what_to_install(encoder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(UnavailableError, match=r"onnx is not installed: pip install \"prismata"):
        quantize_encoder(encoder, tmp_path / "encoder_int8.onnx", [frames()])
