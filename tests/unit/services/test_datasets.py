from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prismata.catalog import VideoRecord
from prismata.core.errors import InvalidInputError, NotFoundError
from prismata.core.events import Event
from prismata.core.time import TimeSpan
from prismata.services.datasets import create_dataset, plan_split
from prismata.services.ingest import ingest_file
from prismata.services.labels import add_label


def record(number, group, seconds=10.0):
    return VideoRecord(
        id=f"video-{number}",
        name=f"{number}.mp4",
        storage_key=f"videos/{number}",
        sha256=f"{number:064d}",
        size_bytes=1,
        container="mp4",
        codec="h264",
        width=16,
        height=16,
        rotation=0,
        frame_count=10,
        duration_us=round(seconds * 1e6),
        first_pts_us=0,
        min_step_us=1,
        max_step_us=1,
        timeline_key="t",
        group_name=group,
        domain="",
        notes=(),
        created_at=datetime(2031, 1, 1, tzinfo=UTC),
    )


groups = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.floats(0.1, 500)), min_size=1, max_size=25
)
shares = st.floats(0, 0.95)


@given(groups, shares, shares, st.integers(0, 5))
def test_a_group_is_never_split_and_something_is_always_left_to_train_on(
    drawn, val_share, test_share, seed
):
    videos = [record(i, group, seconds) for i, (group, seconds) in enumerate(drawn)]
    if val_share + test_share >= 1:
        with pytest.raises(InvalidInputError, match="must add up to less than 1"):
            plan_split(videos, seed=seed, val_share=val_share, test_share=test_share)
        return
    plan = plan_split(videos, seed=seed, val_share=val_share, test_share=test_share)
    assert set(plan.splits) == {video.id for video in videos}
    by_group = {}
    for video in videos:
        by_group.setdefault(video.group_name, set()).add(plan.splits[video.id])
        assert plan.groups[video.id] == video.group_name
    assert all(len(splits) == 1 for splits in by_group.values())
    used = set(plan.splits.values())
    assert "train" in used
    assert ("val" in used) <= (val_share > 0)
    assert ("test" in used) <= (test_share > 0)
    assert bool(plan.note) == (val_share > 0 and "val" not in used)
    again = plan_split(videos, seed=seed, val_share=val_share, test_share=test_share)
    assert again == plan
    shuffled = plan_split(videos[::-1], seed=seed, val_share=val_share, test_share=test_share)
    assert shuffled.splits == plan.splits


def test_shares_are_met_as_well_as_whole_groups_allow():
    videos = [record(i, f"g{i}") for i in range(20)]
    plan = plan_split(videos, val_share=0.2, test_share=0.1)
    splits = list(plan.splits.values())
    assert (splits.count("val"), splits.count("test"), splits.count("train")) == (4, 2, 14)


def test_shares_count_time_and_not_videos():
    videos = [record(0, "long", 900), *(record(i, f"g{i}", 10) for i in range(1, 11))]
    for seed in range(5):
        plan = plan_split(videos, seed=seed, val_share=0.1)
        assert plan.splits.pop("video-0") == "train"
        assert set(plan.splits.values()) == {"val"}


def test_where_every_group_is_too_long_the_shortest_is_held_out():
    videos = [record(0, "a", 500), record(1, "b", 300), record(2, "c", 900)]
    for seed in range(5):
        plan = plan_split(videos, seed=seed, val_share=0.01)
        assert list(plan.splits.values()) == ["train", "val", "train"]


def test_another_seed_gives_another_split():
    videos = [record(i, f"g{i}") for i in range(20)]
    plans = [plan_split(videos, seed=seed).splits for seed in range(3)]
    assert plans[0] != plans[1] or plans[0] != plans[2]


def test_fixed_groups_go_where_they_were_put_and_the_rest_is_dealt_out():
    videos = [record(i, f"g{i % 4}") for i in range(8)]
    plan = plan_split(videos, val_share=0.0, fixed={"g0": "test", "g1": "val"})
    assert [plan.splits[f"video-{i}"] for i in range(4)] == ["test", "val", "train", "train"]
    with pytest.raises(InvalidInputError, match="no video belongs to group 'g9'; groups are g0"):
        plan_split(videos, fixed={"g9": "val"})
    with pytest.raises(InvalidInputError, match="every group is held out"):
        plan_split(videos, fixed={f"g{i}": "val" for i in range(4)})


def test_too_few_groups_are_said_to_be_too_few():
    plan = plan_split([record(0, "only"), record(1, "only")], val_share=0.2)
    assert set(plan.splits.values()) == {"train"}
    assert "too few groups" in plan.note


def test_shares_count_known_time():
    videos = [record(i, f"g{i}", 100) for i in range(3)]
    known = {"video-0": 10_000_000, "video-1": 45_000_000, "video-2": 45_000_000}
    for seed in range(5):
        plan = plan_split(videos, seed=seed, val_share=0.1, known_us=known)
        assert plan.splits == {"video-0": "val", "video-1": "train", "video-2": "train"}


