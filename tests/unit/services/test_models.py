import json
import shutil

import pytest

from prismata.core.errors import ConflictError, InvalidInputError, NotFoundError
from prismata.core.modelcard import ModelCard
from prismata.detection.bundle import load_bundle
from prismata.services.models import (
    ForeignModel,
    add_checkpoint_model,
    add_foreign_model,
    card_sentences,
    describe_model,
    export_model,
    motion_beside,
    motion_remark,
    promote_model,
)
from prismata.testing.tiny_onnx import write_classic_onnx


@pytest.fixture
def classic(tmp_path):
    return write_classic_onnx(tmp_path / "classic.onnx", num_frames=4, width=32, height=32)


def keys(bench):
    return sorted(info.key for info in bench.storage.list())


def test_a_foreign_model_gets_a_card_and_a_name(bench, classic):
    model = add_foreign_model(bench, ForeignModel(classic, "flashes", normalization="unit"))
    assert model.kind == "foreign_onnx"
    assert bench.storage.get(model.bundle_key + "model.onnx") == classic.read_bytes()
    card = ModelCard.from_json(json.dumps(model.card))
    domain = bench.domain("flashes")
    assert (card.name, card.domain, card.clip, card.rules) == (
        model.name,
        "flashes",
        domain.clip,
        domain.rules,
    )
    assert card.training == {"normalization": "unit"}
    second = add_foreign_model(bench, ForeignModel(classic, "flashes"))
    assert second.name != model.name


def test_a_foreign_model_may_see_other_windows_than_its_domain(bench, classic):
    foreign = ForeignModel(classic, "flashes", clip={"num_frames": 8, "target_fps": 5})
    model = add_foreign_model(bench, foreign)
    assert (model.card["clip"]["num_frames"], model.card["clip"]["width"]) == (8, 32)


def test_a_taken_name_is_refused_and_nothing_is_left(bench, classic, add_bundle):
    add_bundle("taken")
    before = keys(bench)
    with pytest.raises(ConflictError, match="taken"):
        add_foreign_model(bench, ForeignModel(classic, "flashes", name="taken"))
    assert keys(bench) == before
    add_foreign_model(bench, ForeignModel(classic, "flashes", name="mine"))
    before = keys(bench)
    with pytest.raises(ConflictError, match="mine"):
        add_foreign_model(bench, ForeignModel(classic, "flashes", name="mine"))
    assert keys(bench) == before


def test_a_foreign_file_that_is_missing_or_no_onnx_is_refused(bench, tmp_path):
    with pytest.raises(NotFoundError, match="no model file"):
        add_foreign_model(bench, ForeignModel(tmp_path / "gone.onnx", "flashes"))
    (tmp_path / "model.pt").touch()
    with pytest.raises(InvalidInputError, match=r"model\.pt is not an \.onnx file"):
        add_foreign_model(bench, ForeignModel(tmp_path / "model.pt", "flashes"))
    assert keys(bench) == []


def test_promoting_a_model_retires_the_one_before(bench, add_bundle):
    first, second = add_bundle("first"), add_bundle("second")
    assert promote_model(bench, "first").stage == "production"
    assert promote_model(bench, "second").stage == "production"
    assert bench.catalog.models.get(first.id).stage == "retired"
    assert bench.catalog.models.latest("flashes").id == second.id
    with pytest.raises(NotFoundError):
        promote_model(bench, "third")


def test_an_exported_bundle_is_a_copy_that_runs(bench, add_bundle, flash_bundle, tmp_path):
    add_bundle()
    target = tmp_path / "deep" / "exported"
    written = export_model(bench, "flash-detector", target)
    assert written["folder"] == str(target)
    assert sorted(written["files"]) == ["card.json", "encoder.onnx", "temporal.onnx"]
    assert sorted(path.name for path in target.iterdir()) == sorted(written["files"])
    assert (target / "encoder.onnx").read_bytes() == (flash_bundle / "encoder.onnx").read_bytes()
    assert load_bundle(target, threads=1).card.name == "flash-detector"
    assert [path.name for path in target.parent.iterdir()] == ["exported"]


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_an_existing_target_is_never_touched(bench, add_bundle, tmp_path, kind):
    add_bundle()
    target = tmp_path / "exported"
    if kind == "folder":
        target.mkdir()
    else:
        target.write_text("mine")
    with pytest.raises(ConflictError, match="exists already; name a folder that does not"):
        export_model(bench, "flash-detector", target)
    assert target.is_dir() if kind == "folder" else target.read_text() == "mine"


def test_a_left_over_of_a_killed_export_is_in_nobodys_way(bench, add_bundle, tmp_path):
    add_bundle()
    (tmp_path / "exported.part").mkdir()
    assert export_model(bench, "flash-detector", tmp_path / "exported")["model"] == "flash-detector"


def test_an_export_that_fails_leaves_nothing(bench, add_bundle, tmp_path):
    model = add_bundle()
    bench.storage.delete(model.bundle_key + "temporal.onnx")
    with pytest.raises(NotFoundError):
        export_model(bench, "flash-detector", tmp_path / "exported")
    assert [path.name for path in tmp_path.iterdir() if "exported" in path.name] == []


