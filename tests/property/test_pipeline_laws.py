"""However frames arrive, the detector says the same, and the same as grouping the whole track."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prismata.core.recipes import MotionGate
from prismata.core.time import SamplePlan
from prismata.detection.bundle import load_bundle
from prismata.detection.frames import FrameBatch
from prismata.detection.pipeline import Listeners, run_on_features, run_pipeline
from prismata.detection.scorers import BundleScorer
from prismata.postprocess import group_events

STEP_US = 50_000


class GivenBatches:
    """Frames from memory, cut as the test says; to the pipeline what a decoding thread is."""

    def __init__(self, batches):
        self.seconds = {}
        self._batches = iter(batches)
        self.decoded_frames = 0

    def __next__(self):
        batch = next(self._batches)
        self.decoded_frames += len(batch.frames)
        return batch


@st.composite
def streams(draw):
    """Brightness of each distinct frame, for how many samples it stands, and the cuts."""
    count = draw(st.integers(1, 40))
    levels = draw(
        st.lists(st.sampled_from([40, 42, 60, 130, 160, 250]), min_size=count, max_size=count)
    )
    repeats = draw(st.lists(st.sampled_from([1, 1, 1, 2, 5]), min_size=count, max_size=count))
    cuts = sorted(draw(st.sets(st.integers(1, count), max_size=10)) | {count})
    gate = draw(st.none() | st.just(MotionGate(threshold=5, max_hold_seconds=0.4)))
    stride = draw(st.sampled_from([1, 1, 3]))
    return levels, repeats, cuts, gate, stride


def batches_of(levels, repeats, cuts):
    frames = (
        np.zeros((len(levels), 32, 32, 3), np.uint8)
        + np.array(levels, np.uint8)[:, None, None, None]
    )
    firsts = np.cumsum([0, *repeats[:-1]]).tolist()
    start = 0
    for stop in cuts:
        yield FrameBatch(frames[start:stop], repeats[start:stop], firsts[start:stop])
        start = stop


def plan_of(repeats):
    samples = sum(repeats)
    return SamplePlan(
        np.arange(samples, dtype=np.int64) * STEP_US, np.repeat(np.arange(len(repeats)), repeats)
    )


@cache
def model_of(folder):
    return load_bundle(folder, threads=1, runtime="onnxruntime")


def scorer_of(folder, stride, gate, tap=None):
    model = model_of(folder)
    card = replace(model.card, clip=replace(model.card.clip, window_stride=stride))
    return BundleScorer(replace(model, card=card), gate=gate, tap=tap)


@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(stream=streams())
def test_pieces_cache_and_stream_never_change_what_is_found(flash_bundle, stream):
    levels, repeats, cuts, gate, stride = stream
    plan = plan_of(repeats)
    duration_us = len(plan) * STEP_US
    live, kept = [], []
    output = run_pipeline(
        GivenBatches(batches_of(levels, repeats, cuts)),
        plan,
        scorer_of(flash_bundle, stride, gate, tap=kept.append),
        duration_us=duration_us,
        listeners=Listeners(on_run=lambda run: live.append(run.event)),
    )
    at_once = run_pipeline(
        GivenBatches(batches_of(levels, repeats, [len(levels)])),
        plan,
        scorer_of(flash_bundle, stride, gate),
        duration_us=duration_us,
    )
    features = np.concatenate(kept)
    cached = run_on_features(
        features, plan, scorer_of(flash_bundle, stride, None), duration_us=duration_us
    )
    card = model_of(flash_bundle).card
    offline = group_events(output.track, card.event_types, card.rules, duration_us=duration_us)
    assert len(features) == len(plan)
    assert output.events == sorted(live) == offline == at_once.events == cached.events
    for other in (at_once, cached):
        assert np.array_equal(other.track.times_us, output.track.times_us)
        assert np.array_equal(other.track.scores, output.track.scores)
    if gate is None:
        assert output.frames.encoded == len(levels)


def test_wider_strides_give_a_part_of_the_scores_of_stride_1(flash_bundle):
    dice = np.random.default_rng(4)
    levels = dice.integers(30, 255, 100).tolist()
    tracks = {}
    for stride in (1, 8):
        plan = plan_of([1] * 100)
        tracks[stride] = run_pipeline(
            GivenBatches(batches_of(levels, [1] * 100, [100])),
            plan,
            scorer_of(flash_bundle, stride, None),
            duration_us=100 * STEP_US,
        ).track
    places = np.searchsorted(tracks[1].times_us, tracks[8].times_us)
    assert len(tracks[8]) == 14  # every eighth centre, and the last sample
    assert tracks[1].scores[places] == pytest.approx(tracks[8].scores, abs=1e-6)
