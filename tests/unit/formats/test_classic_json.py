import json

import numpy as np
import pytest

from prismata.core.errors import InvalidInputError
from prismata.core.events import Event, EventType
from prismata.core.time import FrameTimeline
from prismata.formats import (
    ExportVideo,
    TableError,
    plan_import,
    read_classic_json,
    write_classic_json,
)

DOCUMENT = {
    "video_path": "videos/match.mp4",
    "fps": 25.0,
    "total_frames": 5,
    "width": 640,
    "height": 360,
    "deliveries": [{"id": 7, "start_frame": 1, "end_frame": 2, "over": "3.4"}],
    "false_positives": [{"id": 8, "start_frame": 4, "end_frame": 4}],
}
# Variable rate: frames at 0, 40, 100, 140, 200 ms, the last one until 240 ms.
TIMELINE = FrameTimeline(
    np.array([0, 40_000, 100_000, 140_000, 200_000], dtype=np.int64), end_us=240_000
)


def test_frames_are_kept_as_frames():
    table = read_classic_json(json.dumps(DOCUMENT))
    first, second = table.rows
    assert (first.video, first.label, first.kind) == ("videos/match.mp4", "delivery", "segment")
    assert (first.start_frame, first.end_frame, first.start_us) == (1, 2, None)
    assert (first.source_id, first.false_positive) == ("7", False)
    assert (second.source_id, second.false_positive) == ("8", True)


def test_both_frames_belong_to_the_event_and_fps_is_not_used():
    rows = read_classic_json(json.dumps(DOCUMENT)).rows
    types = [EventType("delivery", kind="segment")]
    plan = plan_import(rows, {"match.mp4": ("id", TIMELINE)}, types)
    (video,) = plan.videos
    assert [item.event for item in video.events] == [Event.segment("delivery", 40_000, 140_000)]
    assert [item.event for item in video.false_positives] == [
        Event.segment("delivery", 200_000, 240_000)
    ]


def test_writing_gives_the_same_frames_back():
    rows = read_classic_json(json.dumps(DOCUMENT)).rows
    types = [EventType("delivery", kind="segment")]
    (video,) = plan_import(rows, {"match.mp4": ("id", TIMELINE)}, types).videos
    exported = ExportVideo(
        "videos/match.mp4",
        tuple(item.event for item in video.events),
        TIMELINE,
        640,
        360,
        tuple(item.event for item in video.false_positives),
    )
    written = json.loads(write_classic_json(exported))
    assert written["deliveries"] == [{"id": 1, "start_frame": 1, "end_frame": 2}]
    assert written["false_positives"] == [{"id": 1, "start_frame": 4, "end_frame": 4}]
    assert (written["total_frames"], written["width"]) == (5, 640)
    again = read_classic_json(json.dumps(written)).rows
    assert [(row.start_frame, row.end_frame) for row in again] == [(1, 2), (4, 4)]


def test_a_point_becomes_the_frame_on_screen_and_other_types_stay_out():
    events = (Event.point("delivery", 99_999), Event.point("save", 0))
    written = json.loads(write_classic_json(ExportVideo("a", events, TIMELINE)))
    assert written["deliveries"] == [{"id": 1, "start_frame": 1, "end_frame": 1}]


def test_without_a_timeline_there_are_no_frames_to_write():
    with pytest.raises(InvalidInputError, match="scan the video first"):
        write_classic_json(ExportVideo("a", ()))


def test_another_domain_has_another_list():
    text = json.dumps({"video_path": "a", "falls": [{"start_frame": 1.0, "end_frame": 3}]})
    (row,) = read_classic_json(text, key="falls", label="fall").rows
    assert (row.label, row.start_frame, row.end_frame) == ("fall", 1, 3)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"{", "line 1: not JSON"),
        (b"[]", "not a JSON object with a list 'deliveries'"),
        (b'{"deliveries": []}', "no video_path"),
        (b'{"video_path": "a", "deliveries": 3}', "deliveries is not a list"),
    ],
)
def test_what_is_no_label_file_is_refused(data, message):
    with pytest.raises(TableError, match=message):
        read_classic_json(data)


def test_every_bad_entry_is_named():
    entries = [
        3,
        {"start_frame": 1},
        {"start_frame": "1", "end_frame": 2},
        {"start_frame": 1.5, "end_frame": 2},
        {"start_frame": True, "end_frame": 2},
        {"start_frame": float("nan"), "end_frame": 2},
        {"start_frame": 1, "end_frame": 2},
    ]
    with pytest.raises(TableError) as caught:
        read_classic_json(json.dumps({"video_path": "a", "deliveries": entries}))
    assert caught.value.problems == (
        "deliveries 1: not an object with start_frame and end_frame",
        "deliveries 2: end_frame is None, not a whole number",
        "deliveries 3: start_frame is '1', not a whole number",
        "deliveries 4: start_frame is 1.5, not a whole number",
        "deliveries 5: start_frame is True, not a whole number",
        "deliveries 6: start_frame is nan, not a whole number",
    )
