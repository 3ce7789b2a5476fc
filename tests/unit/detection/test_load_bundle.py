import json
import shutil
from importlib.util import find_spec

import numpy as np
import pytest

from prismata.core.errors import InvalidInputError, NotFoundError
from prismata.core.machine import usable_cores
from prismata.core.runtimes import machine_facts
from prismata.detection import bundle as bundle_module
from prismata.detection.bundle import file_digest, load_bundle, read_card

WHITE = np.full((2, 32, 32, 3), 255, np.uint8)


@pytest.fixture
def bundle(flash_bundle, tmp_path):
    """A copy that a test may change."""
    return shutil.copytree(flash_bundle, tmp_path / "flash-detector")


@pytest.fixture
def with_int8(bundle):
    """A bundle whose accepted 8-bit encoder gives half of what the other one gives."""
    onnx = pytest.importorskip("onnx")
    model = onnx.load(str(bundle / "encoder.onnx"))
    for item in model.graph.initializer:
        if item.name == "white":
            item.CopyFrom(onnx.numpy_helper.from_array(np.float32(510), name="white"))
    onnx.save(model, str(bundle / "encoder_int8.onnx"))
    path = bundle / "card.json"
    card = json.loads(path.read_text())
    card["files"]["encoder_int8.onnx"] = file_digest(bundle / "encoder_int8.onnx")
    card["quantization"] = {"accepted": True}
    path.write_text(json.dumps(card))
    return bundle


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_the_accepted_8_bit_encoder_is_the_one_that_runs(with_int8, runtime):
    if find_spec(runtime) is None or not machine_facts().fast_int8:
        pytest.skip(f"no {runtime} with fast 8-bit arithmetic here")
    quick = load_bundle(with_int8, threads=1, runtime=runtime)
    exact = load_bundle(with_int8, threads=1, runtime=runtime, precision="fp32")
    assert (quick.runtime.precision, exact.runtime.precision) == ("int8", "fp32")
    assert quick.encoder.encode(WHITE).max() == pytest.approx(0.5, abs=1e-6)
    assert exact.encoder.encode(WHITE).max() == pytest.approx(1.0, abs=1e-6)
    assert quick.encoder_key == f"{file_digest(with_int8 / 'encoder_int8.onnx')}:int8:{runtime}"
    assert exact.encoder_key == f"{file_digest(with_int8 / 'encoder.onnx')}:fp32"
    assert quick.runtime.name == exact.runtime.name == runtime


def test_runtimes_share_the_key_of_features_that_stand_in_for_each_other(bundle):
    if find_spec("openvino") is None:
        pytest.skip("the openvino extra is not installed")
    one, other = (load_bundle(bundle, runtime=name) for name in ("onnxruntime", "openvino"))
    assert (one.runtime.name, other.runtime.name) == ("onnxruntime", "openvino")
    assert one.encoder_key == other.encoder_key
    assert np.abs(one.encoder.encode(WHITE) - other.encoder.encode(WHITE)).max() < 1e-5


def test_an_8_bit_encoder_that_was_changed_is_refused(with_int8):
    with (with_int8 / "encoder_int8.onnx").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(InvalidInputError, match=r"encoder_int8\.onnx of model .* is damaged"):
        load_bundle(with_int8)


def test_an_accepted_8_bit_encoder_that_is_missing_is_told(with_int8):
    (with_int8 / "encoder_int8.onnx").unlink()
    with pytest.raises(NotFoundError, match=r"lacks encoder_int8\.onnx, which its card lists"):
        load_bundle(with_int8, precision="fp32")


@pytest.mark.parametrize("runtime", ["onnxruntime", "auto"])
@pytest.mark.parametrize(
    ("options", "batch"),
    [({"profile": "normal"}, 8), ({"profile": "small"}, 4), ({"profile": "small", "batch": 3}, 3)],
)
def test_the_profile_chooses_the_batch_unless_somebody_else_did(bundle, runtime, options, batch):
    model = load_bundle(bundle, runtime=runtime, **options)
    assert model.runtime.batch == batch
    assert model.runtime.threads == usable_cores()
    frames = np.repeat(WHITE, 5, axis=0)
    assert model.encoder.encode(frames).shape == (10, 16)


@pytest.mark.parametrize(("is_small", "batch"), [(True, 4), (False, 8)])
def test_the_automatic_profile_asks_the_machine(bundle, monkeypatch, is_small, batch):
    monkeypatch.setattr(bundle_module, "is_small_machine", lambda: is_small)
    assert load_bundle(bundle).runtime.batch == batch


def test_an_unknown_profile_is_refused(bundle):
    with pytest.raises(InvalidInputError, match="'tiny' was asked for; there is auto, normal and"):
        load_bundle(bundle, profile="tiny")


def test_an_unchanged_file_is_read_for_its_digest_only_once(bundle, monkeypatch):
    seen = []

    def counting(path):
        seen.append(path.name)
        return file_digest(path)

    monkeypatch.setattr(bundle_module, "file_digest", counting)
    read_card(bundle)
    read_card(bundle)
    load_bundle(bundle)
    assert sorted(seen) == ["encoder.onnx", "temporal.onnx"]
    (bundle / "encoder.onnx").write_bytes((bundle / "encoder.onnx").read_bytes())
    read_card(bundle)
    assert seen.count("encoder.onnx") == 2
