"""The one clock: integer microseconds from the first displayed frame.

Frame rates never turn an index into a time here; only a `FrameTimeline`, built from the
presentation timestamps that the container really holds, does.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from prismata.core.errors import InvalidInputError

MICROSECONDS = 1_000_000

_UNREADABLE = (
    *(OSError, LookupError, ValueError, TypeError, ArithmeticError, EOFError),
    BadZipFile,
)


class OutsideVideoError(InvalidInputError):
    """The instant asked for lies before the first or after the last frame."""


def to_us(seconds: float | Fraction) -> int:
    """Return `seconds` as integer microseconds, rounded half to even."""
    return round(seconds * MICROSECONDS)


def to_seconds(time_us: int) -> float:
    """Return microseconds as float seconds, for people and JSON only."""
    return time_us / MICROSECONDS


def format_time(time_us: int) -> str:
    """Return `m:ss.mmm`, the way times are shown everywhere."""
    sign = "-" if time_us < 0 else ""
    milliseconds = round(abs(time_us) / 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{sign}{minutes}:{rest // 1000:02d}.{rest % 1000:03d}"


@dataclass(frozen=True, slots=True, order=True)
class TimeSpan:
    """A half-open stretch of time, `[start_us, end_us)`.

    Raises:
        InvalidInputError: If the end lies before the start.
    """

    start_us: int
    end_us: int

    def __post_init__(self) -> None:
        if self.end_us < self.start_us:
            raise InvalidInputError(
                f"a time span cannot end ({self.end_us} us) before it starts ({self.start_us} us)"
            )

    @property
    def duration_us(self) -> int:
        """Length in microseconds."""
        return self.end_us - self.start_us

    def contains(self, time_us: int) -> bool:
        """Say whether an instant lies inside; the end itself does not."""
        return self.start_us <= time_us < self.end_us

    def intersection_us(self, other: TimeSpan) -> int:
        """Length of the common part, 0 if there is none."""
        return max(0, min(self.end_us, other.end_us) - max(self.start_us, other.start_us))

    def tiou(self, other: TimeSpan) -> float:
        """Temporal intersection over union, in [0, 1]; two empty spans have 0."""
        common = self.intersection_us(other)
        union = self.duration_us + other.duration_us - common
        return common / union if union else 0.0

    def clamped(self, end_us: int) -> TimeSpan:
        """Return the part inside `[0, end_us)`; empty at the border if nothing is left."""
        start = min(max(self.start_us, 0), end_us)
        return TimeSpan(start, max(start, min(self.end_us, end_us)))


class FrameTimeline:
    """Answer "which frame is on screen at this instant?" for one video.

    Built once per video from its presentation timestamps, then shared by player, sampler,
    importer and evaluator, so all of them agree on every boundary.

    Args:
        starts_us: `(N,)` int64, display time of each frame, strictly increasing, first element 0.
        end_us: Instant at which the last frame leaves the screen.
        first_pts_us: Source timestamp of the first frame in microseconds (what was subtracted).
        ticks: `(N,)` int64 source timestamps, increasing; None where nobody kept them.
        time_base: Seconds per tick; given if and only if `ticks` are.

    Raises:
        InvalidInputError: If the timestamps are empty, do not start at 0 or do not increase, or if
            the ticks do not belong to them.
    """

    def __init__(
        self,
        starts_us: NDArray[np.int64],
        *,
        end_us: int,
        first_pts_us: int = 0,
        ticks: NDArray[np.int64] | None = None,
        time_base: Fraction | None = None,
    ) -> None:
        starts = np.asarray(starts_us, dtype=np.int64)
        if starts.ndim != 1 or starts.size == 0 or starts[0] != 0:
            raise InvalidInputError("a timeline needs at least one frame and must start at 0")
        edges = np.append(starts, np.int64(end_us))
        steps = np.diff(edges)
        if np.any(steps <= 0):
            first_bad = int(np.argmax(steps <= 0))
            raise InvalidInputError(f"timestamps must increase; frame {first_bad} does not")
        edges.flags.writeable = False
        self._edges_us = edges
        self.first_pts_us = first_pts_us
        self._ticks = _checked_ticks(ticks, time_base, starts.size)
        self.time_base = time_base
        """Seconds per tick of `source_pts`; None where the ticks are not known."""

    @classmethod
    def from_pts(
        cls, pts: NDArray[np.int64], *, time_base: Fraction, last_duration: int | None = None
    ) -> FrameTimeline:
        """Build from sorted source timestamps.

        Args:
            pts: `(N,)` int64 ticks in presentation order, strictly increasing.
            time_base: Seconds per tick.
            last_duration: Ticks for which the last frame stays; by default the median step
                (one tick at `time_base` if there is a single frame and nothing is declared).

        Raises:
            InvalidInputError: If the ticks are empty or do not increase.
        """
        ticks = np.asarray(pts, dtype=np.int64)
        if ticks.size == 0:
            raise InvalidInputError("a timeline needs at least one frame and must start at 0")
        if last_duration is None or last_duration <= 0:
            last_duration = round(float(np.median(np.diff(ticks)))) if ticks.size > 1 else 1
        relative = np.append(ticks - ticks[0], ticks[-1] - ticks[0] + last_duration)
        # Whole-number arithmetic: (ticks * num * 1e6) / den, rounded half up, never through floats.
        scale = Fraction(MICROSECONDS) * time_base
        edges = (relative * scale.numerator * 2 + scale.denominator) // (2 * scale.denominator)
        if edges[-1] <= edges[-2]:
            edges[-1] = edges[-2] + 1
        return cls(
            edges[:-1],
            end_us=int(edges[-1]),
            first_pts_us=to_us(Fraction(int(ticks[0])) * time_base),
            ticks=ticks,
            time_base=time_base,
        )

    def __len__(self) -> int:
        return int(self._edges_us.size) - 1

    def __eq__(self, other: object) -> bool:
        # The same frames at the same times; the ticks only say it in the source's own units, and a
        # timeline stored before they were kept is still this timeline.
        return (
            isinstance(other, FrameTimeline)
            and self.first_pts_us == other.first_pts_us
            and np.array_equal(self._edges_us, other._edges_us)
        )

    __hash__ = None  # type: ignore[assignment]  # compared by content, never a dictionary key

    @property
    def starts_us(self) -> NDArray[np.int64]:
        """`(N,)` int64 display time of each frame; read-only."""
        return self._edges_us[:-1]

    @property
    def duration_us(self) -> int:
        """Instant at which the last frame leaves the screen."""
        return int(self._edges_us[-1])

    @property
    def average_frame_rate(self) -> Fraction:
        """Frames per second over the whole video; for people, never for arithmetic on indices."""
        return Fraction(len(self) * MICROSECONDS, self.duration_us)

    @property
    def step_range_us(self) -> tuple[int, int]:
        """Smallest and largest distance between neighbouring frames; 0, 0 for a single frame."""
        steps = np.diff(self.starts_us)
        return (int(steps.min()), int(steps.max())) if steps.size else (0, 0)

    @property
    def is_variable_rate(self) -> bool:
        """Whether steps differ by more than a millisecond (container ticks cause less)."""
        low, high = self.step_range_us
        return high - low > 1000

    def start_us(self, frame_index: int) -> int:
        """Return when a frame appears.

        Raises:
            OutsideVideoError: If there is no such frame.
        """
        if not 0 <= frame_index < len(self):
            raise OutsideVideoError(
                f"no frame {frame_index}; this video has frames 0 to {len(self) - 1}"
            )
        return int(self._edges_us[frame_index])

    def source_pts(self, frame_index: int) -> int | None:
        """Return a frame's timestamp in ticks of `time_base`; None where ticks were not kept.

        Raises:
            OutsideVideoError: If there is no such frame.
        """
        self.start_us(frame_index)
        return None if self._ticks is None else int(self._ticks[frame_index])

    def span(self, frame_index: int) -> TimeSpan:
        """Return the half-open stretch for which a frame is on screen."""
        start = self.start_us(frame_index)
        return TimeSpan(start, int(self._edges_us[frame_index + 1]))

    def index_at(self, time_us: int) -> int:
        """Return the 0-based index of the frame on screen at `time_us`.

        An instant on a boundary belongs to the frame that is appearing, not to the one leaving.

        Raises:
            OutsideVideoError: If nothing is on screen at `time_us`.
        """
        if not 0 <= time_us < self.duration_us:
            raise OutsideVideoError(
                f"no frame at {format_time(time_us)}; this video lasts "
                f"{format_time(self.duration_us)}"
            )
        return int(np.searchsorted(self._edges_us, time_us, side="right")) - 1

    def save(self, target: Path | BinaryIO) -> None:
        """Write as `.npz` (no pickles)."""
        arrays = {"edges_us": self._edges_us, "first_pts_us": np.int64(self.first_pts_us)}
        if self._ticks is not None and self.time_base is not None:
            base = (self.time_base.numerator, self.time_base.denominator)
            arrays |= {"ticks": self._ticks, "time_base": np.array(base, np.int64)}
        np.savez_compressed(target, **arrays)  # type: ignore[arg-type]  # the stub's allow_pickle

    @classmethod
    def load(cls, source: Path | BinaryIO) -> FrameTimeline:
        """Read what `save` wrote, now or before it kept the ticks.

        Raises:
            InvalidInputError: If it is not a timeline.
        """
        try:
            with np.load(source, allow_pickle=False) as data:
                edges = data["edges_us"].astype(np.int64)
                known = "ticks" in data
                return cls(
                    edges[:-1],
                    end_us=int(edges[-1]),
                    first_pts_us=int(data["first_pts_us"]),
                    ticks=data["ticks"].astype(np.int64) if known else None,
                    time_base=Fraction(*data["time_base"].tolist()) if known else None,
                )
        except _UNREADABLE as error:
            raise InvalidInputError(f"this is not a stored timeline: {error}") from error

    def sample(self, frames_per_second: float | Fraction) -> SamplePlan:
        """Plan a sampling on a regular grid, exact by timestamp.

        Grid instants are `k / frames_per_second` from 0 up to the end (exclusive); each takes the
        frame that is on screen then. Where the video is slower than the grid a frame repeats.

        Raises:
            InvalidInputError: If the rate is not positive.
        """
        rate = Fraction(frames_per_second).limit_denominator(1001)
        if rate <= 0:
            raise InvalidInputError(f"the sampling rate must be positive, not {frames_per_second}")
        count = -(-self.duration_us * rate.numerator // (MICROSECONDS * rate.denominator))
        steps = np.arange(max(1, count), dtype=np.int64)
        # Rounded half up like the frames' own times, or a grid at the video's rate would miss
        # every frame whose start was rounded up.
        doubled = 2 * MICROSECONDS * rate.denominator
        times = (steps * doubled + rate.numerator) // (2 * rate.numerator)
        times = times[times < self.duration_us]
        indices = np.searchsorted(self._edges_us, times, side="right") - 1
        return SamplePlan(times, indices.astype(np.int64))


def _checked_ticks(
    ticks: NDArray[np.int64] | None, time_base: Fraction | None, count: int
) -> NDArray[np.int64] | None:
    if (ticks is None) != (time_base is None):
        raise InvalidInputError("ticks mean nothing without a time base, nor it without ticks")
    if ticks is None or time_base is None:
        return None
    kept = np.array(ticks, dtype=np.int64)
    if kept.shape != (count,) or np.any(np.diff(kept) <= 0) or time_base <= 0:
        raise InvalidInputError(
            f"a timeline of {count} frames needs as many increasing ticks and a positive time base"
        )
    kept.flags.writeable = False
    return kept


@dataclass(frozen=True, slots=True)
class SamplePlan:
    """Which frames to look at, and for which instants."""

    times_us: NDArray[np.int64]
    """`(K,)` int64 grid instants, strictly increasing."""
    frame_indices: NDArray[np.int64]
    """`(K,)` int64 frame on screen at each instant, never decreasing."""

    def __len__(self) -> int:
        return int(self.times_us.size)
