import json

import numpy as np
import pytest

from prismata.core.errors import InvalidInputError
from prismata.core.events import Event, EventType
from prismata.core.time import FrameTimeline
from prismata.formats import EventRow, plan_import

GOAL = EventType("goal")
FALL = EventType("fall", kind="segment", title="Falling down")
# Ten frames of 100 ms.
TIMELINE = FrameTimeline(np.arange(10, dtype=np.int64) * 100_000, end_us=1_000_000)
VIDEOS = {"a.mp4": ("id-a", TIMELINE), "b.mp4": ("id-b", TIMELINE)}


def point(time_us, label="goal", video="a.mp4", line=2):
    return EventRow(video, label, "point", time_us, time_us, source_line=line)


def segment(start_us, end_us, label="fall", video="a.mp4", line=2, **more):
    return EventRow(video, label, "segment", start_us, end_us, source_line=line, **more)


def plan(*rows, **options):
    result = plan_import(rows, VIDEOS, [GOAL, FALL], **options)
    left_out = (
        sum(item.num_rows for item in (*result.unmatched, *result.unknown_labels))
        + sum(result.ignored_labels.values())
        + sum(item.left_out for item in result.findings)
    )
    assert result.num_left_out == left_out, "every row is in exactly one place"
    return result


def events(result):
    return [item.event for video in result.videos for item in video.events]


def codes(result):
    return [(item.code, item.left_out) for item in result.findings]


def test_good_rows_become_events_by_time_with_their_lines():
    result = plan(point(500_000, line=2), segment(0, 300_000, line=3), point(1, video="b.mp4"))
    first, second = result.videos
    assert (first.video_id, second.video_id) == ("id-a", "id-b")
    assert [(item.event, item.source_line) for item in first.events] == [
        (Event.segment("fall", 0, 300_000), 3),
        (Event.point("goal", 500_000), 2),
    ]
    assert (result.num_events, result.num_left_out, result.findings) == (3, 0, ())


def test_labels_match_names_and_titles_whatever_their_case():
    result = plan(point(1, label="GOAL"), segment(0, 5, label="falling-down"))
    assert [event.event_type for event in events(result)] == ["fall", "goal"]


def test_the_label_map_comes_first_and_can_ignore():
    result = plan(
        point(1, label="Tor"),
        point(2, label="goal"),
        label_map={"Tor": "goal", "goal": ""},
    )
    assert events(result) == [Event.point("goal", 1)]
    assert result.ignored_labels == {"goal": 1}


def test_a_video_of_which_only_ignored_labels_are_there_was_looked_at_all_the_same():
    result = plan(
        point(1),
        point(2, label="walk", video="b.mp4"),
        point(3, label="walk", video="gone.mp4"),
        label_map={"walk": ""},
    )
    assert [(item.name, item.is_empty) for item in result.videos] == [
        ("a.mp4", False),
        ("b.mp4", True),
    ]
    first, second, *_ = result.summary_lines()
    assert first == "3 rows: 1 event for 1 video would be imported, 2 left out."
    assert second == (
        "1 video would get no event: a complete import takes it that nothing of this happens "
        "there, for example in 'b.mp4'."
    )


def test_unknown_labels_are_counted_and_get_a_suggestion():
    result = plan(segment(0, 5, label="Falling"), segment(1, 5, label="Falling"), point(1, "xyz"))
    assert [(item.label, item.num_rows, item.suggestion) for item in result.unknown_labels] == [
        ("Falling", 2, "fall"),
        ("xyz", 1, None),
    ]


def test_unmatched_videos_say_why():
    known = {"x/1.mp4": ("1", TIMELINE), "y/1.mp4": ("2", TIMELINE), "2.mp4": ("3", TIMELINE)}
    rows = [point(1, video=name) for name in ("1.mp4", "gone.mp4", "p/2.mp4", "q/2.mp4")]
    result = plan_import(rows, known, [GOAL])
    assert [item.reason for item in result.unmatched] == [
        "it could mean 'x/1.mp4' or 'y/1.mp4'",
        "there is no such video; add it to the library first",
        "'q/2.mp4' would mean the same video, '2.mp4'",
        "'p/2.mp4' would mean the same video, '2.mp4'",
    ]
    assert result.videos == ()


def test_a_stretch_labelled_as_an_instant_needs_a_decision():
    row = segment(200_000, 900_000, label="goal")
    refused = plan(row)
    assert events(refused) == []
    assert codes(refused) == [("kind_mismatch", True)]
    assert "choose its onset" in refused.findings[0].message
    accepted = plan(row, onset=["goal"])
    assert events(accepted) == [Event.point("goal", 200_000)]
    assert codes(accepted) == [("used_onset", False)]


def test_an_instant_cannot_become_a_stretch():
    result = plan(point(5, label="fall"))
    assert codes(result) == [("kind_mismatch", True)]


