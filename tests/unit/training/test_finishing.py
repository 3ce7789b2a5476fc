"""Quantising and checking for real: videos, a bundle, its 8-bit encoder, the card."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from prismata.catalog import DatasetVersionRecord
from prismata.core.child import ChildReporter
from prismata.core.errors import BadVideoError
from prismata.core.events import Event, EventType
from prismata.core.modelcard import ModelCard
from prismata.core.recipes import MotionGate
from prismata.core.runtimes import machine_facts
from prismata.detection.bundle import INT8_ENCODER_FILE, load_bundle, read_card
from prismata.detection.runtimes import OnnxEncoder
from prismata.services.datasets import create_dataset
from prismata.services.ingest import ingest_file
from prismata.services.labels import add_label
from prismata.training.encoders import build_encoder
from prismata.training.export import export_encoder
from prismata.training.heads import CnnLstmHead, HeadSpec
from prismata.training.model import Detector
from prismata.training.recipe import Recipe
from prismata.worker.train import eight_bit
from prismata.worker.train.calibration import read_calibration_frames
from prismata.worker.train.encoder_setup import EncoderSetup
from prismata.worker.train.export import carry_over
from prismata.worker.train.finishing import Finishing
from prismata.worker.train.gather import gather
from prismata.worker.train.motion_baseline import MotionWatch
from prismata.worker.train.parity import CheckClip
from prismata.worker.train.publish import write_bundle
from prismata.worker.train.stretches import (
    Stretch,
    StretchBatch,
    StretchFrames,
    choose_stretches,
)


class Listener(ChildReporter):
    """Remembers what it is told; nobody listens to a child here."""

    def __init__(self):
        self.notes = []

    def progress(self, done, total=None, note=""):
        self.notes.append((note, done, total))


@pytest.fixture
def dataset(bench, flashes, uneven_flashes) -> DatasetVersionRecord:
    """One video to train on and one to validate on, labelled as they are."""
    splits = {}
    for split, synth in (("train", uneven_flashes), ("val", flashes)):
        video = ingest_file(bench, synth.path, domain="flashes", group=split).video
        for event in synth.events:
            add_label(bench, video, "flashes", Event.point("flash", event.start_us))
        splits[split] = split
    version, _ = create_dataset(bench, "flashes", fixed=splits)
    return version


def learn_brightness(detector):
    """Train the head for a moment: white frames are events."""
    dark = torch.full((32, 4, 32, 32, 3), 20, dtype=torch.uint8)
    bright = dark.clone()
    bright[:, 2] = 250
    frames = torch.cat([dark, bright])
    truth = torch.cat([torch.zeros(32, 1), torch.ones(32, 1)])
    with torch.no_grad():
        features = detector.encoder(frames.flatten(0, 1)).view(64, 4, -1)
    optimiser = torch.optim.Adam(detector.head.parameters(), 0.02)
    for _ in range(60):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(detector.head(features), truth)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


@pytest.fixture
def detector():
    """Finds white frames."""
    torch.manual_seed(4)
    encoder = build_encoder("tiny")
    head = CnnLstmHead(encoder.feature_size, 1, HeadSpec(hidden=8))
    detector = Detector(encoder, head, 4).eval()
    learn_brightness(detector)
    return detector


@pytest.fixture
def worth_trying(monkeypatch):
    """Let an encoder of this size count; speed is not in question here."""
    monkeypatch.setattr(eight_bit, "CHEAP_MS", 0.0)
    monkeypatch.setattr(eight_bit, "MIN_SPEEDUP", 0.0)


@pytest.fixture
def finished(bench, dataset, detector, tmp_path):
    """Export the detector, finish it and return folder, card and what was told."""

    def run(*, frozen=False, gate=None, videos=None, **recipe):
        domain = bench.domain("flashes")
        setup = EncoderSetup(None, None, "", None, "none", None)
        if frozen:
            path = tmp_path / "frozen.onnx"
            export_encoder(detector.encoder, path, width=32, height=32)
            setup = replace(setup, frozen_path=path, frozen_sha256="f")
        listener = Listener()
        data = gather(bench, dataset, domain, domain.clip, Recipe(), setup, listener)
        if videos is not None:
            data = replace(data, videos=videos(data.videos))
        listener.notes.clear()
        folder = tmp_path / "bundle"
        folder.mkdir()
        card = ModelCard(
            name="m",
            domain="flashes",
            domain_version=1,
            event_types=domain.event_types,
            clip=domain.clip,
            rules=domain.rules,
            architecture="cnn_lstm",
            encoder="tiny",
            encoder_frozen=frozen,
            feature_size=detector.encoder.feature_size,
            weights_origin="none",
            metrics={"val": {"points": {"mean": 0.5, "chance": 0.1}}},
            motion_gate=gate,
        )
        check = CheckClip(np.zeros((8, 32, 32, 3), np.uint8), np.arange(8) * 50_000, 400_000)
        card = write_bundle(
            folder,
            Detector(None, detector.head, 4) if frozen else detector,
            card,
            encode=detector.encode,
            check=check,
            frozen_encoder=setup.frozen_path,
        )
        card = Finishing(bench, data, Recipe(**recipe), listener).finish(folder, card)
        assert read_card(folder) == card
        return folder, card, listener.notes

    return run


@pytest.mark.parametrize("frozen", [False, True], ids=["trained", "frozen"])
def test_a_good_8_bit_encoder_goes_along_and_the_card_says_what_was_checked(
    finished, worth_trying, frozen
):
    folder, card, notes = finished(frozen=frozen)
    section = card.quantization
    assert section["accepted"], section["reason"]
    assert section["file"] == INT8_ENCODER_FILE
    assert set(card.files) == {"encoder.onnx", "temporal.onnx", INT8_ENCODER_FILE}
    assert (section["calibration_videos"], section["split"]) == (1, "val")
    assert section["calibration_frames"] > 50
    assert section["checked_seconds"] == pytest.approx(4, abs=0.1)
    assert section["checked_events"] > 0
    assert 0 < section["max_score_difference"] <= section["allowed_score_difference"]
    assert section["speed"]["int8_ms"] > 0
    assert section["size_mb"]["int8"] < section["size_mb"]["fp32"]
    assert ("checking the 8-bit encoder", 4_000_000, 4_000_000) in notes
    if machine_facts().fast_int8:
        model = load_bundle(folder, threads=1, precision="int8")
        assert model.runtime.precision == "int8"


def break_in_8_bits(encoder):
    """Let one channel's range drown the others in 8 bits; in float the function stays the same."""
    first, second = encoder.backbone[0], encoder.backbone[3]
    norm = encoder.backbone[1]
    with torch.no_grad():
        norm.weight[0] = norm.weight[0] * 5000
        second.weight[:, 0] /= 5000
    assert first.out_channels == second.in_channels


