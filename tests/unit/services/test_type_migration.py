"""Labels whose event type a plugin renamed, merged or removed."""

import json
from uuid import uuid4

import pytest

from prismata.catalog import EventDraft
from prismata.core.errors import InvalidInputError
from prismata.core.events import Event
from prismata.core.operations import Operation
from prismata.services.ingest import ingest_file
from prismata.services.label_mirror import mirror_key
from prismata.services.labels import export_labels, list_labels
from prismata.services.type_migration import (
    MigrationRules,
    apply_migration,
    check_declared,
    find_undeclared,
    plan_migration,
)

DOMAIN = "ball_throw"
"""Declares `release`, a point, and `flight`, a segment."""


def events(bench, video):
    return [item.event for item in list_labels(bench, video, DOMAIN)]


def add(bench, video, *labels):
    drafts = [item if isinstance(item, EventDraft) else EventDraft(item) for item in labels]
    return bench.catalog.events.add_annotations(video.id, DOMAIN, 1, drafts, "anna")


@pytest.fixture
def other(bench, copy_of, flashes):
    return ingest_file(bench, copy_of(flashes, "other.mp4", tail=b"x")).video


@pytest.fixture
def labelled(bench, video, other):
    add(
        bench,
        video,
        Event.point("release", 500_000),
        Event.point("throw", 500_000),
        Event.point("throw", 900_000),
        Event.segment("pause", 1_000_000, 2_000_000),
    )
    add(bench, other, Event.point("throw", 100_000), Event.point("flight", 3_950_000))
    return video


def test_what_the_domain_does_not_declare_is_found_with_its_kind_and_its_videos(
    bench, labelled, other
):
    found = find_undeclared(bench, DOMAIN)
    assert [str(item) for item in found] == [
        "1 point 'flight' in 1 video: the domain declares it as a segment now",
        "1 segment 'pause' in 1 video: the domain has no such event type",
        "3 points 'throw' in 2 videos: the domain has no such event type",
    ]
    assert found[2].videos == ("flashes.mp4", "other.mp4")
    with pytest.raises(InvalidInputError, match="labels of flight, pause, throw, which 'ball_thr"):
        check_declared(bench.domain(DOMAIN), bench.catalog.events.list(domain=DOMAIN))


def test_labels_that_fit_need_no_migration(bench, video):
    add(bench, video, Event.point("release", 5), Event.segment("flight", 6, 9))
    assert find_undeclared(bench, DOMAIN) == []
    check_declared(bench.domain(DOMAIN), bench.catalog.events.list(domain=DOMAIN))


def test_a_plan_says_in_numbers_what_would_happen_and_changes_nothing(bench, labelled, other):
    before = events(bench, labelled), events(bench, other)
    rules = MigrationRules({"throw": "release"}, frozenset({"pause"}))
    plan = plan_migration(bench, DOMAIN, rules)
    assert plan.sentences() == [
        "4 labels in 2 videos of 'ball_throw': 2 renamed, 1 joined with one at the same time, "
        "1 retired",
        "flashes.mp4: 1 label renamed, 1 duplicate joined, 1 label retired",
        "other.mp4: 1 label renamed",
        "not touched: 1 point 'flight' in 1 video: the domain declares it as a segment now",
    ]
    assert json.loads(json.dumps(plan.to_dict()))["videos"][0] == {
        "video": "flashes.mp4",
        "renamed": 1,
        "duplicates": 1,
        "retired": 1,
    }
    assert (events(bench, labelled), events(bench, other)) == before


def test_applying_does_what_the_plan_said_and_the_mirror_has_it(bench, labelled, other):
    rules = MigrationRules({"throw": "release"}, frozenset({"pause"}))
    plan = plan_migration(bench, DOMAIN, rules)
    assert apply_migration(bench, plan) == plan.changed == 4
    assert events(bench, labelled) == [
        Event.point("release", 500_000),
        Event.point("release", 900_000),
    ]
    assert events(bench, other)[0] == Event.point("release", 100_000)
    mirror = json.loads(bench.storage.get(mirror_key(labelled, DOMAIN)))
    assert [item["event_type"] for item in mirror["events"]] == ["release", "release"]
    assert [item.name for item in find_undeclared(bench, DOMAIN)] == ["flight"]


def test_a_migration_stands_in_the_history_and_can_be_taken_back(bench, labelled):
    before = list_labels(bench, labelled, DOMAIN)
    rules = MigrationRules({"throw": "release"}, frozenset({"pause"}))
    apply_migration(bench, plan_migration(bench, DOMAIN, rules))
    history = bench.catalog.labels.history(labelled.id, DOMAIN)
    assert {item.client for item in history} == {"migration"}
    assert {item.author for item in history} == {"tester"}
    assert sorted(item.kind for item in history) == ["delete", "delete", "update"]
    back = Operation(uuid4().hex, "0" * 16, 0, "sheet", "", {}, {})
    result = bench.catalog.labels.restore(labelled.id, DOMAIN, 0, back, "anna")
    assert result.status == "applied"
    after = list_labels(bench, labelled, DOMAIN)
    assert [(item.id, item.event) for item in after] == [(item.id, item.event) for item in before]


