import numpy as np
import pytest

from prismata.core.errors import InvalidInputError
from prismata.core.events import Event, EventType
from prismata.core.recipes import GroupingRule
from prismata.core.scores import ScoreTrack
from prismata.core.time import TimeSpan
from prismata.postprocess import StreamingGrouper, group_events, view_clip

POINT = EventType("goal")
SEGMENT = EventType("fall", kind="segment")
STEP = 100_000


def track(*columns, names=("goal",)):
    scores = np.array(columns, dtype=np.float32).T
    times = np.arange(scores.shape[0], dtype=np.int64) * STEP
    return ScoreTrack(times, scores, names)


def points(scores, **rule):
    rules = {"goal": GroupingRule(**{"min_gap_seconds": 0, **rule})}
    return group_events(track(scores), [POINT], rules, duration_us=len(scores) * STEP)


def segments(scores, **rule):
    rules = {"fall": GroupingRule(**{"min_gap_seconds": 0, **rule})}
    duration = len(scores) * STEP
    return group_events(track(scores, names=("fall",)), [SEGMENT], rules, duration_us=duration)


def test_no_score_reaches_the_threshold_no_event():
    assert points([0, 0.4, 0.49, 0.3, 0]) == []


def test_a_point_is_the_centre_weighted_by_the_height_above_leave():
    # leave = 0.25; weights 0.25 at 0.1 s and 0.5 at 0.2 s: (0.25 * 0.1 + 0.5 * 0.2) / 0.75 s.
    assert points([0, 0.5, 0.75, 0]) == [Event.point("goal", 166_667, 0.75)]


def test_a_score_equal_to_the_threshold_counts_even_where_float32_rounds_down():
    assert float(np.float32(0.7)) < 0.7
    assert len(points([0, 0.7, 0], threshold=0.7)) == 1


def test_a_run_goes_on_between_leave_and_threshold():
    # Without hysteresis the dip to 0.3 would make two events.
    scores = [0, 0.6, 0.3, 0.6, 0]
    assert len(points(scores)) == 1
    assert len(points(scores, leave_ratio=1.0)) == 2


def test_a_run_that_never_reaches_the_threshold_is_as_if_it_was_not_there():
    # It lies between two good runs, which are 0.4 s apart and so stay apart.
    scores = [0.9, 0, 0.3, 0.3, 0, 0.9, 0]
    assert len(points(scores, min_gap_seconds=0.3)) == 2


def test_runs_closer_than_the_gap_are_one():
    # Edges: 0.1 s + 0.1 s * (0.9 - 0.25) / 0.9 = 0.172 s and 0.4 s - 0.072 s = 0.328 s: 0.156 s.
    scores = [0, 0.9, 0, 0, 0.9, 0]
    assert len(points(scores, min_gap_seconds=0.157)) == 1
    assert len(points(scores, min_gap_seconds=0.155)) == 2


def test_runs_exactly_the_gap_apart_stay_apart():
    # With leave = 0.5 the edges lie on the instants 0.1 s and 0.5 s themselves.
    scores = [0, 0.5, 0, 0, 0, 0.5, 0]
    assert len(points(scores, leave_ratio=1.0, min_gap_seconds=0.4)) == 2
    assert len(points(scores, leave_ratio=1.0, min_gap_seconds=0.400001)) == 1


def test_instants_in_a_bridged_gap_have_no_weight():
    merged = points([0, 0.9, 0.2, 0, 0.9, 0], min_gap_seconds=0.3)
    assert merged == [Event.point("goal", 250_000, float(np.float32(0.9)))]


def test_a_flat_run_at_leave_has_an_unweighted_centre():
    assert points([0, 0.5, 0.5, 0.5, 0], leave_ratio=1.0) == [Event.point("goal", 200_000, 0.5)]


def test_a_segment_starts_and_ends_where_the_score_crosses_leave():
    # leave = 0.25: 0 → 0.5 crosses half way, 0.75 → 0 after two thirds.
    (event,) = segments([0, 0.5, 0.75, 0])
    assert event == Event.segment("fall", 50_000, 266_667, 0.75)


def test_a_segment_of_one_instant_has_a_length():
    (event,) = segments([0, 0.5, 0], leave_ratio=1.0)
    assert (event.start_us, event.end_us) == (100_000, 100_001)


def test_a_run_at_the_start_of_the_video_starts_there():
    (event,) = segments([1, 1, 0, 0])
    assert event.start_us == 0


def test_a_run_that_is_still_on_lasts_one_more_step():
    rules = {"fall": GroupingRule()}
    part = track([0, 0, 1, 1], names=("fall",))
    (event,) = group_events(part, [SEGMENT], rules, duration_us=10_000_000)
    assert event.end_us == 400_000


def test_a_run_that_is_still_on_never_passes_the_end():
    rules = {"fall": GroupingRule()}
    part = track([0, 0, 1, 1], names=("fall",))
    (event,) = group_events(part, [SEGMENT], rules, duration_us=333_333)
    assert event.end_us == 333_333


