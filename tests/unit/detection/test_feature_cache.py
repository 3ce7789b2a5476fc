import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from prismata.core.recipes import MotionGate
from prismata.detection.feature_cache import HEADER_BYTES, FeatureCache, FeatureKey, _is_intact

KEY = FeatureKey("aa", "ee:fp32", 5.0, 224, 224)
SHAPE = (6, 3)
ENTRY_BYTES = HEADER_BYTES + 6 * 3 * 4


def rows(seed=0, shape=SHAPE):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def put(cache, key=KEY, features=None):
    features = rows() if features is None else features
    with cache.writer(key, features.shape) as writer:
        for part in np.array_split(features, 3):
            writer.append(part)
    return features


@pytest.fixture
def cache(tmp_path):
    return FeatureCache(tmp_path / "features", 10**6)


def entries(cache):
    return sorted(path.name for path in cache._folder.iterdir()) if cache._folder.exists() else []


def test_what_was_written_comes_back_and_cannot_be_changed(cache):
    assert cache.open(KEY, SHAPE) is None
    features = put(cache)
    found = cache.open(KEY, SHAPE)
    assert np.array_equal(found, features)
    with pytest.raises(ValueError, match="read-only"):
        found[0, 0] = 1


@pytest.mark.parametrize(
    "other",
    [
        {"video_sha256": "ab"},
        {"encoder_key": "ee:int8"},
        {"target_fps": 10.0},
        {"width": 112},
        {"height": 112},
        {"motion_gate": MotionGate()},
        {"reader": "opencv"},
    ],
    ids=str,
)
def test_every_part_of_the_key_counts(cache, other):
    put(cache)
    assert cache.open(replace(KEY, **other), SHAPE) is None
    gated = replace(KEY, motion_gate=MotionGate(threshold=3))
    held = replace(KEY, motion_gate=MotionGate(threshold=3, max_hold_seconds=1))
    assert gated.digest() != held.digest()
    assert gated.digest() != replace(KEY, motion_gate=MotionGate(threshold=4)).digest()


def test_equal_numbers_are_the_same_key():
    whole = replace(KEY, target_fps=5, motion_gate=MotionGate(4, 2))
    decimal = replace(KEY, target_fps=5.0, motion_gate=MotionGate(4.0, 2.0))
    assert whole == decimal
    assert whole.digest() == decimal.digest()


@pytest.mark.parametrize("place", [0, 20, HEADER_BYTES, ENTRY_BYTES - 1])
def test_a_damaged_entry_is_dropped_and_not_believed(cache, place):
    put(cache)
    path = next(cache._folder.iterdir())
    raw = bytearray(path.read_bytes())
    raw[place] ^= 0x41
    path.write_bytes(raw)
    assert cache.open(KEY, SHAPE) is None
    assert entries(cache) == []


@pytest.mark.parametrize("size", [0, 10, HEADER_BYTES, ENTRY_BYTES - 4, ENTRY_BYTES + 4])
def test_an_entry_of_another_length_is_dropped(cache, size):
    put(cache)
    path = next(cache._folder.iterdir())
    path.write_bytes(path.read_bytes().ljust(ENTRY_BYTES + 4, b"\0")[:size])
    assert cache.open(KEY, SHAPE) is None
    assert entries(cache) == []


def test_an_entry_of_another_shape_is_dropped(cache):
    put(cache)
    assert cache.open(KEY, (3, 6)) is None


def test_an_aborted_or_incomplete_run_leaves_nothing(cache):
    def fail_after_writing():
        with cache.writer(KEY, SHAPE) as writer:
            writer.append(rows())
            raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        fail_after_writing()
    for wrong in (rows()[:5], rows(shape=(7, 3)), rows(shape=(6, 2))):
        with cache.writer(KEY, SHAPE) as writer:
            writer.append(wrong)
        assert entries(cache) == []


def test_what_was_not_used_for_longest_goes_first(tmp_path):
    cache = FeatureCache(tmp_path, 3 * ENTRY_BYTES)
    keys = [replace(KEY, video_sha256=name) for name in "abcd"]
    for age, key in enumerate(keys[:3]):
        put(cache, key)
        os.utime(tmp_path / f"{key.digest()}.features", (1000 + age, 1000 + age))
    assert cache.open(keys[0], SHAPE) is not None  # used again: now b is the oldest
    put(cache, keys[3])
    assert [cache.open(key, SHAPE) is not None for key in keys] == [True, False, True, True]


