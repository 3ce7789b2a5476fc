import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from prismata.detection.growing import GrowingArray


@given(st.lists(st.integers(0, 300), max_size=8))
def test_rows_come_back_in_order_whatever_pieces_they_came_in(pieces):
    growing, start = GrowingArray((2,), np.float32), 0
    for size in pieces:
        rows = np.arange(2 * start, 2 * (start + size), dtype=np.float32).reshape(size, 2)
        growing.extend(rows)
        rows[:] = -1  # the caller uses its memory again
        start += size
    assert len(growing) == start
    assert growing.rows().dtype == np.float32
    assert np.array_equal(growing.rows().ravel(), np.arange(2 * start))


def test_numbers_keep_their_type_and_memory_stays_in_proportion():
    growing = GrowingArray((), np.int64)
    for number in range(10_000):
        growing.extend(np.array([number]))
    assert growing.rows().dtype == np.int64
    assert growing.rows()[-1] == 9_999
    assert growing.rows().base.nbytes <= 2 * 8 * 10_000
