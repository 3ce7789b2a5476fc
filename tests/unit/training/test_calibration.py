"""Which frames calibrate, and which stretches of validation video are seen once more."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from prismata.core.events import Event, EventType
from prismata.core.modelcard import ModelCard
from prismata.core.recipes import ClipSpec
from prismata.core.scores import ScoreTrack
from prismata.core.targets import build_targets
from prismata.training.data import LabelledVideo
from prismata.worker.train.calibration import choose_calibration_rows, near_events
from prismata.worker.train.rescoring import measure_events, score_differences, seconds_of
from prismata.worker.train.stretches import choose_stretches

HIT = EventType("hit", "point")
STEP_US = 100_000
SECOND = 1_000_000


def video(name, seconds, *at):
    times = np.arange(seconds * 10, dtype=np.int64) * STEP_US
    events = tuple(Event.point("hit", round(moment * SECOND)) for moment in at)
    targets, weights = build_targets(times, events, [HIT])
    inputs = np.zeros((times.size, 2), np.float32)
    return LabelledVideo(name, times, inputs, targets, weights, events, seconds * SECOND)


def near_count(videos, chosen):
    by_name = {item.name: item for item in videos}
    return sum(int(near_events(by_name[name])[rows].sum()) for name, rows in chosen.items())


class TestCalibration:
    def test_half_of_the_frames_lie_around_events_and_all_videos_take_part(self):
        videos = [video(f"v{i}", 60, 10, 40) for i in range(5)]
        chosen = choose_calibration_rows(videos, count=40, seed=3)
        assert sorted(chosen) == [f"v{i}" for i in range(5)]
        assert [len(rows) for rows in chosen.values()] == [8] * 5
        assert near_count(videos, chosen) == 20
        assert all((np.diff(rows) > 0).all() for rows in chosen.values())

    def test_the_seed_decides_and_the_order_of_the_videos_does_not(self):
        videos = [video(f"v{i}", 60, 10) for i in range(4)]
        first = choose_calibration_rows(videos, count=20, seed=1)
        again = choose_calibration_rows(videos[::-1], count=20, seed=1)
        other = choose_calibration_rows(videos, count=20, seed=2)
        assert all(np.array_equal(first[name], again[name]) for name in first)
        assert not all(np.array_equal(first[name], other.get(name)) for name in first)

    @pytest.mark.parametrize("at", [(), tuple(range(0, 60, 2))], ids=["no events", "only events"])
    def test_what_there_is_too_little_of_is_replaced(self, at):
        chosen = choose_calibration_rows([video("v", 60, *at)], count=50)
        assert len(chosen["v"]) == 50

    def test_a_small_set_is_taken_whole(self):
        chosen = choose_calibration_rows([video("v", 2, 1), video("w", 1)], count=128)
        assert {name: len(rows) for name, rows in chosen.items()} == {"v": 20, "w": 10}

    def test_with_many_videos_only_some_are_opened_and_those_with_events_first(self):
        videos = [video(f"v{i:03}", 10, *([5] if i % 20 == 0 else [])) for i in range(100)]
        chosen = choose_calibration_rows(videos, count=128)
        assert len(chosen) == 32
        assert {f"v{i:03}" for i in range(0, 100, 20)} <= set(chosen)
        assert near_count(videos, chosen) == 64


class TestStretches:
    def test_little_video_is_taken_whole(self):
        videos = [video("a", 30, 5), video("b", 20)]
        chosen = choose_stretches(videos, max_seconds=50)
        assert [(part.video.name, part.first, part.last) for part in chosen] == [
            ("a", 0, 300),
            ("b", 0, 200),
        ]
        assert [part.span.end_us for part in chosen] == [30 * SECOND, 20 * SECOND]

    def test_much_video_is_bounded_half_of_it_around_events(self):
        videos = [video(f"v{i}", 1000, *range(500, 900, 50)) for i in range(3)]
        chosen = choose_stretches(videos, max_seconds=400, seed=1)
        assert 300 <= seconds_of(chosen) <= 400
        eventful = [p for p in chosen if any(p.span.contains(e.start_us) for e in p.video.events)]
        assert seconds_of(eventful) >= 100
        assert seconds_of(chosen) - seconds_of(eventful) >= 100
        assert {part.video.name for part in chosen} == {"v0", "v1", "v2"}

    def test_no_event_is_cut_and_each_has_five_seconds_around_it(self):
        videos = [video("v", 2000, *np.arange(19.0, 1900.0, 37.0))]
        for seed in range(5):
            for part in choose_stretches(videos, max_seconds=300, seed=seed):
                edges = np.array([part.span.start_us, part.span.end_us])
                for event in part.video.events:
                    gaps = np.abs(edges[(edges > 0) & (edges < 2000 * SECOND)] - event.start_us)
                    assert gaps.min(initial=10 * SECOND) >= 4.9 * SECOND

    def test_stretches_are_in_order_apart_and_the_same_for_a_seed(self):
        videos = [video(f"v{i}", 600, 100, 200) for i in range(2)]
        chosen = choose_stretches(videos, max_seconds=500, seed=4)
        places = [(part.video.name, part.first, part.last) for part in chosen]
        assert places == sorted(places)
        for (name, _, last), (other, first, _) in pairwise(places):
            assert name != other or last < first
        again = choose_stretches(videos, max_seconds=500, seed=4)
        assert [(p.video.name, p.first, p.last) for p in again] == places

    def test_what_nobody_watched_is_left_out(self):
        known = video("v", 1000, 100)
        weights = known.weights.copy()
        weights[3000:] = 0
        chosen = choose_stretches([replace(known, weights=weights)], max_seconds=600)
        assert chosen[-1].last <= 3000


class TestFigures:
    @pytest.fixture
    def card(self, new_task):
        task = new_task()
        return ModelCard(
            name="m",
            domain="d",
            domain_version=1,
            event_types=task.event_types,
            clip=ClipSpec(target_fps=10, num_frames=4),
            rules=dict(task.rules),
            architecture="cnn_lstm",
            encoder="tiny",
            encoder_frozen=True,
            feature_size=2,
            weights_origin="none",
        )

    def track(self, part, *at):
        scores = np.full((part.last - part.first, 1), 0.01, np.float32)
        for moment in at:
            scores[np.abs(part.times_us - round(moment * SECOND)) < 150_000] = 0.9
        return ScoreTrack(part.times_us, scores, ("hit",))

    def test_only_what_lies_in_the_stretches_counts(self, card):
        whole = video("v", 1000, 15, 500, 990)
        stretches = choose_stretches([whole], max_seconds=60, seed=0)
        inside = [
            event.start_us / SECOND
            for event in whole.events
            if any(part.span.contains(event.start_us) for part in stretches)
        ]
        assert 0 < len(inside) < 3
        perfect = measure_events(card, stretches, [self.track(p, *inside) for p in stretches])
        assert (perfect.events, perfect.recall, perfect.f1) == (len(inside), {"hit": 1}, {"hit": 1})
        assert perfect.mean_ap["points"] == perfect.ap["hit"] == pytest.approx(1)
        blind = measure_events(card, stretches, [self.track(part) for part in stretches])
        assert blind.recall == {"hit": 0}

    def test_differences_are_those_of_all_scores(self, card):
        (part,) = choose_stretches([video("v", 3, 1)])
        left, right = self.track(part, 1), self.track(part, 2)
        differences = score_differences([left, left], [left, right])
        assert differences.shape == (60,)
        assert (differences > 0).sum() == 6
        assert differences.max() == pytest.approx(0.89)
