import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prismata.core.errors import InvalidInputError
from prismata.postprocess import (
    DenseStitcher,
    build_track,
    scoring_windows,
    window_centres,
    window_indices,
)


def test_with_stride_one_every_sample_is_a_centre():
    assert window_centres(5).tolist() == [0, 1, 2, 3, 4]


def test_the_last_sample_is_a_centre_whatever_the_stride():
    assert window_centres(10, 4).tolist() == [0, 4, 8, 9]
    assert window_centres(9, 4).tolist() == [0, 4, 8]
    assert window_centres(3, 100).tolist() == [0, 2]


def test_an_even_window_has_one_more_sample_before_its_centre():
    assert window_indices(20, 4, 1)[10].tolist() == [8, 9, 10, 11]


def test_an_odd_window_is_symmetric():
    assert window_indices(20, 3, 1)[10].tolist() == [9, 10, 11]


def test_edges_repeat_the_first_and_last_sample():
    indices = window_indices(6, 4)
    assert indices[0].tolist() == [0, 0, 0, 1]
    assert indices[-1].tolist() == [3, 4, 5, 5]


def test_a_video_shorter_than_a_window_still_has_windows():
    assert window_indices(2, 8).tolist() == [[0, 0, 0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 1, 1, 1, 1]]


@pytest.mark.parametrize(("samples", "frames", "stride"), [(0, 8, 1), (5, 0, 1), (5, 8, 0)])
def test_numbers_that_make_no_window_are_refused(samples, frames, stride):
    with pytest.raises(InvalidInputError, match="at least"):
        window_indices(samples, frames, stride)


def test_a_score_belongs_to_the_instant_of_its_centre():
    times = np.array([0, 100, 250, 300], dtype=np.int64)
    track = build_track(times, np.array([0, 2, 3]), np.array([[0.1], [0.2], [0.3]], "f4"), ["a"])
    assert track.times_us.tolist() == [0, 250, 300]
    assert track.column("a").tolist() == pytest.approx([0.1, 0.2, 0.3])


def test_scores_that_do_not_fit_the_windows_are_refused():
    times = np.arange(4, dtype=np.int64)
    with pytest.raises(InvalidInputError, match="2 windows need scores"):
        build_track(times, np.array([0, 1]), np.zeros((3, 1), "f4"), ["a"])


@pytest.mark.parametrize("centre", [-1, 4])
def test_a_centre_outside_the_plan_is_refused(centre):
    times = np.arange(4, dtype=np.int64)
    with pytest.raises(InvalidInputError, match="the plan has samples 0 to 3"):
        build_track(times, np.array([centre]), np.zeros((1, 1), "f4"), ["a"])


def dense_scores(num_samples, frames, stride):
    """Return centres and what a head would say that scores each sample of each window by its row.

    The second column tells how far a sample is from its window's centre.
    """
    indices = window_indices(num_samples, frames, stride)
    centres = window_centres(num_samples, stride)
    planned = centres[:, None] + np.arange(frames) - frames // 2
    away = np.abs(np.arange(frames) - frames // 2) * np.ones_like(planned)
    inside = planned == indices
    return centres, np.stack([np.where(inside, indices, -1), away], axis=2).astype(np.float32)


def test_every_sample_is_scored_once_from_the_window_that_is_centred_nearest():
    for samples in range(1, 20):
        for frames in range(1, 9):
            for stride in range(1, frames + 1):
                centres, scores = dense_scores(samples, frames, stride)
                kept, values = DenseStitcher(frames, stride).finish(
                    centres, scores, num_samples=samples
                )
                assert kept.tolist() == list(range(samples)), (samples, frames, stride)
                assert values[:, 0].tolist() == list(range(samples)), (samples, frames, stride)
                nearest = np.abs(centres[:, None] - kept).min(axis=0)
                # The last window is centred where the video ends and takes what is left over.
                assert np.all(values[:, 1] <= np.maximum(nearest, stride // 2))


@given(st.integers(1, 60), st.integers(1, 12), st.data())
def test_the_window_behind_a_score_is_the_one_that_it_was_kept_from(samples, frames, data):
    stride = data.draw(st.integers(1, frames))
    centres, rows = window_centres(samples, stride), window_indices(samples, frames, stride)
    names = np.repeat(np.arange(len(centres))[:, None, None], frames, axis=1).astype(np.float32)
    kept, values = DenseStitcher(frames, stride).finish(centres, names, num_samples=samples)
    behind = rows[values[:, 0].astype(int)][:, [0, -1]]
    assert np.array_equal(scoring_windows(kept, samples, frames, stride, dense=True), behind)
    alone = scoring_windows(centres, samples, frames, stride, dense=False)
    assert np.array_equal(alone, rows[:, [0, -1]])


@given(st.integers(1, 60), st.integers(1, 12), st.data())
def test_windows_in_pieces_give_the_scores_of_all_at_once(samples, frames, data):
    stride = data.draw(st.integers(1, frames))
    centres, scores = dense_scores(samples, frames, stride)
    whole = DenseStitcher(frames, stride).finish(centres, scores, num_samples=samples)
    # Complete before the end of the video is what needs no sample behind it.
    complete = int((centres + (frames - 1) // 2 < samples).sum())
    complete = min(complete, len(centres) - 1)
    stitcher, parts, start = DenseStitcher(frames, stride), [], 0
    while start < complete:
        stop = data.draw(st.integers(start + 1, complete))
        parts.append(stitcher.push(centres[start:stop], scores[start:stop]))
        start = stop
    parts.append(stitcher.finish(centres[complete:], scores[complete:], num_samples=samples))
    assert np.array_equal(np.concatenate([part[0] for part in parts]), whole[0])
    assert np.array_equal(np.concatenate([part[1] for part in parts]), whole[1])


@pytest.mark.parametrize("stride", [0, 5])
def test_windows_that_would_leave_samples_without_scores_are_refused(stride):
    with pytest.raises(InvalidInputError, match=r"must lie in 1\.\.4"):
        DenseStitcher(4, stride)
