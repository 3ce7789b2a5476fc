"""Label: what the page hands to the station and the library, and what it says when it cannot."""

import time

import pytest

from prismata.core.events import Event
from prismata.services.access import is_token_valid
from prismata.services.ingest import ingest_file, remove_video
from prismata.services.labels import add_label, list_labels

SECRET = b"s" * 32


def choose_domain(page, title="Flashes"):
    page.box("Domain").select(title.lower().replace(" ", "_"))
    return page.run()


@pytest.fixture
def page(open_page, video):
    return choose_domain(open_page("label"))


def station(page):
    return page.component("label_station", package="prismata.")[1]


def rail(page):
    return page.component("library_rail", package="prismata.")[1]


def test_with_nothing_there_it_says_how_to_begin(open_page):
    page = open_page("label")
    assert "No video yet" in page.words
    assert page.has("upload")
    assert not page.has("label_station", package="prismata.")


def test_the_station_gets_small_data_about_video_domain_and_person(page, video):
    told = station(page)
    assert told["video"] == {"id": video.id, "name": "flashes.mp4", "codec": "h264"}
    assert told["user"] == "tester"
    (flash,) = told["domain"]["event_types"]
    assert (flash["name"], flash["kind"], flash["key"]) == ("flash", "point", "f")
    assert flash["color"].startswith("#")
    assert told["domain"]["tolerance_us"] == 100_000


def test_permissions_open_exactly_this_video_for_this_person(page, video):
    tokens = station(page)["tokens"]
    subject = f"{video.id}/flashes/tester"
    assert is_token_valid(SECRET, tokens["video"], "video", video.id)
    assert is_token_valid(SECRET, tokens["labels"], "labels", subject)
    assert not is_token_valid(SECRET, tokens["labels"], "labels", f"{video.id}/flashes/eve")
    assert not is_token_valid(SECRET, tokens["labels"], "labels", f"{video.id}/falls/tester")
    assert is_token_valid(SECRET, tokens["annotator"], "annotator", "tester")
    assert is_token_valid(SECRET, rail(page)["token"], "library", "tester")


def test_permissions_stay_the_same_until_the_station_asks_for_new_ones(page, monkeypatch):
    before = station(page)["tokens"]
    later = time.time() + 60
    monkeypatch.setattr(time, "time", lambda: later)
    page.run()
    assert station(page)["tokens"] == before
    page.tell("label_station", {"expired": 0.5}, package="prismata.")
    after = station(page)["tokens"]
    assert all(after[name] != before[name] for name in before)


def test_another_video_is_chosen_in_the_library(page, bench, uneven_flashes):
    other = ingest_file(bench, uneven_flashes.path, domain="flashes").video
    page.run()
    page.tell("library_rail", {"chosen": {"value": other.id, "count": 1}}, package="prismata.")
    assert station(page)["video"]["id"] == other.id
    assert rail(page)["chosen"] == other.id


def test_who_does_not_sign_in_says_who_they_are(page, video):
    assert rail(page)["can_rename"]
    name = {"value": " Ada/Lovelace ", "count": 1}
    page.tell("library_rail", {"user": name}, package="prismata.")
    told = station(page)
    assert told["user"] == "Ada Lovelace"
    subject = f"{video.id}/flashes/Ada Lovelace"
    assert is_token_valid(SECRET, told["tokens"]["labels"], "labels", subject)


def test_a_video_that_was_removed_meanwhile_gives_way_to_another(
    page, bench, video, uneven_flashes
):
    other = ingest_file(bench, uneven_flashes.path, domain="flashes").video
    page.tell("library_rail", {"chosen": {"value": video.id, "count": 1}}, package="prismata.")
    remove_video(bench, video.id)
    page.run()
    assert "was removed" in page.words
    assert station(page)["video"]["id"] == other.id


def test_labels_are_exported_for_all_videos_and_for_this_one(page, bench, video):
    add_label(bench, video, "flashes", Event.point("flash", 1_000_000))
    page.run()
    assert len(list_labels(bench, video, "flashes")) == 1
    labels = [item.proto.label for item in page.test.get("download_button")]
    assert labels == ["All videos", "This video"]