def test_an_open_entry_can_still_be_read_when_it_has_gone(tmp_path):
    cache = FeatureCache(tmp_path, ENTRY_BYTES)
    features = put(cache)
    found = cache.open(KEY, SHAPE)
    put(cache, replace(KEY, target_fps=9.0))
    assert cache.open(KEY, SHAPE) is None
    assert np.array_equal(found, features)


def test_an_entry_that_goes_while_it_is_checked_can_still_be_read(cache, monkeypatch):
    features = put(cache)

    def checked_and_gone(source, shape):
        intact = _is_intact(source, shape)
        (cache._folder / f"{KEY.digest()}.features").unlink()
        return intact

    monkeypatch.setattr("prismata.detection.feature_cache._is_intact", checked_and_gone)
    assert np.array_equal(cache.open(KEY, SHAPE), features)


def test_an_entry_larger_than_the_cache_is_not_kept_and_drives_nothing_out(tmp_path):
    cache = FeatureCache(tmp_path, ENTRY_BYTES)
    put(cache)
    assert not cache.has_room((7, 3))
    put(cache, replace(KEY, width=10), rows(shape=(7, 3)))
    assert cache.open(KEY, SHAPE) is not None
    assert len(entries(cache)) == 1


def test_without_room_there_is_no_cache(tmp_path):
    cache = FeatureCache(tmp_path / "features", 0)
    put(cache)
    assert cache.open(KEY, SHAPE) is None
    assert not (tmp_path / "features").exists()


def test_a_cache_that_was_switched_off_gives_nothing_it_once_kept(cache):
    put(cache)
    assert FeatureCache(cache._folder, 0).open(KEY, SHAPE) is None
    assert cache.open(KEY, SHAPE) is not None


def test_what_dead_processes_left_is_removed_after_a_day(cache):
    put(cache)
    old, young = cache._folder / "x.1.part", cache._folder / "y.2.part"
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (1000, 1000))
    put(cache, replace(KEY, width=10))
    assert not old.exists()
    assert young.exists()


WRITE = """
import sys, numpy as np
from pathlib import Path
from prismata.detection.feature_cache import FeatureCache, FeatureKey
cache = FeatureCache(Path(sys.argv[1]), 10**9)
for _ in range(20):
    with cache.writer(FeatureKey("aa", "ee:fp32", 5.0, 224, 224), (2000, 64)) as writer:
        for number in range(20):
            writer.append(np.full((100, 64), number, np.float32))
"""


def test_several_processes_may_write_the_same_entry_at_once(cache):
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITE, str(cache._folder)]) for _ in range(3)
    ]
    while any(writer.poll() is None for writer in writers):
        found = cache.open(KEY, (2000, 64))
        assert found is None or found[-1, -1] == 19
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert cache.open(KEY, (2000, 64)) is not None
    assert len(entries(cache)) == 1


def test_a_video_without_samples_has_empty_features(cache):
    put(cache, features=np.zeros((0, 3), np.float32))
    assert cache.open(KEY, (0, 3)).shape == (0, 3)


@pytest.mark.parametrize("optional", [True, False])
def test_a_folder_that_cannot_be_made_stops_only_those_who_need_it(tmp_path, optional):
    (tmp_path / "taken").write_text("a file where the folder should be")
    cache = FeatureCache(tmp_path / "taken", 10**6)

    def write():
        with cache.writer(KEY, SHAPE, optional=optional) as writer:
            writer.append(rows())

    if optional:
        write()
    else:
        with pytest.raises(OSError, match="taken"):
            write()


@pytest.mark.parametrize("optional", [True, False])
def test_a_full_disk_stops_only_those_who_need_the_features(cache, optional):
    """Every write to this device fails as on a full disk."""
    shape = (4000, 64)
    features = rows(shape=shape)

    def write():
        with (
            open("/dev/full", "wb", buffering=0) as full,  # noqa: PTH123
            cache.writer(KEY, shape, optional=optional) as writer,
        ):
            if writer._target is not None:
                writer._target.close()
            writer._target = full
            for part in np.array_split(features, 40):
                writer.append(part)

    if optional:
        write()
    else:
        with pytest.raises(OSError, match="No space left"):
            write()
    assert cache.open(KEY, shape) is None
    assert not [name for name in entries(cache) if name.endswith(".features")]