def test_an_encoder_that_8_bits_break_is_refused_and_nothing_of_it_goes_along(
    finished, worth_trying, detector
):
    pixels = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    before = detector.encode(pixels)
    break_in_8_bits(detector.encoder)
    assert np.abs(detector.encode(pixels) - before).max() < 1e-3
    folder, card, _ = finished()
    section = card.quantization
    assert not section["accepted"]
    assert "allowed is" in section["reason"]
    assert section["max_score_difference"] > section["allowed_score_difference"] or (
        section["metrics"]["max_drop_points"] > section["allowed_drop_points"]
    )
    assert INT8_ENCODER_FILE not in card.files
    assert not (folder / INT8_ENCODER_FILE).exists()
    assert load_bundle(folder, threads=1).runtime.precision == "fp32"


def test_it_is_not_tried_where_it_is_not_wanted_or_not_worth_it(finished):
    _, card, notes = finished(quantize="never")
    assert card.quantization == {
        "accepted": False,
        "reason": "it was not asked for (--quantize never)",
    }
    assert {note for note, _, _ in notes} == {"measuring motion"}


def test_a_cheap_encoder_is_left_alone(finished):
    _, card, _ = finished()
    assert not card.quantization["accepted"]
    assert card.quantization["reason"].startswith("already cheap")
    assert card.quantization["speed"]["fp32_ms"] < eight_bit.CHEAP_MS


