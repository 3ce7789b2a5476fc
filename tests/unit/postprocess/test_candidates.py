import numpy as np

from prismata.core.events import EventType
from prismata.core.recipes import GroupingRule
from prismata.core.scores import ScoreTrack
from prismata.postprocess import candidate_events

HIT = EventType("hit", "point")
RULES = {"hit": GroupingRule(threshold=0.5, leave_ratio=0.5, min_gap_seconds=0.3)}


def test_noise_that_joins_an_event_does_not_repeat_it_somewhere_else():
    scores = np.full((60, 1), 0.04, np.float32)
    scores[5] = 0.99
    scores[50] = 0.2
    times = np.arange(60, dtype=np.int64) * 100_000
    found = candidate_events(
        ScoreTrack(times, scores, ("hit",)), (HIT,), RULES, duration_us=6_000_000
    )
    # At the lowest levels all of it is one run around the strong event, with its score.
    strong, weak = sorted(found, key=lambda event: -(event.score or 0))
    assert abs(strong.start_us - 500_000) <= 100_000
    assert abs(weak.start_us - 5_000_000) <= 100_000
    assert (weak.score or 0) < 0.21