def test_what_is_not_mentioned_is_still_shown_and_exported(bench, labelled):
    apply_migration(bench, plan_migration(bench, DOMAIN, MigrationRules({"throw": "release"})))
    assert Event.segment("pause", 1_000_000, 2_000_000) in events(bench, labelled)
    assert "pause" in export_labels(bench, DOMAIN, "csv")


def test_points_become_segments_of_a_length_that_ends_with_the_video(bench, labelled, other):
    for rules in (MigrationRules({"flight": "flight"}), MigrationRules({"throw": "flight"})):
        with pytest.raises(InvalidInputError, match=r"would become segments 'flight'; say how"):
            plan_migration(bench, DOMAIN, rules)
    rules = MigrationRules({"flight": "flight", "throw": "flight"}, length_us=300_000)
    apply_migration(bench, plan_migration(bench, DOMAIN, rules))
    assert events(bench, other) == [
        Event.segment("flight", 100_000, 400_000),
        Event.segment("flight", 3_950_000, other.duration_us),
    ]


def test_segments_become_points_at_their_start_and_keep_what_is_said_of_them(bench, video):
    draft = EventDraft(
        Event.segment("pause", 1_000_000, 2_000_000),
        attributes={"note": "long"},
        review_state="accepted",
    )
    (before,) = add(bench, video, draft)
    apply_migration(bench, plan_migration(bench, DOMAIN, MigrationRules({"pause": "release"})))
    (after,) = list_labels(bench, video, DOMAIN)
    assert after.event == Event.point("release", 1_000_000)
    assert (after.id, after.attributes, after.review_state) == (
        before.id,
        {"note": "long"},
        "accepted",
    )


def test_two_old_types_merge_into_one_and_a_hard_negative_is_no_duplicate(bench, video):
    add(
        bench,
        video,
        Event.point("throw", 100),
        Event.point("toss", 100),
        EventDraft(Event.point("toss", 100), review_state="rejected"),
    )
    rules = MigrationRules({"throw": "release", "toss": "release"})
    plan = plan_migration(bench, DOMAIN, rules)
    assert (plan.videos[0].renamed, plan.videos[0].duplicates) == (2, 1)
    apply_migration(bench, plan)
    states = sorted(item.review_state for item in list_labels(bench, video, DOMAIN))
    assert states == ["none", "rejected"]
    assert set(events(bench, video)) == {Event.point("release", 100)}


def test_what_was_edited_after_the_plan_is_migrated_as_it_is_then(bench, video):
    (label,) = add(bench, video, Event.point("throw", 100))
    plan = plan_migration(bench, DOMAIN, MigrationRules({"throw": "release"}))
    bench.catalog.events.update(
        label.id, event=Event.point("throw", 200), expected_revision=label.revision
    )
    add(bench, video, Event.point("throw", 300))
    assert apply_migration(bench, plan) == 2
    assert events(bench, video) == [Event.point("release", 200), Event.point("release", 300)]


def test_a_label_outside_its_video_stops_the_plan_before_anything_is_changed(bench, video):
    add(bench, video, Event.point("throw", 100), Event.point("throw", 9_000_000))
    with pytest.raises(InvalidInputError, match=r"'throw' at 0:09.000 lies outside 'flashes.mp4'"):
        plan_migration(bench, DOMAIN, MigrationRules({"throw": "flight"}, length_us=5))
    # As a point it can keep its place: it only gets another name.
    apply_migration(bench, plan_migration(bench, DOMAIN, MigrationRules({"throw": "release"})))
    assert [item.start_us for item in events(bench, video)] == [100, 9_000_000]


@pytest.mark.parametrize(
    ("rules", "sentence"),
    [
        (MigrationRules({"thrw": "release"}), "no label of 'ball_throw' is a 'thrw'; labels have"),
        (MigrationRules({}, frozenset({"gone"})), "no label of 'ball_throw' is a 'gone'"),
        (MigrationRules({"throw": "relase"}), "'throw' cannot become 'relase', which 'ball_throw'"),
        (MigrationRules({"throw": "release"}, frozenset({"throw"})), "both renamed and retired"),
        (MigrationRules({"throw": "flight"}, length_us=0), "must be more than 0 seconds"),
    ],
)
def test_rules_that_cannot_be_followed_are_refused(bench, labelled, rules, sentence):
    with pytest.raises(InvalidInputError, match=sentence):
        plan_migration(bench, DOMAIN, rules)


def test_a_plan_that_changes_nothing_cannot_be_applied(bench, labelled):
    plan = plan_migration(bench, DOMAIN, MigrationRules({"release": "release"}))
    assert plan.videos == ()
    with pytest.raises(InvalidInputError, match="nothing of 'ball_throw' is to be migrated"):
        apply_migration(bench, plan)