def test_a_segment_past_the_end_is_cut_and_reported():
    result = plan(segment(800_000, 1_900_000, line=15))
    assert events(result) == [Event.segment("fall", 800_000, 1_000_000)]
    assert codes(result) == [("cut_at_end", False)]
    assert result.findings[0].message == (
        "'fall' ends at 0:01.900, but the video at 0:01.000; it is cut there"
    )
    assert result.findings[0].source_line == 15


def test_a_segment_that_starts_before_the_video_is_cut():
    result = plan(segment(-5, 100))
    assert events(result) == [Event.segment("fall", 0, 100)]
    assert codes(result) == [("cut_at_start", False)]


def test_a_point_just_past_the_end_moves_to_the_last_frame():
    result = plan(point(1_000_000), point(1_500_000, video="b.mp4"))
    assert events(result) == [Event.point("goal", 900_000)] * 2
    assert codes(result) == [("moved_to_last_frame", False)] * 2


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (point(1_500_001), "past_end"),
        (point(-1), "before_start"),
        (segment(1_000_000, 1_100_000), "past_end"),
        (segment(-10, 0), "before_start"),
        (segment(5, 5), "empty"),
        (segment(5, 4), "empty"),
    ],
)
def test_rows_that_miss_the_video_are_left_out_and_reported(row, code):
    result = plan(row)
    assert events(result) == []
    assert codes(result) == [(code, True)]
    assert result.findings[0].message.startswith("left out: ")


def test_duplicates_are_imported_once():
    result = plan(point(5), point(5, label="Goal"), point(5, video="b.mp4"))
    assert len(events(result)) == 2
    assert codes(result) == [("duplicate", True)]


def test_false_positives_are_stretches_of_any_type_and_kept_apart():
    result = plan(segment(0, 100, label="goal", false_positive=True), point(0))
    (video,) = result.videos
    assert [item.event for item in video.false_positives] == [Event.segment("goal", 0, 100)]
    assert [item.event for item in video.events] == [Event.point("goal", 0)]
    assert result.num_false_positives == 1


@pytest.mark.parametrize(
    ("first", "last", "expected", "code"),
    [
        (2, 4, Event.segment("fall", 200_000, 500_000), None),
        (9, 9, Event.segment("fall", 900_000, 1_000_000), None),
        (8, 14, Event.segment("fall", 800_000, 1_000_000), "cut_at_end"),
        (-2, 0, Event.segment("fall", 0, 100_000), "cut_at_start"),
        (10, 12, None, "past_end"),
        (5, 4, None, "empty"),
        (5, 3, None, "empty"),
    ],
)
def test_frames_become_times_through_the_timeline(first, last, expected, code):
    row = EventRow("a.mp4", "fall", "segment", start_frame=first, end_frame=last)
    result = plan(row)
    assert events(result) == ([] if expected is None else [expected])
    assert [item.code for item in result.findings] == ([] if code is None else [code])


def test_frames_win_over_rounded_seconds():
    row = EventRow("a.mp4", "goal", "point", start_us=333_333, end_us=333_333, start_frame=3)
    assert events(plan(row)) == [Event.point("goal", 300_000)]


def test_the_summary_says_what_a_person_needs_to_decide():
    result = plan(
        point(5),
        segment(0, 2_000_000, line=7),
        point(1, video="B.MP4"),
        segment(0, 1, label="Falling"),
        point(1, video="gone.mp4"),
        segment(0, 9, false_positive=True),
        point(1, label="hm"),
        label_map={"hm": ""},
    )
    assert result.summary_lines() == [
        "7 rows: 3 events and 1 false positive for 2 videos would be imported, 3 left out.",
        "Unknown label 'Falling' (1 row): did you mean 'fall'?",
        "Video 'gone.mp4' (1 row): there is no such video; add it to the library first.",
        "Ignored as asked: label 'hm' (1 row).",
        "'B.MP4' is taken to be 'b.mp4' (same path).",
        "a.mp4, line 7: 'fall' ends at 0:02.000, but the video at 0:01.000; it is cut there.",
    ]


def test_the_plan_is_plain_json():
    document = json.loads(json.dumps(plan(point(5), point(1, "xyz")).to_dict()))
    assert (document["num_events"], document["num_left_out"]) == (1, 1)
    assert document["videos"][0]["events"][0]["event"]["start_us"] == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label_map": {"x": "gaol"}}, "no event type 'gaol' to import into; known are goal, fall"),
        ({"onset": ["fall"]}, "that is a segment event"),
        ({"onset": ["gaol"]}, "no event type 'gaol'"),
    ],
)
def test_a_wrong_option_is_refused_before_any_row_is_read(options, message):
    with pytest.raises(InvalidInputError, match=message):
        plan(point(5), **options)


def test_a_row_without_a_time_is_refused():
    with pytest.raises(InvalidInputError, match="neither a time nor a frame"):
        plan(EventRow("a.mp4", "goal", "point", source_line=3))
