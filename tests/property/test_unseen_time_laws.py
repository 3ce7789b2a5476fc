"""Laws of unseen time: it never becomes a negative, neither in training nor in the figures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from prismata.core.coverage import CoverageSpan, known_spans, unknown_spans
from prismata.core.events import Event, EventType
from prismata.core.targets import HARD_NEGATIVE_WEIGHT, build_targets
from prismata.evaluation import EvaluationProtocol, evaluate

TYPES = (EventType("hit", "point"), EventType("stay", "segment"))
STEP_US = 100
SAMPLES = 30
END_US = STEP_US * SAMPLES
TIMES = np.arange(SAMPLES, dtype=np.int64) * STEP_US
TOLERANCE_US = 250
PROTOCOL = EvaluationProtocol(resamples=0)

instants = st.integers(0, END_US - 1)
points = instants.map(lambda at: Event.point("hit", at))
segments = st.tuples(instants, st.integers(1, 700)).map(
    lambda pair: Event.segment("stay", pair[0], min(END_US, sum(pair)))
)
labels = st.lists(points | segments, max_size=4)
coverage = st.lists(
    st.tuples(instants, st.integers(1, END_US), st.sampled_from(["watched", "skipped"])),
    max_size=1,
).map(lambda items: tuple(CoverageSpan(a, min(END_US, a + b), state) for a, b, state in items))


@given(coverage, labels, labels)
def test_a_sample_is_a_negative_only_where_somebody_looked(coverage, events, rejected):
    known = known_spans(
        coverage, [*events, *rejected], duration_us=END_US, tolerance_us=TOLERANCE_US
    )
    targets, weights = build_targets(
        TIMES, events, TYPES, rejected=rejected, tolerance_us=TOLERANCE_US, known=known
    )
    assert np.all(weights[targets > 0] > 0), "a label always counts"
    unseen = np.zeros(SAMPLES, np.bool_)
    for span in unknown_spans(known, duration_us=END_US):
        unseen |= (span.start_us <= TIMES) & (span.end_us > TIMES)
    # A rejected event shorter than a step is given to the sample next to it.
    allowed = (targets > 0) | (weights == 0) | (weights == HARD_NEGATIVE_WEIGHT)
    assert np.all(allowed[unseen])
    assert np.all(weights[~unseen] > 0)


@given(labels)
def test_a_video_watched_from_end_to_end_gives_the_targets_it_always_gave(events):
    whole = (CoverageSpan(0, END_US, "watched"),)
    known = known_spans(whole, events, duration_us=END_US, tolerance_us=TOLERANCE_US)
    seen = build_targets(TIMES, events, TYPES, tolerance_us=TOLERANCE_US, known=known)
    always = build_targets(TIMES, events, TYPES, tolerance_us=TOLERANCE_US)
    assert all(np.array_equal(a, b) for a, b in zip(seen, always, strict=True))


def scored(event):
    return Event(event.start_us, event.end_us, event.event_type, event.kind, 0.5)


@given(coverage, labels, st.lists(points | segments, max_size=6))
def test_what_is_detected_in_unseen_time_changes_no_figure(coverage, truth, found):
    known = known_spans(coverage, truth, duration_us=END_US, tolerance_us=TOLERANCE_US)
    unknown = unknown_spans(known, duration_us=END_US)
    detections = [scored(event) for event in found]
    judged = [
        event
        for event in detections
        if not any(span.contains((event.start_us + event.end_us) // 2) for span in unknown)
    ]

    def report(shown, ignored):
        return evaluate(
            {"v": truth},
            {"v": shown},
            {"v": shown},
            {"v": END_US},
            TYPES,
            ignored={"v": ignored},
            protocol=PROTOCOL,
        )

    assert report(detections, unknown) == report(judged, unknown)
    # Only the time that false alarms are divided by differs from a video watched as a whole.
    seen, whole = report(judged, unknown), report(judged, ())
    assert [replace(item, false_alarms_per_hour=None) for item in seen.types] == [
        replace(item, false_alarms_per_hour=None) for item in whole.types
    ]
