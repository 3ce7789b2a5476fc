from __future__ import annotations

import csv


def test_filming_says_what_there_is_and_its_labels_can_be_imported(prismata, tmp_path):
    to = tmp_path / "films"
    answer = prismata(
        "domains", "film", "falls", "--videos", 2, "--seconds", 9, "--seed", 3, "--to", to, "--json"
    )
    assert answer.code == 0
    told = answer.json
    assert [path.rpartition("/")[2] for path in told["videos"]] == [
        "falls-0003.mp4",
        "falls-0004.mp4",
    ]
    with (to / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(told["events"].values()) > 0
    assert sum(told["distractors"].values()) > 0
    assert prismata("ingest", to, "--domain", "falls").code == 0
    plan = prismata("labels", "import", to / "labels.csv", "--domain", "falls", "--json").json
    assert (plan["num_events"], plan["num_left_out"]) == (len(rows), 0)


def test_filming_counts_in_words(prismata, tmp_path):
    answer = prismata(
        "domains", "film", "falls", "--videos", 1, "--seconds", 8, "--to", tmp_path / "x"
    )
    assert answer.code == 0
    assert answer.out.startswith("1 video of 8 s with ")
    assert "things that only look like one" in answer.out
    assert "labels import" in answer.err


def test_a_folder_with_something_in_it_is_left_alone(prismata, tmp_path):
    folder = tmp_path / "films"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    answer = prismata("domains", "film", "falls", "--to", folder)
    assert answer.code != 0
    assert "is not an empty folder" in answer.err
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]


def test_a_domain_without_scene_cannot_be_filmed(prismata, tmp_path):
    answer = prismata("domains", "film", "ball_throw", "--to", tmp_path / "x")
    assert answer.code != 0
    assert "has no scene.py" in answer.err
    assert not (tmp_path / "x").exists()
