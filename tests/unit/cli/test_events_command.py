"""`prismata events`: search, pages, saved searches, CSV."""

import csv
import io

import pytest

from prismata.core.events import Event
from prismata.services.ingest import ingest_file
from prismata.services.labels import add_label


@pytest.fixture
def labelled(bench, flashes):
    video = ingest_file(bench, flashes.path, domain="flashes").video
    for number in range(3):
        add_label(bench, video, "flashes", Event.point("flash", 500_000 + number * 400_000))
    return video


def test_pages_follow_each_other(prismata, labelled):
    first = prismata("events", "search", "--limit", "2", "--json").json
    assert [item["start_seconds"] for item in first["events"]] == [1.3, 0.9]
    assert first["count"] == 3
    rest = prismata("events", "search", "--limit", "2", "--page", first["next_page"], "--json").json
    assert [item["start_seconds"] for item in rest["events"]] == [0.5]
    assert rest["next_page"] == ""
    table = prismata("events", "search", "--limit", "2")
    assert "0:01.300" in table.out
    assert "--page" in table.err


def test_a_search_is_saved_narrowed_and_forgotten(prismata, labelled):
    assert prismata("events", "search", "--type", "flash", "--save", "mine").code == 0
    assert prismata("events", "saved", "--json").json == [
        {"name": "mine", "author": "tester", "event_type": "flash"}
    ]
    none = prismata("events", "search", "--saved", "mine", "--origin", "detection")
    assert "no event fits" in none.err
    wrong = prismata("events", "search", "--saved", "yours")
    assert "no search is saved under the name 'yours'; there is mine" in wrong.err
    assert prismata("events", "forget", "mine").code == 0
    assert "no search is saved yet" in prismata("events", "saved").err


def test_all_that_fit_are_written_as_csv_that_no_spreadsheet_runs(
    prismata, bench, labelled, tmp_path
):
    event = bench.catalog.events.list(origin="annotation")[0]
    bench.catalog.events.set_review_state(event.id, "rejected", "=cmd()", event.revision)
    path = tmp_path / "events.csv"
    answer = prismata("events", "search", "--csv", str(path), "--limit", "1")
    assert answer.out == f"3 events written to {path}\n"
    rows = list(csv.DictReader(io.StringIO(path.read_text())))
    assert [row["start_seconds"] for row in rows] == ["1.3", "0.9", "0.5"]
    assert [row["reviewer"] for row in rows] == ["", "", "'=cmd()"]
    again = prismata("events", "search", "--csv", str(path))
    assert again.code != 0
    assert "exists already" in again.err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--order", "best"], "cannot be ordered by 'best'; by newest, score, unsure"),
        (["--state", "maybe"], "a review state cannot be 'maybe'"),
        (["--domain", "flashes", "--type", "bang"], "has no event type 'bang'; it has flash"),
        (["--domain", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_asked_is_told_in_one_sentence(prismata, labelled, options, sentence):
    answer = prismata("events", "search", *options)
    assert answer.code != 0
    assert answer.out == ""
    assert sentence in answer.err
