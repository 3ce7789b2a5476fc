"""The growing curve: seldom, small, and without losing a peak."""

import numpy as np

from prismata.detection.score_feed import MAX_INSTANTS, ScoreFeed, thinned


def times(start, count):
    return np.arange(start, start + count, dtype=np.int64) * 50_000


def test_the_first_scores_go_out_at_once_and_others_twice_a_second():
    now, sent = [10.0], []
    feed = ScoreFeed(lambda when, rows: sent.append((when, rows)), clock=lambda: now[0])
    feed.push(times(0, 2), np.array([[0.12345], [1.0]], np.float32))
    assert sent == [([0, 50_000], [[0.123], [1.0]])]
    for index in range(1, 4):
        now[0] += 0.125
        feed.push(times(2 * index, 2), np.full((2, 1), index / 10, np.float32))
    assert len(sent) == 1
    now[0] += 0.125
    feed.push(times(8, 1), np.zeros((1, 1), np.float32))
    assert len(sent) == 2
    when, rows = sent[1]
    assert when == times(2, 7).tolist(), "nothing between two messages is lost"
    assert rows[:2] == [[0.1], [0.1]]


def test_a_long_part_is_thinned_and_keeps_its_peaks():
    scores = np.zeros((10_007, 2), np.float32)
    scores[5003, 1] = scores[10_006, 0] = 0.9
    when, rows = thinned(times(0, 10_007), scores)
    assert when.size == len(rows) == MAX_INSTANTS
    assert (np.diff(when) > 0).all()
    assert rows.max(axis=0).tolist() == [np.float32(0.9)] * 2
    near = when[rows[:, 1] > 0.5]
    assert abs(int(near[0]) - 5003 * 50_000) < 50 * 50_000


def test_a_short_part_stays_as_it_is():
    scores = np.random.default_rng(1).random((MAX_INSTANTS, 3)).astype(np.float32)
    when, rows = thinned(times(3, MAX_INSTANTS), scores)
    assert (rows == scores).all()
    assert when[0] == 150_000
