"""Events: what was labelled and found in all videos, searched, turned over, kept, played."""

import pytest

from prismata.core.events import Event
from prismata.services.labels import add_label
from prismata.ui import state


@pytest.fixture
def labelled(bench, video):
    for number in range(3):
        add_label(bench, video, "flashes", Event.point("flash", 500_000 + number * 400_000))
    return video


def shown(page):
    return page.test.dataframe[0].value["Start"].tolist()


def test_without_events_it_says_where_they_come_from(open_page, video):
    page = open_page("events")
    assert "No event yet" in page.words
    assert "prismata labels import" in page.words


def test_the_newest_come_first_and_the_chosen_one_plays(open_page, labelled):
    page = open_page("events")
    assert shown(page) == ["0:01.300", "0:00.900", "0:00.500"]
    assert "1 to 3 of 3" in page.words
    page.select_rows(0, [2])
    assert "at 0:00.500" in page.words
    assert page.component("player")[1]["name"] == labelled.name


def test_what_is_asked_for_narrows_and_an_empty_search_shows_all_again(open_page, bench, labelled):
    first = bench.catalog.events.list(origin="annotation")[0]
    bench.catalog.events.set_review_state(first.id, "rejected", "anna", first.revision)
    page = open_page("events")
    page.box("Judged").select("rejected")
    page.run()
    assert shown(page) == ["0:00.500"]
    page.box("From").select("detection")
    page.run()
    assert "No event fits" in page.words
    page.press("Empty search")
    assert len(shown(page)) == 3


def test_a_search_is_saved_used_again_and_forgotten(open_page, bench, labelled):
    page = open_page("events")
    page.box("Domain").select("flashes")
    page.run()
    page.field("Part of the video's name").input(labelled.name[:3])
    page.field("Name").input("mine")
    page.press("Save")
    assert "Saved as mine" in page.words
    [kept] = bench.catalog.event_search.saved()
    assert kept.filter.to_dict() == {"domain": "flashes", "video": labelled.name[:3]}
    again = open_page("events")
    again.box("Saved search").select("mine")
    again.run()
    again.press("Use it")
    assert again.field("Part of the video's name").value == labelled.name[:3]
    assert again.box("Domain").value == "flashes"
    again.press("Forget it")
    assert not bench.catalog.event_search.saved()


def test_pages_are_turned_and_begin_anew_with_another_question(open_page, bench, video):
    for number in range(52):
        add_label(bench, video, "flashes", Event.point("flash", 20_000 + number * 30_000))
    page = open_page("events")
    assert "1 to 50 of 52" in page.words
    page.press("Next page")
    assert "51 to 52 of 52" in page.words
    assert len(shown(page)) == 2
    page.press("Previous page")
    assert "1 to 50 of 52" in page.words
    page.press("Next page")
    page.box("Domain").select("flashes")
    page.run()
    assert "1 to 50 of 52" in page.words


def test_a_date_that_is_none_is_told_in_one_sentence(open_page, labelled):
    page = open_page("events")
    page.field("Since").input("yesterday")
    page.run()
    assert "'yesterday' is no date" in page.words
    assert state.EVENTS_SINCE in page.test.session_state


def test_what_is_found_can_be_taken_along_as_tables_and_a_reel(open_page, bench, labelled):
    page = open_page("events")
    labels = [item.proto.label for item in page.test.get("download_button")]
    assert labels == ["Events as CSV", "Events as JSON", "Events as Parquet"]
    page.press("Make a highlight reel")
    labels = [item.proto.label for item in page.test.get("download_button")]
    assert labels[-1].endswith(" kB")
    for found in bench.catalog.events.list(origin="annotation"):
        bench.catalog.events.set_review_state(found.id, "rejected", "anna", found.revision)
    assert "Make a highlight reel" not in open_page("events").buttons()