def test_a_model_made_elsewhere_has_nothing_to_export_from(bench, classic, tmp_path):
    add_foreign_model(bench, ForeignModel(classic, "flashes", name="theirs"))
    with pytest.raises(InvalidInputError, match="was not trained here"):
        export_model(bench, "theirs", tmp_path / "exported")


def test_a_run_without_a_checkpoint_is_no_model(bench):
    with pytest.raises(NotFoundError):
        add_checkpoint_model(bench, "flashes-run-1")


def test_a_model_is_described_in_plain_json(bench, add_bundle):
    described = json.loads(json.dumps(describe_model(add_bundle())))
    assert described["name"] == "flash-detector"
    assert described["card"]["event_types"][0]["name"] == "flash"


def test_the_copy_of_a_bundle_can_be_moved_anywhere(bench, add_bundle, tmp_path):
    add_bundle()
    export_model(bench, "flash-detector", tmp_path / "exported")
    moved = shutil.move(tmp_path / "exported", tmp_path / "elsewhere")
    assert load_bundle(moved, threads=1).encoder.feature_size == 16


def calibrated(**changed):
    return {
        "a": 0.5,
        "b": 0.2,
        "method": "platt",
        "events": 120,
        "true_events": 38,
        "videos": 6,
        "highest_score": 0.99,
        "measured_on": "test",
        "ece_before": 0.15,
        "ece_after": 0.04,
        "note": "",
    } | changed


def test_a_card_says_in_a_sentence_what_a_score_has_meant():
    # logit(0.8) = 1.386, half of it and 0.2 more is 0.893, and that is the logit of 0.71.
    (told,) = card_sentences({"calibration": {"release": calibrated()}})
    assert told == (
        "A score of 0.80 has meant a true 'release' in 71 of 100 cases (ECE 0.04 after "
        "calibration, 0.15 before, on test; 120 candidate events, 38 of them true, in 6 "
        "validation videos)."
    )
    alone = calibrated(videos=1, ece_after=None, note="what it gains is not known", b=0.0)
    (told,) = card_sentences({"calibration": {"release": alone}})
    assert told == (
        "A score of 0.80 has meant a true 'release' in 67 of 100 cases (120 candidate events, 38 "
        "of them true, in 1 validation video). What it gains is not known."
    )
    # A score that the model never gave is not told of.
    (told,) = card_sentences({"calibration": {"release": calibrated(highest_score=0.6)}})
    assert told.startswith("A score of 0.60 has meant")
    few = calibrated(method="none", note="there are 2 true and 0 false candidate events")
    assert card_sentences({"calibration": {"release": few}}) == [
        "What a score of 'release' means is not known: there are 2 true and 0 false candidate "
        "events."
    ]


def test_a_card_says_what_was_done_with_replays_if_somebody_stated_it():
    assert card_sentences({}) == card_sentences({"replays": "unstated"}) == []
    assert card_sentences({"replays": "skip"}) == [
        "Replays in its data: passed over; nothing is learned or measured there."
    ]


def test_a_report_says_what_motion_reaches_or_why_it_does_not():
    seen = {"motion": {"points": 0.21, "segments": None, "seconds": 300.0, "whole": False}}
    assert motion_beside(seen, "points") == (0.21, " on 300 s of them")
    assert motion_beside(seen, "segments") is None
    assert motion_remark(seen) == ""
    assert motion_beside({"motion": {**seen["motion"], "whole": True}}, "points") == (0.21, "")
    unseen = {"motion": {"note": "what motion alone would find is not known: no frame"}}
    assert motion_beside(unseen, "points") is None
    assert motion_remark(unseen) == "What motion alone would find is not known: no frame."
    assert motion_beside({}, "points") is None
    assert motion_remark({}) == ""


def test_a_card_says_in_sentences_what_8_bits_and_the_motion_gate_cost():
    assert card_sentences({"name": "old", "quantization": {}, "motion_gate_cost": {}}) == []
    card = {
        "quantization": {
            "accepted": True,
            "reason": "no event metric drops on the validation videos; 2.3 times faster here",
            "checked_seconds": 16.04,
            "checked_videos": 3,
            "checked_events": 5,
            "max_score_difference": 0.0688,
            "allowed_score_difference": 0.25,
        },
        "motion_gate_cost": {
            "note": "the motion gate costs 0.0 points of recall and encodes 31 % of the frames",
            "seconds": 16.04,
            "videos": 3,
            "events": 5,
        },
    }
    assert card_sentences(card) == [
        "8-bit encoder: yes. No event metric drops on the validation videos; 2.3 times faster "
        "here. Measured on 16 s of 3 validation videos with 5 events; scores change by up to "
        "0.069, allowed is 0.25.",
        "The motion gate costs 0.0 points of recall and encodes 31 % of the frames. "
        "Measured on 16 s of 3 validation videos with 5 events.",
    ]
    refused = {"accepted": False, "reason": "there are no validation videos to check it on"}
    assert card_sentences({"quantization": refused}) == [
        "8-bit encoder: no. There are no validation videos to check it on."
    ]
