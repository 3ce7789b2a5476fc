"""The library beside the station: who may see it, what fits, how far each video is."""

from urllib.parse import quote

import pytest

from prismata.core.operations import Operation
from prismata.services.access import mint_token
from prismata.services.annotate import LabelDesk
from prismata.services.ingest import ingest_file
from prismata.testing.barcode import write_barcode_video

SECRET = b"s" * 32
SECOND = 1_000_000


@pytest.fixture
def ask(client):
    def get(user="Ärztin", **query):
        headers = {
            "x-prismata-token": mint_token(SECRET, "library", user),
            "x-prismata-user": quote(user),
        }
        return client.get("/api/library", params={"domain": "flashes", **query}, headers=headers)

    return get


@pytest.fixture
def videos(bench, tmp_path):
    """Three videos: of flashes, of no domain, of another domain."""
    made = {}
    for number, (name, domain, group) in enumerate(
        [("b.mp4", "flashes", "Monday"), ("a.mp4", "", ""), ("c.mp4", "cricket", "Tuesday")]
    ):
        path = write_barcode_video(tmp_path / name, frames=50 + number)
        made[name] = ingest_file(bench, path, domain=domain, group=group).video
    return made


def operation(number, kind, before, after):
    event_id = f"{number:032x}" if kind == "create" else ""
    return Operation(f"{number:032x}", "0" * 16, number, kind, event_id, before, after)


def flash(start_us, review_state="none"):
    return {
        "start_us": start_us,
        "end_us": start_us,
        "event_type": "flash",
        "kind": "point",
        "review_state": review_state,
        "attributes": {},
    }


@pytest.fixture
def work(bench, videos):
    """Somebody labels b.mp4: two flashes and a rejected one, half of it watched, given to Bo."""
    desk = LabelDesk(bench)
    half = {"start_us": 0, "end_us": SECOND}
    operations = [
        operation(1, "create", None, flash(0)),
        operation(2, "create", None, flash(400_000, "accepted")),
        operation(3, "create", None, flash(800_000, "rejected")),
        operation(4, "cover", half | {"spans": []}, half | {"spans": [[0, SECOND, "watched"]]}),
        operation(
            5,
            "sheet",
            {"status": "new", "assignee": ""},
            {"status": "in_progress", "assignee": "Bo"},
        ),
    ]
    results = desk.apply(videos["b.mp4"].id, "flashes", operations, "Bo", since=0).results
    assert [one.status for one in results] == ["applied"] * 5, results
    desk.close()


def names(answer):
    assert answer.status_code == 200, answer.text
    return [item["name"] for item in answer.json()["items"]]


def test_each_video_is_told_with_how_far_it_is(ask, videos, work):
    told = ask().json()
    assert [item["name"] for item in told["items"]] == ["a.mp4", "b.mp4"]
    fresh, begun = told["items"]
    assert (fresh["status"], fresh["assignee"], fresh["labels"], fresh["seen"]) == ("new", "", 0, 0)
    assert (begun["status"], begun["assignee"], begun["labels"]) == ("in_progress", "Bo", 2)
    assert begun["seen"] == 0.5
    assert begun["duration_us"] == videos["b.mp4"].duration_us
    assert told["total"] == 2
    assert told["counts"] == {"new": 1, "in_progress": 1, "needs_review": 0, "done": 0}
    assert told["assignees"] == ["Bo"]


def test_videos_of_other_domains_are_told_only_when_asked_for(ask, videos, work):
    assert names(ask(all="1")) == ["a.mp4", "b.mp4", "c.mp4"]
    assert names(ask(domain="cricket")) == ["a.mp4", "c.mp4"]
    assert ask(domain="cricket").json()["counts"]["new"] == 2


def test_search_and_filters_narrow_what_is_told(ask, videos, work):
    assert names(ask(q="MON")) == ["b.mp4"]
    assert names(ask(q="monday b.")) == ["b.mp4"]
    assert names(ask(q="nothing like it")) == []
    assert names(ask(status="new")) == ["a.mp4"]
    assert ask(status="new").json()["counts"]["in_progress"] == 1, "counts say what else there is"
    assert names(ask(assignee="Bo")) == ["b.mp4"]
    assert names(ask(assignee="Bo", status="done")) == []


def test_pages_follow_one_another(ask, videos):
    first = ask(limit="1")
    assert names(first) == ["a.mp4"]
    assert first.json()["total"] == 2
    assert names(ask(limit="1", offset="1")) == ["b.mp4"]
    assert names(ask(offset="2")) == []


def test_the_address_of_a_poster_opens_it_and_stays_the_same(ask, client, videos):
    address = ask().json()["items"][0]["poster"]
    assert client.get(address).headers["content-type"] == "image/jpeg"
    assert ask().json()["items"][0]["poster"] == address


@pytest.mark.parametrize(
    ("query", "status", "word"),
    [
        ({"domain": "flashs"}, 404, "did you mean flashes"),
        ({"status": "finished"}, 400, "no status 'finished'"),
        ({"offset": "-1"}, 400, "offset has to be"),
        ({"limit": "many"}, 400, "limit has to be"),
    ],
)
def test_what_cannot_be_answered_is_refused_in_words(ask, query, status, word):
    answer = ask(**query)
    assert answer.status_code == status
    assert word in answer.json()["error"]


def test_nobody_sees_the_library_in_the_name_of_another(client, videos):
    token = mint_token(SECRET, "library", "Bo")
    for headers in (
        {},
        {"x-prismata-token": token, "x-prismata-user": "Ann"},
        {"x-prismata-token": mint_token(SECRET, "annotator", "Bo"), "x-prismata-user": "Bo"},
        {
            "x-prismata-token": mint_token(SECRET, "library", "Bo", lives_seconds=-1),
            "x-prismata-user": "Bo",
        },
    ):
        answer = client.get("/api/library?domain=flashes", headers=headers)
        assert answer.status_code == 403
        assert "reload the page" in answer.json()["error"]
