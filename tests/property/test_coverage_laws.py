"""Laws of coverage: painting, cutting, and what is known of a video because of it."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prismata.core.coverage import (
    CoverageSpan,
    coverage_from_json,
    coverage_to_json,
    covered_us,
    cut,
    known_spans,
    paint,
    unknown_spans,
)
from prismata.core.errors import InvalidInputError
from prismata.core.events import Event
from prismata.core.time import TimeSpan

END = 40
"""Small times, so that every instant can be looked at."""

instants = st.integers(0, END)


@st.composite
def coverages(draw):
    """Sorted, disjoint spans that may touch, with equal or other neighbours."""
    edges = sorted(draw(st.sets(instants, max_size=9)))
    states = st.sampled_from(["watched", "skipped", None])
    pairs = [(a, b, draw(states)) for a, b in itertools.pairwise(edges)]
    return tuple(CoverageSpan(a, b, state) for a, b, state in pairs if state)


stretches = st.tuples(instants, instants).map(lambda pair: tuple(sorted(pair)))
points = instants.map(lambda at: Event.point("hit", at))
segments = st.tuples(instants, st.integers(1, 9)).map(
    lambda pair: Event.segment("stay", pair[0], sum(pair))
)
events = st.lists(points | segments, max_size=5)


def states(spans):
    """State of every instant, None where nobody looked."""
    found = [
        [span.state for span in spans if span.start_us <= at < span.end_us] for at in range(END)
    ]
    assert all(len(here) <= 1 for here in found)
    return [here[0] if here else None for here in found]


def assert_normalised(spans):
    assert all(a.end_us <= b.start_us for a, b in itertools.pairwise(spans))
    assert not [
        (a, b)
        for a, b in itertools.pairwise(spans)
        if a.end_us == b.start_us and a.state == b.state
    ]


@given(coverages(), stretches, coverages())
def test_painting_changes_the_stretch_to_what_was_painted_and_nothing_outside(old, stretch, new):
    start, end = stretch
    painted = paint(old, start, end, new)
    assert_normalised(painted)
    wanted = [
        (new_state if start <= at < end else old_state)
        for at, (old_state, new_state) in enumerate(zip(states(old), states(new), strict=True))
    ]
    assert states(painted) == wanted


@given(coverages(), stretches, coverages())
def test_painting_twice_is_painting_once(old, stretch, new):
    once = paint(old, *stretch, new)
    assert paint(once, *stretch, new) == once


@given(coverages(), stretches, coverages())
def test_what_was_cut_out_can_be_painted_back(old, stretch, new):
    before = cut(old, *stretch)
    back = paint(paint(old, *stretch, new), *stretch, before)
    assert back == paint(old, 0, 0, ())


@given(coverages(), stretches)
def test_cutting_keeps_the_states_inside_and_nothing_else(spans, stretch):
    part = cut(spans, *stretch)
    assert_normalised(part)
    wanted = [
        state if stretch[0] <= at < stretch[1] else None for at, state in enumerate(states(spans))
    ]
    assert states(part) == wanted


@given(coverages())
def test_covered_time_is_counted_once_and_by_state(spans):
    assert covered_us(spans) == sum(state is not None for state in states(spans))
    assert covered_us(spans, "watched") == states(spans).count("watched")
    assert covered_us([*spans, *spans]) == covered_us(spans)


@given(coverages())
def test_coverage_survives_its_json_form(spans):
    normal = paint(spans, 0, 0, ())
    assert coverage_from_json(coverage_to_json(normal)) == normal
    assert coverage_from_json(list(reversed(coverage_to_json(spans)))) == normal


@given(coverages(), events, st.integers(0, 4))
def test_known_and_unknown_time_make_the_whole_video_and_never_overlap(spans, events, tolerance):
    known = known_spans(spans, events, duration_us=END, tolerance_us=tolerance)
    unknown = unknown_spans(known, duration_us=END)
    both = sorted([*known, *unknown])
    assert all(a.end_us == b.start_us for a, b in itertools.pairwise(both))
    assert (both[0].start_us, both[-1].end_us) == (0, END)
    assert all(span.duration_us > 0 for span in both)


@given(coverages(), events, st.integers(0, 4))
def test_an_instant_is_known_where_it_was_watched_or_labelled_and_nowhere_else(
    spans, events, tolerance
):
    known = known_spans(spans, events, duration_us=END, tolerance_us=tolerance)
    for at, state in enumerate(states(spans)):
        labelled = any(
            event.start_us - tolerance <= at < event.end_us + tolerance
            if event.kind == "point"
            else event.span.contains(at)
            for event in events
        )
        seen = any(span.contains(at) for span in known)
        assert seen == (state == "watched" or labelled)


def test_nothing_is_known_of_a_video_that_nobody_saw():
    assert known_spans((), (), duration_us=END, tolerance_us=3) == ()
    assert unknown_spans((), duration_us=END) == (TimeSpan(0, END),)
    assert unknown_spans((), duration_us=0) == ()


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (None, "coverage is a list of [start_us, end_us, state], not nothing"),
        ({"a": 1}, "coverage is a list of [start_us, end_us, state], not dict"),
        ([[0, 5]], "one stretch of coverage is [start_us, end_us, state], not [0, 5]"),
        ([[0, 5.5, "watched"]], "whole microseconds, not at 5.5"),
        ([[True, 5, "watched"]], "whole microseconds, not at True"),
        ([[0, 5, "seen"]], "it can be 'watched' or 'skipped'"),
        ([[0, 5, ["watched"]]], "it can be 'watched' or 'skipped'"),
        ([[-1, 5, "watched"]], "cannot start before the video"),
        ([[5, 5, "watched"]], "must end after it starts"),
        (
            [[0, 9, "watched"], [4, 6, "skipped"]],
            "both watched and skipped of the time from 4 to 6",
        ),
    ],
)
def test_coverage_that_makes_no_sense_is_refused_in_a_sentence(data, sentence):
    with pytest.raises(InvalidInputError) as caught:
        coverage_from_json(data)
    assert sentence in str(caught.value)


def test_painting_backwards_is_refused():
    with pytest.raises(InvalidInputError, match="cannot end"):
        paint((), 5, 4, ())
