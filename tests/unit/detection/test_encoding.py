"""Blocks of neighbouring samples are cut at the same places, however frames come."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from prismata.detection.encoding import BlockFeatures

BLOCK = 4


class NeighbourEncoder:
    """Adds what a block's samples show: a feature tells all its neighbours."""

    feature_size, width, height = 2, 6, 5

    def __init__(self):
        self.sizes = []

    def encode(self, frames):
        self.sizes.append(len(frames))
        shown = frames[:, 0, 0, 0].astype(np.float32)
        return np.stack([shown, np.full(len(frames), (shown * 3.0 ** np.arange(BLOCK)).sum())], 1)


def encoded_at_once(levels, repeats):
    samples = np.repeat(np.array(levels, np.float32), repeats)
    padded = np.append(samples, np.repeat(samples[-1:], -len(samples) % BLOCK))
    sums = (padded.reshape(-1, BLOCK) * 3.0 ** np.arange(BLOCK)).sum(axis=1)
    return np.stack([samples, np.repeat(sums, BLOCK)[: len(samples)]], axis=1)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 255), st.integers(1, 11)), max_size=15), st.data())
def test_features_of_blocks_do_not_depend_on_how_frames_came(shown, data):
    levels, repeats = [level for level, _ in shown], [count for _, count in shown]
    cuts = sorted(data.draw(st.sets(st.integers(0, len(shown)), max_size=5)) | {len(shown)})
    encoder = NeighbourEncoder()
    features = BlockFeatures(encoder, BLOCK)
    frames = (
        np.zeros((len(shown), 5, 6, 3), np.uint8) + np.array(levels, np.uint8)[:, None, None, None]
    )
    parts, start = [], 0
    for stop in cuts:
        parts += features.push(frames[start:stop], repeats[start:stop], [])
        start = stop
    parts.append(features.finish())
    found = np.concatenate([part.rows for part in parts])
    assert all(part.repeats == [1] * len(part.rows) for part in parts)
    assert features.encoded == len(found) == sum(repeats)
    assert set(encoder.sizes) <= {BLOCK}
    if shown:
        assert np.array_equal(found, encoded_at_once(levels, repeats))
