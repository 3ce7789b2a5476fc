"""How frames are put into batches, with a reader that does not decode."""

from types import SimpleNamespace

import numpy as np
import pytest

from prismata.core.time import SamplePlan
from prismata.detection import frames
from prismata.detection.frames import _Filler


class GivenReader:
    """Frame k is a picture of colour k."""

    resize_seconds, decoded_frames = 0.0, 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def read(self, indices, *, size, slots):
        for index in indices:
            slot = slots()
            slot[:] = index
            self.decoded_frames += 1
            yield SimpleNamespace(pixels=slot)


def filler(indices):
    indices = np.array(indices)
    plan = SamplePlan(np.arange(len(indices), dtype=np.int64), indices)
    return _Filler(GivenReader, plan, (4, 2), 4)


def colours(batch):
    return batch.frames[:, 0, 0, 0].tolist()


def test_batches_are_full_but_the_last_and_say_for_which_samples_each_frame_stands():
    batches = filler([0, 0, 3, 4, 4, 4, 7, 9, 11]).batches()
    first = next(batches)
    assert (colours(first), first.repeats, first.first_samples) == (
        [0, 3, 4, 7],
        [2, 1, 3, 1],
        [0, 2, 3, 6],
    )
    assert [(colours(one), one.first_samples) for one in batches] == [([9, 11], [7, 8])]


@pytest.mark.parametrize(("awaited", "sizes"), [(True, [1] * 6), (False, [4, 2])])
def test_slow_frames_go_out_before_their_batch_is_full_if_they_are_waited_for(
    monkeypatch, awaited, sizes
):
    monkeypatch.setattr(frames, "PATIENCE_SECONDS", 0.0)
    source = filler(range(6))
    source.awaited = awaited
    seen = [(colours(batch), batch.first_samples) for batch in source.batches()]
    assert [len(colour) for colour, _ in seen] == sizes
    assert [one for colour, _ in seen for one in colour] == list(range(6))
    assert [one for _, first in seen for one in first] == list(range(6))


def test_quick_frames_are_never_sent_in_small_batches():
    source = filler(range(9))
    source.awaited = True
    assert [len(batch.frames) for batch in source.batches()] == [4, 4, 1]


def test_batches_in_flight_do_not_overwrite_each_other():
    batches = filler(range(4 * (frames.QUEUE_BATCHES + 2))).batches()
    held = [next(batches) for _ in range(frames.QUEUE_BATCHES + 1)]
    assert [colours(batch)[0] for batch in held] == [0, 4, 8, 12]
