"""Likeness: whether two videos show the same footage, found by what moves in them.

Two recordings of one steady camera have the same background, so that pictures alone say nothing.
What moved, where and when, does not happen twice. So each instant is described by the change of the
picture over half a second; two videos share footage if, at one offset, the changes agree over a
stretch with enough movement in it. An even change of light is taken out: it looks alike everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from prismata.core.time import MICROSECONDS, TimeSpan
from prismata.media.signatures import RATE

RULES = 1
"""To be raised when something else counts as shared: then all is compared again."""
LAG = RATE // 2
"""Samples over which a change is looked at: in half a second movement stands out of the noise of
coding, which stays as small as it is between neighbours."""
STILL_RMS = 1.25
"""Grey levels by which cells change where nothing moves: noise, coding."""
AGREE = 0.6
"""Agreement of two instants (a cosine) above which they speak for a shared stretch."""
SIMILAR = 0.75
"""Agreement over a whole stretch from which on it counts as the same footage."""
OVERLAY_CELLS = 6
"""So many cells may change alike in any two recordings: a clock or a watermark in the picture."""
ELSEWHERE = 0.4
"""Agreement over the stretch that the other cells need. Measured in benchmarks/near_duplicates.py:
two recordings of one camera with such an overlay reach 0.15, copies 0.50 and more but for one."""
SAME_PLACE = 0.8
"""Correlation of the pictures themselves: it has to be the same scene, too."""
ENOUGH = 3 * RATE
"""Moving samples that a stretch in long footage needs: in much footage less happens twice."""
LEAST = RATE // 2
"""Moving samples that it needs in any case, however short the videos."""

_QUERIES = 400
"""So many moving instants of a video are all looked up; of more, the strongest of each stretch of
`_THINNED` samples."""
_THINNED = 2 * RATE
_HIT = 0.7
_OFFSETS_TRIED = 32
_BLOCK = 2048


@dataclass(frozen=True, eq=False)
class Motion:
    """The changes in one video.

    Args:
        signature: `(K, S, S)` uint8 from `make_signature`.
    """

    signature: NDArray[np.uint8]

    @cached_property
    def _parts(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        # In blocks: a long video is many times its signature while it is worked on.
        count = max(0, len(self.signature) - LAG)
        changes = np.empty((count, self.signature[0].size), np.float32)
        strength = np.empty(count, np.float32)
        for start in range(0, count, _BLOCK):
            rows = slice(start, min(start + _BLOCK, count))
            block = _movement(self._pictures(rows), self._pictures(rows, LAG))
            changes[rows], strength[rows] = _unit(block), np.sqrt((block * block).mean(1))
        return changes, strength

    def _pictures(self, rows: slice, later: int = 0) -> NDArray[np.float32]:
        picked = self.signature[rows.start + later : rows.stop + later]
        return picked.reshape(len(picked), -1).astype(np.float32)

    @property
    def changes(self) -> NDArray[np.float32]:
        """`(M, S * S)` float32 change up to each instant from `LAG` on, of length 1."""
        return self._parts[0]

    @property
    def strength(self) -> NDArray[np.float32]:
        """`(M,)` float32 root mean square of each change, in grey levels."""
        return self._parts[1]

    def scenes(self, places: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the `(N, S * S)` float32 pictures before these changes, centred, of length 1."""
        picked = self.signature[places]
        return _unit(_centred(picked.reshape(len(picked), -1).astype(np.float32)))

    def movement(self, places: NDArray[np.int64], cells: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the `(N, C)` float32 changes of some cells alone, in grey levels."""
        flat = self.signature.reshape(len(self.signature), -1)
        earlier, later = (flat[np.ix_(moments, cells)] for moments in (places, places + LAG))
        return _movement(earlier.astype(np.float32), later.astype(np.float32))

    @cached_property
    def moving(self) -> NDArray[np.bool_]:
        """`(M,)` whether anything moves."""
        return self.strength > STILL_RMS

    @property
    def is_too_still(self) -> bool:
        """Whether so little moves that this footage could not be known again."""
        return int(self.moving.sum()) < LEAST

    @cached_property
    def queries(self) -> NDArray[np.int64]:
        """`(Q,)` int64 places of the instants by which this footage is looked up."""
        places = np.flatnonzero(self.moving)
        if len(places) <= _QUERIES:
            return places
        strongest: dict[int, int] = {}
        for place in places.tolist():
            best = strongest.setdefault(place // _THINNED, place)
            if self.strength[place] > self.strength[best]:
                strongest[place // _THINNED] = place
        return np.array(sorted(strongest.values()), np.int64)


@dataclass(frozen=True, slots=True)
class SharedFootage:
    """A stretch that two videos have in common."""

    first: TimeSpan
    """Where it is in the first video."""
    second: TimeSpan
    """Where it is in the second."""
    similarity: float
    """How well the changes agree, in [0, 1]; noise counts little, because it is weak."""

    @property
    def offset_us(self) -> int:
        """How much later it comes in the first video than in the second."""
        return self.first.start_us - self.second.start_us


def find_shared(
    first: Motion, second: Motion, *, least_similarity: float = SIMILAR
) -> SharedFootage | None:
    """Return the longest stretch that two videos share; None if they share none that is certain.

    A stretch counts if it holds `ENOUGH` moving samples, or half of those of the video with fewer.
    Time is quadratic in length: 13 billion multiplications for two videos of an hour.

    Args:
        first: What happens in one video.
        second: And in the other.
        least_similarity: How well the changes have to agree over the stretch.
    """
    if first.is_too_still or second.is_too_still:
        return None
    fewest = int(min(first.moving.sum(), second.moving.sum()))
    need = max(LEAST, min(ENOUGH, -(-fewest // 2)))
    best: tuple[float, SharedFootage] | None = None
    for offset in _offsets(first, second):
        found = _best_stretch(first, second, offset, need, least_similarity)
        if found is not None and (best is None or found[0] > best[0]):
            best = found
    return None if best is None else best[1]


def _offsets(first: Motion, second: Motion) -> list[int]:
    """Return the offsets for which most single instants speak."""
    votes = np.zeros(len(first.changes) + len(second.changes) - 1, np.float64)
    moving = np.flatnonzero(second.moving)
    looked_up = first.changes[first.queries]
    for start in range(0, len(moving), _BLOCK):
        places = moving[start : start + _BLOCK]
        cosines = looked_up @ second.changes[places].T
        rows, columns = np.nonzero(cosines > _HIT)
        offsets = first.queries[rows] - places[columns] + len(second.changes) - 1
        np.add.at(votes, offsets, cosines[rows, columns] - AGREE)
    likely = np.argsort(votes)[::-1][:_OFFSETS_TRIED]
    return [int(place) - len(second.changes) + 1 for place in likely if votes[place] > 0]


def _best_stretch(
    first: Motion, second: Motion, offset: int, need: int, least_similarity: float
) -> tuple[float, SharedFootage] | None:
    """Return the stretch at one offset for which most speaks, if that is enough."""
    start = max(0, offset)
    end = min(len(first.changes), len(second.changes) + offset)
    one, two = slice(start, end), slice(start - offset, end - offset)
    moving = first.moving[one] | second.moving[two]
    cosines = (first.changes[one] * second.changes[two]).sum(1)
    begin, stop = _heaviest(np.where(moving, cosines - AGREE, 0.0))
    inside = np.flatnonzero(moving[begin:stop]) + begin
    if len(inside) < need:
        return None
    ours, theirs = first.strength[one][inside], second.strength[two][inside]
    agreeing = float((cosines[inside] * ours * theirs).sum())
    similarity = agreeing / float(np.sqrt((ours * ours).sum() * (theirs * theirs).sum()))
    # A long stretch is judged by a part of its instants: it is not to fill the memory.
    places = start + inside[:: 1 + len(inside) // _BLOCK]
    if (
        similarity < least_similarity
        or float((first.scenes(places) * second.scenes(places - offset)).sum(1).mean()) < SAME_PLACE
        or _elsewhere(first, second, places, places - offset) < ELSEWHERE
    ):
        return None
    weight = float((cosines[inside] - AGREE).sum())
    return weight, SharedFootage(
        _span(start + begin, start + stop),
        _span(start + begin - offset, start + stop - offset),
        min(similarity, 1.0),
    )


def _elsewhere(
    first: Motion, second: Motion, ours: NDArray[np.int64], theirs: NDArray[np.int64]
) -> float:
    """Return how well changes at these places agree outside of the cells that change most."""
    everywhere = np.arange(first.signature[0].size)
    energy = (first.movement(ours, everywhere) ** 2).sum(0)
    energy += (second.movement(theirs, everywhere) ** 2).sum(0)
    rest = np.argsort(energy)[:-OVERLAY_CELLS]
    # Anew from these cells alone: a strong change moves mean and light of the whole picture.
    one, two = first.movement(ours, rest), second.movement(theirs, rest)
    scale = float(np.sqrt((one * one).sum() * (two * two).sum()))
    return float((one * two).sum()) / max(scale, 1e-6)


def _heaviest(weights: NDArray[np.float64]) -> tuple[int, int]:
    """Return begin and end of the run with the largest sum; the longest of equals."""
    sums = np.concatenate([[0.0], np.cumsum(weights)])
    lowest = np.minimum.accumulate(sums)
    end = len(sums) - 1 - int(np.argmax((sums - lowest)[::-1]))
    return int(np.argmin(sums[: end + 1])), end


def _span(begin: int, end: int) -> TimeSpan:
    """Return the time of samples `[begin, end)`; a change begins `LAG` samples before its end."""
    return TimeSpan(begin * MICROSECONDS // RATE, (end - 1 + LAG) * MICROSECONDS // RATE)


def _movement(earlier: NDArray[np.float32], later: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the change from picture to picture, row by row, without what light does."""
    scenes = _centred((later + earlier) / np.float32(2))
    changes = _centred(later - earlier)
    # Light that goes on scales the picture: what is left is what moves in it.
    share = (changes * scenes).sum(1) / np.maximum((scenes * scenes).sum(1), 1e-6)
    changes -= share[:, None] * scenes
    return changes


def _centred(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    centred: NDArray[np.float32] = rows - rows.mean(1, keepdims=True)
    return centred


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = rows / np.maximum(np.sqrt((rows * rows).sum(1)), 1e-6)[:, None]
    return unit
