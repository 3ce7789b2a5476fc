from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest

from prismata.core.errors import InvalidInputError
from prismata.core.modelcard import ModelCard
from prismata.testing.tiny_onnx import write_classic_onnx, write_flash_bundle


def run(path, **inputs):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, inputs)[0]


def test_the_encoder_measures_brightness_on_a_grid(tmp_path):
    folder = write_flash_bundle(tmp_path / "flashes", width=32, height=16)
    frames = np.random.default_rng(0).integers(0, 256, (5, 16, 32, 3), dtype=np.uint8)
    features = run(folder / "encoder.onnx", frames=frames)
    assert features.dtype == np.float32
    fields = frames.reshape(5, 4, 4, 4, 8, 3).astype(np.float64).mean(axis=(2, 4, 5)) / 255
    np.testing.assert_allclose(features, fields.reshape(5, 16), atol=1e-6)


def test_the_temporal_model_looks_at_the_centre_frame_only(tmp_path):
    folder = write_flash_bundle(tmp_path / "flashes", num_frames=4)
    windows = np.full((4, 4, 16), 0.2, np.float32)
    windows[np.arange(4), np.arange(4)] = 0.96
    logits = run(folder / "temporal.onnx", features=windows)
    assert logits.shape == (4, 1)
    assert (logits[:, 0] > 0).tolist() == [False, False, True, False]
    assert np.abs(logits).min() > 5


def test_the_card_describes_the_files(tmp_path):
    folder = write_flash_bundle(tmp_path / "flashes")
    card = ModelCard.from_json((folder / "card.json").read_text())
    assert card.event_names == ("flash",)
    assert card.name == "flashes"
    assert card.feature_size == 16
    assert sorted(card.files) == ["encoder.onnx", "temporal.onnx"]
    for name, digest in card.files.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
        model = onnx.load(folder / name)
        assert [item.version for item in model.opset_import] == [17]
    encoder = onnx.load(folder / "encoder.onnx").graph.input[0].type.tensor_type.shape.dim
    assert [dim.dim_value for dim in encoder][1:] == [card.clip.height, card.clip.width, 3]
    temporal = onnx.load(folder / "temporal.onnx").graph.input[0].type.tensor_type.shape.dim
    assert temporal[1].dim_value == card.clip.num_frames


def test_writing_twice_gives_the_same_bytes(tmp_path):
    for name in ("encoder.onnx", "temporal.onnx"):
        first = (write_flash_bundle(tmp_path / "a") / name).read_bytes()
        assert (write_flash_bundle(tmp_path / "b") / name).read_bytes() == first


def test_a_size_off_the_grid_is_refused(tmp_path):
    with pytest.raises(InvalidInputError, match="multiples of 4"):
        write_flash_bundle(tmp_path / "flashes", width=30)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("normalization", ["unit", "imagenet"])
def test_the_classic_model_fires_on_a_white_frame_anywhere_in_the_window(tmp_path, normalization):
    path = write_classic_onnx(tmp_path / "model.onnx", width=32, height=32)
    clips = np.full((9, 8, 3, 32, 32), 50 / 255, np.float32)
    clips[np.arange(8), np.arange(8)] = 245 / 255
    if normalization == "imagenet":
        mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
        clips = ((clips - mean[:, None, None]) / std[:, None, None]).astype(np.float32)
    logits = run(path, clips=clips)
    assert logits.shape == (9, 1)
    assert (logits[:, 0] > 0).tolist() == [True] * 8 + [False]


def test_the_classic_model_has_the_classic_shape(tmp_path):
    model = onnx.load(write_classic_onnx(tmp_path / "model.onnx"))
    shape = model.graph.input[0].type.tensor_type.shape.dim
    assert [dim.dim_param or dim.dim_value for dim in shape] == ["B", 8, 3, 224, 224]


def test_bundles_are_written_and_run_without_torch(tmp_path):
    program = (
        "import sys\n"
        "sys.modules['torch'] = sys.modules['torchvision'] = None\n"
        "from pathlib import Path\n"
        "from prismata.testing.tiny_onnx import write_classic_onnx, write_flash_bundle\n"
        "write_flash_bundle(Path(sys.argv[1]) / 'flashes')\n"
        "write_classic_onnx(Path(sys.argv[1]) / 'classic.onnx')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "flashes" / "card.json").is_file()