def test_nothing_to_split_is_refused():
    with pytest.raises(InvalidInputError, match="no video to split"):
        plan_split([])


def test_the_same_labels_and_split_are_the_same_version(bench, video, flashes):
    for event in flashes.events:
        add_label(bench, video, "flashes", event)
    first, plan = create_dataset(bench, "flashes")
    again, _ = create_dataset(bench, "flashes")
    assert first == again
    assert first.name == "flashes-1"
    assert first.video_splits == plan.splits == {video.id: "train"}
    assert sorted(event for _, event, _ in first.content) == sorted(flashes.events)
    add_label(bench, video, "flashes", Event.point("flash", 100_000))
    other, _ = create_dataset(bench, "flashes")
    assert (other.name, len(other.content)) == ("flashes-2", len(flashes.events) + 1)


def test_of_a_video_that_nobody_watched_only_its_labels_are_known(bench, video):
    event = Event.point("flash", 1_000_000)
    add_label(bench, video, "flashes", event)
    version, _ = create_dataset(bench, "flashes")
    # The domain's tolerance is 0.1 s to both sides.
    assert version.known == {video.id: (TimeSpan(900_000, 1_100_000),)}


def test_what_a_person_is_unsure_of_is_unknown_even_where_it_was_watched(bench, video, watch):
    add_label(bench, video, "flashes", Event.point("flash", 1_000_000))
    doubt = add_label(bench, video, "flashes", Event.point("flash", 2_000_000))
    bench.catalog.events.set_review_state(doubt.id, "unsure", "ada", doubt.revision)
    watch(video)
    version, _ = create_dataset(bench, "flashes")
    end = video.duration_us
    assert version.known == {video.id: (TimeSpan(0, 1_900_000), TimeSpan(2_100_000, end))}
    assert len(version.content) == 1


def test_what_was_watched_is_frozen_and_watching_more_makes_another_version(bench, video, watch):
    add_label(bench, video, "flashes", Event.point("flash", 1_000_000))
    watch(video, 0, 950_000)
    first, _ = create_dataset(bench, "flashes")
    assert first.known == {video.id: (TimeSpan(0, 1_100_000),)}
    watch(video)
    second, _ = create_dataset(bench, "flashes")
    assert (second.known, second.digest == first.digest) == ({}, False)
    assert bench.catalog.datasets.get(first.name) == first


def test_a_video_of_which_nothing_is_known_takes_no_part(bench, video, watch, copy_of, flashes):
    add_label(bench, video, "flashes", Event.point("flash", 1_000_000))
    unseen = copy_of(flashes, "unseen.mp4", tail=b"x")
    other = ingest_file(bench, unseen, domain="flashes").video
    version, plan = create_dataset(bench, "flashes")
    assert set(version.video_splits) == set(plan.splits) == {video.id}
    assert plan.note.endswith(
        "1 video of this domain takes no part: nobody watched it and it holds no labels."
    )
    watch(other)
    version, plan = create_dataset(bench, "flashes")
    assert set(version.video_splits) == {video.id, other.id}
    assert "no part" not in plan.note


def test_labels_in_passed_over_replays_are_pointed_out(bench, video, watch, monkeypatch):
    for at_us in (1_000_000, 2_000_000):
        add_label(bench, video, "flashes", Event.point("flash", at_us))
    watch(video)
    watch(video, 1_900_000, 2_100_000, state="skipped")
    version, plan = create_dataset(bench, "flashes")
    assert (version.replays, "replays" in plan.note) == ("none", False)
    monkeypatch.setattr(type(bench.domain("flashes")), "replays", "skip")
    version, plan = create_dataset(bench, "flashes")
    assert version.replays == "skip"
    assert "passes replays over, but 1 label lies in stretches that were passed over" in plan.note
    assert "the first in flashes.mp4" in plan.note


def test_labels_that_the_plugin_no_longer_declares_are_not_left_out_silently(bench, video):
    events = [Event.point("flash", 5), Event.point("bang", 5), Event.segment("flash", 7, 9)]
    bench.catalog.events.add_annotations(video.id, "flashes", 1, events, "tester")
    with pytest.raises(InvalidInputError) as caught:
        create_dataset(bench, "flashes")
    assert str(caught.value) == (
        "there are labels of bang, flash, which 'flashes' does not declare like that (any more); "
        "say what becomes of them with `prismata labels migrate flashes --rename OLD=NEW` or "
        "`--retire OLD`"
    )


def test_a_frozen_version_does_not_change_with_the_labels(bench, video, flashes):
    label = add_label(bench, video, "flashes", flashes.events[0])
    version, _ = create_dataset(bench, "flashes")
    bench.catalog.events.delete(label.id, label.revision)
    assert bench.catalog.datasets.get(version.name).content == version.content


def test_without_a_label_there_is_no_dataset(bench, video):
    with pytest.raises(InvalidInputError, match="no video is labelled for 'flashes' yet"):
        create_dataset(bench, "flashes")
    with pytest.raises(NotFoundError, match="no domain 'nothing'"):
        create_dataset(bench, "nothing")
