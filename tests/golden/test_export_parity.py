"""The parity gate: what is published is the trained model, or nothing is."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: nothing can be exported")

import onnx
import torch
from onnx import numpy_helper

from prismata.core.errors import ExportRefusedError, InvalidInputError
from prismata.core.events import EventType
from prismata.core.modelcard import ModelCard
from prismata.core.recipes import ClipSpec, GroupingRule
from prismata.detection.bundle import file_digest, load_bundle
from prismata.postprocess import group_events
from prismata.training.encoders import build_encoder
from prismata.training.export import OPSET
from prismata.training.gate_shift import BLOCK, GateShift
from prismata.training.heads import CnnLstmHead, HeadSpec, build_head
from prismata.training.model import Detector
from prismata.worker.train.parity import MAX_SCORE_DIFFERENCE, CheckClip, compare, compare_shapes
from prismata.worker.train.publish import write_bundle

pytestmark = pytest.mark.torch

SAMPLES = 24


@pytest.fixture(scope="module")
def detector():
    torch.manual_seed(2)
    encoder = build_encoder("tiny")
    head = CnnLstmHead(encoder.feature_size, 1, HeadSpec(hidden=8))
    torch.nn.init.normal_(head.mlp[-1].weight, std=3.0)
    torch.nn.init.zeros_(head.mlp[-1].bias)
    return Detector(encoder, head, 4).eval()


@pytest.fixture(scope="module")
def check():
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (SAMPLES, 32, 32, 3), dtype=np.uint8)
    frames[::3] //= 4
    times = np.arange(SAMPLES, dtype=np.int64) * 50_000
    return CheckClip(frames, times, SAMPLES * 50_000)


def new_card(**clip):
    return ModelCard(
        name="golden",
        domain="flashes",
        domain_version=1,
        event_types=(EventType("flash"),),
        clip=ClipSpec(**({"target_fps": 20, "num_frames": 4, "width": 32, "height": 32} | clip)),
        rules={"flash": GroupingRule(threshold=0.5, min_gap_seconds=0.01)},
        architecture="cnn_lstm",
        encoder="tiny",
        encoder_frozen=False,
        feature_size=144,
        weights_origin="none",
    )


@pytest.fixture
def bundle(detector, check, tmp_path):
    write_bundle(
        tmp_path, detector, new_card(), encode=detector.encode, check=check, frozen_encoder=None
    )
    return tmp_path


def change_weight(bundle, file_name, change):
    """Change one number in a file and put its new digest onto the card, as an attacker would."""
    path = bundle / file_name
    model = onnx.load(str(path))
    tensor = max(model.graph.initializer, key=lambda item: len(item.raw_data))
    values = numpy_helper.to_array(tensor).copy()
    values.flat[: values.size // 2] += change
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    onnx.save(model, str(path))
    card_path = bundle / "card.json"
    card = ModelCard.from_json(card_path.read_text())
    card.files[file_name] = file_digest(path)
    card_path.write_text(card.to_json())


def test_what_is_exported_agrees_and_the_card_says_by_how_much(detector, check, bundle):
    model = load_bundle(bundle, threads=1)
    assert model.card.parity["max_score_difference"] <= MAX_SCORE_DIFFERENCE
    assert model.card.parity["check_samples"] == SAMPLES
    assert model.card.parity["head_shapes"] == [[1, 4], [3, 4], [7, 4]]
    assert model.card.parity["opsets"] == {"encoder.onnx": OPSET, "temporal.onnx": OPSET}
    assert model.card.parity["events_trained"] == model.card.parity["events_exported"] > 0
    again = compare(detector, detector.encode, model, check)
    assert again["max_score_difference"] == pytest.approx(
        model.card.parity["max_score_difference"], abs=1e-6
    )


@pytest.mark.parametrize("file_name", ["temporal.onnx", "encoder.onnx"])
def test_a_changed_weight_is_refused(detector, check, bundle, file_name):
    change_weight(bundle, file_name, 0.05)
    with pytest.raises(ExportRefusedError, match=r"is not the trained one: scores .* differ by"):
        compare(detector, detector.encode, load_bundle(bundle, threads=1), check)


def test_another_encoder_than_the_trained_one_is_refused(detector, check, bundle):
    torch.manual_seed(99)
    other = Detector(build_encoder("tiny"), detector.head, 4).eval()
    with pytest.raises(ExportRefusedError, match="nothing was published"):
        compare(detector, other.encode, load_bundle(bundle, threads=1), check)


def test_a_model_without_any_encoder_is_refused(detector, check, tmp_path):
    headless = Detector(None, detector.head, 4)
    with pytest.raises(ExportRefusedError, match="neither a trained nor a frozen encoder"):
        write_bundle(
            tmp_path, headless, new_card(), encode=detector.encode, check=check, frozen_encoder=None
        )


def test_the_check_clip_is_the_same_again_and_a_damaged_one_is_refused(check, tmp_path):
    path = tmp_path / "check.npz"
    check.save(path)
    again = CheckClip.load(path)
    assert np.array_equal(again.frames, check.frames)
    assert again.duration_us == check.duration_us
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(InvalidInputError, match=r"check\.npz is not a check clip"):
        CheckClip.load(path)


def test_other_events_are_refused_even_where_the_scores_agree(detector, check, bundle, monkeypatch):
    # The same scores, grouped by another rule on one of the two sides.
    model = load_bundle(bundle, threads=1)
    rules = iter([GroupingRule(threshold=0.01), GroupingRule(threshold=1.0)])

    def group(track, event_types, _rules, *, duration_us):
        return group_events(track, event_types, {"flash": next(rules)}, duration_us=duration_us)

    monkeypatch.setattr("prismata.worker.train.parity.group_events", group)
    with pytest.raises(ExportRefusedError, match="finds 0 events on the check clip, the trained"):
        compare(detector, detector.encode, model, check)


@pytest.fixture(params=["spot_r18", "linear_probe"])
def dense(request, detector, check, tmp_path):
    """A detector that scores every sample, and its bundle."""
    torch.manual_seed(4)
    head = build_head(request.param, detector.encoder.feature_size, 1, HeadSpec(hidden=8))
    with torch.no_grad():
        for parameter in head.parameters():
            parameter *= 4
    made = Detector(detector.encoder, head, 8).eval()
    card = replace(new_card(num_frames=8, window_stride=3), scores="dense")
    write_bundle(tmp_path, made, card, encode=made.encode, check=check, frozen_encoder=None)
    return made, tmp_path


def test_a_dense_head_agrees_on_windows_of_other_lengths_than_the_exporter_saw(dense):
    _, bundle = dense
    parity = load_bundle(bundle, threads=1).card.parity
    assert parity["max_score_difference"] <= MAX_SCORE_DIFFERENCE
    assert parity["check_samples"] == SAMPLES
    assert {length for _, length in parity["head_shapes"]} == {1, 5, 8, 16}


@pytest.mark.filterwarnings("ignore")  # of the exporter
def test_a_head_whose_time_axis_was_frozen_is_refused(dense):
    detector, bundle = dense
    torch.onnx.export(
        detector.head,
        (torch.zeros(2, 8, detector.head.feature_size),),
        str(bundle / "temporal.onnx"),
        input_names=["features"],
        output_names=["logits"],
        dynamic_axes={"features": {0: "n"}, "logits": {0: "n"}},
        dynamo=False,
    )
    card_path = bundle / "card.json"
    card = ModelCard.from_json(card_path.read_text())
    card.files["temporal.onnx"] = file_digest(bundle / "temporal.onnx")
    card_path.write_text(card.to_json())
    with pytest.raises(ExportRefusedError, match="cannot take 1 windows of 1 samples"):
        compare_shapes(detector, load_bundle(bundle, threads=1))


@pytest.mark.parametrize("samples", [24, 32, 80])
def test_an_encoder_that_sees_neighbours_agrees_on_blocks_that_are_not_full(samples, tmp_path):
    torch.manual_seed(5)
    encoder = build_encoder("tiny_gsm").eval()
    for module in encoder.modules():
        if isinstance(module, GateShift):
            torch.nn.init.normal_(module.gate.weight, std=0.5)
    head = build_head("spot_rny002", encoder.feature_size, 1, HeadSpec(hidden=8))
    with torch.no_grad():
        for parameter in head.parameters():
            parameter *= 4
    made = Detector(encoder, head, 8).eval()
    card = replace(new_card(num_frames=8, window_stride=3), scores="dense", encoder_block=BLOCK)
    rng = np.random.default_rng(samples)
    clip = CheckClip(
        rng.integers(0, 256, (samples, 32, 32, 3), dtype=np.uint8),
        np.arange(samples, dtype=np.int64) * 50_000,
        samples * 50_000,
    )
    written = write_bundle(
        tmp_path, made, card, encode=made.encode, check=clip, frozen_encoder=None
    )
    assert written.parity["max_score_difference"] <= MAX_SCORE_DIFFERENCE
    if find_spec("openvino") is not None:
        compiled = load_bundle(tmp_path, threads=1, runtime="openvino", precision="fp32")
        parity = compare(made, made.encode, compiled, clip)
        assert parity["max_score_difference"] <= MAX_SCORE_DIFFERENCE
    if samples > 2 * BLOCK:
        # An engine whose blocks began elsewhere would give other scores: the gate must see that.
        def encode(frames):
            return made.encode(frames[1:])[[0, *range(len(frames) - 1)]]

        with pytest.raises(ExportRefusedError, match="scores on the check clip differ"):
            compare(made, encode, load_bundle(tmp_path, threads=1), clip)


def test_a_head_with_other_weights_is_refused_on_its_own(dense):
    detector, bundle = dense
    change_weight(bundle, "temporal.onnx", 0.5)
    with pytest.raises(ExportRefusedError, match="is not the trained one on 1 windows"):
        compare_shapes(detector, load_bundle(bundle, threads=1))
