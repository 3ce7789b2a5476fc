"""`prismata datasets`: what is frozen, what would be, and what differs."""

from __future__ import annotations

import json

import pytest

from prismata.core.events import Event
from prismata.services.datasets import create_dataset
from prismata.services.ingest import ingest_file
from prismata.services.labels import add_label
from prismata.testing.synth import render_ball_throw, render_flashes


@pytest.fixture
def rooms(bench, tmp_path):
    made = [
        render_flashes(tmp_path / f"room-{n}.mp4", seconds=2, seed=n, size=(64, 48)) for n in (1, 2)
    ]
    return [ingest_file(bench, room.path, domain="flashes").video for room in made]


def label(bench, video, *instants_us):
    for instant in instants_us:
        add_label(bench, video, "flashes", Event.point("flash", instant))


def remove(bench, video, instant_us):
    (found,) = [
        item
        for item in bench.catalog.events.list(video_id=video.id, origin="annotation")
        if item.event.start_us == instant_us
    ]
    bench.catalog.events.delete(found.id, found.revision)


def test_nothing_frozen_yet_says_what_freezes(prismata):
    assert "`prismata train` freezes one" in prismata("datasets", "list").err


def test_what_would_be_frozen_is_shown_before_it_is(prismata, bench, rooms):
    label(bench, rooms[0], 500_000, 900_000)
    told = prismata("datasets", "plan", "flashes", "--val-share", 0)
    assert "room-1.mp4" in told.out
    assert "train" in told.out
    assert "1 video of this domain takes no part" in told.err
    assert bench.catalog.datasets.list() == []


def test_versions_are_listed_and_shown(prismata, bench, rooms):
    label(bench, rooms[0], 500_000, 900_000)
    label(bench, rooms[1], 700_000)
    version, _ = create_dataset(bench, "flashes", seed=3)
    listed = prismata("datasets", "list").out
    assert version.name in listed
    assert version.digest[:12] in listed
    shown = json.loads(prismata("datasets", "show", version.name, "--json").out)
    assert (shown["labels"], shown["splits"]) == (3, {"train": 1, "val": 1, "test": 0})
    labels = {row["video"]: row["labels"] for row in shown["videos"]}
    assert labels == {"room-1.mp4": {"flash": 2}, "room-2.mp4": {"flash": 1}}
    told = prismata("datasets", "show", version.name).out
    assert "room-2.mp4" in told
    assert "replays: there are none in these videos" in told
    assert prismata("datasets", "show", "flashes-99").code == 66


def test_what_differs_between_two_versions_is_told_label_by_label(prismata, bench, rooms):
    label(bench, rooms[0], 300_000, 900_000, 1_500_000)
    older, _ = create_dataset(bench, "flashes", val_share=0)
    remove(bench, rooms[0], 300_000)
    remove(bench, rooms[0], 900_000)
    label(bench, rooms[0], 940_000)  # the one at 0.9 s has moved, the one at 0.3 s is gone
    label(bench, rooms[1], 700_000)
    newer, _ = create_dataset(bench, "flashes", val_share=0)

    told = prismata("datasets", "diff", older.name, newer.name).out.splitlines()
    assert "+ video room-2.mp4" in told
    assert "- flash at 0.300 s of room-1.mp4" in told
    assert "~ flash at 0.900 s of room-1.mp4: moved by +40 ms" in told
    assert "+ flash at 0.700 s of room-2.mp4" in told
    assert not any("1.500" in line for line in told)

    found = json.loads(prismata("datasets", "diff", newer.name, older.name, "--json").out)
    assert found["removed_videos"] == ["room-2.mp4"]
    assert [row["start_us"] for row in found["added"]] == [300_000]
    assert [row["start_us"] for row in found["removed"]] == [700_000]
    (moved,) = found["moved"]
    assert (moved["start_before_us"], moved["start_us"]) == (940_000, 900_000)

    same = prismata("datasets", "diff", newer.name, newer.name)
    assert same.out.strip() == f"{newer.name} holds what {newer.name} holds"


def test_groups_by_a_pattern_are_shown_and_then_stored(prismata, bench, rooms):
    label(bench, rooms[0], 500_000, 900_000)
    label(bench, rooms[1], 700_000)
    dry = prismata("datasets", "groups", "flashes", "--pattern", r"room-(\d)")
    assert "2 of 2 videos would be in another group" in dry.out
    assert "Nothing was written" in dry.err
    assert [video.group_name for video in bench.catalog.videos.list()] == [
        "room-1.mp4",
        "room-2.mp4",
    ]
    told = prismata("datasets", "groups", "flashes", "--pattern", r"room-(\d)", "--apply", "--json")
    assert (told.json["stored"], told.json["applied"]) == (2, True)
    assert [row["events"] for row in told.json["groups"]] == [2, 1]
    assert {row["split"] for row in told.json["groups"]} == {"train", "val"}
    assert [(video.group_name, video.grouped_by) for video in bench.catalog.videos.list()] == [
        ("1", "tester"),
        ("2", "tester"),
    ]
    refused = prismata("datasets", "groups", "flashes", "--pattern", "room")
    assert refused.code == 64
    assert "puts all 2 videos into one group, 'room'" in refused.err


def test_shared_footage_is_listed_and_is_no_failure(prismata, bench, tmp_path):
    film = render_ball_throw(tmp_path / "film.mp4", seconds=5, seed=4).path
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(film.read_bytes() + (16).to_bytes(4, "big") + b"free" + bytes(8))
    for path in (film, copy):
        video = ingest_file(bench, path, domain="ball_throw").video
        add_label(bench, video, "ball_throw", Event.point("release", 3_000_000))
    told = prismata("datasets", "duplicates", "ball_throw")
    assert told.code == 0
    assert "pairs that share footage: 1, in different splits: 1" in told.out
    assert "prismata videos group GROUP VIDEO" in told.err
    found = prismata("datasets", "duplicates", "ball_throw", "--json").json
    assert (found["leaks"], found["not_compared"], found["comparison"]) == (1, 0, None)
    (pair,) = found["found"]
    assert (sorted(pair["videos"]), pair["offset_s"]) == (["copy.mp4", "film.mp4"], 0.0)
    assert pair["similarity"] == 1.0
    prismata("videos", "group", "both", "film.mp4", "copy.mp4")
    alone = prismata("datasets", "duplicates", "ball_throw")
    assert alone.code == 0
    assert "All videos are in one group, so there is nothing to compare." in alone.err
    assert prismata("datasets", "duplicates", "nowhere").code == 66
