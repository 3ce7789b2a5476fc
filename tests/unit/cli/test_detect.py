"""`prismata detect` on many videos: what a person and a program are told."""

import json
import shutil

import pytest

from prismata.testing.tiny_onnx import write_classic_onnx


@pytest.fixture
def model(prismata, tmp_path):
    classic = write_classic_onnx(tmp_path / "classic.onnx", num_frames=4, width=32, height=32)
    added = prismata("models", "add", "--onnx", classic, "--domain", "flashes", "--name", "old")
    assert added.code == 0


@pytest.fixture
def folder(tmp_path, flashes, uneven_flashes):
    made = tmp_path / "rec"
    made.mkdir()
    shutil.copyfile(flashes.path, made / "1.mp4")
    (made / "2.mp4").write_text("no video")
    shutil.copyfile(uneven_flashes.path, made / "3.mp4")
    return made


def test_a_folder_is_one_report_and_a_bad_file_one_line_of_it(prismata, model, folder, flashes):
    answer = prismata("detect", folder, "--domain", "flashes", "--json")
    assert answer.code == 65
    assert answer.err == ""
    first, bad, last = answer.json["runs"]
    assert [run["state"] for run in (first, bad, last)] == ["succeeded", "failed", "succeeded"]
    assert (bad["source"], bad["reason"], bad["video"]) == (
        str(folder / "2.mp4"),
        "not_a_video",
        "",
    )
    assert len(first["result"]["events"]) == len(flashes.events)
    events = sum(len(run["result"]["events"]) for run in (first, last))
    assert answer.json["summary"] == {
        "videos": 3,
        "detected": 2,
        "reused": 0,
        "failed": 1,
        "events": events,
    }


def test_a_person_sees_each_video_where_the_batch_stands_and_the_sum(prismata, model, folder):
    answer = prismata("detect", folder, "--domain", "flashes")
    assert answer.code == 65
    assert "1.mp4: 2 events" in answer.out
    lines = answer.err.splitlines()
    assert any(line.startswith("[1 of 3") and "old · onnxruntime" in line for line in lines)
    assert any(line.startswith("[2 of 3") and "2.mp4: failed: " in line for line in lines)
    assert any(line.startswith("[3 of 3] ") for line in lines)
    assert lines[-1].startswith("3 videos: 2 detected, 1 failed; ")
    again = prismata("detect", folder / "*.mp4", "--domain", "flashes")
    assert again.code == 65
    assert "found before by old with these settings" in again.err
    assert again.err.splitlines()[-1].startswith("3 videos: 0 detected, 2 found before, 1 failed;")


def test_again_and_other_settings_run_anew(prismata, model, folder):
    command = ("detect", folder / "1.mp4", "--domain", "flashes", "--json")

    def reused(*options):
        (run,) = prismata(*command, *options).json["runs"]
        return run["reused"]

    assert [reused(), reused(), reused("--again"), reused("--threshold", "flash=0.4")] == [
        False,
        True,
        False,
        False,
    ]


def test_results_found_before_are_written_too(prismata, model, folder, tmp_path):
    prismata("detect", folder / "1.mp4", "--domain", "flashes")
    answer = prismata("detect", folder / "1.mp4", "--to", tmp_path / "out", "--json")
    (written,) = (tmp_path / "out").iterdir()
    assert json.loads(written.read_text()) == answer.json["runs"][0]["result"]


def test_a_folder_without_videos_is_one_sentence(prismata, model, tmp_path):
    (tmp_path / "empty").mkdir()
    answer = prismata("detect", tmp_path / "empty")
    assert (answer.code, answer.out) == (66, "")
    assert "there is no video in the folder" in answer.err


def test_ctrl_c_says_how_to_go_on(prismata, model, folder, monkeypatch):
    def interrupt(self, message):
        raise KeyboardInterrupt

    monkeypatch.setattr("prismata.cli.detect_output.BatchView.on_message", interrupt)
    answer = prismata("detect", folder, "--domain", "flashes")
    assert answer.code == 130
    assert "Stopped: 0 of 3 videos are done. The same command goes on" in answer.err


def test_a_runtime_that_does_not_exist_is_refused(prismata, model, folder):
    answer = prismata("detect", folder, "--runtime", "abacus")
    assert answer.code == 2
    assert "abacus" in answer.err


def test_the_profile_shows_stages(prismata, model, folder):
    answer = prismata("detect", folder / "1.mp4", "--domain", "flashes", "--profile")
    assert answer.code == 0
    for stage in ("encode", "all"):
        assert stage in answer.out
    assert "MB after" in answer.out
    assert "MB at most" in answer.err
