"""A thousand labels through a change of event types, on both databases, and back again."""

from collections import Counter
from uuid import uuid4

import pytest
from pydantic import SecretStr

from prismata.catalog import EventDraft
from prismata.core.events import Event
from prismata.core.operations import Operation
from prismata.domains import DomainRegistry
from prismata.services.ingest import ingest_file
from prismata.services.labels import list_labels
from prismata.services.type_migration import (
    MigrationRules,
    apply_migration,
    find_undeclared,
    plan_migration,
)
from prismata.wiring import open_workbench

DOMAIN = "ball_throw"
RULES = MigrationRules({"arc": "flight", "throw": "release", "toss": "release"})
"""One event type is renamed, two become one."""

VIDEOS = 4
ARCS, THROWS, TOSSES, TWINS = 100, 80, 60, 10
"""In each video: stretches, points of two kinds, and points that both kinds have at one instant."""


@pytest.fixture
def bench(settings, empty_url):
    DomainRegistry.clear()
    with open_workbench(
        settings.model_copy(update={"database_url": SecretStr(empty_url)})
    ) as opened:
        yield opened


@pytest.fixture
def videos(bench, flashes, tmp_path):
    made = []
    for number in range(VIDEOS):
        path = tmp_path / f"court-{number}.mp4"
        # A `free` box belongs to no track: the same video in another file.
        path.write_bytes(flashes.path.read_bytes() + (9).to_bytes(4, "big") + b"free%d" % number)
        video = ingest_file(bench, path, domain=DOMAIN).video
        bench.catalog.events.add_annotations(video.id, DOMAIN, 1, list(drafts()), "anna")
        made.append(video)
    return made


def drafts():
    step = 10_000
    for n in range(ARCS):
        attributes = {"note": f"arc {n}"} if n % 7 == 0 else {}
        span = Event.segment("arc", n * step, n * step + step // 2)
        yield EventDraft(span, attributes=attributes)
    for n in range(THROWS):
        state = "rejected" if n % 20 == 0 else "none"
        yield EventDraft(Event.point("throw", n * step + 1), review_state=state)
    for n in range(TOSSES):
        yield EventDraft(Event.point("toss", n * step + 2))
    for n in range(TWINS // 2):
        yield EventDraft(Event.point("throw", n * step + 3))
        yield EventDraft(Event.point("toss", n * step + 3))


def everything(bench, videos):
    """All that is said by each label, by its id."""
    return {
        item.id: (item.event, item.review_state, item.attributes)
        for video in videos
        for item in list_labels(bench, video, DOMAIN)
    }


def test_one_type_renamed_and_two_merged_on_a_thousand_labels_and_taken_back(bench, videos):
    before = everything(bench, videos)
    assert len(before) == 1000
    assert Counter(event.event_type for event, *_ in before.values()) == {
        "arc": 400,
        "throw": 340,
        "toss": 260,
    }

    plan = plan_migration(bench, DOMAIN, RULES)
    assert everything(bench, videos) == before
    assert plan.sentences() == [
        "1000 labels in 4 videos of 'ball_throw': 980 renamed, 20 joined with one at the same "
        "time, 0 retired",
        *(f"court-{n}.mp4: 245 labels renamed, 5 duplicates joined" for n in range(VIDEOS)),
    ]

    assert apply_migration(bench, plan) == plan.changed == 1000
    after = everything(bench, videos)
    # What the preview said has happened, to the label.
    assert Counter(event.event_type for event, *_ in after.values()) == {
        "flight": 400,
        "release": 580,
    }
    # Nothing is orphaned: no label has a type without a declaration, none is new, and those that
    # went have a twin of the same type and time that stands.
    assert find_undeclared(bench, DOMAIN) == []
    assert set(after) <= set(before)
    for event_id, (event, *said) in after.items():
        old, *said_before = before[event_id]
        assert (event.span, said) == (old.span, said_before)
        assert event.event_type == RULES.renames[old.event_type]
    standing = Counter(event.span for event, *_ in after.values() if event.kind == "point")
    for event_id in set(before) - set(after):
        assert standing[before[event_id][0].span] == VIDEOS

    for video in videos:
        back = Operation(uuid4().hex, "0" * 16, 0, "sheet", "", {}, {})
        assert bench.catalog.labels.restore(video.id, DOMAIN, 0, back, "anna").status == "applied"
    assert everything(bench, videos) == before
