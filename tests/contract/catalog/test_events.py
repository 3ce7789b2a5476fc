"""Annotations: stored together or not at all, and never overwritten unseen."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import pytest

from prismata.catalog import EventDraft, LabelCount, open_catalog
from prismata.core.errors import ConflictError, InvalidInputError, NotFoundError
from prismata.core.events import Event

HIT = Event.point("hit", 1_000_001)
OVER = Event.segment("over", 2_000_000, 9_007_199_254_740_993)


@pytest.fixture
def video(make):
    return make.video()


def annotate(catalog, video, *events, **more):
    return catalog.events.add_annotations(video.id, "cricket", 3, events, "Zoë", **more)


def test_an_annotation_comes_back_exactly(catalog, video, url, clock):
    draft = EventDraft(
        OVER,
        frame_index=25,
        source_pts=-12_800,
        attributes={"side": "links ←", "speed": 31.5, "tags": ["a", None, True]},
        event_id="op-17",
    )
    hit, over = annotate(catalog, video, HIT, draft, frame_indices=[7, 99])
    assert (hit.event, hit.frame_index, hit.source_pts) == (HIT, 7, None)
    assert over.id == "op-17"
    assert (over.event, over.frame_index, over.source_pts) == (OVER, 25, -12_800)
    assert over.attributes == {"side": "links ←", "speed": 31.5, "tags": ["a", None, True]}
    assert (over.origin, over.author, over.domain, over.domain_version) == (
        "annotation",
        "Zoë",
        "cricket",
        3,
    )
    assert (over.review_state, over.revision, over.model_id) == ("none", 1, None)
    assert over.created_at == over.updated_at == clock.now
    with open_catalog(url) as reopened:
        assert [asdict(item) for item in reopened.events.list()] == [asdict(hit), asdict(over)]
        assert reopened.events.get("op-17") == over


def test_events_are_listed_by_start_then_type(catalog, video):
    events = [
        Event.point("z_late", 5),
        Event.point("b", 3),
        Event.point("a_b", 3),
        Event.point("ab", 3),
        Event.segment("ab", 3, 9),
        Event.point("z_early", 0),
    ]
    annotate(catalog, video, *events)
    listed = [item.event for item in catalog.events.list(video_id=video.id)]
    assert listed == [events[5], events[2], events[3], events[4], events[1], events[0]]


def test_one_event_that_cannot_be_stored_keeps_all_of_them_out(catalog, video):
    annotate(catalog, video, EventDraft(HIT, event_id="taken"))
    with pytest.raises(ConflictError, match="exists already"):
        annotate(catalog, video, OVER, EventDraft(HIT, event_id="taken"))
    assert [item.id for item in catalog.events.list()] == ["taken"]


def test_bad_calls_are_refused_with_a_reason(catalog, video):
    with pytest.raises(InvalidInputError, match="2 events came with 1 frame indices"):
        annotate(catalog, video, HIT, OVER, frame_indices=[1])
    with pytest.raises(InvalidInputError, match="a review state cannot be 'maybe'"):
        annotate(catalog, video, HIT, review_state="maybe")
    with pytest.raises(InvalidInputError, match="author needs a name"):
        catalog.events.add_annotations(video.id, "cricket", 1, [HIT], " ")
    with pytest.raises(InvalidInputError, match="'Cricket!' cannot be used"):
        catalog.events.add_annotations(video.id, "Cricket!", 1, [HIT], "anna")
    with pytest.raises(InvalidInputError, match="cannot be stored"):
        annotate(catalog, video, EventDraft(HIT, attributes={"speed": float("nan")}))
    with pytest.raises(InvalidInputError, match="cannot be stored"):
        annotate(catalog, video, EventDraft(HIT, attributes={"speed": object()}))
    with pytest.raises(NotFoundError, match="no video with the id 'nowhere'"):
        catalog.events.add_annotations("nowhere", "cricket", 1, [HIT], "anna")
    assert catalog.events.list() == []


def test_hard_negatives_are_rejected_annotations_and_not_counted(catalog, video, make):
    annotate(catalog, video, HIT, OVER, EventDraft(HIT, review_state="rejected"))
    annotate(catalog, video, Event.point("bounce", 5), review_state="rejected")
    annotate(catalog, make.video("other.mp4"), HIT)
    assert catalog.events.count_by_type("cricket") == {"hit": 2, "over": 1}
    assert catalog.events.count_by_type("cricket", origin="detection") == {}
    rejected = catalog.events.list(review_state="rejected")
    assert [item.event.event_type for item in rejected] == ["bounce", "hit"]


def test_labels_of_all_domains_are_counted_at_once_by_type_and_kind(catalog, video, make):
    annotate(catalog, video, HIT, OVER, EventDraft(HIT, review_state="rejected"))
    annotate(catalog, make.video("other.mp4"), HIT, Event.segment("hit", 5, 9))
    catalog.events.add_annotations(video.id, "fitness", 1, [Event.point("hit", 1)], "anna")
    run = catalog.detections.start(video_id=video.id, model_id=make.model().id, settings={})
    catalog.detections.finish(run.id, [Event.point("hit", 8, 0.5)])
    assert catalog.events.count_labels() == [
        LabelCount("cricket", "hit", "point", 2, 1),
        LabelCount("cricket", "hit", "segment", 1, 0),
        LabelCount("cricket", "over", "segment", 1, 0),
        LabelCount("fitness", "hit", "point", 1, 0),
    ]


def test_replacing_touches_only_this_domain_of_this_video(catalog, video, make):
    other = make.video("other.mp4")
    annotate(catalog, video, HIT)
    annotate(catalog, other, HIT)
    catalog.events.add_annotations(video.id, "fitness", 1, [Event.point("jump", 1)], "anna")
    run = catalog.detections.start(video_id=video.id, model_id=make.model().id, settings={})
    catalog.detections.finish(run.id, [Event.point("hit", 8, 0.5)])

    drafts = [OVER, EventDraft(HIT, review_state="rejected")]
    replaced = catalog.events.replace_annotations(video.id, "cricket", 4, drafts, "bob")

    assert [item.review_state for item in replaced] == ["none", "rejected"]
    mine = catalog.events.list(video_id=video.id, domain="cricket", origin="annotation")
    assert {item.id for item in mine} == {item.id for item in replaced}
    assert len(catalog.events.list(video_id=other.id)) == 1
    assert len(catalog.events.list(domain="fitness")) == 1
    assert len(catalog.events.list(detection_run_id=run.id)) == 1


def test_a_replacement_that_fails_leaves_what_was_there(catalog, video):
    before = annotate(catalog, video, HIT)
    other = catalog.events.add_annotations(
        video.id, "fitness", 1, [EventDraft(Event.point("jump", 1), event_id="taken")], "anna"
    )
    drafts = [OVER, EventDraft(HIT, event_id="taken")]
    with pytest.raises(ConflictError):
        catalog.events.replace_annotations(video.id, "cricket", 3, drafts, "bob")
    assert {item.id for item in catalog.events.list()} == {before[0].id, other[0].id}


def test_a_change_says_which_revision_it_saw(catalog, video, clock):
    (first,) = annotate(catalog, video, EventDraft(HIT, frame_index=25, source_pts=12_800))
    clock.advance(1.5)
    longer = Event.segment("hit", HIT.start_us, HIT.start_us + 1)

    second = catalog.events.update(first.id, event=longer, expected_revision=1, author="bob")

    assert (second.event, second.revision, second.author) == (longer, 2, "bob")
    assert (second.frame_index, second.source_pts) == (25, 12_800)  # the start stayed
    assert (second.created_at, second.updated_at) == (first.created_at, clock.now)
    with pytest.raises(ConflictError, match="you saw revision 1, it is at 2 now"):
        catalog.events.update(first.id, event=HIT, expected_revision=1)
    assert catalog.events.get(first.id) == second


def test_an_event_that_moves_forgets_its_frame_unless_told_the_new_one(catalog, video):
    (first,) = annotate(catalog, video, EventDraft(HIT, frame_index=25, source_pts=12_800))
    moved = catalog.events.update(first.id, event=Event.point("hit", 2), expected_revision=1)
    assert (moved.frame_index, moved.source_pts) == (None, None)
    again = catalog.events.update(
        first.id,
        event=Event.point("hit", 3),
        expected_revision=2,
        frame_index=1,
        source_pts=512,
        attributes={"side": "off"},
    )
    assert (again.frame_index, again.source_pts, again.attributes) == (1, 512, {"side": "off"})


def test_of_two_writers_on_one_event_exactly_one_wins(catalog, video):
    (event,) = annotate(catalog, video, HIT)
    barrier = threading.Barrier(8)

    def write(number):
        barrier.wait()
        try:
            return catalog.events.update(
                event.id, event=Event.point("hit", number), expected_revision=1
            )
        except ConflictError:
            return None

    with ThreadPoolExecutor(8) as pool:
        winners = [record for record in pool.map(write, range(8)) if record is not None]
    assert len(winners) == 1
    assert catalog.events.get(event.id) == winners[0]


def test_a_review_names_the_reviewer_and_keeps_the_author(catalog, video):
    (event,) = annotate(catalog, video, HIT)
    reviewed = catalog.events.set_review_state(event.id, "unsure", "bob", 1)
    assert (reviewed.review_state, reviewed.reviewer, reviewed.author) == ("unsure", "bob", "Zoë")
    assert reviewed.revision == 2
    with pytest.raises(ConflictError, match="somebody else changed"):
        catalog.events.set_review_state(event.id, "accepted", "carl", 1)
    with pytest.raises(InvalidInputError, match="cannot be 'maybe'"):
        catalog.events.set_review_state(event.id, "maybe", "carl", 2)


def test_a_deleted_event_comes_back_under_its_id(catalog, video):
    (event,) = annotate(catalog, video, EventDraft(HIT, frame_index=25))
    with pytest.raises(ConflictError):
        catalog.events.delete(event.id, expected_revision=2)
    assert catalog.events.delete(event.id, expected_revision=1) == event
    with pytest.raises(NotFoundError, match=event.id):
        catalog.events.delete(event.id, expected_revision=1)
    (again,) = annotate(
        catalog, video, EventDraft(event.event, event.frame_index, event_id=event.id)
    )
    assert again == event
