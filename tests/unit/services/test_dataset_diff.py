"""Two versions compared, without a catalog."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from prismata.catalog import DatasetVersionRecord
from prismata.core.errors import InvalidInputError
from prismata.core.events import Event
from prismata.core.time import TimeSpan
from prismata.services.dataset_diff import diff_datasets

DURATIONS = {"a": 60_000_000, "b": 60_000_000}


def version(name, content=(), splits=None, known=None, domain="cricket"):
    splits = splits or {"a": "train", "b": "val"}
    return DatasetVersionRecord(
        id=name,
        name=name,
        domain=domain,
        domain_version=1,
        digest=name,
        seed=0,
        video_splits=splits,
        groups={video: video for video in splits},
        content=tuple(content),
        created_at=datetime(2031, 1, 1, tzinfo=UTC),
        author="anna",
        known=known or {},
    )


def hit(video, seconds, state="none"):
    return video, Event.point("hit", round(seconds * 1e6)), state


def stay(video, start, end, state="none"):
    return video, Event.segment("stay", round(start * 1e6), round(end * 1e6)), state


def test_videos_that_came_went_or_changed_sides():
    older = version("1", splits={"a": "train", "b": "val"})
    newer = version("2", splits={"b": "train", "c": "test"})
    found = diff_datasets(older, newer, DURATIONS)
    assert (found.added_videos, found.removed_videos) == (("c",), ("a",))
    assert found.other_split == {"b": ("val", "train")}


def test_the_nearest_labels_of_one_type_and_video_are_one_that_moved():
    older = version("1", [hit("a", 1), hit("a", 1.6), stay("a", 5, 9), hit("b", 1)])
    newer = version("2", [hit("a", 1.5), stay("a", 5.2, 9.4), hit("a", 30)])
    found = diff_datasets(older, newer, DURATIONS)
    moved = [(item.before.start_us, item.after.start_us) for item in found.moved]
    assert moved == [(1_600_000, 1_500_000), (5_000_000, 5_200_000)]
    assert found.removed == (hit("a", 1), hit("b", 1))
    assert found.added == (hit("a", 30),)


def test_a_label_that_moved_far_is_another_one():
    found = diff_datasets(version("1", [stay("a", 1, 2)]), version("2", [stay("a", 1, 4)]), {})
    assert (len(found.added), len(found.removed), found.moved) == (1, 1, ())


def test_a_label_that_was_judged_anew_is_the_same_label():
    before, after = hit("a", 1), hit("a", 1, "rejected")
    found = diff_datasets(version("1", [before]), version("2", [after]), DURATIONS)
    assert found.judged == ((before, after),)
    assert (found.added, found.removed) == ((), ())


def test_more_of_the_same_videos_is_known():
    older = version("1", known={"a": (TimeSpan(0, 10_000_000),)})
    newer = version("2", known={"a": (TimeSpan(0, 25_000_000),)})
    assert diff_datasets(older, newer, DURATIONS).known_change_us == 15_000_000
    assert diff_datasets(older, version("3"), DURATIONS).known_change_us == 50_000_000


def test_versions_of_two_domains_are_not_compared():
    with pytest.raises(InvalidInputError, match="only versions of one domain"):
        diff_datasets(version("1"), version("2", domain="falls"), DURATIONS)
