from __future__ import annotations

import csv


def test_filming_says_what_there_is_and_its_labels_can_be_imported(prismata, tmp_path):
    to = tmp_path / "films"
    asked = ("--videos", 2, "--seconds", 12, "--seed", 2)
    answer = prismata("domains", "film", "falls", *asked, "--to", to, "--json")
    assert answer.code == 0
    told = answer.json
    assert [path.rpartition("/")[2] for path in told["videos"]] == [
        "falls-0002.mp4",
        "falls-0003.mp4",
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


def test_videos_without_an_event_are_told_as_no_label_names_them(prismata, tmp_path, monkeypatch):
    folder = tmp_path / "mine" / "lamp"
    folder.mkdir(parents=True)
    (folder / "domain.py").write_text(
        "from prismata.domains import Domain, EventType, register_domain\n\n"
        "@register_domain\nclass Lamp(Domain):\n"
        "    name = 'lamp'\n    event_types = (EventType('flash'),)\n"
    )
    (folder / "scene.py").write_text(
        "from prismata.testing.scenes import Happening\n\nclass plan:\n    distractors = ()\n\n"
        "    def __init__(self, seconds, seed):\n"
        "        self.events = [Happening('flash', 1.0)] if seed % 2 else []\n\n"
        "    def backdrop(self, canvas):\n        pass\n\n"
        "    def paint(self, canvas, time_s):\n        pass\n"
    )
    monkeypatch.setenv("PRISMATA_DOMAINS_DIRS", str(folder.parent))
    to = tmp_path / "films"
    answer = prismata("domains", "film", "lamp", "--videos", 3, "--seconds", 4, "--to", to)
    assert answer.code == 0
    assert "2 videos show no event, so labels.csv does not name them" in answer.err


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
