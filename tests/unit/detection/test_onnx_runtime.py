import json
import shutil

import numpy as np
import pytest

from prismata.core.errors import InvalidInputError, NotFoundError
from prismata.core.machine import usable_cores
from prismata.detection.bundle import load_bundle, read_card
from prismata.detection.runtimes import (
    OnnxEncoder,
    OnnxHead,
    onnx_runtime_info,
    open_session,
    sigmoid,
)
from prismata.testing.tiny_onnx import write_flash_bundle


@pytest.fixture
def bundle(flash_bundle, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(flash_bundle, tmp_path / "flash-detector")


def test_a_bundle_scores_white_frames_high_and_dark_ones_low(bundle):
    model = load_bundle(bundle, threads=1, runtime="onnxruntime")
    frames = np.zeros((3, 32, 32, 3), np.uint8)
    frames[1] = 250
    features = model.encoder.encode(frames)
    assert features.shape == (3, model.encoder.feature_size) == (3, 16)
    dark_white_dark = features[[0, 1, 2]]
    scores = model.head.score(np.stack([dark_white_dark, features[[1, 0, 1]]]))
    assert scores.shape == (2, 1)
    assert scores[0, 0] > 0.99
    assert scores[1, 0] < 0.01
    assert model.runtime.name == "onnxruntime"
    assert model.runtime.threads == 1


@pytest.mark.parametrize("name", ["encoder.onnx", "temporal.onnx"])
def test_a_file_that_was_changed_is_refused_by_name(bundle, name):
    content = bytearray((bundle / name).read_bytes())
    content[-1] ^= 1
    (bundle / name).write_bytes(content)
    with pytest.raises(InvalidInputError) as caught:
        load_bundle(bundle)
    assert str(caught.value) == (
        f"{name} of model 'flash-detector' is damaged or was changed: its SHA-256 is not the one "
        "on the card; export the model again"
    )


def test_a_file_that_is_missing_is_refused_by_name(bundle):
    (bundle / "temporal.onnx").unlink()
    with pytest.raises(NotFoundError, match=r"lacks temporal\.onnx, which its card lists"):
        load_bundle(bundle)


def test_a_folder_without_a_card_is_no_bundle(tmp_path):
    with pytest.raises(NotFoundError, match=r"is not a model bundle: it has no card\.json"):
        read_card(tmp_path)


def test_a_card_that_lists_no_files_does_not_get_around_the_missing_ones(bundle):
    rewrite_card(bundle, files={})
    (bundle / "encoder.onnx").unlink()
    with pytest.raises(NotFoundError, match=r"has no encoder\.onnx; export it first"):
        load_bundle(bundle)


def rewrite_card(bundle, **changes):
    path = bundle / "card.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_card_with_another_feature_size_is_refused(bundle):
    rewrite_card(bundle, feature_size=17)
    with pytest.raises(InvalidInputError, match=r"gives 16 features, the card of .* says 17"):
        load_bundle(bundle)


def test_a_head_for_another_window_length_is_refused(bundle):
    clip = json.loads((bundle / "card.json").read_text())["clip"] | {"num_frames": 5}
    rewrite_card(bundle, clip=clip)
    with pytest.raises(InvalidInputError, match="windows of 3 frames, but its card says 5"):
        load_bundle(bundle)


def test_encoder_and_head_are_not_taken_for_each_other(bundle):
    with pytest.raises(InvalidInputError, match="must take one uint8 tensor"):
        OnnxEncoder(bundle / "temporal.onnx", width=32, height=32)
    with pytest.raises(InvalidInputError, match=r"must take one float tensor \(N, T, F\)"):
        OnnxHead(bundle / "encoder.onnx", num_frames=3)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x08\x07" * 50])
def test_what_is_not_onnx_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(InvalidInputError, match=r"model\.onnx cannot be loaded") as caught:
        open_session(path)
    assert "\n" not in str(caught.value)


def test_the_feature_size_is_found_by_running_where_the_file_does_not_say_it(bundle, tmp_path):
    onnx = pytest.importorskip("onnx")
    model = onnx.load(str(bundle / "encoder.onnx"))
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_param = "F"
    onnx.save(model, str(tmp_path / "dynamic.onnx"))
    assert OnnxEncoder(tmp_path / "dynamic.onnx", width=32, height=32).feature_size == 16


def test_another_picture_size_works_where_the_bundle_says_so(tmp_path):
    model = load_bundle(write_flash_bundle(tmp_path / "wide", width=64, height=16, num_frames=1))
    assert model.encoder.encode(np.zeros((2, 16, 64, 3), np.uint8)).shape == (2, 16)


def test_the_sigmoid_survives_extreme_logits():
    with np.errstate(all="raise"):
        scores = sigmoid(np.array([-1e30, -200, -1, 0, 1, 200, 1e30], np.float32))
    assert scores.dtype == np.float32
    assert scores[[0, 1, 3, 5, 6]].tolist() == [0.0, 0.0, 0.5, 1.0, 1.0]
    assert scores[4] == pytest.approx(1 / (1 + np.exp(-1)), abs=1e-7)
    assert scores[2] + scores[4] == pytest.approx(1, abs=1e-7)


def test_the_runtime_is_described_as_it_is():
    info = onnx_runtime_info(3)
    assert (info.device, info.precision, info.threads) == ("cpu", "fp32", 3)
    assert info.describe() == f"onnxruntime {info.version} · cpu · fp32 · 3 threads"
    assert onnx_runtime_info().threads == usable_cores() >= 1
