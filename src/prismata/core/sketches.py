"""Sketches: what a video looks like to an encoder, half a second at a time, small enough to keep.

A row is the mean of the features in half a second, over their typical length, projected onto
`SKETCH_SIZE` random directions, which keeps distances between rows within some ten per cent
(Johnson and Lindenstrauss, 1984). That is 64 bytes, where a second of features is ten thousand.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from prismata.core.errors import InvalidInputError

SKETCH_SIZE = 32
BIN_US = 500_000
_SEED = 1984
"""The directions are the same in every process, or distances would mean nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class FeatureSketch:
    """The looks of one video to one encoder.

    Raises:
        InvalidInputError: If the shapes disagree.
    """

    bins: NDArray[np.int64]
    """`(N,)` int64, increasing: row n is of the half second that begins at `bins[n] * BIN_US`."""
    rows: NDArray[np.float16]
    """`(N, SKETCH_SIZE)` float16."""
    encoder: str
    """Whose features; rows of different encoders cannot be compared."""

    def __post_init__(self) -> None:
        if self.rows.shape != (self.bins.size, SKETCH_SIZE):
            raise InvalidInputError(
                f"{self.bins.size} half seconds need rows of shape {(self.bins.size, SKETCH_SIZE)},"
                f" not {self.rows.shape}"
            )

    def between(self, start_us: int, end_us: int) -> NDArray[np.float32]:
        """Return the `(M, SKETCH_SIZE)` float32 rows of the half seconds that a stretch touches.

        Args:
            start_us: Where it begins.
            end_us: Where it ends; an instant touches the half second that it lies in.
        """
        inside = (self.bins >= start_us // BIN_US) & (
            self.bins <= max(start_us, end_us - 1) // BIN_US
        )
        return self.rows[inside].astype(np.float32)

    def save(self, path: Path) -> None:
        """Write as `.npz` (no pickles)."""
        np.savez_compressed(path, bins=self.bins, rows=self.rows, encoder=np.array(self.encoder))

    @classmethod
    def load(cls, path: Path) -> FeatureSketch:
        """Read what `save` wrote.

        Raises:
            InvalidInputError: If the file is not a sketch.
        """
        try:
            with path.open("rb") as source, np.load(source, allow_pickle=False) as data:
                return cls(data["bins"], data["rows"], str(data["encoder"]))
        except (OSError, KeyError, ValueError, EOFError, BadZipFile) as error:
            raise InvalidInputError(f"{path.name} is not a sketch: {error}") from error


class SketchBuilder:
    """Takes features sample by sample.

    Args:
        times_us: `(K,)` int64 instants of the samples that will come.
        feature_size: F.
        encoder: Whose features.
    """

    def __init__(self, times_us: NDArray[np.int64], feature_size: int, encoder: str) -> None:
        self._bins = times_us // BIN_US
        self._encoder = encoder
        self._count = int(self._bins[-1]) + 1 if times_us.size else 0
        self._sums: dict[int, NDArray[np.float64]] = {}
        directions = np.random.default_rng(_SEED).standard_normal((feature_size, SKETCH_SIZE))
        self._directions = directions / np.sqrt(SKETCH_SIZE)
        self._next = 0

    def append(self, features: NDArray[np.float32]) -> None:
        """Take the next `(n, F)` rows.

        Projected before they are summed, which comes to the same and holds no features.
        """
        projected = features.astype(np.float64) @ self._directions
        lengths = np.square(features.astype(np.float64)).sum(axis=1)
        bins = self._bins[self._next : self._next + len(features)]
        for number in np.unique(bins).tolist():
            inside = bins == number
            row = np.append(projected[inside].sum(axis=0), [lengths[inside].sum(), inside.sum()])
            self._sums[number] = self._sums.get(number, np.zeros(SKETCH_SIZE + 2)) + row
        self._next += len(features)

    def finish(self) -> FeatureSketch:
        """Return the sketch of all that came."""
        numbers = sorted(self._sums)
        rows = np.zeros((len(numbers), SKETCH_SIZE))
        for place, number in enumerate(numbers):
            *total, energy, count = self._sums[number]
            # The mean over the typical length of its samples: light and contrast change lengths.
            rows[place] = np.array(total) / count / max(np.sqrt(energy / count), 1e-9)
        return FeatureSketch(np.array(numbers, np.int64), rows.astype(np.float16), self._encoder)
