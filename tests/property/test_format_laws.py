import csv
import io

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from prismata.core.events import Event, EventType
from prismata.core.time import FrameTimeline
from prismata.formats import (
    ExportVideo,
    plan_import,
    read_classic_json,
    read_events_csv,
    write_classic_json,
    write_events_csv,
)
from prismata.formats.table import format_seconds, parse_seconds

# What a spreadsheet or a person may put into a name, formulas first of all.
names = st.builds(
    str.__add__,
    st.sampled_from(
        ["", "=", "+", "-", "@", "\t", "\r", "\n", "'", "'=", "\uff1d", " =", "\t@", '"', ";"]
    ),
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=20),
).filter(str.strip)


@given(st.integers(-(10**12), 10**12))
def test_seconds_round_trip_exactly(time_us):
    assert parse_seconds(format_seconds(time_us)) == time_us


@given(names, st.lists(st.tuples(st.integers(0, 10**10), st.integers(0, 10**9)), max_size=5))
@settings(max_examples=500, deadline=None)
def test_csv_round_trips(name, spans):
    events = tuple(
        Event.segment("fall", start, start + length) if length else Event.point("goal", start)
        for start, length in spans
    )
    text = write_events_csv([ExportVideo(name, events)])
    rows = read_events_csv(text.encode()).rows if events else ()
    assert sorted((row.video, row.start_us, row.end_us) for row in rows) == sorted(
        (name, event.start_us, event.end_us) for event in events
    )
    for cells in csv.reader(io.StringIO(text, newline="")):
        risky = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
        assert not any(cell.lstrip().startswith(risky) for cell in cells)


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=30), st.data())
@settings(deadline=None)
def test_classic_frames_round_trip_at_any_frame_rate(steps, data):
    edges = np.cumsum([0, *steps]).astype(np.int64)
    timeline = FrameTimeline(edges[:-1], end_us=int(edges[-1]))
    indices = st.integers(0, len(timeline) - 1)
    first, last = sorted((data.draw(indices), data.draw(indices)))
    event = Event.segment("delivery", timeline.start_us(first), timeline.span(last).end_us)
    rows = read_classic_json(write_classic_json(ExportVideo("v", (event,), timeline))).rows
    assert [(row.start_frame, row.end_frame) for row in rows] == [(first, last)]
    types = [EventType("delivery", kind="segment")]
    (video,) = plan_import(rows, {"v": ("id", timeline)}, types).videos
    assert [item.event for item in video.events] == [event]