def test_without_validation_videos_there_is_none(finished, worth_trying):
    _, card, _ = finished(videos=lambda videos: {**videos, "val": []}, gate=MotionGate())
    assert card.quantization == {
        "accepted": False,
        "reason": "there are no validation videos to check it on",
    }
    assert card.motion_gate_cost == {
        "note": "what the motion gate costs is not known: there are no validation videos"
    }


class TestMotionBaseline:
    def test_flashes_are_what_moves_most(self, finished):
        _, card, _ = finished(quantize="never")
        motion = card.metrics["val"]["motion"]
        # The first white frame differs from the one before it, and so does the one after the last.
        assert motion["points"] > 0.3
        assert motion["segments"] is None
        assert motion["types"] == {"flash": pytest.approx(motion["points"])}
        assert (motion["videos"], motion["seconds"], motion["whole"]) == (1, 4.0, True)
        assert motion["events"] > 0
        assert card.metrics["val"]["points"] == {"mean": 0.5, "chance": 0.1}

    def test_frames_that_are_decoded_once_more_do_as_well(self, finished):
        _, card, _ = finished(quantize="never", frozen=True)
        assert card.metrics["val"]["motion"]["points"] > 0.3
        assert card.metrics["val"]["motion"]["whole"]

    def test_what_could_not_be_read_is_absent_with_a_reason(self, finished, monkeypatch):
        def gone(_self, _stretch):
            raise BadVideoError("the file ends in the middle of a frame", reason="damaged")

        monkeypatch.setattr(StretchFrames, "batches", gone)
        _, card, _ = finished(quantize="never")
        assert card.metrics["val"]["motion"] == {
            "note": "what motion alone would find is not known: the file ends in the middle of a "
            "frame"
        }

    def test_a_video_in_which_nothing_moves_finds_nothing(self, frame_video, finished):
        _, card, _ = finished(quantize="never")
        still = frame_video(size=32)
        still.inputs[:] = 7
        watch = MotionWatch()
        stretch = Stretch(still, 0, 20)
        for first in (0, 9):
            rows = np.arange(first, min(20, first + 9))
            batch = StretchBatch(still.inputs[rows], [1] * len(rows), rows, still.times_us[rows])
            watch.look(stretch, batch)
        hit = replace(card, event_types=(EventType("hit"),), rules={"hit": card.rules["flash"]})
        motion = watch.measure(hit, whole=False)
        assert (motion["points"], motion["events"], motion["whole"]) == (0.0, 2, False)


class TestMotionGate:
    def test_a_gate_that_lets_everything_through_costs_nothing(self, finished):
        _, card, notes = finished(gate=MotionGate(threshold=1e-6, max_hold_seconds=0.01))
        cost = card.motion_gate_cost
        assert cost["share_encoded"] == 1
        assert cost["recall_cost_points"] == 0
        assert cost["recall_with"] == cost["recall_without"]
        assert cost["types"]["flash"]["ap_with"] == cost["types"]["flash"]["ap_without"]
        assert cost["note"] == (
            "the motion gate costs 0.0 points of recall and encodes 100 % of the frames"
        )
        assert notes[-1][0] == "measuring the motion gate"

    def test_a_blind_gate_is_said_to_lose_events(self, finished):
        _, card, _ = finished(gate=MotionGate(threshold=255, max_hold_seconds=3600))
        cost = card.motion_gate_cost
        assert cost["share_encoded"] < 0.05
        assert cost["recall_without"] > 0
        assert cost["recall_with"] == 0
        assert cost["recall_cost_points"] == pytest.approx(100 * cost["recall_without"])
        assert "points of recall of 'flash'" in cost["note"]
        assert "the domain asks for it, so it stays on" in cost["note"]
        assert card.motion_gate == MotionGate(threshold=255, max_hold_seconds=3600)


