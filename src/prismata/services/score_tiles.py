"""Score tiles: a run's confidence curves in pieces small enough for a timeline, at every zoom.

A pyramid holds the lowest and highest score of each bin. A bin of level z is `base_us * 2**z` long;
level 0 has about one sample in a bin, the last level shows the whole video in one tile. So a
timeline needs a few tiles however far it is zoomed, and no peak is lost on the way.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prismata.catalog import DetectionRunRecord
from prismata.core.errors import NotFoundError
from prismata.core.scores import ScoreTrack
from prismata.services.detect import load_scores
from prismata.services.regroup import Regrouped, regroup, used_rules
from prismata.services.workbench import Workbench

TILE_BINS = 256
"""Bins in one tile: 6 kB with 12 event types, 64 kB with 128."""
KEPT_BYTES = 128 * 2**20
"""Tracks and pyramids held in memory; 2 hours at 30 Hz with 12 event types take 23 MB."""

_EMPTY = (255, 0)
"""Lowest above highest: no sample. Neutral for minimum and maximum, so levels fold onto it."""


@dataclass(frozen=True, slots=True, eq=False)
class ScorePyramid:
    """Lowest and highest scores of C event types, at every zoom."""

    base_us: int
    """Length of a bin of level 0."""
    levels: tuple[NDArray[np.uint8], ...]
    """`(C, bins, 2)` uint8 each, scores times 255; `bins` is a multiple of `TILE_BINS`."""

    @classmethod
    def build(cls, track: ScoreTrack, *, duration_us: int) -> ScorePyramid:
        """Return the pyramid of a track.

        Args:
            track: K scores of C event types.
            duration_us: How long the video is; bins reach up to its end.
        """
        times, types = track.times_us, len(track.event_types)
        steps = np.diff(times)
        # The usual step. Where samples lie closer, a bin shows both as its lowest and highest.
        base_us = max(1, int(np.median(steps))) if steps.size else max(1, duration_us)
        end_us = max(duration_us, int(times[-1]) + 1 if times.size else 1)
        # Samples in bursts far apart would need mostly empty bins; memory follows the samples.
        base_us = max(base_us, -(-end_us // (4 * times.size + TILE_BINS)))
        lowest = np.full((_padded(-(-end_us // base_us)), types, 2), _EMPTY, dtype=np.uint8)
        if times.size:
            bins = times // base_us
            starts = np.flatnonzero(np.diff(bins, prepend=-1))
            scaled = np.rint(track.scores * np.float32(255)).astype(np.uint8)
            lowest[bins[starts], :, 0] = np.minimum.reduceat(scaled, starts, axis=0)
            lowest[bins[starts], :, 1] = np.maximum.reduceat(scaled, starts, axis=0)
        levels = [np.ascontiguousarray(lowest.transpose(1, 0, 2))]
        while levels[-1].shape[1] > TILE_BINS:
            levels.append(_folded(levels[-1]))
        return cls(base_us, tuple(levels))

    @property
    def nbytes(self) -> int:
        """Memory it takes."""
        return sum(level.nbytes for level in self.levels)

    def tile(self, level: int, index: int) -> bytes:
        """Return one tile: uint8 `[C][TILE_BINS][2]`, lowest and highest; an empty bin is 255, 0.

        Raises:
            NotFoundError: If there is no such level or tile.
        """
        if not 0 <= level < len(self.levels):
            raise NotFoundError(
                f"these curves have the levels 0 to {len(self.levels) - 1}, not {level}"
            )
        bins = self.levels[level]
        tiles = bins.shape[1] // TILE_BINS
        if not 0 <= index < tiles:
            raise NotFoundError(f"level {level} has the tiles 0 to {tiles - 1}, not {index}")
        return bins[:, index * TILE_BINS : (index + 1) * TILE_BINS].tobytes()


@dataclass(frozen=True, slots=True, eq=False)
class RunCurves:
    """What is kept of one run: its track and the pyramid over it."""

    track: ScoreTrack
    pyramid: ScorePyramid

    @property
    def nbytes(self) -> int:
        """Memory it takes."""
        return self.track.scores.nbytes + self.track.times_us.nbytes + self.pyramid.nbytes


class ScoreDesk:
    """Curves of finished runs; the ones used last stay in memory. Safe to share between threads.

    Args:
        bench: The workbench.
        kept_bytes: How much to keep; the run asked for last stays whatever its size.
    """

    def __init__(self, bench: Workbench, *, kept_bytes: int = KEPT_BYTES) -> None:
        self._bench = bench
        self._kept_bytes = kept_bytes
        self._curves: OrderedDict[str, RunCurves] = OrderedDict()
        self._lock = Lock()
        self._building: dict[str, Lock] = {}

    def curves(self, run: DetectionRunRecord) -> RunCurves:
        """Return the curves of a finished run; twenty tiles asked for at once read it once.

        Raises:
            NotFoundError: If the run has no scores.
        """
        with self._lock:
            building = self._building.setdefault(run.id, Lock())
        with building:
            with self._lock:
                if run.id in self._curves:
                    self._curves.move_to_end(run.id)
                    return self._curves[run.id]
            try:
                made = self._build(run)
            finally:
                with self._lock:
                    self._building.pop(run.id, None)
            with self._lock:
                self._curves[run.id] = made
                while len(self._curves) > 1 and self._held_bytes() > self._kept_bytes:
                    self._curves.popitem(last=False)
        return made

    def describe(self, run: DetectionRunRecord) -> dict[str, Any]:
        """Return what a timeline has to know before it asks for tiles, as JSON values.

        Raises:
            NotFoundError: If the run has no scores.
        """
        curves = self.curves(run)
        rules = used_rules(self._bench, run)
        return {
            "run": run.id,
            "model": self._bench.catalog.models.get(run.model_id).name,
            "event_types": list(curves.track.event_types),
            "thresholds": {name: rule.threshold for name, rule in rules.items()},
            "duration_us": self._bench.catalog.videos.get(run.video_id).duration_us,
            "base_us": curves.pyramid.base_us,
            "tile_bins": TILE_BINS,
            "levels": len(curves.pyramid.levels),
        }

    def regroup(
        self,
        run: DetectionRunRecord,
        thresholds: Mapping[str, float],
        *,
        grouping: Mapping[str, Mapping[str, float]] | None = None,
    ) -> Regrouped:
        """Group a run's scores anew, from memory; see `regroup`.

        Raises:
            NotFoundError: If the run has no scores.
            InvalidInputError: If an event type is unknown or a value is out of range.
        """
        track = self.curves(run).track
        return regroup(self._bench, run, thresholds, grouping=grouping, track=track)

    def _build(self, run: DetectionRunRecord) -> RunCurves:
        track = load_scores(self._bench, run)
        duration_us = self._bench.catalog.videos.get(run.video_id).duration_us
        return RunCurves(track, ScorePyramid.build(track, duration_us=duration_us))

    def _held_bytes(self) -> int:
        return sum(curves.nbytes for curves in self._curves.values())


def _padded(bins: int) -> int:
    return -(-bins // TILE_BINS) * TILE_BINS


def _folded(level: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the next level: two bins become one."""
    types, bins, _ = level.shape
    pairs = level.reshape(types, bins // 2, 2, 2)
    folded = np.full((types, _padded(bins // 2), 2), _EMPTY, dtype=np.uint8)
    folded[:, : bins // 2, 0] = pairs[:, :, :, 0].min(axis=2)
    folded[:, : bins // 2, 1] = pairs[:, :, :, 1].max(axis=2)
    return folded
