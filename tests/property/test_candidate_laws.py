"""Laws of the ranked candidates that average precision judges."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from prismata.core.events import EventType
from prismata.core.recipes import GroupingRule
from prismata.core.scores import ScoreTrack
from prismata.postprocess import candidate_events, group_events

TYPES = (EventType("hit", "point"), EventType("stay", "segment"))
RULES = {
    "hit": GroupingRule(threshold=0.6, min_gap_seconds=0.2),
    "stay": GroupingRule(threshold=0.5, min_gap_seconds=0.3),
}
STEP_US = 100_000

tracks = st.lists(
    st.tuples(st.floats(0, 1, width=32), st.floats(0, 1, width=32)), min_size=1, max_size=60
).map(
    lambda rows: ScoreTrack(
        np.arange(len(rows), dtype=np.int64) * STEP_US,
        np.array(rows, np.float32),
        ("hit", "stay"),
    )
)


@given(tracks)
def test_what_the_product_shows_is_among_the_candidates_with_the_same_borders(track):
    duration_us = len(track) * STEP_US
    shown = group_events(track, TYPES, RULES, duration_us=duration_us)
    candidates = candidate_events(track, TYPES, RULES, duration_us=duration_us)
    assert set(shown) <= set(candidates)


@given(tracks)
def test_candidates_of_one_type_never_overlap(track):
    duration_us = len(track) * STEP_US
    candidates = candidate_events(track, TYPES, RULES, duration_us=duration_us)
    for name in ("hit", "stay"):
        events = [event for event in candidates if event.event_type == name]
        assert all(a.end_us <= b.start_us for a, b in itertools.pairwise(events))


def test_an_event_far_below_the_threshold_is_still_ranked():
    scores = np.zeros((50, 2), np.float32)
    scores[20, 0] = 0.04
    scores[30:36, 1] = 0.9
    track = ScoreTrack(np.arange(50, dtype=np.int64) * STEP_US, scores, ("hit", "stay"))
    candidates = candidate_events(track, TYPES, RULES, duration_us=50 * STEP_US)
    assert [event.event_type for event in candidates] == ["hit", "stay"]
    assert abs(candidates[0].start_us - 20 * STEP_US) <= STEP_US // 10
    assert group_events(track, TYPES, RULES, duration_us=50 * STEP_US) == candidates[1:]


def test_noise_below_the_lowest_level_is_no_candidate():
    scores = np.full((50, 2), 0.0005, np.float32)
    track = ScoreTrack(np.arange(50, dtype=np.int64) * STEP_US, scores, ("hit", "stay"))
    assert candidate_events(track, TYPES, RULES, duration_us=50 * STEP_US) == []
