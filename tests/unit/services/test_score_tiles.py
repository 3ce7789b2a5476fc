"""Tiles of confidence curves: what a timeline draws instead of every score."""

import threading

import numpy as np
import pytest

from prismata.core.errors import InvalidInputError, NotFoundError
from prismata.core.scores import ScoreTrack
from prismata.services.detect import load_scores
from prismata.services.regroup import regroup
from prismata.services.score_tiles import TILE_BINS, ScoreDesk, ScorePyramid


def track_of(times, scores, names=("a", "b")):
    return ScoreTrack(np.asarray(times, np.int64), np.asarray(scores, np.float32), names)


def random_track(rng, samples, types=3, step_us=33_333):
    times = np.cumsum(rng.integers(step_us - 9000, step_us + 9000, samples))
    return track_of(times, rng.random((samples, types)), tuple(f"t{i}" for i in range(types)))


def bins_of(pyramid, level):
    """All bins of a level, put together from its tiles, as `(C, bins, 2)`."""
    types = pyramid.levels[0].shape[0]
    tiles = []
    while True:
        try:
            raw = pyramid.tile(level, len(tiles))
        except NotFoundError:
            return np.concatenate(tiles, axis=1)
        tiles.append(np.frombuffer(raw, np.uint8).reshape(types, TILE_BINS, 2))


@pytest.fixture
def run(video, flashes, add_bundle, finished_run):
    return finished_run(video, add_bundle(), flashes)


def test_every_bin_of_every_level_holds_exactly_the_lowest_and_highest_of_its_samples():
    track = random_track(np.random.default_rng(5), 3000)
    pyramid = ScorePyramid.build(track, duration_us=int(track.times_us[-1]) + 33_333)
    assert len(pyramid.levels) == 5
    scaled = np.rint(track.scores * 255).astype(int)
    for level in range(len(pyramid.levels)):
        bins = bins_of(pyramid, level)
        owner = track.times_us // (pyramid.base_us * 2**level)
        for index in range(bins.shape[1]):
            inside = scaled[owner == index]
            for column in range(3):
                expected = (
                    [inside[:, column].min(), inside[:, column].max()] if len(inside) else [255, 0]
                )
                assert bins[column, index].tolist() == expected


def test_the_coarsest_level_shows_the_whole_video_in_one_tile():
    track = random_track(np.random.default_rng(1), 5000)
    pyramid = ScorePyramid.build(track, duration_us=int(track.times_us[-1]) + 1)
    with pytest.raises(NotFoundError, match="has the tiles 0 to 0, not 1"):
        pyramid.tile(len(pyramid.levels) - 1, 1)
    with pytest.raises(NotFoundError, match="levels 0 to 5, not 6"):
        pyramid.tile(6, 0)
    with pytest.raises(NotFoundError):
        pyramid.tile(-1, 0)


def test_a_peak_of_one_sample_is_seen_from_afar():
    scores = np.zeros((216_000, 1), np.float32)
    scores[123_456] = 0.9
    track = track_of(np.arange(216_000) * 33_333, scores, ("a",))
    pyramid = ScorePyramid.build(track, duration_us=7_200_000_000)
    last = bins_of(pyramid, len(pyramid.levels) - 1)
    assert last[0, :, 1].max() == round(0.9 * 255)
    assert len(pyramid.tile(0, 0)) <= 64 * 1024


@pytest.mark.parametrize("samples", [0, 1, 2])
def test_hardly_any_samples_still_give_a_tile(samples):
    track = track_of(
        [500_000, 700_000][:samples], [[0.2, 1.0], [0.4, 0.0]][:samples] or np.zeros((0, 2))
    )
    pyramid = ScorePyramid.build(track, duration_us=1_000_000)
    bins = bins_of(pyramid, 0)
    filled = bins[:, :, 0] <= bins[:, :, 1]
    assert filled.sum() == 2 * samples
    assert pyramid.base_us * bins.shape[1] >= 1_000_000


def test_samples_in_a_burst_do_not_make_a_pyramid_of_emptiness():
    track = track_of([0, 1, 2, 7_200_000_000 - 1], np.full((4, 1), 0.5), ("a",))
    pyramid = ScorePyramid.build(track, duration_us=7_200_000_000)
    assert pyramid.nbytes < 10_000


def test_many_tiles_asked_for_at_once_read_the_scores_once(bench, run, monkeypatch):
    reads = []
    original = ScoreTrack.load.__func__
    monkeypatch.setattr(
        ScoreTrack, "load", classmethod(lambda cls, path: reads.append(1) or original(cls, path))
    )
    desk = ScoreDesk(bench)
    found = []
    threads = [threading.Thread(target=lambda: found.append(desk.curves(run))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(reads) == 1
    assert all(item is found[0] for item in found)


def test_no_more_is_kept_than_was_allowed(bench, video, flashes, run, add_bundle, finished_run):
    second = finished_run(video, add_bundle("another"), flashes)
    desk = ScoreDesk(bench, kept_bytes=1)
    first_curves, second_curves = desk.curves(run), desk.curves(second)
    assert desk.curves(second) is second_curves
    assert desk.curves(run) is not first_curves


def test_regrouping_from_memory_gives_what_regrouping_from_storage_gives(bench, run):
    desk = ScoreDesk(bench)
    for threshold in (0.2, 0.5, 0.9):
        asked = {"flash": threshold}
        assert desk.regroup(run, asked).events == regroup(bench, run, asked).events
    assert desk.curves(run).track.scores.tolist() == load_scores(bench, run).scores.tolist()
    with pytest.raises(InvalidInputError, match="no event type 'bang'"):
        desk.regroup(run, {"bang": 0.5})
