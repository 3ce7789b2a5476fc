from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from prismata.core.errors import InvalidInputError  # noqa: E402
from prismata.detection.bundle import file_digest, read_card  # noqa: E402
from prismata.training.encoders import build_encoder  # noqa: E402
from prismata.training.heads import CnnLstmHead, HeadSpec  # noqa: E402
from prismata.training.model import Detector  # noqa: E402
from prismata.worker.train.restore import Restored  # noqa: E402
from prismata.worker.train.torch_detection import TorchEncoder, load_restored  # noqa: E402

pytestmark = pytest.mark.torch


@pytest.fixture
def restored(flash_bundle):
    torch.manual_seed(3)
    encoder = build_encoder("tiny")
    head = CnnLstmHead(encoder.feature_size, 1, HeadSpec(hidden=4, layers=1))
    detector = Detector(encoder, head, num_frames=3).eval()
    card = replace(read_card(flash_bundle), feature_size=encoder.feature_size)
    return Restored(detector, card, None, None, detector.encode)


def pictures(count):
    return np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), np.uint8)


def test_a_checkpoint_runs_in_fp32_and_says_so(restored):
    model = load_restored(restored, batch=5)
    assert (model.runtime.name, model.runtime.device) == ("pytorch", "cpu")
    assert (model.runtime.precision, model.runtime.batch) == ("fp32", 5)
    assert model.runtime.threads == torch.get_num_threads()
    features = model.encoder.encode(pictures(3))
    assert np.array_equal(features, restored.detector.encode(pictures(3)))
    assert model.head.score(features[None]).shape == (1, 1)


@pytest.mark.parametrize("precision", ["bf16", "int8"])
def test_a_checkpoint_says_which_precision_it_cannot_run_in(restored, precision):
    with pytest.raises(InvalidInputError, match=f"^{precision} was asked .* runs here in fp32; "):
        load_restored(restored, precision=precision)


def test_the_key_of_features_follows_the_weights(restored):
    key = load_restored(restored).encoder_key
    assert key.endswith(":fp32")
    assert load_restored(restored).encoder_key == key
    with torch.no_grad():
        next(restored.detector.encoder.parameters()).view(-1)[0] += 1e-3
    assert load_restored(restored).encoder_key != key


def test_a_frozen_encoder_stays_on_the_processor_and_its_file_is_the_key(restored, flash_bundle):
    head = CnnLstmHead(16, 1, HeadSpec(hidden=4, layers=1))
    file = flash_bundle / "encoder.onnx"
    frozen = replace(restored, detector=Detector(None, head, 3).eval(), frozen_encoder=file)
    model = load_restored(frozen, cuda=True)
    assert (model.runtime.device, model.runtime.precision) == ("cpu", "fp32")
    assert model.encoder_key == f"{file_digest(file)}:fp32"


def test_bf16_is_close_to_fp32_but_not_the_same(restored):
    """The arithmetic that a GPU would get, here on the processor."""
    size = {"feature_size": restored.card.feature_size, "width": 32, "height": 32}
    exact = TorchEncoder(restored.encode, **size).encode(pictures(3))
    half = TorchEncoder(restored.encode, **size, bf16_on="cpu").encode(pictures(3))
    assert half.dtype == np.float32
    difference = np.abs(exact - half).max() / np.abs(exact).max()
    assert 1e-5 < difference < 0.05
