"""`prismata events export`, `clips` and `reel`."""

import csv
import io
import json

import pytest

from prismata.core.events import Event
from prismata.media.scanning import scan
from prismata.services.detect import DetectRequest, prepare_detection, run_detection
from prismata.services.ingest import ingest_file
from prismata.services.labels import add_label


@pytest.fixture
def labelled(bench, flashes):
    video = ingest_file(bench, flashes.path, domain="flashes").video
    for number in range(3):
        add_label(bench, video, "flashes", Event.point("flash", 500_000 + number * 400_000))
    return video


def test_events_are_exported_as_searched(prismata, labelled, tmp_path):
    path = tmp_path / "e.csv"
    answer = prismata("events", "export", "--to", path, "--type", "flash", "--video", "flash")
    assert answer.out == f"3 events of 1 videos written to {path}\n"
    rows = list(csv.DictReader(io.StringIO(path.read_text())))
    assert [float(row["start_s"]) for row in rows] == [1.3, 0.9, 0.5]
    again = prismata("events", "export", "--to", path)
    assert again.code == 73
    assert "exists already" in again.err
    other = prismata("events", "export", "--to", tmp_path / "x", "--format", "xlsx")
    assert other.code == 64
    assert "there is csv, json, parquet, vtt" in other.err
    assert not (tmp_path / "x").exists()


def test_a_models_runs_are_exported_under_a_threshold(
    prismata, bench, labelled, add_bundle, flashes, tmp_path
):
    model = add_bundle()
    none_yet = prismata("events", "export", "--to", tmp_path / "e", "--model", model.name)
    assert none_yet.code == 66
    assert "has no finished run; run `prismata detect" in none_yet.err
    run_detection(bench, prepare_detection(bench, DetectRequest(labelled.id, model.id)))
    path = tmp_path / "e.json"
    options = ("--model", model.name, "--threshold", "flash=0.3", "--format", "json", "--json")
    answer = prismata("events", "export", "--to", path, *options)
    assert answer.json == {"file": str(path), "events": len(flashes.events), "videos": 1}
    document = json.loads(path.read_text())
    assert document["provenance"]["thresholds"] == {"flash": 0.3}
    assert list(document["provenance"]["models"]) == [model.name]
    alone = prismata("events", "export", "--to", tmp_path / "y", "--threshold", "flash=0.3")
    assert alone.code == 64
    assert "it needs --model" in alone.err


def test_clips_and_a_reel_are_cut_without_rejected_events(prismata, bench, labelled, tmp_path):
    wrong = bench.catalog.events.list(origin="annotation")[0]
    bench.catalog.events.set_review_state(wrong.id, "rejected", "anna", wrong.revision)
    cut = prismata("events", "clips", "--to", tmp_path / "clips", "--before", "0.1", "--json").json
    assert [item["start_us"] for item in cut["clips"]] == [1_300_000, 900_000]
    assert {item["file"] for item in cut["clips"]} == {
        str(path) for path in (tmp_path / "clips").iterdir()
    }
    path = tmp_path / "reel.mp4"
    answer = prismata("events", "reel", "--to", path, "--before", "0.2", "--after", "0.1")
    assert "2 events in 0:00.600 written" in answer.out
    assert scan(path).timeline.duration_us == 600_000
    negatives = prismata(
        "events", "reel", "--to", tmp_path / "no.mp4", "--state", "rejected", "--json"
    ).json
    assert negatives["events"] == 1
    first = prismata("events", "reel", "--to", tmp_path / "one.mp4", "--limit", "1", "--captions")
    assert "these are the first 1 (--limit)" in first.err


def test_a_reel_of_nothing_or_over_a_file_is_refused(prismata, labelled, tmp_path):
    path = tmp_path / "reel.mp4"
    none = prismata("events", "reel", "--to", path, "--video", "nowhere")
    assert none.code == 64
    assert "no event fits" in none.err
    assert list(tmp_path.glob("*reel*")) == []
    path.write_text("mine")
    assert prismata("events", "reel", "--to", path).code == 73
    assert path.read_text() == "mine"


def test_ctrl_c_leaves_nothing_half_written(prismata, labelled, tmp_path, monkeypatch):
    from prismata.cli.console import ChildBar

    def stop(self, message):
        if message["done"] == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(ChildBar, "on_message", stop)
    answer = prismata("events", "reel", "--to", tmp_path / "reel.mp4")
    assert answer.code == 130
    assert "Stopped. Nothing was written." in answer.err
    assert list(tmp_path.glob("*reel*")) == []


def test_the_report_of_a_model_is_one_page(
    prismata, bench, labelled, add_bundle, flashes, tmp_path
):
    model = add_bundle()
    path = tmp_path / "r.html"
    not_yet = prismata("report", model.name, "--to", path)
    assert not_yet.code == 66
    assert "has not been run; run `prismata detect" in not_yet.err
    run_detection(bench, prepare_detection(bench, DetectRequest(labelled.id, model.id)))
    answer = prismata("report", model.name, "--to", path, "--title", "My <day>", "--json")
    assert answer.json["events"] == len(flashes.events)
    assert "<h1>My &lt;day&gt;</h1>" in path.read_text()
    assert prismata("report", model.name, "--to", path).code == 73
