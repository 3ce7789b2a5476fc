from fractions import Fraction
from io import BytesIO

import numpy as np
import pytest

from prismata.core.errors import InvalidInputError
from prismata.core.time import (
    FrameTimeline,
    OutsideVideoError,
    TimeSpan,
    format_time,
    to_seconds,
    to_us,
)

UNEVEN = FrameTimeline(np.array([0, 40_000, 60_000, 200_000]), end_us=210_000, first_pts_us=-7)


def test_a_frame_is_on_screen_from_its_start_until_the_next_one_appears():
    assert [UNEVEN.index_at(time) for time in (0, 39_999, 40_000, 59_999, 60_000, 209_999)] == [
        0,
        0,
        1,
        1,
        2,
        3,
    ]
    assert UNEVEN.span(2) == TimeSpan(60_000, 200_000)
    assert UNEVEN.start_us(3) == 200_000


@pytest.mark.parametrize("time_us", [-1, 210_000, 10**9])
def test_outside_the_video_no_frame_is_on_screen_and_the_length_is_named(time_us):
    with pytest.raises(OutsideVideoError, match=r"this video lasts 0:00\.210"):
        UNEVEN.index_at(time_us)


@pytest.mark.parametrize("index", [-1, 4])
def test_a_frame_that_does_not_exist_is_refused(index):
    with pytest.raises(OutsideVideoError, match="frames 0 to 3"):
        UNEVEN.start_us(index)


def test_timestamps_become_microseconds_exactly_whatever_the_time_base():
    ticks = np.arange(0, 3003 * 30_000, 3003, dtype=np.int64) + 12_345
    timeline = FrameTimeline.from_pts(ticks, time_base=Fraction(1, 90_000))
    exact = [
        int(Fraction(int(tick - ticks[0]) * 1_000_000, 90_000) + Fraction(1, 2)) for tick in ticks
    ]
    assert timeline.starts_us.tolist() == exact
    assert timeline.first_pts_us == to_us(Fraction(12_345, 90_000))
    assert timeline.duration_us == 1_001_000_000
    assert timeline.average_frame_rate == Fraction(30_000, 1001)
    assert not timeline.is_variable_rate
    assert UNEVEN.is_variable_rate


def test_a_single_frame_without_a_length_lasts_one_tick():
    timeline = FrameTimeline.from_pts(np.array([9]), time_base=Fraction(1, 25))
    assert (len(timeline), timeline.duration_us) == (1, 40_000)
    assert timeline.step_range_us == (0, 0)


def test_a_declared_last_duration_is_used():
    timeline = FrameTimeline.from_pts(np.array([0, 1]), time_base=Fraction(1, 10), last_duration=5)
    assert timeline.duration_us == 600_000


@pytest.mark.parametrize(
    ("starts", "end"), [([], 5), ([1, 2], 5), ([0, 2, 2], 5), ([0, 3], 3), ([[0, 1]], 5)]
)
def test_a_timeline_without_frames_or_with_standing_time_is_refused(starts, end):
    with pytest.raises(InvalidInputError):
        FrameTimeline(np.array(starts, np.int64), end_us=end)


def test_nobody_can_change_a_timeline_by_accident():
    with pytest.raises(ValueError, match="read-only"):
        UNEVEN.starts_us[0] = 1


def test_sampling_takes_the_frame_on_screen_at_each_grid_instant():
    plan = UNEVEN.sample(20)
    assert plan.times_us.tolist() == [0, 50_000, 100_000, 150_000, 200_000]
    assert plan.frame_indices.tolist() == [0, 1, 2, 2, 3]
    assert len(plan) == 5


def test_sampling_at_ntsc_rates_does_not_drift():
    timeline = FrameTimeline(np.array([0]), end_us=3_600_000_000)
    plan = timeline.sample(Fraction(30_000, 1001))
    assert int(plan.times_us[30_000]) == 1_001_000_000
    assert timeline.sample(29.97002997).times_us.tolist() == plan.times_us.tolist()


@pytest.mark.parametrize("rate", [0, -5])
def test_a_sampling_rate_must_be_positive(rate):
    with pytest.raises(InvalidInputError, match="positive"):
        UNEVEN.sample(rate)


def test_a_stored_timeline_is_the_same_again():
    buffer = BytesIO()
    UNEVEN.save(buffer)
    buffer.seek(0)
    assert FrameTimeline.load(buffer) == UNEVEN
    assert FrameTimeline(UNEVEN.starts_us, end_us=210_000) != UNEVEN


