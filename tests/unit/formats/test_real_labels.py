import csv
from pathlib import Path

import numpy as np
import pytest

from prismata.core.events import EventType
from prismata.core.time import FrameTimeline
from prismata.formats import plan_import, read_events_csv

REALDATA = Path(__file__).resolve().parents[3].parent / "shared" / "realdata"

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(not REALDATA.is_dir(), reason="the real videos are not beside the project"),
]


def library(folder):
    """Return the folder's videos with the frame count and the duration that videos.csv states."""
    videos = {}
    with (REALDATA / folder / "videos.csv").open(newline="") as stream:
        for line in csv.DictReader(stream):
            frames, duration = int(line["nb_frames"]), round(float(line["duration_s"]) * 1e6)
            starts = np.arange(frames, dtype=np.int64) * duration // frames
            videos[line["video"]] = (line["sha256"], FrameTimeline(starts, end_us=duration))
    return videos


def test_the_fall_labels_import_and_the_one_past_the_end_is_cut():
    folder = "gmdcsa24-falls"
    table = read_events_csv((REALDATA / folder / "events.csv").read_bytes(), "events.csv")
    assert len(table.rows) == 19
    types = [
        EventType(name, kind="segment")
        for name in ("falling", "standing", "walking", "sitting", "eating")
    ]
    plan = plan_import(table.rows, library(folder), types)
    assert (plan.num_events, plan.num_left_out, len(plan.videos)) == (19, 0, 10)
    (finding,) = plan.findings
    assert (finding.code, finding.video) == ("cut_at_end", "Subject 3/Fall/16.mp4")
    (video,) = [item for item in plan.videos if item.name == finding.video]
    assert max(item.event.end_us for item in video.events) == 6_080_000


def test_falls_can_be_scored_by_their_onset():
    folder = "gmdcsa24-falls"
    table = read_events_csv((REALDATA / folder / "events.csv").read_bytes())
    ignored = dict.fromkeys(set(table.labels) - {"Falling"}, "")
    plan = plan_import(
        table.rows, library(folder), [EventType("falling")], label_map=ignored, onset=["falling"]
    )
    assert plan.num_events == 7
    assert sum(plan.ignored_labels.values()) == 12


def test_clip_labels_of_the_fights_are_segments():
    folder = "surv-fights"
    table = read_events_csv((REALDATA / folder / "events.csv").read_bytes())
    plan = plan_import(
        table.rows,
        library(folder),
        [EventType("fight", kind="segment")],
        label_map={"no_fight": ""},
    )
    assert (plan.num_rows, plan.num_events, plan.ignored_labels) == (74, 45, {"no_fight": 29})
