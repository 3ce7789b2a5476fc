import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from prismata.core.events import EventType
from prismata.core.recipes import GroupingRule
from prismata.core.scores import ScoreTrack
from prismata.postprocess import StreamingGrouper, group_events, window_centres, window_indices

TYPES = (EventType("goal"), EventType("fall", kind="segment"))

# Few distinct values make plateaus, ties and scores exactly at the thresholds likely.
values = st.one_of(
    st.sampled_from([0.0, 0.25, 0.5, 0.7, 1.0]), st.floats(0, 1, width=32, allow_subnormal=False)
)
rules = st.builds(
    GroupingRule,
    threshold=st.sampled_from([0.01, 0.5, 0.7, 1.0]),
    leave_ratio=st.sampled_from([0.1, 0.5, 1.0]),
    min_gap_seconds=st.sampled_from([0.0, 0.1, 0.25, 2.0]),
    min_seconds=st.sampled_from([0.0, 0.15]),
)


@st.composite
def tracks(draw):
    rows = draw(st.lists(st.tuples(values, values), min_size=1, max_size=40))
    steps = draw(st.lists(st.integers(1_000, 200_000), min_size=len(rows), max_size=len(rows)))
    times = np.cumsum([0, *steps[:-1]]).astype(np.int64)
    scores = np.array(rows, dtype=np.float32)
    return ScoreTrack(times, scores, ("goal", "fall")), int(times[-1]) + steps[-1]


@given(tracks(), rules, rules, st.lists(st.integers(0, 40), max_size=8))
@settings(max_examples=300, deadline=None)
def test_the_chunking_never_changes_the_events(drawn, point_rule, segment_rule, cuts):
    track, duration_us = drawn
    both = {"goal": point_rule, "fall": segment_rule}
    stream = StreamingGrouper(TYPES, both)
    edges = sorted({0, len(track), *(min(cut, len(track)) for cut in cuts)})
    found = []
    for start, stop in itertools.pairwise(edges):
        found += stream.push(track.times_us[start:stop], track.scores[start:stop])
    found += stream.finish(duration_us)
    assert sorted(found) == group_events(track, TYPES, both, duration_us=duration_us)


@given(tracks(), rules)
@settings(max_examples=200, deadline=None)
def test_events_lie_inside_the_video_and_apart(drawn, rule):
    track, duration_us = drawn
    found = group_events(track, TYPES, {"goal": rule, "fall": rule}, duration_us=duration_us)
    for name in ("goal", "fall"):
        events = [event for event in found if event.event_type == name]
        assert all(0 <= event.start_us <= event.end_us <= duration_us for event in events)
        assert all(event.score >= np.float32(rule.threshold) for event in events)
        assert all(a.end_us <= b.start_us for a, b in itertools.pairwise(events))


@given(tracks(), rules)
@settings(max_examples=100, deadline=None)
def test_points_and_segments_of_the_same_scores_are_the_same_runs(drawn, rule):
    track, duration_us = drawn
    same = ScoreTrack(track.times_us, track.scores[:, [0, 0]], track.event_types)
    plain = GroupingRule(rule.threshold, rule.leave_ratio, rule.min_gap_seconds)
    found = group_events(same, TYPES, {"goal": plain, "fall": plain}, duration_us=duration_us)
    points = [event for event in found if event.kind == "point"]
    segments = [event for event in found if event.kind == "segment"]
    assert len(points) == len(segments)
    for point, segment in zip(points, segments, strict=True):
        assert segment.start_us <= point.start_us <= segment.end_us
        assert point.score == segment.score


@given(st.integers(1, 200), st.integers(1, 20), st.integers(1, 30))
def test_windows_see_every_sample_if_they_are_at_least_as_long_as_the_stride(samples, size, stride):
    indices = window_indices(samples, max(size, stride), stride)
    assert indices.shape == (window_centres(samples, stride).size, max(size, stride))
    assert set(indices.ravel().tolist()) == set(range(samples))
