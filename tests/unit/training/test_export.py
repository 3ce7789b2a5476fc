import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from prismata.core.errors import InvalidInputError
from prismata.detection.runtimes import OnnxEncoder, OnnxHead, open_session, sigmoid
from prismata.training.encoders import build_encoder
from prismata.training.export import (
    export_classic,
    export_encoder,
    export_head,
    max_difference,
    wrap_frozen_encoder,
)
from prismata.training.heads import CnnLstmHead, HeadSpec, build_head
from prismata.training.model import Detector

WIDTH, HEIGHT, NUM_FRAMES = 32, 24, 5
ALLOWED = 1e-4


@pytest.fixture(scope="module")
def detector():
    torch.manual_seed(5)
    encoder = build_encoder("tiny")
    # Batch statistics that are not those of a new layer, as after training.
    encoder.train()
    encoder(torch.randint(0, 256, (8, HEIGHT, WIDTH, 3), dtype=torch.uint8))
    head = CnnLstmHead(encoder.feature_size, 2, HeadSpec(hidden=8, layers=2, dropout=0.5))
    torch.nn.init.normal_(head.mlp[-1].weight, std=2.0)
    return Detector(encoder, head, NUM_FRAMES).eval()


def frames(count, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, HEIGHT, WIDTH, 3), dtype=np.uint8)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_the_exported_encoder_is_the_trained_one_for_any_number_of_frames(
    detector, tmp_path, count
):
    export_encoder(detector.encoder, tmp_path / "encoder.onnx", width=WIDTH, height=HEIGHT)
    exported = OnnxEncoder(tmp_path / "encoder.onnx", width=WIDTH, height=HEIGHT, threads=1)
    assert exported.feature_size == detector.encoder.feature_size
    difference = max_difference(exported.encode(frames(count)), detector.encode(frames(count)))
    assert difference <= ALLOWED


@pytest.mark.parametrize("count", [1, 2, 9])
def test_the_exported_head_is_the_trained_one_for_any_number_of_windows(detector, tmp_path, count):
    export_head(detector, tmp_path / "temporal.onnx")
    exported = OnnxHead(tmp_path / "temporal.onnx", num_frames=NUM_FRAMES, threads=1)
    rng = np.random.default_rng(count)
    size = (count, NUM_FRAMES, detector.encoder.feature_size)
    windows = rng.normal(size=size).astype(np.float32)
    trained = detector.score(windows)
    assert trained.shape == (count, 2)
    assert max_difference(exported.score(windows), trained) <= ALLOWED
    if count > 2:
        assert trained.std() > 0.01, "windows that all score the same would compare nothing"


@pytest.mark.parametrize("count", [1, 3])
def test_the_classic_file_scores_whole_windows_as_the_trained_model_does(detector, tmp_path, count):
    export_classic(detector, tmp_path / "classic.onnx", width=WIDTH, height=HEIGHT)
    pixels = frames(count * NUM_FRAMES).reshape(count, NUM_FRAMES, HEIGHT, WIDTH, 3)
    with torch.inference_mode():
        normalised = detector.encoder.normalize(torch.from_numpy(pixels).flatten(0, 1))
        clips = normalised.view(count, NUM_FRAMES, 3, HEIGHT, WIDTH).numpy()
    (logits,) = open_session(tmp_path / "classic.onnx", threads=1).run(None, {"clips": clips})
    features = detector.encode(pixels.reshape(-1, HEIGHT, WIDTH, 3)).reshape(count, NUM_FRAMES, -1)
    assert max_difference(sigmoid(logits), detector.score(features)) <= ALLOWED


def test_export_leaves_the_mode_alone(detector, tmp_path):
    detector.train()
    export_head(detector, tmp_path / "temporal.onnx")
    assert detector.head.training
    detector.eval()


def test_a_frozen_encoder_has_no_classic_file(detector, tmp_path):
    frozen = Detector(None, detector.head, NUM_FRAMES)
    with pytest.raises(InvalidInputError, match=r"frozen and lives in encoder\.onnx"):
        export_classic(frozen, tmp_path / "classic.onnx", width=WIDTH, height=HEIGHT)
    assert not (tmp_path / "classic.onnx").exists()


def tensor(name, shape, element=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, element, shape)


