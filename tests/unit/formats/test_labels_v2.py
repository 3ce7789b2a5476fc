from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from prismata.core.time import FrameTimeline
from prismata.domains import load_plugin
from prismata.formats import TableError, is_labels_v2, plan_import, read_labels_v2

SOCCER = Path(__file__).resolve().parents[3] / "domains" / "soccer"
LABELS = (
    "Penalty", "Kick-off", "Goal", "Substitution", "Offside", "Shots on target",
    "Shots off target", "Clearance", "Ball out of play", "Throw-in", "Foul",
    "Indirect free-kick", "Direct free-kick", "Corner", "Yellow card", "Red card",
    "Yellow->red card",
)  # fmt: skip
"""The classes of SoccerNet-v2, as its files spell them."""

GAME = "england_epl/2014-2015/2015-02-21 - 18-00 Chelsea 1 - 1 Burnley/"
EPL = "england_epl/2014-2015/2015-02-21 - 18-00 Chelsea 1 - 1 Burnley"


def action(time="1 - 06:35", label="Offside", position="395728"):
    return {
        "gameTime": time,
        "label": label,
        "position": position,
        "team": "home",
        "visibility": "visible",
    }


def file(*annotations, game=GAME):
    return json.dumps({"UrlLocal": game, "UrlYoutube": "", "annotations": list(annotations)})


def test_actions_are_instants_in_microseconds_of_their_half():
    table = read_labels_v2(
        file(action(), action("2 - 00:01", "Kick-off", 1)), videos=("2_720p.mkv", "1_720p.mkv")
    )
    said = [(row.video, row.label, row.kind, row.start_us, row.end_us) for row in table.rows]
    assert said == [
        ("1_720p.mkv", "Offside", "point", 395_728_000, 395_728_000),
        ("2_720p.mkv", "Kick-off", "point", 1_000, 1_000),
    ]
    assert [row.source_line for row in table.rows] == [1, 2]


@pytest.mark.parametrize("name", ["1.mkv", "1_HQ.mkv", "1_224p.mp4", f"{EPL}/1_224p.mkv"])
def test_a_half_is_found_under_the_names_it_is_known_by(name):
    others = ("10_224p.mkv", "another game/1_224p.mkv", "2_224p.mkv", "take 1.mkv")
    (row,) = read_labels_v2(file(action()), videos=(name, *others)).rows
    assert row.video == name


def test_the_folder_tells_games_apart_however_much_of_it_a_name_holds():
    names = ("2015-02-21 - 18-00 Chelsea 1 - 1 Burnley/1_224p.mkv", "other/1_224p.mkv")
    (row,) = read_labels_v2(file(action()), videos=names).rows
    assert row.video == names[0]


def test_a_half_that_is_not_there_keeps_a_name_that_says_which():
    (row,) = read_labels_v2(file(action()), videos=("2_224p.mkv",)).rows
    assert row.video == f"{EPL}/1"
    (row,) = read_labels_v2(file(action(), game="")).rows
    assert row.video == "1"


def test_two_videos_that_could_be_one_half_are_not_guessed_between():
    with pytest.raises(TableError, match=r"half 1 could be '1_224p\.mkv' or '1_720p\.mkv'"):
        read_labels_v2(file(action()), videos=("1_720p.mkv", "1_224p.mkv"))


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (action(time="06:35"), "gameTime is '06:35'"),
        (action(time=None), "gameTime is None"),
        (action(label=" "), "label is ' '"),
        (action(position="-5"), "position is '-5'"),
        (action(position=True), "position is True"),
        (action(position="1e3"), "position is '1e3'"),
        (action(position="99999999999"), "longer than any video"),
        ("Offside", "not an object"),
    ],
)
def test_every_entry_that_cannot_be_used_is_named(entry, said):
    with pytest.raises(TableError, match="annotation 2: ") as caught:
        read_labels_v2(file(action(), entry))
    assert said in str(caught.value)


def test_what_is_no_such_file_is_told():
    with pytest.raises(TableError, match="not JSON"):
        read_labels_v2("{")
    with pytest.raises(TableError, match="a list 'annotations'"):
        read_labels_v2("[]")
    with pytest.raises(TableError, match="UrlLocal is 3"):
        read_labels_v2(json.dumps({"UrlLocal": 3, "annotations": []}))


def test_it_is_known_by_what_it_holds():
    assert is_labels_v2(file(action()).encode())
    assert not is_labels_v2(b'{"video_path": "a.mp4", "deliveries": []}')
    assert not is_labels_v2(b"video,label\n")
    assert not is_labels_v2(b"\xff\x00\xff")


def test_the_soccer_pack_knows_all_seventeen_labels_without_a_map():
    soccer = load_plugin(SOCCER)()
    annotations = [
        action(f"1 - 00:{number:02d}", label, str(number * 1000))
        for number, label in enumerate(LABELS)
    ]
    name = f"{EPL}/1_224p.mkv"
    rows = read_labels_v2(file(*annotations), videos=(name,)).rows
    timeline = FrameTimeline.from_pts(np.arange(25 * 20), time_base=Fraction(1, 25))
    plan = plan_import(rows, {name: ("half", timeline)}, soccer.event_types)
    assert (plan.num_events, plan.unknown_labels, plan.findings) == (17, (), ())
    (video,) = plan.videos
    assert [item.event.event_type for item in video.events] == list(soccer.event_names)
