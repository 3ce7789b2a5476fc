"""A stream of samples and a whole video give the same windows."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from prismata.detection.windows import WindowBuffer
from prismata.postprocess import window_centres, window_indices


def stream(num_samples, num_frames, stride):
    buffer = WindowBuffer(num_frames, stride)
    windows = []
    for sample in range(num_samples):
        complete = buffer.push(np.array([sample]))
        if complete is not None:
            windows.append(complete)
    return windows + buffer.finish()


@given(st.integers(1, 40), st.integers(1, 17), st.integers(1, 12))
@example(1, 8, 1)
@example(2, 8, 3)
@example(3, 1, 2)
@example(4, 2, 3)
@example(5, 2, 2)
def test_a_stream_gives_the_windows_that_are_planned_for_the_whole_video(samples, frames, stride):
    windows = stream(samples, frames, stride)
    assert [centre for centre, _ in windows] == window_centres(samples, stride).tolist()
    assert np.array_equal(
        np.stack([window[:, 0] for _, window in windows]), window_indices(samples, frames, stride)
    )


def test_every_small_case_is_right():
    for samples in range(1, 13):
        for frames in range(1, 9):
            for stride in range(1, 6):
                seen = [window[:, 0].tolist() for _, window in stream(samples, frames, stride)]
                assert seen == window_indices(samples, frames, stride).tolist(), (
                    samples,
                    frames,
                    stride,
                )


def test_a_window_comes_as_soon_as_its_last_sample_is_there():
    buffer = WindowBuffer(4, 1)
    assert buffer.push(np.array([0])) is None
    centre, window = buffer.push(np.array([1]))
    assert (centre, window[:, 0].tolist()) == (0, [0, 0, 0, 1])


def test_a_window_does_not_change_when_the_stream_goes_on():
    buffer = WindowBuffer(2, 1)
    _, window = buffer.push(np.array([7]))
    before = window.copy()
    buffer.push(np.array([8]))
    assert np.array_equal(window, before)


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_a_stream_without_samples_has_no_windows(frames):
    assert WindowBuffer(frames, 1).finish() == []