def published_encoder(path, *, outputs=("logits", "features"), features_shape=("n", 4)):
    """A published image encoder: 4 features from means, and a classifier that nobody needs."""
    rng = np.random.default_rng(0)
    weights = {
        "mix": rng.normal(size=(3, 4)).astype(np.float32),
        "classes": rng.normal(size=(4, 10)).astype(np.float32),
    }
    nodes = [
        # Not the same for rows as for columns, or nobody would see the two exchanged.
        helper.make_node("ReduceMax", ["image"], ["brightest"], axes=[3], keepdims=0),
        helper.make_node("ReduceMean", ["brightest"], ["means"], axes=[2], keepdims=0),
        helper.make_node("MatMul", ["means", "mix"], ["features"]),
        helper.make_node("MatMul", ["features", "classes"], ["logits"]),
    ]
    shapes = {"logits": ["n", 10], "features": list(features_shape)}
    graph = helper.make_graph(
        nodes,
        "published",
        [tensor("image", ["n", 3, "h", "w"])],
        [tensor(name, shapes[name]) for name in outputs],
        initializer=[numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def test_a_published_encoder_gives_the_same_features_inside_our_bundle(tmp_path):
    source = published_encoder(tmp_path / "published.onnx")
    target = tmp_path / "encoder.onnx"
    assert wrap_frozen_encoder(source, target, width=WIDTH, height=HEIGHT) == 4
    wrapped = OnnxEncoder(target, width=WIDTH, height=HEIGHT, threads=1)
    assert wrapped.feature_size == 4
    pixels = frames(3)
    image = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)).astype(np.float32)
    (direct,) = open_session(source, threads=1).run(["features"], {"image": image})
    assert np.array_equal(wrapped.encode(pixels), direct)
    assert direct.std() > 1


NODES = ["Cast", "Transpose", "ReduceMax", "ReduceMean", "MatMul"]


def test_what_only_other_outputs_need_is_dropped(tmp_path):
    source = published_encoder(tmp_path / "published.onnx")
    wrap_frozen_encoder(source, tmp_path / "encoder.onnx", width=WIDTH, height=HEIGHT)
    graph = onnx.load(str(tmp_path / "encoder.onnx")).graph
    assert [item.name for item in graph.output] == ["features"]
    assert [item.name for item in graph.initializer] == ["mix"]
    assert [node.op_type for node in graph.node] == NODES


def test_without_an_output_called_features_the_first_one_counts(tmp_path):
    source = published_encoder(tmp_path / "published.onnx", outputs=("logits",))
    size = wrap_frozen_encoder(source, tmp_path / "encoder.onnx", width=WIDTH, height=HEIGHT)
    assert size == 10


def no_image(path):
    nodes = [helper.make_node("Relu", ["x"], ["features"])]
    graph = helper.make_graph(nodes, "g", [tensor("x", ["n", 4])], [tensor("features", ["n", 4])])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), str(path))


def a_map(path):
    nodes = [helper.make_node("Relu", ["x"], ["features"])]
    shape = ["n", 3, "h", "w"]
    graph = helper.make_graph(nodes, "g", [tensor("x", shape)], [tensor("features", shape)])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), str(path))


@pytest.mark.parametrize(
    ("write", "sentence"),
    [
        (lambda path: path.write_bytes(b"\xff\xfe no model"), "is not an ONNX file"),
        (lambda path: path.write_bytes(b""), "cannot be a frozen encoder"),
        (no_image, r"one float image tensor \(N, 3, H, W\)"),
        (a_map, r"is not \(N, F\) with a fixed F"),
    ],
    ids=["no onnx", "empty", "no image", "no vector"],
)
def test_a_file_that_is_no_image_encoder_is_refused(tmp_path, write, sentence):
    write(tmp_path / "published.onnx")
    with pytest.raises(InvalidInputError, match=sentence):
        wrap_frozen_encoder(
            tmp_path / "published.onnx", tmp_path / "encoder.onnx", width=WIDTH, height=HEIGHT
        )
    assert not (tmp_path / "encoder.onnx").exists()


@pytest.mark.parametrize("architecture", ["spot_r18", "linear_probe"])
def test_an_exported_dense_head_is_the_trained_one_for_any_number_and_length_of_windows(
    architecture, tmp_path
):
    torch.manual_seed(3)
    head = build_head(architecture, 7, 2, HeadSpec(hidden=8))
    detector = Detector(None, head, 16).eval()
    export_head(detector, tmp_path / "temporal.onnx")
    exported = OnnxHead(tmp_path / "temporal.onnx", num_frames=16, scores="dense", threads=1)
    for count, frames in ((1, 1), (3, 50), (2, 16), (7, 8)):
        windows = np.random.default_rng(count).normal(size=(count, frames, 7)).astype(np.float32)
        trained = detector.score(windows)
        assert trained.shape == (count, frames, 2)
        assert max_difference(exported.score(windows), trained) <= 1e-6


def test_a_dense_model_has_no_classic_file(tmp_path):
    encoder = build_encoder("tiny")
    head = build_head("spot_r18", encoder.feature_size, 2, HeadSpec(hidden=8))
    with pytest.raises(InvalidInputError, match="scores every sample; use the bundle"):
        export_classic(
            Detector(encoder, head, 8), tmp_path / "classic.onnx", width=WIDTH, height=HEIGHT
        )
    assert not (tmp_path / "classic.onnx").exists()
