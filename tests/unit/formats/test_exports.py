import json

import numpy as np
import pytest

from prismata.core.errors import InvalidInputError
from prismata.core.events import Event, EventType
from prismata.core.time import FrameTimeline
from prismata.formats import ExportVideo, write_events_json, write_webvtt

EVENTS = (Event.segment("fall", 3_661_000_400, 3_700_000_000, 0.75), Event.point("goal", 1_500_000))


def test_webvtt_has_a_cue_for_every_event_in_order():
    text = write_webvtt(ExportVideo("a", EVENTS), [EventType("goal", title="A <goal> & more")])
    assert text == (
        "WEBVTT\n\n"
        "00:00:01.500 --> 00:00:02.500\nA &lt;goal&gt; &amp; more\n\n"
        "01:01:01.000 --> 01:01:40.000\nfall 0.75\n"
    )


def test_a_cue_lasts_at_least_a_millisecond():
    assert "00:00:00.000 --> 00:00:00.001" in write_webvtt(
        ExportVideo("a", (Event.segment("fall", 100, 300),))
    )


def test_a_title_cannot_break_out_of_its_cue():
    title = "one\n\n00:00:00.000 --> 00:00:09.000\ntwo"
    text = write_webvtt(ExportVideo("a", EVENTS[1:]), [EventType("goal", title=title)])
    assert text.count(" --> ") == 1
    assert text.count("\n\n") == 1


def test_a_caption_of_no_length_is_refused():
    with pytest.raises(InvalidInputError, match="must last longer"):
        write_webvtt(ExportVideo("a", EVENTS), point_seconds=0)


def test_json_keeps_exact_times_and_where_they_come_from():
    timeline = FrameTimeline(np.array([0, 1_000_000, 2_000_000]), end_us=3_000_000)
    video = ExportVideo("é.mp4", EVENTS[1:], timeline, false_positives=(Event.point("goal", 0),))
    document = json.loads(write_events_json([video], provenance={"model": "m1"}))
    assert document["provenance"] == {"model": "m1"}
    (written,) = document["videos"]
    assert (written["video"], written["duration_us"]) == ("é.mp4", 3_000_000)
    assert written["events"] == [
        {
            "event_type": "goal",
            "kind": "point",
            "start_us": 1_500_000,
            "end_us": 1_500_000,
            "start_seconds": 1.5,
            "end_seconds": 1.5,
            "score": None,
            "start_frame": 1,
            "end_frame": 1,
        }
    ]
    assert len(written["false_positives"]) == 1


def test_json_without_a_timeline_has_no_frames():
    (written,) = json.loads(write_events_json([ExportVideo("a", EVENTS)]))["videos"]
    assert written["duration_us"] is None
    assert [event["start_us"] for event in written["events"]] == [1_500_000, 3_661_000_400]
    assert "start_frame" not in written["events"][0]
