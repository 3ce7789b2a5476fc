"""Searching events: every one that fits, once, in order, however pages are cut."""

from __future__ import annotations

import pytest

from prismata.catalog import event_search
from prismata.catalog.event_search import COUNTED_AT_MOST, EventFilter
from prismata.core.errors import InvalidInputError, NotFoundError
from prismata.core.events import Event


@pytest.fixture
def filled(catalog, make, clock):
    """Two videos with labels and a detection; the clock moves a minute between the events."""
    day, night = make.video("Day_1.mp4"), make.video("night%2.mp4")
    labels = []
    for video, start in ((day, 1), (night, 2), (day, 3)):
        [label] = catalog.events.add_annotations(
            video.id, "cricket", 3, [Event.segment("over", start, start + 2_000_000)], "anna"
        )
        labels.append(label)
        clock.advance(60)
    run = catalog.detections.start(
        video_id=night.id, model_id=make.model().id, job_id=None, settings={}
    )
    found = [Event.point("hit", at, score) for at, score in ((5, 0.9), (6, 0.2), (7, 0.9))]
    catalog.detections.add_events(run.id, found)
    return {"labels": labels, "run": run, "night": night}


def starts(page):
    return [item.record.event.start_us for item in page.events]


def finish(catalog, run):
    catalog.detections.finish(
        run.id,
        events=[Event.point("hit", at, score) for at, score in ((5, 0.9), (6, 0.2), (7, 0.9))],
        runtime="onnxruntime",
        result_key="r",
        scores_key="s",
        peak_rss_mb=1.0,
        wall_seconds=1.0,
    )


def test_what_a_running_detection_may_still_change_is_not_found(catalog, filled):
    assert starts(catalog.event_search.find(EventFilter())) == [3, 2, 1]
    assert catalog.event_search.count(EventFilter()) == 3


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, {1, 2, 3, 5, 6, 7}),
        ({"domain": "soccer"}, set()),
        ({"event_type": "over"}, {1, 2, 3}),
        ({"origin": "detection"}, {5, 6, 7}),
        ({"video": "DAY"}, {1, 3}),
        ({"video": "t%2"}, {2, 5, 6, 7}),
        ({"video": "y%1"}, set()),
        ({"min_score": 0.5}, {5, 7}),
        ({"max_score": 0.5}, {6}),
        ({"min_seconds": 2.0}, {1, 2, 3}),
        ({"max_seconds": 1.9}, {5, 6, 7}),
        ({"review_state": "accepted"}, {2}),
        ({"reviewer": "Zoë"}, {2}),
        ({"since": "2031-02-03T04:06:06"}, {2, 3, 5, 6, 7}),
        ({"until": "2031-02-03T04:06:06+00:00"}, {1}),
        ({"since": "2031-02-04"}, set()),
    ],
)
def test_every_condition_lets_pass_what_fits_and_nothing_else(catalog, filled, wanted, expected):
    finish(catalog, filled["run"])
    label = filled["labels"][1]
    catalog.events.set_review_state(label.id, "accepted", "Zoë", label.revision)
    chosen = EventFilter(**wanted)
    assert set(starts(catalog.event_search.find(chosen))) == expected
    assert catalog.event_search.count(chosen) == len(expected)
    assert EventFilter.from_dict(chosen.to_dict()) == chosen


@pytest.mark.parametrize(
    ("order", "expected"),
    [("newest", [0, 0, 0, 3, 2, 1]), ("score", [0.9, 0.9, 0.2]), ("unsure", [0.2, 0.9, 0.9])],
)
@pytest.mark.parametrize("limit", [1, 2, 50])
def test_pages_follow_each_other_without_a_gap_or_a_repeat(catalog, filled, order, expected, limit):
    finish(catalog, filled["run"])
    found, page = [], ""
    for _ in range(10):
        part = catalog.event_search.find(EventFilter(), order=order, limit=limit, page=page)
        assert len(part.events) <= limit
        found += part.events
        if not (page := part.next_page):
            break
    assert len({item.record.id for item in found}) == len(found) == len(expected)
    if order == "newest":
        assert [item.record.event.start_us for item in found][3:] == expected[3:]
    else:
        assert [item.record.event.score for item in found] == expected
    assert all(item.video_name in ("Day_1.mp4", "night%2.mp4") for item in found)


