import json

import numpy as np
import pytest

from prismata.core.errors import InvalidInputError
from prismata.core.events import Event, EventType
from prismata.core.scores import ScoreTrack
from prismata.core.time import TimeSpan
from prismata.evaluation import EvaluationProtocol, evaluate

GOAL = EventType("goal")
SAVE = EventType("save")
FALL = EventType("fall", kind="segment")
HALF_HOUR = 1_800_000_000


def goal(seconds, score=None):
    return Event.point("goal", round(seconds * 1e6), score)


def fall(start, end, score=None):
    return Event.segment("fall", round(start * 1e6), round(end * 1e6), score)


TRUTH = {"a": [goal(1), goal(5)], "b": [fall(0, 10)]}
CANDIDATES = {
    "a": [goal(1.05, 0.9), goal(20, 0.6), goal(5.3, 0.2)],
    "b": [fall(0, 6, 0.8), fall(50, 60, 0.3)],
}
DETECTIONS = {"a": [goal(1.05, 0.9), goal(20, 0.6)], "b": [fall(0, 6, 0.8)]}
DURATIONS = {"a": HALF_HOUR, "b": HALF_HOUR}


def report(**changes):
    arguments = {
        "truth": TRUTH,
        "candidates": CANDIDATES,
        "detections": DETECTIONS,
        "durations_us": DURATIONS,
        "event_types": [GOAL, FALL],
        **changes,
    }
    return evaluate(**arguments)


def test_every_number_by_hand():
    found = report()
    points, segments = found.types
    # ±0.1 and ±0.2 s: the first detection hits, AP = 1/2. Beyond also the third, precision 2/3.
    both = pytest.approx((1 + 2 / 3) / 2)
    assert points.ap == {"0.1": 0.5, "0.2": 0.5, "0.5": both, "1": both}
    # 0..6 against 0..10 has tIoU 0.6: a hit up to 0.6.
    assert segments.ap == {"0.3": 1.0, "0.4": 1.0, "0.5": 1.0, "0.6": 1.0, "0.7": 0.0}
    assert (points.num_truth, points.num_detected, points.num_candidates) == (2, 2, 3)
    assert (points.precision, points.recall, points.f1) == (0.5, 0.5, 0.5)
    assert (points.false_alarms, points.false_alarms_per_hour) == (1, 1.0)
    assert points.mean_abs_error_us == 50_000
    assert segments.mean_abs_error_us == 2_000_000
    assert (points.criterion, segments.criterion) == ("±0.5 s", "tIoU 0.5")
    assert found.hours == 1.0
    assert found.points.mean == pytest.approx((1 / 2 + 1 / 2 + 5 / 6 + 5 / 6) / 4)
    assert found.segments.by_criterion["0.7"] == 0.0
    assert found.segments.mean == pytest.approx(0.8)


def test_a_type_that_nobody_marked_has_none_and_does_not_pull_the_mean_down():
    found = report(event_types=[GOAL, SAVE, FALL])
    assert found.types[1].ap == dict.fromkeys(["0.1", "0.2", "0.5", "1"])
    assert found.points.mean == report().points.mean
    assert any("Nobody marked Save" in note for note in found.notes)


def test_false_alarms_of_a_type_that_nobody_marked_still_count():
    shouted = {"a": [Event.point("save", 0, 0.9)]}
    found = report(event_types=[SAVE], truth={}, candidates=shouted, detections=shouted)
    assert found.types[0].false_alarms_per_hour == 1.0
    assert found.points.mean is None
    assert found.segments is None


def test_types_keep_the_order_they_were_asked_in():
    found = report(event_types=[FALL, GOAL])
    assert [item.event_type for item in found.types] == ["fall", "goal"]


def test_chance_is_scored_like_a_model():
    # Events every 10 s from 5 s on: the fixed cadence is exactly right.
    regular = {"a": [goal(5 + 10 * index) for index in range(6)]}
    found = evaluate(regular, {}, {}, {"a": 60_000_000}, [GOAL])
    assert found.points.chance == 1.0
    assert found.points.mean == 0.0
    assert report().points.chance == 0.0


