"""Groups by a pattern: shown with their splits, stored when asked for, refused in one sentence."""

import pytest

from prismata.core.errors import ConflictError, InvalidInputError, NotFoundError
from prismata.core.events import Event
from prismata.services import dataset_groups
from prismata.services.dataset_groups import apply_groups, match_names, plan_groups
from prismata.services.datasets import plan_dataset
from prismata.services.ingest import ingest_file
from prismata.services.labels import add_label

NAMES = ["match_01_a.mp4", "match_01_b.mp4", "match_02_a.mp4", "match_03_a.mp4", "street.mp4"]


@pytest.fixture
def videos(bench, flashes, copy_of):
    return [
        ingest_file(bench, copy_of(flashes, name, tail=bytes([n])), domain="flashes").video
        for n, name in enumerate(NAMES)
    ]


def mark(bench, video, *instants_us):
    for instant in instants_us:
        add_label(bench, video, "flashes", Event.point("flash", instant))


def test_a_pattern_is_shown_with_what_each_group_would_hold_and_nothing_is_written(bench, videos):
    for video in videos[:4]:
        mark(bench, video, 1_000_000, 2_000_000)
    plan = plan_groups(bench, "flashes", r"match_(\d+)_.*", val_share=0.3)
    assert [(item.video.name, item.after) for item in plan.videos] == list(
        zip(NAMES, ["01", "01", "02", "03", "street.mp4"], strict=True)
    )
    assert len(plan.changed) == 4
    shown = {group.name: (group.videos, group.events, group.known_us) for group in plan.groups}
    # The domain's tolerance makes 0.1 s to both sides of a point known.
    assert shown["01"] == (2, 4, 800_000)
    assert shown["street.mp4"] == (1, 0, 0)
    splits = {group.name: group.split for group in plan.groups}
    assert splits["street.mp4"] is None
    assert sorted(splits[name] for name in ("01", "02", "03")) == ["train", "train", "val"]
    assert any("does not match 'street.mp4': it keeps its group" in note for note in plan.notes)
    assert [video.group_name for video in bench.catalog.videos.list()] == NAMES


def test_what_is_stored_is_what_was_shown_and_by_whom(bench, videos):
    for video in videos:
        mark(bench, video, 1_000_000)
    plan = plan_groups(bench, "flashes", r"match_(\d+)", seed=3)
    assert apply_groups(bench, plan, author="anna") == 4
    stored = {video.name: video for video in bench.catalog.videos.list()}
    assert {name: video.group_name for name, video in stored.items()} == dict(
        zip(NAMES, ["01", "01", "02", "03", "street.mp4"], strict=True)
    )
    assert stored["match_02_a.mp4"].grouped_by == "anna"
    assert stored["street.mp4"].grouped_by == ""
    really = plan_dataset(bench, "flashes", seed=3).split
    shown = {group.name: group.split for group in plan.groups}
    assert {really.groups[key]: split for key, split in really.splits.items()} == shown
    assert plan_groups(bench, "flashes", r"match_(\d+)").changed == ()


def test_a_video_that_somebody_moved_meanwhile_stops_it_all(bench, videos):
    plan = plan_groups(bench, "flashes", r"match_(\d+)")
    bench.catalog.videos.set_group(videos[3].id, "elsewhere")
    with pytest.raises(ConflictError, match=r"'match_03_a\.mp4' is in group 'elsewhere' now"):
        apply_groups(bench, plan)
    groups = [video.group_name for video in bench.catalog.videos.list()]
    assert groups == [*NAMES[:3], "elsewhere", NAMES[4]]


def test_groups_that_would_be_cut_are_named(bench, videos):
    for video in videos[:3]:
        bench.catalog.videos.set_group(video.id, "spring")
    plan = plan_groups(bench, "flashes", r"match_(\d+)")
    assert any("would come into several: 'spring'" in note for note in plan.notes)


def test_before_anything_is_labelled_groups_are_shown_without_a_split(bench, videos):
    plan = plan_groups(bench, "flashes", r"match_(\d+)")
    assert {group.split for group in plan.groups} == {None}
    assert "Nothing is watched or labelled yet" in plan.notes[-1]


@pytest.mark.parametrize(
    ("pattern", "caught"),
    [
        (r"match_(\d+)_(\w)", ["01/a", "01/b", "02/a", "03/a", ""]),
        (r"match_\d+", ["match_01", "match_01", "match_02", "match_03", ""]),
        (r"^match_(0[12])|(street)", ["01", "01", "02", "", "street"]),
        (r"match_(x*)", ["", "", "", "", ""]),
        (r"(?P<day>\d+)", ["01", "01", "02", "03", "4"]),
    ],
)
def test_the_group_is_what_parentheses_catch_or_all_that_matches(pattern, caught):
    assert match_names(pattern, NAMES) == caught


@pytest.mark.parametrize(
    ("pattern", "sentence"),
    [
        (r"match_(\d+", r"is not a regular expression: missing \), unterminated subpattern"),
        (r"round_(\d+)", r"matches none of 5 videos of 'flashes', for example not 'match_01_a"),
        (r"\.(mp4)", r"puts all 5 videos into one group, 'mp4', so none could be held out"),
    ],
)
def test_a_pattern_of_no_use_is_refused(bench, videos, pattern, sentence):
    with pytest.raises(InvalidInputError, match=sentence):
        plan_groups(bench, "flashes", pattern)


def test_a_pattern_without_an_end_is_stopped(monkeypatch):
    monkeypatch.setattr(dataset_groups, "MATCH_SECONDS", 0.5)
    with pytest.raises(InvalidInputError, match="a repetition inside a repetition"):
        match_names(r"(a+)+$", ["a" * 60 + "!"])


def test_a_domain_without_videos_or_that_does_not_exist_says_so(bench):
    with pytest.raises(InvalidInputError, match="no video belongs to 'flashes' yet"):
        plan_groups(bench, "flashes", "x")
    with pytest.raises(NotFoundError):
        plan_groups(bench, "flushes", "x")