@pytest.mark.parametrize("order", ["newest", "score"])
def test_a_domain_with_many_events_is_searched_along_the_order(catalog, filled, order, monkeypatch):
    """Looked up by its own index, all that it has would be sorted for one page."""
    finish(catalog, filled["run"])
    asked = EventFilter(domain="cricket"), EventFilter(domain="soccer")
    few = [starts(catalog.event_search.find(wanted, order=order)) for wanted in asked]
    monkeypatch.setattr(event_search, "RARE", 1)
    many = [starts(catalog.event_search.find(wanted, order=order)) for wanted in asked]
    assert many == few
    assert (len(many[0]) > 1, many[1]) == (True, [])
    with catalog.event_search._database.read() as session:
        asked_for = event_search._of_domain(session, asked[0])
        assert "||" in str(asked_for), "no index of the domain can be taken"


def test_new_events_do_not_shift_the_pages_that_follow(catalog, filled, make):
    first = catalog.event_search.find(EventFilter(), limit=2)
    catalog.events.add_annotations(
        make.video("new.mp4").id, "cricket", 3, [Event.point("hit", 9)], "anna"
    )
    rest = catalog.event_search.find(EventFilter(), limit=2, page=first.next_page)
    assert starts(first) + starts(rest) == [3, 2, 1]
    assert rest.next_page == ""


@pytest.mark.parametrize("page", ["x", "!!", "bnVsbA", "WyJuZXdlc3QiLCAibm8iLCAiYSJd"])
def test_a_mark_that_is_none_is_refused(catalog, page):
    with pytest.raises(InvalidInputError, match="no mark of a page"):
        catalog.event_search.find(EventFilter(), page=page)


def test_a_mark_of_another_order_is_refused(catalog, filled):
    page = catalog.event_search.find(EventFilter(), limit=1).next_page
    with pytest.raises(InvalidInputError, match="belongs to the order 'newest', not 'score'"):
        catalog.event_search.find(EventFilter(), order="score", page=page)


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ({"origin": "guess"}, "the origin of an event cannot be 'guess'"),
        ({"review_state": "maybe"}, "a review state cannot be 'maybe'"),
        ({"min_score": 0.9, "max_score": 0.1}, "smallest score asked for, 0.9, is above"),
        ({"since": "2026-02-02", "until": "2026-02-01"}, "smallest date"),
        ({"since": "yesterday"}, "'yesterday' is no date"),
    ],
)
def test_a_filter_that_cannot_be_meant_is_refused(wanted, sentence):
    with pytest.raises(InvalidInputError, match=sentence):
        EventFilter(**wanted)


def test_searches_are_kept_by_name_replaced_and_forgotten(catalog):
    search = catalog.event_search
    search.save("doubtful", EventFilter(max_score=0.4), "anna")
    search.save(" doubtful ", EventFilter(max_score=0.5), "ben")
    search.save("all", EventFilter(), "anna")
    assert [(item.name, item.filter, item.author) for item in search.saved()] == [
        ("all", EventFilter(), "anna"),
        ("doubtful", EventFilter(max_score=0.5), "ben"),
    ]
    search.forget("all")
    with pytest.raises(NotFoundError, match="no search is saved under the name 'all'"):
        search.forget("all")
    with pytest.raises(InvalidInputError, match="cannot be searched by 'colour'"):
        EventFilter.from_dict({"colour": "red"})


def test_counting_stops_where_nobody_reads_on(catalog, make):
    video = make.video()
    events = [Event.point("hit", at) for at in range(COUNTED_AT_MOST + 5)]
    catalog.events.add_annotations(video.id, "cricket", 3, events, "anna")
    assert catalog.event_search.count(EventFilter()) == COUNTED_AT_MOST
