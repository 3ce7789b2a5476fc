"""What the detection child keeps, reuses, announces and measures, as production starts it."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from prismata.core.jobs import JobState
from prismata.core.ports import ChildLimits
from prismata.core.profile import profile_rows
from prismata.core.scores import ScoreTrack
from prismata.detection.bundle import read_card
from prismata.jobs import ChildSupervisor
from prismata.testing.children import PATIENCE_SECONDS

DETECTION = (sys.executable, "-m", "prismata.detection")
LIMITS = ChildLimits(wall_seconds=PATIENCE_SECONDS)


def detect(request, runner=None):
    messages = []
    outcome = (runner or ChildSupervisor(grace_seconds=1)).run(
        DETECTION,
        {"threads": 1, "runtime": "onnxruntime", **request},
        on_message=messages.append,
        limits=LIMITS,
    )
    assert outcome.state is JobState.SUCCEEDED, outcome
    return outcome.result, messages


@pytest.fixture
def request_of(flashes, flash_bundle, tmp_path):
    def make(**more):
        return {
            "video": str(flashes.path),
            "video_sha256": "ab" * 32,
            "bundle": str(flash_bundle),
            "cache": {"folder": str(tmp_path / "features"), "max_bytes": 10**8},
            "scores_path": str(tmp_path / f"scores-{len(list(tmp_path.iterdir()))}.npz"),
            **more,
        }

    return make


def change_card(bundle, target, **changes):
    shutil.copytree(bundle, target)
    card = json.loads((target / "card.json").read_text())
    (target / "card.json").write_text(json.dumps(card | changes))
    read_card(target)
    return target


def test_a_second_run_decodes_nothing_and_finds_the_same(request_of):
    first_request, again = request_of(), request_of(thresholds={"flash": 0.4})
    first, _ = detect(first_request)
    second, messages = detect(again)
    assert first["frames"]["decoded"] > 0
    assert first["frames"]["encoded"] > 0
    assert second["frames"] == {"sampled": 80, "decoded": 0, "encoded": 0, "from_cache": True}
    assert messages[0]["from_cache"] is True
    assert "decode" not in second["timing_s"]
    assert second["settings"]["rules"]["flash"]["threshold"] == 0.4
    for one, other in zip(first["events"], second["events"], strict=True):
        assert one["start_us"] == other["start_us"]
    scores = [ScoreTrack.load(Path(each["scores_path"])).scores for each in (first_request, again)]
    assert np.array_equal(*scores)


def test_another_head_on_the_same_encoder_shares_the_features(request_of, flash_bundle, tmp_path):
    detect(request_of())
    other = change_card(flash_bundle, tmp_path / "other", name="another model")
    result, _ = detect(request_of(bundle=str(other)))
    assert result["frames"]["from_cache"]
    assert result["model"]["name"] == "another model"


def test_what_another_reader_read_does_not_stand_in(request_of):
    detect(request_of())
    result, _ = detect(request_of(reader="opencv"))
    assert result["settings"]["reader"] == "opencv"
    assert not result["frames"]["from_cache"]
    assert result["frames"]["decoded"] > 0


def test_damaged_features_are_computed_anew(request_of, tmp_path):
    first, _ = detect(request_of())
    entry = next((tmp_path / "features").glob("*.features"))
    raw = bytearray(entry.read_bytes())
    raw[-5] ^= 0xFF
    entry.write_bytes(raw)
    again, _ = detect(request_of())
    assert not again["frames"]["from_cache"]
    assert again["events"] == first["events"]


def test_a_run_that_fails_keeps_no_features(request_of, flashes, tmp_path):
    cut = tmp_path / "cut.mp4"
    raw = flashes.path.read_bytes()
    middle = raw.index(b"mdat") + 600
    cut.write_bytes(raw[:middle] + bytes(len(raw) // 3) + raw[middle + len(raw) // 3 :])
    timeline = tmp_path / "timeline.npz"
    flashes.timeline.save(timeline)
    outcome = ChildSupervisor(grace_seconds=1).run(
        DETECTION,
        request_of(video=str(cut), timeline=str(timeline)),
        on_message=lambda _message: None,
        limits=LIMITS,
    )
    assert outcome.state is JobState.FAILED
    assert list((tmp_path / "features").iterdir()) == []


def test_a_warm_child_opens_the_model_once(request_of, flash_bundle, tmp_path):
    other = change_card(flash_bundle, tmp_path / "other", name="another model")
    with ChildSupervisor(grace_seconds=1).session() as warm:
        pids, names = [], []
        for bundle in (flash_bundle, flash_bundle, other, flash_bundle):
            result, messages = detect(request_of(bundle=str(bundle), cache=None), warm)
            pids.append(messages[0]["pid"])
            names.append(result["model"]["name"])
            assert len(result["events"]) > 1
        changed, _ = detect(request_of(cache=None, thresholds={"flash": 0.9}, batch=3), warm)
    assert len(set(pids)) == 1
    assert names == ["flash-detector", "flash-detector", "another model", "flash-detector"]
    assert changed["settings"]["batch"] == 3
    assert changed["settings"]["rules"]["flash"]["threshold"] == 0.9


def test_each_event_is_announced_before_it_is_final(request_of):
    _, messages = detect(request_of(cache=None))
    opened = [one["id"] for one in messages if one["type"] == "open_event"]
    closed = [one["id"] for one in messages if one["type"] == "event"]
    assert len(closed) == len(set(closed)) > 1
    assert set(opened) <= set(closed)
    for run_id in set(opened):
        kinds = [one["type"] for one in messages if one.get("id") == run_id]
        assert kinds[-1] == "event"
        assert set(kinds[:-1]) == {"open_event"}
    # The batch that closes one run may be the one that opened it; with single frames none is.
    _, messages = detect(request_of(cache=None, batch=1))
    opened = {one["id"] for one in messages if one["type"] == "open_event"}
    assert opened == {one["id"] for one in messages if one["type"] == "event"}


def test_the_coarse_look_decodes_key_frames_only_and_keeps_nothing(request_of, tmp_path):
    result, _ = detect(request_of(coarse=True))
    assert result["settings"]["coarse"] is True
    assert result["frames"]["sampled"] == 80
    assert 0 < result["frames"]["decoded"] < 40
    assert result["frames"]["encoded"] <= result["frames"]["decoded"]
    assert not (tmp_path / "features").exists()


def test_behind_a_motion_gate_still_frames_are_not_encoded(request_of, flash_bundle, tmp_path):
    gate = {"threshold": 8.0, "max_hold_seconds": 1.0}
    gated = change_card(flash_bundle, tmp_path / "gated", motion_gate=gate)
    whole, _ = detect(request_of(cache=None))
    result, _ = detect(request_of(bundle=str(gated)))
    assert 0 < result["frames"]["encoded"] < whole["frames"]["encoded"] / 2
    assert len(result["events"]) == len(whole["events"])
    cached, _ = detect(request_of(bundle=str(gated)))
    assert cached["frames"]["from_cache"]
    assert cached["events"] == result["events"]
    ungated, _ = detect(request_of())
    assert not ungated["frames"]["from_cache"]


def test_the_profile_says_how_far_each_stage_is_from_its_floor(request_of):
    result, _ = detect(request_of(cache=None, measure_floors=True))
    profile = result["profile"]
    assert profile["decode_alone"]["wall_s"] > 0
    assert profile["encode_alone"]["wall_s"] > 0
    memory = profile["memory_mb"]
    assert list(memory) == ["model_open", "decode", "encode", "all", "peak"]
    assert memory["peak"] >= memory["all"]
    assert min(memory.values()) > 20
    rows = {row.stage: row for row in profile_rows(result)}
    assert list(rows)[-1] == "all"
    assert rows["encode"].floor_seconds == profile["encode_alone"]["wall_s"]
    assert rows["all"].ratio == profile["times_larger_floor"]
    assert rows["head"].ratio is None
    assert rows["encode"].cpu_seconds == profile["encode_alone"]["cpu_s"]
    assert rows["all"].cpu_seconds == profile["cpu_s"] > 0
    assert [rows[stage].memory_mb for stage in ("decode", "encode", "head", "all")] == [
        memory["decode"],
        memory["encode"],
        None,
        memory["all"],
    ]
