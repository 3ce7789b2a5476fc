"""Sketches of features: the same however they arrive, and near where features are near."""

import numpy as np
import pytest

from prismata.core.errors import InvalidInputError
from prismata.core.sketches import BIN_US, SKETCH_SIZE, FeatureSketch, SketchBuilder


def sketch_of(features, *, step_us=100_000, pieces=1, encoder="e"):
    times = np.arange(len(features), dtype=np.int64) * step_us
    builder = SketchBuilder(times, features.shape[1], encoder)
    for part in np.array_split(features, pieces):
        builder.append(part.astype(np.float32))
    return builder.finish()


def test_a_row_is_half_a_second_and_pieces_change_nothing():
    features = np.random.default_rng(0).random((43, 64))
    whole, pieces = sketch_of(features), sketch_of(features, pieces=7)
    assert whole.bins.tolist() == list(range(9))
    assert whole.rows.shape == (9, SKETCH_SIZE)
    np.testing.assert_array_equal(whole.rows, pieces.rows)


def test_distances_between_half_seconds_are_kept():
    rng = np.random.default_rng(1)
    looks = rng.random((40, 512))
    # Each half second shows one look.
    sketch = sketch_of(np.repeat(looks, 5, axis=0))
    unit = looks / np.linalg.norm(looks, axis=1, keepdims=True)
    true = np.linalg.norm(unit[:, None] - unit[None], axis=2)
    rows = sketch.rows.astype(np.float32)
    kept = np.linalg.norm(rows[:, None] - rows[None], axis=2)
    off = ~np.eye(40, dtype=bool)
    assert np.median(np.abs(kept[off] / true[off] - 1)) < 0.15


def test_brighter_features_look_the_same():
    features = np.random.default_rng(2).random((10, 64))
    dark, bright = (sketch_of(features * light).rows.astype(float) for light in (1, 7))
    np.testing.assert_allclose(dark, bright, rtol=0.01)


def test_a_stretch_touches_the_half_seconds_it_lies_in():
    sketch = sketch_of(np.random.default_rng(3).random((50, 16)))
    assert len(sketch.between(BIN_US, BIN_US)) == 1
    assert len(sketch.between(BIN_US, 2 * BIN_US)) == 1
    assert len(sketch.between(BIN_US - 1, 2 * BIN_US + 1)) == 3
    assert len(sketch.between(99 * BIN_US, 99 * BIN_US)) == 0


def test_it_comes_back_from_its_file_and_nothing_else_does(tmp_path):
    sketch = sketch_of(np.random.default_rng(4).random((20, 16)), encoder="abc:fp32")
    sketch.save(tmp_path / "sketch.npz")
    again = FeatureSketch.load(tmp_path / "sketch.npz")
    np.testing.assert_array_equal(again.rows, sketch.rows)
    assert (again.bins.tolist(), again.encoder) == (sketch.bins.tolist(), "abc:fp32")
    (tmp_path / "other.npz").write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(InvalidInputError, match=r"other\.npz is not a sketch"):
        FeatureSketch.load(tmp_path / "other.npz")
    with pytest.raises(InvalidInputError, match="rows of shape"):
        FeatureSketch(np.arange(3), np.zeros((2, SKETCH_SIZE), np.float16), "e")