def stored(**arrays):
    buffer = BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def test_a_timeline_from_ticks_keeps_them_also_in_its_file():
    ticks = np.array([-500, 2503, 9000])
    timeline = FrameTimeline.from_pts(ticks, time_base=Fraction(1, 90_000))
    buffer = BytesIO()
    timeline.save(buffer)
    buffer.seek(0)
    for one in (timeline, FrameTimeline.load(buffer)):
        assert [one.source_pts(index) for index in range(3)] == [-500, 2503, 9000]
        assert one.time_base == Fraction(1, 90_000)
    with pytest.raises(OutsideVideoError, match="frames 0 to 2"):
        timeline.source_pts(3)


def test_a_timeline_stored_before_ticks_were_kept_is_the_same_without_them():
    timeline = FrameTimeline.from_pts(np.array([0, 1, 3]), time_base=Fraction(1, 25))
    old = stored(edges_us=np.append(timeline.starts_us, timeline.duration_us), first_pts_us=0)
    loaded = FrameTimeline.load(BytesIO(old))
    assert loaded == timeline
    assert (loaded.source_pts(1), loaded.time_base) == (None, None)


@pytest.mark.parametrize(
    ("ticks", "time_base"),
    [
        ([0, 1], None),
        (None, Fraction(1, 25)),
        ([0, 1, 2], Fraction(1, 25)),
        ([1, 0], Fraction(1, 25)),
        ([0, 1], Fraction(-1, 25)),
    ],
)
def test_ticks_that_do_not_belong_to_the_frames_are_refused(ticks, time_base):
    known = None if ticks is None else np.array(ticks)
    with pytest.raises(InvalidInputError):
        FrameTimeline(np.array([0, 40_000]), end_us=80_000, ticks=known, time_base=time_base)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04 cut off",
        stored(edges_us=np.array([0, 5, 4]), first_pts_us=0),
        stored(edges_us=np.array([], np.int64), first_pts_us=0),
        stored(edges_us=np.zeros((2, 2)), first_pts_us=0),
        stored(starts=np.array([0, 5])),
        stored(
            edges_us=np.array([0, 5, 9]),
            first_pts_us=0,
            ticks=np.array([0, 1]),
            time_base=np.array([1, 0]),
        ),
    ],
    ids=["empty", "cut", "unsorted", "no frames", "wrong shape", "other arrays", "no time base"],
)
def test_what_is_not_a_stored_timeline_is_refused_in_one_sentence(content):
    with pytest.raises(InvalidInputError):
        FrameTimeline.load(BytesIO(content))


def test_a_span_holds_its_start_and_not_its_end():
    span = TimeSpan(10, 20)
    assert [span.contains(time) for time in (9, 10, 19, 20)] == [False, True, True, False]
    assert span.duration_us == 10
    with pytest.raises(InvalidInputError, match="before it starts"):
        TimeSpan(5, 4)


def test_spans_overlap_by_what_they_share():
    assert TimeSpan(0, 10).intersection_us(TimeSpan(5, 30)) == 5
    assert TimeSpan(0, 10).intersection_us(TimeSpan(10, 30)) == 0
    assert TimeSpan(0, 10).tiou(TimeSpan(5, 15)) == pytest.approx(1 / 3)
    assert TimeSpan(3, 3).tiou(TimeSpan(3, 3)) == 0


def test_a_span_is_cut_to_the_video():
    assert TimeSpan(-5, 30).clamped(20) == TimeSpan(0, 20)
    assert TimeSpan(25, 30).clamped(20) == TimeSpan(20, 20)


def test_times_are_shown_as_minutes_seconds_and_milliseconds():
    assert format_time(61_234_567) == "1:01.235"
    assert format_time(-1_500_000) == "-0:01.500"
    assert format_time(59_999_900) == "1:00.000"
    assert to_seconds(to_us(1.25)) == 1.25


@pytest.mark.parametrize("rate", [24, 25, 30, 60, Fraction(30_000, 1001), Fraction(24_000, 1001)])
def test_sampling_at_the_videos_own_rate_takes_every_frame_once(rate):
    timeline = FrameTimeline.from_pts(np.arange(1000), time_base=1 / Fraction(rate))
    plan = timeline.sample(rate)
    assert plan.frame_indices.tolist() == list(range(1000))
    assert plan.times_us.tolist() == timeline.starts_us.tolist()
    half = timeline.sample(Fraction(rate) / 2)
    assert half.frame_indices.tolist() == list(range(0, 1000, 2))
