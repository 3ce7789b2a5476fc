import json
from fractions import Fraction
from pathlib import Path

import pytest

from prismata.core.events import Event
from prismata.core.time import to_us
from prismata.evaluation import point_average_precision, segment_average_precision

CASES = json.loads(Path(__file__).with_name("event_metrics.json").read_text(encoding="utf-8"))


def events(kind, by_video, *, scored):
    return {
        video: [event(kind, values[:-1] if scored else values, values[-1] if scored else None)
                for values in rows]
        for video, rows in by_video.items()
    }  # fmt: skip


def event(kind, times, score):
    start_us, end_us = to_us(times[0]), to_us(times[-1])
    return Event(start_us, end_us, "x", kind, score)


@pytest.mark.parametrize("case", CASES["cases"], ids=lambda case: case["name"])
def test_average_precision_is_what_the_working_says(case):
    truth = events(case["kind"], case["truth"], scored=False)
    found = events(case["kind"], case["detections"], scored=True)
    if case["kind"] == "point":
        ap = point_average_precision(truth, found, "x", to_us(case["strictness"]))
    else:
        ap = segment_average_precision(truth, found, "x", case["strictness"])
    assert ap == pytest.approx(float(Fraction(case["ap"])), abs=1e-12), case["working"]
