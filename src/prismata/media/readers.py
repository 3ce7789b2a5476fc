"""One protocol for the three libraries that decode video, and the sampling on top of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from prismata.core.errors import BadVideoError, InvalidInputError, UnavailableError
from prismata.core.time import FrameTimeline, OutsideVideoError, SamplePlan, format_time
from prismata.media.pixels import Frame
from prismata.media.scanning import scan

MAX_SIDE = 16_384

_HOMES = {
    "pyav": ("av", "prismata.media.sequential_pyav", "PyAVReader"),
    "decord": ("decord", "prismata.media.sequential_decord", "DecordReader"),
    "opencv": ("cv2", "prismata.media.sequential_opencv", "OpenCVReader"),
}
READERS = tuple(name for name, (library, _, _) in _HOMES.items() if find_spec(library))
"""Names of the readers whose library is installed here; `pyav` is the default."""


class VideoReader(Protocol):
    """Gives the frames of one video, each by its place in the video's timeline.

    A frame is what is really displayed at `timeline.start_us(index)`; a reader that cannot deliver
    exactly that raises. Not thread-safe. A context manager that closes itself.
    """

    name: str
    timeline: FrameTimeline
    displayed_size: tuple[int, int]
    """`(width, height)` of a frame read without a size."""
    decoded_frames: int
    """Frames that the decoder has given so far, wanted or not."""

    @property
    def resize_seconds(self) -> float:
        """Time spent so far on resizing and converting to RGB."""
        ...

    def read(
        self,
        frame_indices: Sequence[int] | NDArray[np.int64],
        *,
        size: tuple[int, int] | None = None,
        slots: Callable[[], NDArray[np.uint8]] | None = None,
    ) -> Iterator[Frame]:
        """Yield frames in display order, each decoded once.

        Args:
            frame_indices: Never decreasing; a repeated index yields the same frame again.
            size: `(width, height)` to stretch to; None keeps the displayed size.
            slots: Gives the `(H, W, 3)` uint8 array that the next distinct frame is written into,
                which then is its `pixels`; None = each frame has an array of its own.

        Raises:
            InvalidInputError: If the indices decrease or lie outside the video.
            BadVideoError: While iterating, if a frame cannot be decoded (`damaged`).
        """
        ...

    def frame(self, frame_index: int, *, size: tuple[int, int] | None = None) -> Frame:
        """Return one frame, wherever it is.

        Raises:
            OutsideVideoError: If there is no such frame.
            BadVideoError: If it cannot be decoded (`damaged`).
        """
        ...

    def close(self) -> None:
        """Release the file and the decoder; closing twice is harmless."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def open_video(
    path: Path,
    *,
    timeline: FrameTimeline | None = None,
    reader: str = "pyav",
    threads: int = 0,
    only_key_frames: bool = False,
) -> VideoReader:
    """Open a video for reading frames.

    Args:
        path: The file.
        timeline: What `scan` found, possibly stored since; scanned now if None.
        reader: One of `READERS`.
        threads: Decoder threads; 0 = as the reader sees fit.
        only_key_frames: Decode key frames only (`coarse.key_frames` says which they are).

    Raises:
        BadVideoError: If it is not a video that can be read.
        InvalidInputError: If there is no such reader, or it is not the one that can do this.
        UnavailableError: If this reader is not installed or cannot read this video exactly.
    """
    if reader not in _HOMES:
        raise InvalidInputError(f"there is no reader {reader!r}; use {', '.join(_HOMES)}")
    library, module, name = _HOMES[reader]
    if reader not in READERS:
        raise UnavailableError(
            f"the reader {reader!r} needs the package {library!r}, which is not installed; use one "
            f"of: {', '.join(READERS) or 'none'}"
        )
    if only_key_frames and reader != "pyav":
        raise InvalidInputError(
            f"only the reader 'pyav' can be asked for key frames alone, not {reader!r}"
        )
    extra = {"only_key_frames": True} if only_key_frames else {}
    opened: VideoReader = getattr(import_module(module), name)(
        path, timeline=timeline or scan(path).timeline, threads=threads, **extra
    )
    return opened


def sample_frames(
    reader: VideoReader, plan: SamplePlan, *, size: tuple[int, int] | None = None
) -> Iterator[tuple[int, Frame]]:
    """Yield `(grid instant in microseconds, frame on screen then)` along a sampling plan.

    Args:
        reader: An open video.
        plan: From `reader.timeline.sample(frames_per_second)`.
        size: `(width, height)` of the frames.
    """
    frames = reader.read(plan.frame_indices, size=size)
    yield from zip(plan.times_us.tolist(), frames, strict=True)


def checked_indices(
    frame_indices: Sequence[int] | NDArray[np.int64], timeline: FrameTimeline
) -> list[int]:
    """Return the indices as a list, after checking order and range.

    Raises:
        InvalidInputError: If they decrease.
        OutsideVideoError: If one lies outside the video.
    """
    indices = np.asarray(frame_indices, dtype=np.int64)
    if indices.ndim != 1:
        raise InvalidInputError("frame indices must be one list of numbers")
    if indices.size == 0:
        return []
    if np.any(np.diff(indices) < 0):
        raise InvalidInputError("frames are read in display order; sort the frame indices first")
    for index in (int(indices[0]), int(indices[-1])):
        if not 0 <= index < len(timeline):
            raise OutsideVideoError(
                f"no frame {index}; this video has frames 0 to {len(timeline) - 1}"
            )
    return [int(index) for index in indices]


def check_size(size: tuple[int, int] | None) -> None:
    """Refuse sizes that no frame can have.

    Raises:
        InvalidInputError: If a side is not in 1 to `MAX_SIDE`.
    """
    if size is not None and not all(1 <= side <= MAX_SIDE for side in size):
        raise InvalidInputError(
            f"a frame cannot be {size[0]}x{size[1]} pixels; sides go from 1 to {MAX_SIDE}"
        )


def undecodable(path: Path, timeline: FrameTimeline, frame_index: int) -> BadVideoError:
    """Return the refusal for a frame that the timeline has and the decoder does not give."""
    return BadVideoError(
        f"frame {frame_index} at {format_time(timeline.start_us(frame_index))} of {path.name!r} "
        "cannot be decoded; ingest the file again with every frame decoded, or copy it again",
        reason="damaged",
    )
