import csv
import io

import numpy as np
import pytest

from prismata.core.events import Event
from prismata.core.time import FrameTimeline
from prismata.formats import EventRow, ExportVideo, TableError, read_events_csv, write_events_csv
from prismata.formats.table import MAX_SHOWN_PROBLEMS, parse_seconds

HEADER = "video,label,kind,start_s,end_s\n"


def test_points_and_the_three_names_of_stretches_are_read():
    table = read_events_csv(
        HEADER + "a.mp4,goal,point,1.5,\na.mp4,fall,interval,0.1,0.3\n"
        "b.mp4,fight,clip,0,2.002\nb.mp4,fall,segment,1,2\n"
    )
    assert table.rows == (
        EventRow("a.mp4", "goal", "point", 1_500_000, 1_500_000, source_line=2),
        EventRow("a.mp4", "fall", "segment", 100_000, 300_000, source_line=3),
        EventRow("b.mp4", "fight", "segment", 0, 2_002_000, source_line=4),
        EventRow("b.mp4", "fall", "segment", 1_000_000, 2_000_000, source_line=5),
    )
    assert table.videos == ("a.mp4", "b.mp4")
    assert table.labels == ("goal", "fall", "fight")


def test_a_byte_order_mark_semicolons_and_decimal_commas_are_understood():
    data = "Video;Label;Start_s;End_s\r\na.mp4;goal;1,25;\r\n".encode("utf-8-sig")
    (row,) = read_events_csv(data).rows
    assert (row.video, row.start_us, row.kind) == ("a.mp4", 1_250_000, "point")


def test_spreadsheets_may_save_utf_16_with_tabs():
    data = "video\tlabel\tstart_s\na.mp4\tgoal\t1\n".encode("utf-16")
    assert read_events_csv(data).rows[0].label == "goal"


def test_further_columns_are_ignored_and_the_order_is_free():
    table = read_events_csv("note,end_s,start_s,label,video,start_frame\nhm,2,1,fall,a.mp4,99\n")
    row = table.rows[0]
    assert (row.start_us, row.end_us, row.kind, row.start_frame) == (
        1_000_000,
        2_000_000,
        "segment",
        None,
    )


def test_short_lines_and_blank_lines_do_no_harm():
    table = read_events_csv("video,label,start_s,end_s\n\na.mp4,goal,1\n,,,\n")
    assert [row.source_line for row in table.rows] == [3]


def test_quoted_line_breaks_keep_the_line_numbers_right():
    with pytest.raises(TableError, match="line 4: start_s 'x' is not a time"):
        read_events_csv('video,label,start_s\n"a\nb",goal,1\nc,goal,x\n')


def test_every_problem_is_named_not_only_the_first():
    text = (
        HEADER + "a,goal,point,soon,\na,goal,moment,1,\na,fall,segment,1,\n,goal,point,1,\n"
        "a,goal,point,1,2,3\na,goal,point,nan,\na,goal,point,1,\n"
    )
    with pytest.raises(TableError) as caught:
        read_events_csv(text, "my.csv")
    assert caught.value.problems == (
        "line 2: start_s 'soon' is not a time in seconds",
        "line 3: kind 'moment' is not one of point, segment, interval, clip",
        "line 4: a segment needs an end_s",
        "line 5: video is empty",
        "line 6: 6 cells, but 5 columns",
        "line 7: start_s 'nan' is not a time in seconds",
    )
    assert str(caught.value).startswith("my.csv cannot be imported: line 2")


def test_a_thousand_problems_make_a_short_message():
    lines = "a,goal,point,x,\n" * 1000
    with pytest.raises(TableError) as caught:
        read_events_csv(HEADER + lines)
    assert len(caught.value.problems) == 1000
    assert str(caught.value).endswith(f"; and {1000 - MAX_SHOWN_PROBLEMS} more")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("", "it is empty"),
        ("label,start_s\n", "lacks the column video; it has label, start_s"),
        ("name\n", "lacks the columns video, label, start_s"),
        (b"video,label,start_s\n\xff\xe9,1,2\n", "not UTF-8 text"),
        ('video,label,start_s\n"a,b,1\n', "line 2"),
    ],
)
def test_what_is_no_event_table_is_refused(data, message):
    with pytest.raises(TableError, match=message):
        read_events_csv(data)


@pytest.mark.parametrize(
    ("text", "time_us"),
    [
        ("0.1", 100_000),
        ("12", 12_000_000),
        ("1e-3", 1_000),
        (" 1.0000005 ", 1_000_000),
        ("-2.5", -2_500_000),
        ("1:02.5", 62_500_000),
        ("1:00:00.000001", 3_600_000_001),
    ],
)
def test_times_are_read_exactly(text, time_us):
    assert parse_seconds(text) == time_us


@pytest.mark.parametrize("text", ["", "a", "inf", "1:2:3:4", "1:-2", "1e99", "--1"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match="is "):
        parse_seconds(text)


def export(*events, name="a.mp4", timeline=None):
    return write_events_csv([ExportVideo(name, events, timeline)])


def test_what_is_written_can_be_read_again():
    events = (Event.point("goal", 1_000_001, 0.5), Event.segment("fall", 0, 33_333))
    rows = read_events_csv(export(*events)).rows
    assert [(row.label, row.kind, row.start_us, row.end_us) for row in rows] == [
        ("fall", "segment", 0, 33_333),
        ("goal", "point", 1_000_001, 1_000_001),
    ]


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0", "+1", "-1.mp4", "@x", "'=1", "'quoted'"])
def test_no_cell_can_run_as_a_formula_and_names_survive(name):
    text = export(Event.point("goal", 0), name=name)
    cell = next(csv.DictReader(io.StringIO(text)))["video"]
    assert cell.startswith("'")
    assert read_events_csv(text).rows[0].video == name


def test_frames_come_from_the_timeline_and_the_last_one_belongs_to_the_segment():
    # Frames at 0, 40, 100, 140 ms; a segment that ends at 100 ms does not reach frame 2.
    timeline = FrameTimeline(np.array([0, 40_000, 100_000, 140_000]), end_us=180_000)
    events = (Event.segment("fall", 10_000, 100_000), Event.point("goal", 100_000))
    lines = list(csv.DictReader(io.StringIO(export(*events, timeline=timeline))))
    assert [(line["start_frame"], line["end_frame"]) for line in lines] == [("0", "1"), ("2", "2")]


def test_a_detection_keeps_its_score():
    line = next(csv.DictReader(io.StringIO(export(Event.point("goal", 0, 0.25)))))
    assert line["score"] == "0.250000"
