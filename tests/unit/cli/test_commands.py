import json
import os
import re
import subprocess
import sys

import pytest

from prismata import __version__
from prismata.catalog import open_catalog
from prismata.cli.main import COMMANDS
from prismata.testing.synth import truth_csv
from prismata.testing.tiny_onnx import write_classic_onnx

OPTIONS = {
    ("demo",): ["--seed"],
    ("ingest",): ["--base", "--group", "--domain", "--no-proxy", "--json"],
    ("probe",): ["--json"],
    ("videos", "list"): ["--domain", "--json"],
    ("videos", "show"): ["--json"],
    ("videos", "prepare"): ["names", "--json"],
    ("videos", "group"): ["group", "names"],
    ("videos", "remove"): ["--yes"],
    ("labels", "import"): [
        "--domain",
        "--apply",
        "--replace",
        "--partial",
        "--map",
        "--ignore",
        "--onset",
    ],
    ("labels", "migrate"): ["--rename", "--retire", "--length", "--apply", "--json"],
    ("labels", "list"): ["--domain", "--video", "--json"],
    ("labels", "export"): ["--domain", "--format", "--video", "--to"],
    ("datasets", "list"): ["--domain", "--json"],
    ("datasets", "show"): ["version", "--json"],
    ("datasets", "plan"): ["--seed", "--val-share", "--test-share"],
    ("datasets", "diff"): ["older", "newer", "--json"],
    ("train",): ["--encoder", "--train-encoder", "--weights", "--epochs", "--quantize", "--resume"],
    ("search",): ["--try", "--minutes", "--trials", "--architecture", "--set", "--json"],
    ("models", "list"): ["--domain", "--json"],
    ("models", "show"): ["--json"],
    ("models", "promote"): ["name"],
    ("models", "rollback"): ["domain"],
    ("models", "retire"): ["name"],
    ("models", "compare"): ["first", "second", "--video", "--split", "--all", "--list", "--json"],
    ("models", "add"): ["--domain", "--onnx", "--run", "--normalization", "--name"],
    ("export",): ["--to", "--classic", "--json"],
    ("detect",): [
        *("--model", "--domain", "--threshold", "--reader", "--to", "--json"),
        *("--runtime", "--precision", "--batch-size", "--coarse", "--again", "--profile"),
    ],
    ("review", "queue"): ["--model", "--order", "--type", "--limit", "--json"],
    ("review", "decide"): ["--type", "--start", "--end", "--control", "--json"],
    ("review", "undo"): ["decision"],
    ("review", "accept-above"): ["--model"],
    ("review", "rest"): ["--model", "--json"],
    ("review", "decisions"): ["--model", "--json"],
    ("events", "search"): ["--domain", "--type", "--min-score", "--saved", "--csv", "--json"],
    ("events", "saved"): ["--json"],
    ("events", "forget"): ["name"],
    ("events", "export"): ["--to", "--format", "--model", "--threshold", "--saved", "--json"],
    ("events", "clips"): ["--to", "--before", "--after", "--captions", "--limit", "--state"],
    ("events", "reel"): ["--to", "--before", "--after", "--captions", "--order", "--model"],
    ("report",): ["model", "--to", "--video", "--threshold", "--title", "--json"],
    ("evaluate",): ["--video", "--split", "--detect", "--metric", "--report", "--json"],
    ("domains", "list"): ["--json"],
    ("domains", "check"): ["--json"],
    ("domains", "new"): ["--event", "--title", "--folder"],
    ("serve",): ["--host", "--port"],
    ("worker",): ["--class", "--cpu", "--gpu", "--io"],
    ("jobs", "list"): ["--kind", "--active", "--limit", "--json"],
    ("jobs", "show"): ["job", "--json"],
    ("jobs", "cancel"): ["job"],
    ("jobs", "workers"): ["--json"],
    ("people", "list"): ["--json"],
    ("people", "set"): ["name", "role"],
    ("people", "remove"): ["name"],
    ("audit",): ["--person", "--action", "--since", "--refused", "--limit", "--json"],
    ("backup",): ["file", "--catalog-only", "--json"],
    ("restore",): ["file", "--check", "--replace", "--catalog-only", "--hold-jobs", "--json"],
    ("migrate-storage",): ["--to", "--endpoint-url", "--region", "--dry-run", "--json"],
    ("doctor",): ["--security", "--json"],
}


