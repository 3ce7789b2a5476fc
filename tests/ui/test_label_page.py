"""Label: what a person marks is what is stored."""

import time

import pytest

from prismata.core.events import Event
from prismata.services.ingest import ingest_file
from prismata.services.labels import add_label, list_labels


def choose_domain(page, title="Flashes"):
    page.box("Domain").select(title.lower().replace(" ", "_"))
    return page.run()


@pytest.fixture
def page(open_page, video):
    return choose_domain(open_page("label"))


def test_with_nothing_there_it_says_how_to_begin(open_page):
    page = open_page("label")
    assert "No video yet" in page.words
    assert page.has("upload")
    assert not page.has("player")


def test_with_no_label_it_says_what_to_do(page):
    assert "No labels on this video yet" in page.words
    assert not page.test.dataframe


def test_the_player_gets_a_signed_address_that_stays(page, video, monkeypatch):
    _, data = page.component("player")
    assert data["url"].startswith(f"/api/video/{video.id}?token=")
    assert data["can_mark"]
    assert not data["needs_end"]
    later = time.time() + 60
    monkeypatch.setattr(time, "time", lambda: later)
    page.run()
    assert page.component("player")[1]["url"] == data["url"]


@pytest.mark.parametrize("typed", ["0:01.000", "1", "1.0", "0:00:01"])
def test_a_typed_time_becomes_a_label_on_its_frame(page, bench, video, typed):
    page.field("Time").input(typed)
    page.press("Add label")
    (record,) = list_labels(bench, video, "flashes")
    timeline = bench.timeline(video)
    assert record.event.start_us == timeline.start_us(timeline.index_at(1_000_500))
    assert record.frame_index == timeline.index_at(1_000_500)
    assert record.author == "tester"
    assert page.field("Time").value == ""
    assert len(page.test.dataframe[0].value) == 1


def test_the_time_of_the_player_goes_into_the_field_and_back_to_the_same_frame(page, bench, video):
    timeline = bench.timeline(video)
    # A third of a second has no exact milliseconds, so rounding would fall before the frame.
    frame = next(i for i in range(1, 40) if timeline.start_us(i) % 1000 in range(300, 500))
    taken = {"edge": "start", "us": timeline.start_us(frame), "count": 1}
    page.tell("player", {"taken": taken})
    assert page.field("Time").value != ""
    page.press("Add label")
    (record,) = list_labels(bench, video, "flashes")
    assert (record.frame_index, record.event.start_us) == (frame, timeline.start_us(frame))


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [("soon", "is not a time"), ("", "is not a time"), ("1:00", "after the end"), ("0:75", "59")],
)
def test_a_time_that_cannot_be_is_refused_in_words(page, bench, video, typed, sentence):
    page.field("Time").input(typed)
    page.press("Add label")
    assert sentence in page.test.error[0].value.replace("\\", "")
    assert list_labels(bench, video, "flashes") == []
    assert page.field("Time").value == typed, "what was typed can be mended"


def test_a_segment_has_two_times(open_page, bench, video):
    page = choose_domain(open_page("label"), "fights")
    assert page.component("player")[1]["needs_end"]
    page.field("Start").input("0:01.000")
    page.field("End").input("0:02.000")
    page.press("Add label")
    (record,) = list_labels(bench, video, "fights")
    assert record.event.kind == "segment"
    assert (record.event.start_us, record.event.end_us) == (1_000_000, 2_000_000)


def test_selecting_a_label_shows_its_frame(page, bench, video):
    add_label(bench, video, "flashes", Event.point("flash", 1_000_000))
    page.run()
    assert page.component("player")[1]["seek"] is None
    page.select_rows(0, [0])
    seek = page.component("player")[1]["seek"]
    assert 1_000_000 < seek["us"] < 1_040_000


def test_deleted_labels_can_be_put_back(page, bench, video):
    for time_us in (500_000, 1_000_000, 2_000_000):
        add_label(bench, video, "flashes", Event.point("flash", time_us))
    page.run()
    page.select_rows(0, [0, 2])
    page.press("Delete 2 labels")
    assert [item.event.start_us for item in list_labels(bench, video, "flashes")] == [1_000_000]
    page.press("Put back 2 deleted")
    starts = [item.event.start_us for item in list_labels(bench, video, "flashes")]
    assert starts == [500_000, 1_000_000, 2_000_000]
    assert "Put back 2 deleted" not in page.buttons()


def test_a_label_that_somebody_else_deleted_is_told(page, bench, video):
    record = add_label(bench, video, "flashes", Event.point("flash", 500_000))
    page.run()
    page.select_rows(0, [0])
    bench.catalog.events.delete(record.id, record.revision)
    button = next(item for item in page.test.button if item.label == "Delete 1 label")
    button.click()
    page.run()
    assert page.test.error


def test_a_csv_is_shown_before_it_is_stored(page, bench, video):
    rows = (
        "video,label,kind,start_s,end_s\nflashes.mp4,flash,point,1.0,\nflashes.mp4,blitz,point,2,\n"
    )
    page.test.file_uploader[0].upload("labels.csv", rows.encode(), "text/csv")
    page.run()
    assert "2 rows" in page.words
    assert "Ignored as asked: label 'blitz'" in page.words, "nobody knows it, so it stays out"
    assert "Import 1 label" in page.buttons()
    assert list_labels(bench, video, "flashes") == []
    page.box("“blitz” in the file means").select("flash")
    page.run()
    page.press("Import 2 labels")
    assert len(list_labels(bench, video, "flashes")) == 2
    assert "2 labels imported" in page.words


def test_a_file_that_holds_no_labels_is_refused_in_words(page, bench, video):
    page.test.file_uploader[0].upload("labels.csv", b"\x00\xff\x00", "text/csv")
    page.run()
    assert page.test.error
    assert not [item for item in page.buttons() if item.startswith("Import")]


def test_many_videos_can_be_chosen_from(open_page, bench, video, uneven_flashes):
    other = ingest_file(bench, uneven_flashes.path, domain="flashes").video
    page = choose_domain(open_page("label"))
    page.box("Video").select(other.id)
    page.run()
    assert other.id in page.component("player")[1]["url"]
    page.field("Time").input("1")
    page.press("Add label")
    assert len(list_labels(bench, other, "flashes")) == 1
    assert list_labels(bench, video, "flashes") == []
