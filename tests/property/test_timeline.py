"""Laws of the one clock."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prismata.core.time import FrameTimeline, OutsideVideoError

steps = st.lists(st.integers(1, 10**7), min_size=1, max_size=60)
timelines = st.builds(
    lambda gaps, first: FrameTimeline(
        np.cumsum([0, *gaps[:-1]]), end_us=sum(gaps), first_pts_us=first
    ),
    steps,
    st.integers(-(10**9), 10**9),
)
time_bases = st.builds(Fraction, st.sampled_from([1, 1001]), st.integers(1, 90_000))


@given(timelines)
def test_the_frame_at_its_own_start_is_the_frame_itself(timeline):
    assert [timeline.index_at(timeline.start_us(i)) for i in range(len(timeline))] == list(
        range(len(timeline))
    )


@given(timelines, st.data())
def test_every_instant_of_the_video_belongs_to_exactly_one_frame(timeline, data):
    time_us = data.draw(st.integers(0, timeline.duration_us - 1))
    holding = [i for i in range(len(timeline)) if timeline.span(i).contains(time_us)]
    assert holding == [timeline.index_at(time_us)]


@given(timelines, st.integers(0, 10**9))
def test_an_instant_outside_the_video_is_an_error_that_says_how_long_it_is(timeline, beyond):
    for time_us in (-1 - beyond, timeline.duration_us + beyond):
        with pytest.raises(OutsideVideoError, match="this video lasts"):
            timeline.index_at(time_us)


@given(timelines, st.integers(1, 240))
def test_a_sampling_never_goes_back_and_takes_what_is_on_screen(timeline, rate):
    rate = Fraction(rate, 1 + timeline.duration_us // 10**7)
    plan = timeline.sample(rate)
    assert plan.times_us[0] == 0
    assert np.all(np.diff(plan.times_us) > 0)
    assert np.all(np.diff(plan.frame_indices) >= 0)
    assert [timeline.index_at(t) for t in plan.times_us.tolist()] == plan.frame_indices.tolist()


@given(timelines, st.integers(1, 60))
def test_a_sampling_covers_the_video_to_its_end(timeline, rate):
    plan = timeline.sample(rate)
    exact = [k * Fraction(10**6, rate) for k in range(len(plan) + 1)]
    half = Fraction(1, 2)
    assert all(
        -half <= want - got <= half
        for want, got in zip(exact, plan.times_us.tolist(), strict=False)
    )
    assert exact[-1] >= timeline.duration_us - half


@given(
    st.lists(st.integers(1, 5000), min_size=1, max_size=50),
    st.integers(-(10**6), 10**6),
    time_bases,
)
def test_ticks_become_microseconds_as_exact_fractions_say(gaps, first, time_base):
    ticks = np.cumsum([first, *gaps])
    exact = [int(t - first) * time_base * 10**6 for t in ticks]
    if any(b - a < 1 for a, b in pairwise(exact)):
        return  # finer than the clock: the scan merges such frames before it builds a timeline
    timeline = FrameTimeline.from_pts(ticks, time_base=time_base, last_duration=5000)
    half_up = [(2 * one.numerator + one.denominator) // (2 * one.denominator) for one in exact]
    assert timeline.starts_us.tolist() == half_up
    assert abs(timeline.first_pts_us - first * time_base * 10**6) <= Fraction(1, 2)
    told = [timeline.source_pts(index) for index in range(len(timeline))]
    assert (told, timeline.time_base) == (ticks.tolist(), time_base)
