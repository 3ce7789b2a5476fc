"""Shared footage is found by what moves; one background, light and stillness prove nothing."""

import numpy as np
import pytest

from prismata.core.time import MICROSECONDS
from prismata.media.likeness import Motion, find_shared
from prismata.media.signatures import RATE, SIDE, make_signature
from prismata.testing.synth import render_ball_throw

ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE]


def background(seed=0):
    return np.random.default_rng(seed).uniform(60, 160, (SIDE, SIDE))


def walk(seconds, seed, *, scene=None, noise=0.3):
    """A bright spot that wanders in front of a background that stays."""
    rng = np.random.default_rng(seed)
    scene = background() if scene is None else scene
    count = round(seconds * RATE)
    path = np.cumsum(rng.normal(0, 0.8, (count, 2)), axis=0) + rng.uniform(0, SIDE, 2)
    away = (ROWS[None] - path[:, 0, None, None] % SIDE) ** 2
    away = away + (COLUMNS[None] - path[:, 1, None, None] % SIDE) ** 2
    pictures = scene + 70 * np.exp(-away / 3) + rng.normal(0, noise, away.shape)
    return np.clip(np.rint(pictures), 0, 255).astype(np.uint8)


def recoded(signature, seed=9):
    noise = np.random.default_rng(seed).normal(0, 0.6, signature.shape)
    return np.clip(np.rint(signature * 0.95 + 4 + noise), 0, 255).astype(np.uint8)


def shared(first, second):
    return find_shared(Motion(first), Motion(second))


def test_a_copy_is_the_same_from_end_to_end():
    video = walk(6, seed=1)
    found = shared(video, recoded(video))
    assert found.similarity > 0.95
    assert found.offset_us == 0
    assert found.first == found.second
    assert found.first.duration_us == pytest.approx(6 * MICROSECONDS, abs=MICROSECONDS / 4)


@pytest.mark.parametrize("cut", [1.0, 2.5])
def test_a_trimmed_copy_is_found_where_it_begins(cut):
    video = walk(6, seed=2)
    copy = recoded(video[round(cut * RATE) :])
    assert shared(video, copy).offset_us == cut * MICROSECONDS
    assert shared(copy, video).offset_us == -cut * MICROSECONDS


def test_a_piece_in_the_middle_of_other_footage_is_found_with_its_borders():
    piece = walk(8, seed=3)
    one = np.concatenate([walk(20, seed=4), piece, walk(15, seed=5)])
    two = np.concatenate([walk(7, seed=6), recoded(piece), walk(30, seed=7)])
    found = shared(one, two)
    assert found.offset_us == 13 * MICROSECONDS
    assert found.first.start_us == pytest.approx(20 * MICROSECONDS, abs=MICROSECONDS / 2)
    assert found.first.end_us == pytest.approx(28 * MICROSECONDS, abs=MICROSECONDS / 2)


def test_in_long_footage_a_short_likeness_does_not_count():
    piece = walk(2, seed=3)
    one = np.concatenate([walk(20, seed=4), piece, walk(15, seed=5)])
    two = np.concatenate([walk(7, seed=6), recoded(piece), walk(30, seed=7)])
    assert shared(one, two) is None
    assert shared(piece, one) is not None  # but a clip that is in there as a whole does


def test_other_footage_of_one_camera_is_not_shared():
    videos = [walk(12, seed=seed) for seed in range(10, 22)]
    found = [shared(a, b) for place, a in enumerate(videos) for b in videos[place + 1 :]]
    assert found == [None] * 66


def test_the_same_movement_in_another_place_is_not_shared():
    elsewhere = walk(6, seed=1, scene=255 - background(seed=8))
    assert shared(walk(6, seed=1), elsewhere) is None


def with_clock(signature, seed=77):
    """Four cells in which digits change, the same in all recordings."""
    digits = np.random.default_rng(seed).uniform(0, 255, (200, 2, 2)).astype(np.uint8)
    signature = signature.copy()
    signature[:, 1:3, 1:3] = digits[np.arange(len(signature)) // (RATE // 2)]
    return signature


def test_a_clock_in_the_picture_is_not_shared_footage():
    quiet = [with_clock(walk(20, seed=seed, noise=0.3)) for seed in (1, 2)]
    empty = [np.repeat(background()[None], 160, axis=0) for _ in range(2)]
    noisy = [
        with_clock(np.rint(one + np.random.default_rng(n).normal(0, 0.4, one.shape)).astype("u1"))
        for n, one in enumerate(empty)
    ]
    assert not Motion(noisy[0]).is_too_still
    assert shared(*noisy) is None
    assert shared(*quiet) is None
    assert shared(quiet[0], recoded(quiet[0])).offset_us == 0


def test_light_that_goes_on_and_off_alike_proves_nothing():
    rng = np.random.default_rng(0)
    level = np.repeat(rng.uniform(0.5, 1.4, 12), RATE)[:, None, None]
    rooms = [
        np.clip(np.rint(background() * level + rng.normal(0, 0.3, (96, SIDE, SIDE))), 0, 255)
        for _ in range(2)
    ]
    one, two = (Motion(room.astype(np.uint8)) for room in rooms)
    assert one.is_too_still
    assert find_shared(one, two) is None


def test_a_still_video_says_so_and_a_very_short_one_too():
    still = np.repeat(background()[None], 80, axis=0).astype(np.uint8)
    assert Motion(still).is_too_still
    assert shared(still, still) is None
    for count in (1, RATE // 2, RATE // 2 + 1):
        assert Motion(walk(6, seed=1)[:count]).is_too_still
    assert not Motion(walk(6, seed=1)).is_too_still


def test_a_long_video_is_looked_up_by_fewer_instants_and_still_found():
    long = walk(400, seed=30)
    assert len(Motion(long).queries) < 400 < Motion(long).moving.sum()
    copy = recoded(long[100 * RATE : 160 * RATE])
    assert shared(long, copy).offset_us == 100 * MICROSECONDS


def test_a_signature_holds_what_is_on_screen_at_each_step_of_its_grid(tmp_path):
    video = render_ball_throw(tmp_path / "throw.mp4", seconds=5, seed=1, variable_rate=True)
    told = []
    signature = make_signature(
        video.path, video.timeline, on_progress=lambda *numbers: told.append(numbers)
    )
    count = len(video.timeline.sample(RATE))
    assert signature.shape == (count, SIDE, SIDE)
    assert signature.dtype == np.uint8
    assert told == [(place + 1, count) for place in range(count)]
    assert signature.std() > 5