def test_the_interval_holds_the_mean_and_needs_three_videos():
    truth = {name: [goal(1)] for name in "abcdef"}
    found = {name: [goal(1 if name in "abc" else 9, 0.5)] for name in "abcdef"}
    durations = dict.fromkeys("abcdef", 10_000_000)
    result = evaluate(truth, found, found, durations, [GOAL])
    low, high = result.points.interval
    assert low < result.points.mean < high
    again = evaluate(truth, found, found, durations, [GOAL])
    assert again.points.interval == (low, high)
    assert report().points.interval is None
    assert any("too few for an interval" in note for note in report().notes)


def test_the_report_says_how_much_was_scored_when_it_is_not_all():
    found = report(
        durations_us={"a": 400_000_000, "b": 200_000_000},
        ignored={"a": [TimeSpan(100_000_000, 400_000_000), TimeSpan(350_000_000, 900_000_000)]},
    )
    assert found.notes[0] == (
        "Scored on 5:00 of 10:00 that somebody watched or labelled; what was detected in the rest "
        "counts as neither right nor wrong."
    )
    assert found.to_dict()["hours"] == pytest.approx(300 / 3600)
    assert found.to_dict()["total_hours"] == pytest.approx(600 / 3600)
    assert not [note for note in report().notes if "Scored on" in note]


def test_a_detection_in_unseen_time_is_neither_right_nor_wrong():
    seen = report(ignored={"a": [TimeSpan(30_000_000, HALF_HOUR)]})
    more = DETECTIONS | {"a": [*DETECTIONS["a"], goal(31, 0.99), goal(700, 0.95)]}
    ranked = CANDIDATES | {"a": [*CANDIDATES["a"], goal(31, 0.99), goal(700, 0.95)]}
    also = report(
        candidates=ranked, detections=more, ignored={"a": [TimeSpan(30_000_000, HALF_HOUR)]}
    )
    assert also == seen
    assert also != report(candidates=ranked, detections=more)


def test_ignored_stretches_take_their_events_and_their_time_along():
    ignored = {"a": [TimeSpan(10_000_000, HALF_HOUR)]}
    found = report(ignored=ignored)
    assert found.types[0].false_alarms == 0
    assert found.hours == pytest.approx(0.5 + 10 / 3600)


def test_score_tracks_add_the_quality_of_single_instants():
    times = np.arange(10, dtype=np.int64) * 1_000_000
    scores = np.zeros((10, 2), np.float32)
    scores[[1, 5], 0] = 1
    scores[:, 1] = 0.5
    tracks = {"a": ScoreTrack(times, scores, ("goal", "fall"))}
    points, segments = report(tracks=tracks).types
    assert points.frames.roc_auc == 1.0
    assert segments.frames.roc_auc is None
    assert "nothing to tell apart" in segments.frames.reason
    assert report().types[0].frames is None


def test_the_dictionary_is_plain_json():
    text = json.dumps(report().to_dict(), allow_nan=False)
    again = json.loads(text)
    assert again["types"][0]["ap"]["0.1"] == 0.5
    assert again["protocol"]["tolerances_us"] == [100_000, 200_000, 500_000, 1_000_000]


def test_points_and_segments_never_share_a_column():
    first, second = report().to_table()
    assert first["AP ±0.1 s"] == "50.0 %"
    assert first["AP tIoU 0.5"] == "—"
    assert second["AP ±0.1 s"] == "—"
    assert second["AP tIoU 0.7"] == "0.0 %"
    assert first["False alarms per hour"] == "1.0"
    assert first["Mean timing error"] == "0.05 s"
    only_points = report(event_types=[GOAL], truth={"a": TRUTH["a"]}, candidates={}, detections={})
    assert not [name for name in only_points.to_table()[0] if "tIoU" in name]


def test_the_protocol_can_be_stricter():
    strict = EvaluationProtocol(tolerances_us=(40_000,), product_tolerance_us=40_000)
    found = report(protocol=strict)
    assert found.types[0].ap == {"0.04": 0.0}
    assert found.types[0].f1 == 0.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"durations_us": {}}, "no video to evaluate on"),
        ({"durations_us": {"b": 1}}, "'a', whose duration is not given"),
        ({"event_types": [FALL]}, "hold 'goal', which is not evaluated"),
        (
            {"event_types": [EventType("goal", kind="segment"), FALL]},
            "'goal' is a segment event, but the truth of 'a' hold it as a point",
        ),
        ({"detections": {"a": [goal(1)]}}, "has no score"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(changes, message):
    with pytest.raises(InvalidInputError, match=message):
        report(**changes)
