"""A stream of samples and a whole video give the same windows."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from prismata.detection.windows import WindowBuffer, repeated
from prismata.postprocess import window_centres, window_indices


def stream(pieces, num_frames, stride):
    """Return (centres, windows) of samples 0, 1, 2 … that come in pieces of these sizes."""
    buffer = WindowBuffer(num_frames, stride)
    parts, start = [], 0
    for size in pieces:
        memory = np.arange(start, start + size)[:, np.newaxis]
        parts.append(buffer.push(memory))
        memory[:] = -1  # the caller uses its memory again
        start += size
    parts.append(buffer.finish())
    return (
        np.concatenate([part.centres for part in parts]),
        np.concatenate([part.items for part in parts])[:, :, 0],
    )


@given(
    st.lists(st.integers(0, 20), min_size=1, max_size=12).filter(sum),
    st.integers(1, 17),
    st.integers(1, 12),
)
@example([1], 8, 1)
@example([1, 1], 8, 3)
@example([3], 1, 2)
@example([2, 2], 2, 3)
@example([5], 2, 2)
def test_a_stream_in_pieces_gives_the_windows_that_are_planned_for_the_whole_video(
    pieces, frames, stride
):
    centres, windows = stream(pieces, frames, stride)
    assert centres.tolist() == window_centres(sum(pieces), stride).tolist()
    assert windows.tolist() == window_indices(sum(pieces), frames, stride).tolist()


def test_every_small_case_is_right():
    for samples in range(1, 13):
        for frames in range(1, 9):
            for stride in range(1, 6):
                expected = window_indices(samples, frames, stride).tolist()
                for pieces in ([samples], [1] * samples):
                    _, windows = stream(pieces, frames, stride)
                    assert windows.tolist() == expected, (samples, frames, stride)


def test_a_window_comes_as_soon_as_its_last_sample_is_there():
    buffer = WindowBuffer(4, 1)
    assert buffer.push(np.array([[0]])).centres.size == 0
    windows = buffer.push(np.array([[1]]))
    assert windows.centres.tolist() == [0]
    assert windows.items[:, :, 0].tolist() == [[0, 0, 0, 1]]


def test_a_window_does_not_change_when_the_stream_goes_on():
    buffer = WindowBuffer(2, 1)
    windows = buffer.push(np.array([[7], [8]]))
    before = windows.items.copy()
    buffer.push(np.array([[9], [10]]))
    assert np.array_equal(windows.items, before)


def test_only_the_last_window_is_held_of_a_long_stream():
    buffer = WindowBuffer(3, 1)
    for _ in range(4):
        buffer.push(np.zeros((1000, 2)))
    assert buffer._held.shape == (3, 2)
    assert buffer._held.base is None  # no view that would keep all of them alive


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_a_stream_without_samples_has_no_windows(frames):
    assert WindowBuffer(frames, 1).finish().centres.size == 0


@given(st.lists(st.integers(1, 9), max_size=12), st.integers(1, 7))
def test_rows_that_stand_for_several_samples_come_in_small_arrays(repeats, at_most):
    rows = np.arange(len(repeats))
    pieces = list(repeated(rows, repeats, at_most=at_most))
    assert np.concatenate(pieces).tolist() == np.repeat(rows, repeats).tolist()
    if set(repeats) - {1}:
        assert max(len(piece) for piece in pieces) <= at_most
    else:
        assert pieces[0] is rows  # nothing is copied