def test_frames_read_again_are_those_that_training_saw(bench, dataset, detector, tmp_path):
    domain = bench.domain("flashes")
    path = tmp_path / "frozen.onnx"
    export_encoder(detector.encoder, path, width=32, height=32)
    open_setup = EncoderSetup(None, None, "", None, "none", None)
    frozen_setup = replace(open_setup, frozen_path=path, frozen_sha256="f")
    kept, features = (
        gather(bench, dataset, domain, domain.clip, Recipe(), setup, Listener())
        for setup in (open_setup, frozen_setup)
    )
    encoder = OnnxEncoder(path, width=32, height=32, threads=1)
    again = StretchFrames(bench, features, domain.clip)
    for split in ("train", "val"):
        (with_frames,), (with_features,) = kept.videos[split], features.videos[split]
        (stretch,) = choose_stretches([with_features])
        stretch = replace(stretch, first=7, last=60)
        rows = []
        for batch in again.batches(stretch):
            assert np.array_equal(batch.frames, with_frames.inputs[batch.rows])
            assert np.array_equal(batch.times_us, with_frames.times_us[batch.rows])
            encoded = encoder.encode(batch.frames)
            assert np.abs(encoded - with_features.inputs[batch.rows]).max() < 1e-4
            rows += np.repeat(batch.rows, batch.repeats).tolist()
        assert len(rows) == 53
    ours, theirs = (
        read_calibration_frames(bench, data, domain.clip, seed=5) for data in (kept, features)
    )
    assert np.array_equal(ours.frames, theirs.frames)
    assert (ours.videos, ours.near_events) == (theirs.videos, theirs.near_events)


class TestCarryOver:
    @pytest.fixture
    def published(self, finished, worth_trying, bench):
        folder, card, _ = finished()
        assert card.quantization["accepted"], card.quantization["reason"]
        for path in folder.iterdir():
            bench.storage.put_file(f"models/m/{path.name}", path)
        return folder, card

    def export(self, detector, card, folder):
        folder.mkdir()
        check = CheckClip(np.zeros((8, 32, 32, 3), np.uint8), np.arange(8) * 50_000, 400_000)
        val = {"points": card.metrics["val"]["points"]}
        plain = replace(card, files={}, metrics={"val": val}, quantization={}, motion_gate_cost={})
        return write_bundle(
            folder, detector, plain, encode=detector.encode, check=check, frozen_encoder=None
        )

    def test_the_same_encoder_exported_again_keeps_its_8_bit_one(
        self, published, bench, detector, tmp_path
    ):
        _, old = published
        target = tmp_path / "again"
        card = carry_over(bench, "models/m/", target, self.export(detector, old, target))
        assert card.quantization == old.quantization
        assert card.files == old.files
        assert card.metrics == old.metrics
        assert "motion" in card.metrics["val"]
        assert read_card(target) == card

    def test_another_encoder_does_not(self, published, bench, detector, tmp_path):
        _, old = published
        with torch.no_grad():
            detector.encoder.backbone[0].weight += 0.01
        target = tmp_path / "again"
        card = carry_over(bench, "models/m/", target, self.export(detector, old, target))
        assert not card.quantization["accepted"]
        assert "is not the file that the 8-bit one was made from" in card.quantization["reason"]
        assert not (target / INT8_ENCODER_FILE).exists()
        assert read_card(target) == card


def test_the_card_comes_back_from_its_json_as_it_was(finished, worth_trying):
    _, card, _ = finished(gate=MotionGate())
    again = ModelCard.from_json(card.to_json())
    assert again == card
    assert asdict(again)["quantization"] == card.quantization
    assert again.motion_gate_cost["types"]["flash"]
