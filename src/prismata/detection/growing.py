"""An array that grows at its end: what a long video adds up to, without a list of small arrays."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

Scalar = TypeVar("Scalar", bound=np.generic)


class GrowingArray(Generic[Scalar]):
    """Rows in one piece of memory that doubles when it is full.

    Args:
        row_shape: Shape of one row; `()` for numbers.
        dtype: Of the rows.
    """

    def __init__(self, row_shape: tuple[int, ...], dtype: DTypeLike) -> None:
        self._memory: NDArray[Any] = np.empty((64, *row_shape), dtype)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def extend(self, rows: NDArray[Scalar]) -> None:
        """Add `(N, *row_shape)` rows; they are copied."""
        needed = self._length + len(rows)
        if needed > len(self._memory):
            capacity = max(needed, 2 * len(self._memory))
            larger = np.empty((capacity, *self._memory.shape[1:]), self._memory.dtype)
            larger[: self._length] = self._memory[: self._length]
            self._memory = larger
        self._memory[self._length : needed] = rows
        self._length = needed

    def rows(self) -> NDArray[Scalar]:
        """Return all rows so far, a view."""
        return self._memory[: self._length]