def plain(text):
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


@pytest.mark.parametrize("words", sorted(OPTIONS), ids=" ".join)
def test_help_names_the_options(prismata, words):
    answer = prismata(*words, "--help")
    assert answer.code == 0
    text = plain(answer.out)
    assert [name for name in OPTIONS[words] if name not in text] == []


def test_every_command_is_in_the_overview_and_tested_above(prismata):
    answer = prismata("--help")
    assert answer.code == 0
    text = plain(answer.out)
    for name, line in COMMANDS.items():
        assert re.search(rf"\b{name}\b", text)
        assert line[:30] in text
    assert {words[0] for words in OPTIONS} == set(COMMANDS)


@pytest.mark.parametrize("arguments", [["detekt"], ["videos", "lst"], ["train", "--epochz", "3"]])
def test_what_does_not_exist_has_exit_code_2(prismata, arguments):
    answer = prismata(*arguments)
    assert answer.code == 2
    assert answer.out == ""
    assert arguments[-1 if len(arguments) < 3 else 1] in answer.err


def test_the_version_is_the_package_s(prismata):
    answer = prismata("--version")
    assert (answer.code, answer.out) == (0, f"prismata {__version__}\n")


def test_probe_says_what_a_file_is(prismata, flashes):
    facts = prismata("probe", flashes.path, "--json").json
    assert facts["accepted"] is True
    assert (facts["frames"], facts["duration_s"], facts["codec"]) == (120, 4.0, "h264")
    assert "h264" in prismata("probe", flashes.path).out


def test_probe_refuses_a_bad_file_with_65_and_the_reason(prismata, tmp_path):
    (tmp_path / "bad.mp4").write_text("no video")
    answer = prismata("probe", tmp_path / "bad.mp4", "--json")
    assert answer.code == 65
    assert answer.json["accepted"] is False
    assert answer.json["reason"] == "not_a_video"
    answer = prismata("probe", tmp_path / "bad.mp4")
    assert answer.code == 65
    assert "refused" in answer.out


def test_ingest_takes_a_folder_and_reports_every_file(prismata, flashes, tmp_path):
    (tmp_path / "bad.mp4").write_text("no video")
    answer = prismata("ingest", flashes.path, tmp_path / "bad.mp4", "--json")
    assert answer.code == 65
    assert [item["status"] for item in answer.json["files"]] == ["added", "refused"]
    answer = prismata("ingest", flashes.path)
    assert answer.code == 0
    assert "0 added, 1 already there, 0 refused" in answer.err
    (video,) = prismata("videos", "list", "--json").json["videos"]
    assert video["name"] == "flashes.mp4"
    assert prismata("videos", "show", "flashes.mp4", "--json").json["labels"] == 0


