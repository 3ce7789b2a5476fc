import hashlib

import numpy as np
import pytest

from prismata.core.errors import BadVideoError, InvalidInputError
from prismata.detection.arrays import ArrayCache, VideoSource
from prismata.detection.feature_cache import FeatureCache, FeatureKey
from prismata.media import open_video

SIZE = (32, 16)


class MeanEncoder:
    """Mean colour of each frame; counts how many frames it was given."""

    feature_size, width, height = 3, 32, 16

    def __init__(self):
        self.frames = 0

    def encode(self, frames):
        self.frames += len(frames)
        return frames.mean(axis=(1, 2)).astype(np.float32)


@pytest.fixture
def source(flashes):
    digest = hashlib.sha256(flashes.path.read_bytes()).hexdigest()
    return VideoSource(flashes.path, digest, flashes.timeline)


def gone(source, tmp_path):
    """The same video, whose file is no longer there: whoever decodes it fails."""
    return VideoSource(tmp_path / "gone.mp4", source.sha256, source.timeline)


def stored_file(folder):
    (path,) = [path for path in folder.rglob("*") if path.is_file()]
    return path


def test_frames_are_those_of_the_sampling_grid(source, tmp_path):
    frames = ArrayCache(tmp_path).frames(source, target_fps=10, size=SIZE)
    plan = source.timeline.sample(10)
    with open_video(source.path, timeline=source.timeline) as video:
        direct = np.stack([frame.pixels for frame in video.read(plan.frame_indices, size=SIZE)])
    assert frames.shape == (len(plan), 16, 32, 3)
    assert np.array_equal(frames, direct)


def test_a_frame_that_stands_for_several_samples_is_encoded_once(source, tmp_path):
    encoder = MeanEncoder()
    features = ArrayCache(tmp_path).features(source, encoder, encoder_sha256="a", target_fps=90)
    plan = source.timeline.sample(90)
    assert len(features) == len(plan) == 3 * len(source.timeline)
    assert encoder.frames == len(source.timeline)
    assert np.array_equal(features[::3], features[1::3])


def test_the_second_call_decodes_nothing(source, tmp_path):
    cache = ArrayCache(tmp_path / "cache")
    first = cache.frames(source, target_fps=10, size=SIZE)
    progress = []
    second = cache.frames(
        gone(source, tmp_path),
        target_fps=10,
        size=SIZE,
        on_progress=lambda done, total: progress.append((done, total)),
    )
    assert np.array_equal(first, second)
    assert progress == [(40, 40)]


@pytest.mark.parametrize(
    "change", [{"target_fps": 12}, {"encoder_sha256": "other"}, {"sha256": "0" * 64}]
)
def test_other_content_encoder_or_sampling_is_never_taken_from_the_cache(source, tmp_path, change):
    cache = ArrayCache(tmp_path)
    encoder = MeanEncoder()
    cache.features(source, encoder, encoder_sha256="a", target_fps=10)
    before = encoder.frames
    other = VideoSource(source.path, change.pop("sha256", source.sha256), source.timeline)
    cache.features(other, encoder, **({"encoder_sha256": "a", "target_fps": 10} | change))
    assert encoder.frames > before


@pytest.mark.parametrize("damage", ["cut", "empty", "foreign", "other shape"])
def test_a_damaged_file_is_computed_again(source, tmp_path, damage):
    cache = ArrayCache(tmp_path)
    first = np.array(cache.frames(source, target_fps=10, size=SIZE))
    path = stored_file(tmp_path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "foreign":
        path.write_bytes(b"not an array at all")
    else:
        np.save(path, np.zeros((3, 3), np.uint8))
    again = cache.frames(source, target_fps=10, size=SIZE)
    assert np.array_equal(first, again)


def test_half_an_array_is_never_to_be_seen(source, tmp_path):
    seen = []

    def look(done, total):
        files = sorted(path.suffix for path in tmp_path.rglob("*") if path.is_file())
        seen.append((done < total, files))

    ArrayCache(tmp_path).frames(source, target_fps=10, size=SIZE, on_progress=look)
    assert (True, [".part"]) in seen
    assert all(files == [".part"] for _, files in seen)
    assert stored_file(tmp_path).suffix == ".npy"


def test_a_failure_leaves_nothing_behind(source, tmp_path):
    class Broken(MeanEncoder):
        def encode(self, frames):
            if self.frames:
                raise RuntimeError("out of order")
            return super().encode(frames)

    with pytest.raises(RuntimeError, match="out of order"):
        ArrayCache(tmp_path).features(source, Broken(), encoder_sha256="a", target_fps=10)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def features_of(source, folder, encoder, **options):
    cache = ArrayCache(folder, **options)
    return cache.features(source, encoder, encoder_sha256="a", target_fps=10)


def test_features_are_kept_and_a_damaged_entry_is_encoded_again(source, tmp_path):
    encoder = MeanEncoder()
    first = np.array(features_of(source, tmp_path / "cache", encoder))
    missing = gone(source, tmp_path)
    assert np.array_equal(features_of(missing, tmp_path / "cache", encoder), first)
    assert encoder.frames == 40
    path = stored_file(tmp_path / "cache")
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    assert np.array_equal(features_of(source, tmp_path / "cache", encoder), first)
    assert encoder.frames == 80


def test_what_detection_kept_is_what_training_finds_and_the_other_way_round(source, tmp_path):
    shared = FeatureCache(tmp_path / "features", 10**6)
    key = FeatureKey(source.sha256, "a:fp32", 10, *SIZE)
    with shared.writer(key, (40, 3)) as writer:
        writer.append(np.full((40, 3), 7, np.float32))
    encoder = MeanEncoder()
    assert (features_of(gone(source, tmp_path), tmp_path, encoder) == 7).all()
    assert encoder.frames == 0
    stored_file(tmp_path).unlink()
    trained = features_of(source, tmp_path, encoder)
    assert np.array_equal(shared.open(key, (40, 3)), trained)


def test_features_of_an_earlier_video_can_be_read_though_they_were_driven_out(source, tmp_path):
    bound = 256 + 40 * 3 * 4
    first = features_of(source, tmp_path, MeanEncoder(), feature_bytes=bound)
    before = np.array(first)
    other = VideoSource(source.path, "0" * 64, source.timeline)
    features_of(other, tmp_path, MeanEncoder(), feature_bytes=bound)
    assert stored_file(tmp_path)
    assert np.array_equal(first, before)


def test_a_video_that_is_gone_is_a_bad_video(source, tmp_path):
    with pytest.raises(BadVideoError):
        ArrayCache(tmp_path / "cache").frames(gone(source, tmp_path), target_fps=10, size=SIZE)


def test_a_video_too_large_for_the_cache_is_refused_before_any_work(source, tmp_path):
    encoder = MeanEncoder()
    with pytest.raises(InvalidInputError, match="PRISMATA_FEATURE_CACHE_GB"):
        ArrayCache(tmp_path, feature_bytes=100).features(
            source, encoder, encoder_sha256="a", target_fps=10
        )
    assert encoder.frames == 0
