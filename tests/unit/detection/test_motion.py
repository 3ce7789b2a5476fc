import itertools
import time
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prismata.core.errors import InvalidInputError
from prismata.core.recipes import MotionGate
from prismata.detection import encoding
from prismata.detection.encoding import FrameFeatures
from prismata.detection.motion import LUMA, MotionEnergy, MotionFilter, brightness_grid

STEP_US = 200_000
GATE = MotionGate(threshold=4.0, max_hold_seconds=2.0)


def still(count, noise=0, size=(56, 70)):
    dice = np.random.default_rng(1)
    picture = dice.integers(40, 200, (*size, 3))
    frames = picture + dice.integers(-noise, noise + 1, (count, *size, 3))
    return frames.astype(np.uint8)


def gate_frames(frames, times_us, gate):
    return MotionFilter(gate).must_encode(frames, times_us)


def instants(count):
    return np.arange(count, dtype=np.int64) * STEP_US


@pytest.mark.parametrize("size", [(14, 14), (224, 224), (97, 61), (16, 300)])
def test_each_pixel_counts_once_with_the_weight_of_its_colour(size):
    frames = np.random.default_rng(0).integers(0, 256, (3, *size, 3), np.uint8)
    grid = brightness_grid(frames)
    assert grid.shape == (3, 14, 14)
    rows = np.linspace(0, size[0], 15).astype(int)
    columns = np.linspace(0, size[1], 15).astype(int)
    cell = frames[1, rows[3] : rows[4], columns[13] : columns[14]].astype(float) @ LUMA
    assert grid[1, 3, 13] == pytest.approx(cell.mean(), abs=1e-3)
    assert brightness_grid(np.full((1, *size, 3), 255, np.uint8)).max() == pytest.approx(255)


def test_a_still_picture_is_encoded_only_when_it_was_held_long_enough():
    marks = gate_frames(still(50), instants(50), GATE)
    assert np.flatnonzero(marks).tolist() == [0, 10, 20, 30, 40]


def test_the_noise_of_a_camera_is_no_motion():
    marks = gate_frames(still(50, noise=8), instants(50), GATE)
    assert marks.sum() == 5


class TestEnergy:
    def test_it_is_the_mean_difference_to_the_frame_before(self):
        frames = np.full((4, 28, 28, 3), 100, np.uint8)
        frames[2:] += 30
        frames[3, :14] += 10
        energy = MotionEnergy().of(frames)
        assert energy.dtype == np.float32
        assert energy == pytest.approx([0, 0, 30, 5], abs=1e-3)

    @given(st.lists(st.integers(0, 7), max_size=6))
    @settings(max_examples=25, deadline=None)
    def test_how_frames_are_cut_into_calls_changes_nothing(self, sizes):
        frames = np.random.default_rng(0).integers(0, 256, (20, 28, 28, 3), np.uint8)
        whole, cut = MotionEnergy().of(frames), MotionEnergy()
        edges = [0, *np.minimum(np.cumsum(sizes), 20).tolist(), 20]
        parts = [cut.of(frames[a:b]) for a, b in itertools.pairwise(edges)]
        assert np.array_equal(np.concatenate(parts), whole)


def test_something_small_that_moves_is_encoded_in_every_frame():
    frames = still(50)
    for number, frame in enumerate(frames):
        frame[20:28, number : number + 8] = 255
    assert gate_frames(frames, instants(50), GATE).all()


def test_drift_is_measured_from_the_last_encoded_frame_and_not_from_the_last_frame():
    frames = np.stack([np.full((28, 28, 3), 100 + number, np.uint8) for number in range(20)])
    marks = gate_frames(frames, instants(20), MotionGate(threshold=4.5, max_hold_seconds=60))
    assert np.flatnonzero(marks).tolist() == [0, 5, 10, 15]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(0, 2**31))
def test_how_the_frames_are_cut_into_calls_changes_nothing(chunks, seed):
    count = sum(chunks)
    dice = np.random.default_rng(seed)
    frames = (100 + dice.integers(0, 9, (count, 1, 1, 1)) + np.zeros((1, 28, 28, 3))).astype(
        np.uint8
    )
    whole = gate_frames(frames, instants(count), GATE)
    motion, parts, start = MotionFilter(GATE), [], 0
    for size in chunks:
        parts.append(
            motion.must_encode(frames[start : start + size], instants(count)[start : start + size])
        )
        start += size
    assert np.array_equal(np.concatenate(parts), whole)


class CountingEncoder:
    """Features are a frame's first pixel and how many frames were encoded before it."""

    feature_size, width, height = 2, 28, 28

    def __init__(self):
        self.batches = []

    def encode(self, frames):
        start = sum(self.batches)
        self.batches.append(len(frames))
        rows = [(frame[0, 0, 0], start + number) for number, frame in enumerate(frames)]
        return np.array(rows, np.float32).reshape(-1, 2)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(0, 2**31))
def test_held_frames_take_over_features_and_batches_are_full(chunks, seed):
    count = sum(chunks)
    dice = np.random.default_rng(seed)
    values = np.cumsum(dice.choice([0, 0, 0, 30], count)) % 200
    frames = np.repeat(values, 28 * 28 * 3).reshape(count, 28, 28, 3).astype(np.uint8)
    encoder = CountingEncoder()
    features = FrameFeatures(encoder, batch=4, gate=GATE)
    parts, start = [], 0
    for size in chunks:
        rows = slice(start, start + size)
        parts += features.push(frames[rows], [1] * size, instants(count)[rows].tolist())
        start += size
    parts.append(features.finish())
    found = np.concatenate([part.rows for part in parts])
    marks = gate_frames(frames, instants(count), GATE)
    assert len(found) == count
    assert (
        found[:, 0].tolist()
        == values[np.maximum.accumulate(np.where(marks, range(count), 0))].tolist()
    )
    assert found[:, 1].tolist() == (np.cumsum(marks) - 1).tolist()
    assert features.encoded == marks.sum()
    assert all(size == 4 for size in encoder.batches[:-1] if size)


@pytest.mark.parametrize(
    ("pauses", "ready"), [([0.0, 0.1, 0.1, 0.4], [0, 0, 0, 4]), ([0.6, 0.6, 0.6], [1, 1, 1])]
)
def test_frames_that_move_wait_for_others_only_while_these_come_quickly(monkeypatch, pauses, ready):
    now = [0.0]
    clock = SimpleNamespace(monotonic=lambda: now[0], perf_counter=time.perf_counter)
    monkeypatch.setattr(encoding, "time", clock)
    features = FrameFeatures(CountingEncoder(), batch=8, gate=GATE)
    counts = []
    for number, pause in enumerate(pauses):
        now[0] += pause
        frame = np.full((1, 28, 28, 3), 10 + 30 * number, np.uint8)
        [part] = features.push(frame, [1], [number * STEP_US])
        counts.append(len(part.rows))
    assert counts == ready


def test_without_a_gate_every_frame_is_encoded_at_once():
    encoder = CountingEncoder()
    features = FrameFeatures(encoder, batch=4)
    [part] = features.push(still(3, size=(28, 28)), [1, 2, 1], [])
    assert len(part.rows) == 3
    assert part.repeats == [1, 2, 1]
    assert len(features.finish().rows) == 0
    assert features.encoded == 3


@pytest.mark.parametrize(
    "settings_", [{"threshold": 0}, {"threshold": 256}, {"max_hold_seconds": 0}]
)
def test_a_gate_that_means_nothing_is_refused(settings_):
    with pytest.raises(InvalidInputError, match="must lie in"):
        MotionGate(**settings_)
