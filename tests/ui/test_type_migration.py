"""The panel that asks what becomes of labels whose event type the domain dropped."""

import pytest
from streamlit.testing.v1 import AppTest

from prismata.core.events import Event
from prismata.services.ingest import ingest_file
from prismata.services.labels import list_labels
from prismata.ui.context import set_workbench

DOMAIN = "ball_throw"
SCRIPT = """
from prismata.ui.context import workbench
from prismata.ui.panels.notices import guarded, show_waiting_notices
from prismata.ui.panels.type_migration import show_type_migration

def show():
    show_waiting_notices()
    show_type_migration(workbench().domain("ball_throw"))

guarded(show)()
"""


@pytest.fixture
def video(bench, flashes):
    set_workbench(bench, b"s" * 32)
    return ingest_file(bench, flashes.path, domain=DOMAIN).video


@pytest.fixture
def labelled(bench, video):
    labels = [Event.point("throw", 100), Event.point("throw", 200), Event.point("release", 200)]
    bench.catalog.events.add_annotations(video.id, DOMAIN, 1, labels, "anna")
    return video


def run(test):
    test.run()
    assert not test.exception, test.exception
    return test


def open_panel():
    return run(AppTest.from_string(SCRIPT, default_timeout=30))


def words(test):
    shown = [*test.markdown, *test.caption, *test.success, *test.info, *test.error]
    return "\n".join(str(item.value) for item in shown).replace("\\", "")


def choose(test, name, value):
    box = next(item for item in test.selectbox if name in item.label)
    box.select(value)
    return run(test)


def press(test):
    (button,) = test.button
    button.click()
    return run(test)


def test_a_domain_whose_labels_all_fit_shows_nothing(bench, video):
    bench.catalog.events.add_annotations(video.id, DOMAIN, 1, [Event.point("release", 5)], "anna")
    test = open_panel()
    assert words(test) == ""
    assert not test.selectbox


def test_it_says_what_is_there_and_offers_no_button_before_a_choice(labelled):
    test = open_panel()
    assert "2 points 'throw' in 1 video: the domain has no such event type" in words(test)
    assert "They stay as they are until you choose" in words(test)
    (box,) = test.selectbox
    assert box.options == [
        "decide later",
        "Release",
        "Flight",
        "nothing: remove its labels (the history keeps them)",
    ]
    assert not test.button


def test_a_choice_is_shown_in_numbers_and_done_by_a_button(bench, labelled):
    test = choose(open_panel(), "throw", "release")
    assert "1 renamed, 1 joined with one at the same time, 0 retired" in words(test)
    assert [item.event.event_type for item in list_labels(bench, labelled, DOMAIN)].count(
        "throw"
    ) == 2
    (button,) = test.button
    assert button.label == "Change 2 labels"
    press(test)
    assert "2 labels changed; the history of each video can take it back" in words(test)
    assert not test.selectbox
    assert [item.event for item in list_labels(bench, labelled, DOMAIN)] == [
        Event.point("release", 100),
        Event.point("release", 200),
    ]


def test_retiring_is_a_choice_like_any_other(bench, labelled):
    test = choose(open_panel(), "throw", "-")
    assert "2 labels retired" in words(test)
    press(test)
    assert len(list_labels(bench, labelled, DOMAIN)) == 1


def test_points_that_become_segments_are_asked_for_their_length(bench, labelled):
    test = choose(open_panel(), "throw", "flight")
    test.number_input[0].set_value(0.5)
    run(test)
    press(test)
    flights = [item.event for item in list_labels(bench, labelled, DOMAIN)][:1]
    assert flights == [Event.segment("flight", 100, 500_100)]


def test_somebody_who_was_faster_is_no_error(bench, labelled):
    test = choose(open_panel(), "throw", "release")
    for item in list_labels(bench, labelled, DOMAIN):
        bench.catalog.events.delete(item.id, item.revision)
    press(test)
    assert not test.error
    assert "0 labels changed" in words(test)