def test_a_track_of_one_instant_stands_for_the_whole_video():
    rules = {"fall": GroupingRule()}
    (event,) = group_events(track([1], names=("fall",)), [SEGMENT], rules, duration_us=70_000)
    assert event == Event.segment("fall", 0, 70_000, 1.0)


def test_short_segments_are_dropped_and_short_points_are_not():
    scores = [0, 0.5, 0.75, 0, 0]
    assert segments(scores, min_seconds=0.217) == []
    assert len(segments(scores, min_seconds=0.216)) == 1
    assert len(points(scores, min_seconds=3)) == 1


def test_types_are_grouped_on_their_own_and_come_back_by_time():
    both = track([0, 0, 0, 1, 0], [1, 1, 0, 0, 0], names=("goal", "fall"))
    rules = {"goal": GroupingRule(), "fall": GroupingRule()}
    found = group_events(both, [POINT, SEGMENT], rules, duration_us=500_000)
    assert [event.event_type for event in found] == ["fall", "goal"]


def test_columns_are_found_by_name_not_by_position():
    both = track([1, 0, 0], [0, 0, 1], names=("other", "goal"))
    (event,) = group_events(both, [POINT], {"goal": GroupingRule()}, duration_us=300_000)
    assert event.start_us == 200_000


def test_an_empty_track_has_no_events():
    empty = ScoreTrack(np.zeros(0, np.int64), np.zeros((0, 1), np.float32), ("goal",))
    assert group_events(empty, [POINT], {"goal": GroupingRule()}, duration_us=5) == []


def test_a_type_without_a_rule_is_refused():
    with pytest.raises(InvalidInputError, match="'goal' has no grouping rule"):
        group_events(track([0]), [POINT], {}, duration_us=1)


def test_a_track_beyond_the_video_is_refused():
    with pytest.raises(InvalidInputError, match="the video lasts 200000 us"):
        group_events(track([0, 0, 0]), [POINT], {"goal": GroupingRule()}, duration_us=200_000)


def grouper(kind=POINT, **rule):
    return StreamingGrouper([kind], {kind.name: GroupingRule(**rule)})


def chunk(start, scores):
    times = (start + np.arange(len(scores), dtype=np.int64)) * STEP
    return times, np.array(scores, dtype=np.float32)[:, None]


def test_an_event_is_given_out_as_soon_as_nothing_can_join_it():
    stream = grouper(min_gap_seconds=0.2)
    assert stream.push(*chunk(0, [0, 1, 0])) == []
    # The edge lies at 0.15 s; at 0.3 s another run could still join it, at 0.4 s no longer.
    assert stream.push(*chunk(3, [0])) == []
    assert stream.push(*chunk(4, [0])) == [Event.point("goal", 100_000, 1.0)]
    assert stream.finish(500_000) == []


def test_the_caller_may_reuse_its_arrays():
    stream = grouper()
    times, scores = chunk(0, [0, 1, 1])
    stream.push(times, scores)
    times += 10**9
    scores[:] = 0
    assert stream.finish(10**10) == [Event.point("goal", 150_000, 1.0)]


def test_an_empty_chunk_changes_nothing():
    stream = grouper()
    assert stream.push(*chunk(0, [])) == []
    assert stream.finish(1) == []


def test_the_step_is_known_when_instants_come_one_by_one():
    stream = grouper(SEGMENT)
    for index in range(3):
        assert stream.push(*chunk(index, [1])) == []
    assert stream.finish(10**9) == [Event.segment("fall", 0, 300_000, 1.0)]


@pytest.mark.parametrize(
    ("times", "scores", "message"),
    [
        ([1, 1], [[0], [0]], "must increase"),
        ([0], [[0]], "from chunk to chunk"),
        ([5], [[0, 0]], "expected scores of shape"),
        ([5], [[1.5]], "scores must lie"),
        ([5], [[np.nan]], "scores must lie"),
    ],
)
def test_a_chunk_that_does_not_fit_is_refused(times, scores, message):
    stream = grouper()
    stream.push(np.array([0]), np.zeros((1, 1), np.float32))
    with pytest.raises(InvalidInputError, match=message):
        stream.push(np.array(times), np.array(scores, dtype=np.float32))


def test_a_finished_grouper_takes_nothing_more():
    stream = grouper()
    stream.finish(10)
    with pytest.raises(InvalidInputError, match="is finished"):
        stream.push(*chunk(0, [0]))
    with pytest.raises(InvalidInputError, match="is finished"):
        stream.finish(10)


def test_the_clip_to_look_at_has_a_buffer_and_stays_in_the_video():
    rule = GroupingRule(buffer_seconds=1)
    assert view_clip(Event.point("goal", 5_000_000), rule, 9_000_000) == TimeSpan(
        4_000_000, 6_000_000
    )
    assert view_clip(Event.segment("fall", 500_000, 8_500_000), rule, 9_000_000) == TimeSpan(
        0, 9_000_000
    )
