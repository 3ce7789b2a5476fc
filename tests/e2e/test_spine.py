"""The whole path through the command line and real children, on every pair of database and storage.

Videos → labels → training → export → detection → evaluation, then the same model as a classic
single file, as a foreign model and from its bare checkpoint.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed: nothing can be trained")

from prismata.cli.main import run_command
from prismata.detection.bundle import load_bundle
from prismata.testing.synth import render_flashes, truth_csv

pytestmark = pytest.mark.torch

PAIRS = [
    pytest.param(("sqlite", "local"), id="sqlite-local"),
    pytest.param(("sqlite", "s3"), id="sqlite-s3", marks=pytest.mark.s3),
    pytest.param(("postgres", "local"), id="postgres-local", marks=pytest.mark.postgres),
    pytest.param(
        ("postgres", "s3"), id="postgres-s3", marks=[pytest.mark.postgres, pytest.mark.s3]
    ),
]

TRAINING = (
    *("--encoder", "tiny", "--train-encoder", "--weights", "none", "--epochs", 25, "--hidden", 8),
    *("--head-lr", 0.02, "--encoder-lr", 0.02, "--val-group", "room-2"),
)


@pytest.fixture(params=PAIRS)
def pair(request, monkeypatch, tmp_path, plugins):
    """Set the environment that the commands and their children read."""
    database, storage = request.param
    plugin = tmp_path / "domains" / "flashes" / "domain.py"
    plugin.parent.mkdir(parents=True)
    source = (plugins / "flashes" / "domain.py").read_text()
    plugin.write_text(source.replace("width=32, height=32", "width=16, height=16"))
    chosen = {
        "data_dir": str(tmp_path / "data"),
        "domains_dirs": str(tmp_path / "domains"),
        "user": "tester",
    }
    chosen |= {"detect_threads": "1"}
    if database == "postgres":
        chosen |= request.getfixturevalue("postgres_settings")
    if storage == "s3":
        chosen |= request.getfixturevalue("s3_settings")
    for name, value in chosen.items():
        monkeypatch.setenv(f"PRISMATA_{name.upper()}", value)
    return request.param


@pytest.fixture
def prismata(pair, capsys):
    """Run a command that must succeed and return what it printed as JSON, or as text."""

    def run(*arguments, code=0):
        capsys.readouterr()
        left = run_command([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert left == code, f"{arguments}: {left}\n{captured.out}\n{captured.err}"
        return json.loads(captured.out) if "--json" in arguments else captured.out + captured.err

    return run


@pytest.fixture(scope="module")
def rooms(tmp_path_factory):
    """Two rooms to train and validate on; one has a variable frame rate."""
    folder = tmp_path_factory.mktemp("rooms")
    return [
        render_flashes(folder / "room-1.mp4", seconds=8, seed=1, size=(64, 48)),
        render_flashes(folder / "room-2.mp4", seconds=6, seed=2, size=(64, 48), variable_rate=True),
    ]


def test_from_videos_to_a_model_and_back_to_events(prismata, pair, rooms, tmp_path):
    for room in rooms:
        prismata("ingest", room.path, "--domain", "flashes", "--group", room.path.stem)
    csv = tmp_path / "truth.csv"
    csv.write_text(truth_csv(rooms))
    labels = ("labels", "import", csv, "--domain", "flashes", "--json")
    assert prismata(*labels)["stored"] == 0
    assert prismata(*labels, "--apply")["stored"] == sum(len(room.events) for room in rooms)

    trained = prismata("train", "flashes", *TRAINING, "--name", "spine", "--json")
    assert trained["state"] == "succeeded", trained
    result = trained["result"]
    assert result["model"] == "spine"
    assert result["parity"]["max_score_difference"] <= 1e-4
    assert 0 < result["thresholds"]["flash"] <= 1
    assert result["quantization"]["reason"].startswith("already cheap")
    shown = prismata("models", "show", "spine")
    assert "already cheap" in shown
    motion = result["metrics"]["val"]["motion"]
    assert (motion["videos"], motion["whole"]) == (1, True)
    # White frames in a dark room are what moves most, so motion alone is no bad guess.
    assert 0.1 < motion["points"] <= 1
    meaning = result["calibration"]["flash"]
    assert meaning["events"] > 0
    assert meaning["method"] != "none" or "candidate events" in meaning["note"]
    assert ("has meant a true 'flash'" in shown) == (meaning["method"] != "none")

    prismata("models", "promote", "spine")
    bundle_run = detect(prismata, "spine")
    assert bundle_run["result"]["runtime"]["name"] in ("onnxruntime", "openvino")
    assert bundle_run["result"]["model"]["dataset_version"] == result["dataset_version"]

    report = tmp_path / "report.html"
    measured = prismata("evaluate", "spine", "--split", "val", "--report", report, "--json")
    theirs = prismata("evaluate", "spine", "--split", "val", "--metric", "soccernet", "--json")
    assert (theirs["metric"], set(theirs["at"])) == ("soccernet", {"1", "2", "3", "4", "5"})
    told = prismata("evaluate", "spine", "--split", "val", "--metric", "soccernet")
    assert f"tight {theirs['tight']:.3f} (δ 1 to 5 s)" in told
    assert "Not to be put beside ±δ" in told
    refused = prismata("evaluate", "spine", "--split", "val", "--metric", "ms-tcn", code=64)
    assert "are for segments" in refused
    assert measured["videos"] == ["room-2.mp4"]
    # Learned, and not guessed: white frames in a dark room are not hard.
    assert measured["report"]["points"]["mean"] > 0.5
    assert len(bundle_run["result"]["events"]) == len(rooms[1].events)
    for event in bundle_run["result"]["events"]:
        assert (event["confidence"] is None) == (meaning["method"] == "none")
    page = report.read_text()
    assert page.startswith("<!doctype html>")
    assert "Motion alone reaches" in page
    assert "What a score means" in page

    exported = tmp_path / "exported"
    written = prismata("export", "spine", "--to", exported, "--classic", "--json")
    assert sorted(written["files"]) == [
        "card.json",
        "classic.onnx",
        "encoder.onnx",
        "temporal.onnx",
    ]
    card = load_bundle(exported, threads=1).card
    assert (card.dataset_version, card.replays) == (result["dataset_version"], "none")
    published = tmp_path / "published"
    prismata("export", "spine", "--to", published)
    assert load_bundle(published, threads=1).card.name == "spine"

    classic = exported / "classic.onnx"
    prismata("models", "add", "--onnx", classic, "--domain", "flashes", "--name", "classic")
    foreign_run = detect(
        prismata, "classic", "--threshold", f"flash={result['thresholds']['flash']}"
    )
    assert same_events(foreign_run, bundle_run)

    prismata("models", "add", "--run", trained["run"], "--name", "unexported")
    torch_run = detect(prismata, "unexported")
    assert torch_run["result"]["runtime"]["name"] == "pytorch"
    assert same_events(torch_run, bundle_run)

    kept = prismata("models", "list", "--json")["models"]
    assert {model["name"]: model["stage"] for model in kept}["spine"] == "production"
    if pair[1] == "s3":
        assert not (Path(tmp_path) / "data" / "storage").exists()
    if pair[0] == "postgres":
        assert not (Path(tmp_path) / "data" / "prismata.db").exists()


def detect(prismata, model, *options):
    answer = prismata("detect", "room-2.mp4", "--model", model, *options, "--json")
    (run,) = answer["runs"]
    assert run["state"] == "succeeded", run
    return run


def same_events(left, right):
    """Whether two runs found the same events, to a hundredth of a second."""
    ours, theirs = left["result"]["events"], right["result"]["events"]
    return len(ours) == len(theirs) > 0 and all(
        abs(mine["start_us"] - other["start_us"]) <= 10_000
        for mine, other in zip(ours, theirs, strict=True)
    )