BAD_INPUT = [
    (["ingest", "gone.mp4"], 66, "no file or folder"),
    (["ingest", "."], 64, "there is no video below"),
    (["videos", "show", "gone.mp4"], 66, "gone.mp4"),
    (["labels", "list", "--domain", "nothing"], 66, "no domain 'nothing'"),
    (["labels", "import", "gone.csv", "--domain", "flashes"], 66, "no label file"),
    (["labels", "export", "--domain", "flashes", "--format", "xml"], 64, "no export format"),
    (["labels", "import", "x", "--domain", "flashes", "--map", "hit"], 64, "NAME=VALUE"),
    (["train"], 64, "name the domain to train for"),
    (["train", "flashes"], 64, "no video is labelled for 'flashes' yet"),
    (["train", "flashes", "--train-group", "a", "--val-group", "a"], 64, "is put into"),
    (["train", "--resume", "ghost"], 66, "ghost"),
    (["detect", "gone.mp4"], 66, "gone.mp4"),
    (["detect", "x", "--threshold", "flash=much"], 64, "is not a number"),
    (["evaluate", "ghost"], 66, "ghost"),
    (["evaluate", "ghost", "--video", "a", "--split", "val"], 64, "not both"),
    (["models", "show", "ghost"], 66, "ghost"),
    (["models", "add"], 64, "name --onnx FILE and --domain DOMAIN, or --run RUN"),
    (["models", "add", "--normalization", "z"], 64, "no normalization 'z'"),
    (["export", "ghost", "--to", "here"], 66, "ghost"),
    (["domains", "check", "nothing"], 66, "no domain 'nothing'"),
]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"), BAD_INPUT, ids=[" ".join(item[0]) for item in BAD_INPUT]
)
def test_bad_input_is_one_sentence_and_an_exit_code(
    prismata, tmp_path, monkeypatch, arguments, code, sentence
):
    monkeypatch.chdir(tmp_path)
    answer = prismata(*arguments)
    assert answer.code == code, answer
    assert answer.out == ""
    (line,) = answer.err.split("\n", 1)[1:] if answer.err.startswith("\n") else [answer.err]
    assert line.startswith("prismata: ")
    assert line.count("\n") == 1
    assert sentence in answer.err


def test_a_configuration_that_cannot_be_used_is_one_sentence(prismata, monkeypatch):
    monkeypatch.setenv("PRISMATA_STORAGE", "s3")
    answer = prismata("videos", "list")
    assert answer.code == 64
    assert "PRISMATA_STORAGE is set, but there is no such setting" in answer.err


def annotations(settings):
    with open_catalog(settings.catalog_url) as catalog:
        return catalog.events.list(origin="annotation")


def test_labels_are_imported_only_when_applied(prismata, settings, flashes, tmp_path):
    (tmp_path / "labels.csv").write_text(truth_csv([flashes]))
    command = ("labels", "import", tmp_path / "labels.csv", "--domain", "flashes")
    prismata("ingest", flashes.path)
    dry = prismata(*command, "--json").json
    assert (dry["applied"], dry["stored"]) == (False, 0)
    shown = prismata(*command)
    assert "Nothing was written" in shown.err
    assert "complete: the videos above count as watched to their end" in shown.out
    assert "partial: what was watched stays as it is" in prismata(*command, "--partial").out
    assert annotations(settings) == []
    assert not (settings.storage_dir / "labels").exists()
    count = len(flashes.events)
    assert prismata(*command, "--apply", "--partial", "--json").json["stored"] == count
    (mirror,) = (settings.storage_dir / "labels" / "flashes").iterdir()
    assert json.loads(mirror.read_text())["coverage"] == []
    assert prismata(*command, "--apply", "--json").json["stored"] == 0
    assert len(annotations(settings)) == count
    written = json.loads(mirror.read_text())
    assert (len(written["events"]), written["seq"]) == (count, count + 2)
    assert written["sheet"]["status"] == "in_progress"
    assert written["coverage"] == [[0, 4_000_000, "watched"]]
    listed = prismata("labels", "list", "--domain", "flashes", "--json").json["labels"]
    assert [item["start_us"] for item in listed] == [event.start_us for event in flashes.events]
    assert f"{count} labels" in prismata("labels", "list", "--domain", "flashes").out
    target = tmp_path / "out.csv"
    assert prismata("labels", "export", "--domain", "flashes", "--to", target).code == 0
    assert target.read_text().count("\n") == count + 1
    again = prismata("labels", "export", "--domain", "flashes", "--to", target)
    assert (again.code, "exists already" in again.err) == (64, True)


