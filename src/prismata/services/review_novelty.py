"""Novelty: how unlike everything labelled a moment looks to the model's own encoder.

Compared are sketches of features (`core.sketches`) that detection runs leave. What is usual is
measured on the labelled time itself: how far a half second lies from the nearest one of another
video, or of another part of the same video where there is only one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prismata.catalog import DetectionRunRecord
from prismata.core.errors import InvalidInputError, NotFoundError
from prismata.core.sketches import BIN_US, SKETCH_SIZE, FeatureSketch
from prismata.core.time import TimeSpan
from prismata.services.workbench import Workbench

MAX_ROWS = 4000
"""Labelled half seconds that are compared with; more are thinned out evenly."""
MIN_ROWS = 8
"""With fewer, nothing is usual yet."""
FAR_BINS = 10
"""Half seconds of one video so far apart count as different moments."""
UNUSUAL = 3.0
"""So many times as far from everything labelled as labelled time lies apart is as new as it
gets."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelledLooks:
    """What labelled time looks like."""

    rows: NDArray[np.float32]
    """`(M, SKETCH_SIZE)`."""
    usual: float
    """Median distance of a labelled half second from the nearest of elsewhere."""
    encoder: str

    def novelty(self, sketch: FeatureSketch | None, span: TimeSpan) -> float:
        """Return how new a moment looks, in [0, 1]; 0 where that cannot be said.

        Args:
            sketch: Of its video.
            span: The event.
        """
        if sketch is None or sketch.encoder != self.encoder:
            return 0.0
        rows = sketch.between(span.start_us, span.end_us)
        if not len(rows):
            return 0.0
        distance = float(np.median(_distances(rows, self.rows).min(axis=1)))
        return min(1.0, max(0.0, (distance / self.usual - 1.0) / (UNUSUAL - 1.0)))


def labelled_looks(
    known: Iterable[tuple[FeatureSketch, Sequence[TimeSpan]]],
) -> LabelledLooks | None:
    """Return what labelled time looks like; None if there is too little of it.

    Args:
        known: Sketch of a video and the stretches of it of which something is known.
    """
    rows: list[NDArray[np.float32]] = []
    owners: list[tuple[int, int]] = []
    encoder = ""
    for video, (sketch, spans) in enumerate(known):
        if encoder and sketch.encoder != encoder:
            continue
        encoder = sketch.encoder
        starts = sketch.bins * BIN_US
        inside = np.zeros(starts.size, dtype=bool)
        for span in spans:
            inside |= (starts < span.end_us) & (starts + BIN_US > span.start_us)
        rows.append(sketch.rows[inside].astype(np.float32))
        owners += [(video, number) for number in sketch.bins[inside].tolist()]
    together = np.concatenate(rows) if rows else np.zeros((0, SKETCH_SIZE), np.float32)
    if len(together) < MIN_ROWS:
        return None
    kept = np.linspace(0, len(together) - 1, min(MAX_ROWS, len(together))).astype(np.int64)
    together, places = together[kept], np.array(owners, np.int64)[kept]
    usual = _usual_distance(together, places)
    return None if usual is None else LabelledLooks(together, usual, encoder)


def load_sketch(bench: Workbench, run: DetectionRunRecord) -> FeatureSketch | None:
    """Return the sketch that a run left; None if it left none, as older runs and foreign models."""
    try:
        with bench.storage.local_copy(sketch_key(run.id)) as path:
            return FeatureSketch.load(path)
    except (NotFoundError, InvalidInputError):
        return None


def sketch_key(run_id: str) -> str:
    """Return where the sketch of a run is stored."""
    return f"detections/{run_id}/sketch.npz"


def _usual_distance(rows: NDArray[np.float32], places: NDArray[np.int64]) -> float | None:
    """Return the median distance to the nearest row of elsewhere; `places` are video and bin."""
    several = len(np.unique(places[:, 0])) > 1
    nearest = []
    for start in range(0, len(rows), 256):
        part = slice(start, start + 256)
        distances = _distances(rows[part], rows)
        near = places[part, None, 0] == places[None, :, 0]
        if not several:
            near = np.abs(places[part, None, 1] - places[None, :, 1]) < FAR_BINS
        distances[near] = np.inf
        nearest.append(distances.min(axis=1))
    found = np.concatenate(nearest)
    found = found[np.isfinite(found)]
    usual = float(np.median(found)) if found.size else 0.0
    # Frames that are all the same have no distances to compare with.
    return usual if usual > 1e-6 else None


def _distances(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    squares = (
        np.square(first).sum(axis=1)[:, None]
        + np.square(second).sum(axis=1)[None, :]
        - 2 * first @ second.T
    )
    distances: NDArray[np.float32] = np.sqrt(np.maximum(squares, 0.0))
    return distances