def test_a_foreign_model_goes_from_a_file_to_events(prismata, flashes, tmp_path):
    classic = write_classic_onnx(tmp_path / "classic.onnx", num_frames=4, width=32, height=32)
    assert prismata("ingest", flashes.path, "--domain", "flashes").code == 0
    assert (
        prismata("models", "add", "--onnx", classic, "--domain", "flashes", "--name", "old").code
        == 0
    )
    (model,) = prismata("models", "list", "--json").json["models"]
    assert (model["name"], model["kind"]) == ("old", "foreign_onnx")
    assert prismata("models", "promote", "old").code == 0
    assert prismata("models", "show", "old", "--json").json["stage"] == "production"
    answer = prismata("detect", "flashes.mp4", "--to", tmp_path / "results", "--json")
    assert answer.code == 0
    (run,) = answer.json["runs"]
    assert len(run["result"]["events"]) == len(flashes.events)
    (written,) = (tmp_path / "results").iterdir()
    assert json.loads(written.read_text())["events"] == run["result"]["events"]
    answer = prismata("detect", "flashes.mp4")
    assert f"{len(flashes.events)} events" in answer.out
    assert "found before by old with these settings" in answer.err
    answer = prismata("detect", "flashes.mp4", "--again")
    assert f"{len(flashes.events)} events" in answer.out
    assert "onnxruntime" in answer.err


def test_a_file_that_is_not_in_the_library_is_taken_in_and_detected(prismata, flashes, tmp_path):
    classic = write_classic_onnx(tmp_path / "classic.onnx", num_frames=4, width=32, height=32)
    prismata("models", "add", "--onnx", classic, "--domain", "flashes")
    answer = prismata("detect", flashes.path, "--domain", "flashes", "--json")
    assert answer.code == 0
    assert answer.json["runs"][0]["video"] == "flashes.mp4"


def test_a_detection_that_fails_has_the_exit_code_of_its_cause(prismata, flashes, tmp_path):
    classic = write_classic_onnx(tmp_path / "classic.onnx", num_frames=9, width=32, height=32)
    prismata("ingest", flashes.path, "--domain", "flashes")
    prismata("models", "add", "--onnx", classic, "--domain", "flashes")
    answer = prismata("detect", "flashes.mp4", "--json")
    assert answer.code == 65
    (run,) = answer.json["runs"]
    assert (run["state"], run["cause"]) == ("failed", "user_error")
    assert "windows of 9 frames, the card says 4" in run["message"]
    assert "result" not in run


def test_videos_are_grouped_and_removed(prismata, flashes):
    prismata("ingest", flashes.path)
    assert prismata("videos", "group", "room-1", "flashes.mp4").code == 0
    assert prismata("videos", "show", "flashes.mp4", "--json").json["group_name"] == "room-1"
    assert prismata("videos", "remove", "flashes.mp4", "--yes").code == 0
    assert prismata("videos", "list", "--json").json == {"videos": []}


def test_a_new_domain_passes_its_own_check(prismata, tmp_path, monkeypatch):
    folder = tmp_path / "mine"
    folder.mkdir()
    monkeypatch.setenv("PRISMATA_DOMAINS_DIRS", str(folder))
    answer = prismata("domains", "new", "tennis_serve", "--event", "hit:point:h")
    assert answer.code == 0
    assert (folder / "tennis_serve" / "domain.py").is_file()
    (domain,) = prismata("domains", "list", "--json").json["domains"]
    assert domain["event_types"] == [{"name": "hit", "kind": "point"}]


def test_the_domains_of_the_project_pass_their_checks(prismata):
    checks = prismata("domains", "check", "cricket", "falls", "fights", "ball_throw", "--json").json
    assert [item for item in checks["checks"] if not item["ok"]] == []


def test_the_doctor_reports_every_part(prismata):
    answer = prismata("doctor", "--json")
    assert answer.code == 0
    assert {part["part"] for part in answer.json["parts"]} >= {"catalog", "storage", "detection"}


def test_it_runs_as_a_program_and_a_closed_pipe_is_no_drama(settings):
    environment = {**os.environ, "PRISMATA_DATA_DIR": str(settings.data_dir)}
    program = [sys.executable, "-m", "prismata", "--version"]
    done = subprocess.run(program, capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stdout) == (0, f"prismata {__version__}\n")
    assert done.stderr == ""
