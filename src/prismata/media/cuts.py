"""Exact cuts: stretches of videos as one MP4, each frame the one that the source shows then.

A cut holds the frames whose timestamps lie in a half-open stretch, decoded and coded anew, so it
begins at any frame and not only at key frames. Ticks are whole microseconds: between two frames
lies what lies between them in the source, whatever its rate. The picture is upright, its pixels are
square, other shapes than the film's get black bars; there is no sound. No B-frames, so the first
frame of the film is at 0 without an edit list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prismata.core.errors import InvalidInputError
from prismata.core.files import written_whole
from prismata.core.time import MICROSECONDS, FrameTimeline, TimeSpan
from prismata.media.captions import Caption
from prismata.media.facts import probe
from prismata.media.painting import Painter, fitted_size, frame_of, upright_size

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

    from prismata.media.sequential_pyav import PyAVReader

MAX_SIDE = 7680
TIME_BASE = Fraction(1, MICROSECONDS)
OPTIONS = {"preset": "veryfast", "crf": "20", "bf": "0"}
KEY_FRAMES = 60
BLACK = (16, 128, 128)

Progress = Callable[[int, int], None]
"""Called with frames done and frames in all."""


@dataclass(frozen=True, slots=True)
class Cut:
    """One stretch of one video."""

    path: Path
    timeline: FrameTimeline
    span: TimeSpan
    """On the video's own clock; what lies outside of the video is left out."""
    caption: str = ""
    """Burnt into the lower edge; empty = none."""


@dataclass(frozen=True, slots=True)
class FilmFacts:
    """What was written."""

    width: int
    height: int
    frames: int
    duration_us: int


def frames_of(timeline: FrameTimeline, span: TimeSpan) -> range:
    """Return the frames whose times lie in `[start, end)`.

    Where none begins in there, it is the one frame that is on screen then.

    Raises:
        InvalidInputError: If nothing of the stretch lies in the video.
    """
    if span.start_us >= timeline.duration_us or span.end_us < 0:
        raise InvalidInputError(
            f"there is nothing to cut from {span.start_us} to {span.end_us} us: the video ends at "
            f"{timeline.duration_us} us"
        )
    first, end = np.searchsorted(timeline.starts_us, (span.start_us, span.end_us)).tolist()
    if first < end:
        return range(first, end)
    shown = timeline.index_at(max(0, span.start_us))
    return range(shown, shown + 1)


def film_size(paths: Sequence[Path], max_side: int = MAX_SIDE) -> tuple[int, int]:
    """Return the size for cuts of these videos: the one most of them have, of those the largest.

    Raises:
        BadVideoError: If one cannot be read.
    """
    sizes = {path: upright_size(probe(path), max_side) for path in set(paths)}
    listed = [sizes[path] for path in paths]
    return max(set(listed), key=lambda size: (listed.count(size), size[0] * size[1], size))


def write_film(
    cuts: Sequence[Cut],
    target: Path,
    *,
    size: tuple[int, int] | None = None,
    on_progress: Progress = lambda _done, _total: None,
) -> FilmFacts:
    """Write cuts behind each other into one MP4; it appears when it is complete.

    One frame at a time is in memory, however long the film gets. An exception of `on_progress`
    ends the work, and nothing is left of it.

    Args:
        cuts: In the order of the film.
        target: Where to; an existing file is replaced at the end.
        size: `(width, height)`, both even; by default `film_size`.
        on_progress: Called after each frame.

    Raises:
        BadVideoError: If a frame of a cut cannot be decoded: it is never left out silently.
        InvalidInputError: If there is no cut, or one lies outside of its video.
        OSError: If it cannot be written.
    """
    import av

    if not cuts:
        raise InvalidInputError("a film needs at least one cut; choose events first")
    parts = [(cut, frames_of(cut.timeline, cut.span)) for cut in cuts]
    size = size or film_size([cut.path for cut in cuts])
    total = sum(len(frames) for _, frames in parts)
    with (
        written_whole(target) as unfinished,
        av.open(str(unfinished), "w", format="mp4", options={"movflags": "+faststart"}) as output,
    ):
        film = _Film(output, size, parts)
        for done, _ in enumerate(film.write(parts), start=1):
            on_progress(done, total)
        film.finish()
    return FilmFacts(*size, total, film.length_us)


class _Film:
    """Encodes cuts into an open container.

    Args:
        output: The container.
        size: Of the film.
        parts: What is to come, for the rate and the colours that the header declares.
    """

    def __init__(
        self, output: OutputContainer, size: tuple[int, int], parts: Sequence[tuple[Cut, range]]
    ) -> None:
        self.length_us = 0
        """Of what has been written."""
        self._output = output
        self._size = size
        self._stream = self._add_stream(parts[0][0].timeline)
        self._durations: dict[int, int] = {}
        """Start → duration of frames that are still in the encoder, in microseconds."""
        self._declare_colours({cut.path for cut, _ in parts})

    def write(self, parts: Sequence[tuple[Cut, range]]) -> Iterator[None]:
        """Encode all cuts, and yield after each frame; a video stays open while it goes on."""
        from prismata.media.sequential_pyav import PyAVReader

        with ExitStack() as open_files:
            path: Path | None = None
            reader: PyAVReader | None = None
            canvas: _Canvas | None = None
            for cut, frames in parts:
                if reader is None or canvas is None or cut.path != path:
                    open_files.close()
                    path = cut.path
                    reader = open_files.enter_context(PyAVReader(path, timeline=cut.timeline))
                    canvas = _Canvas(upright_size(probe(path), MAX_SIDE), self._size)
                caption = Caption(cut.caption, self._size) if cut.caption else None
                yield from self._write_cut(cut, frames, reader, canvas, caption)

    def _write_cut(
        self,
        cut: Cut,
        frames: range,
        reader: PyAVReader,
        canvas: _Canvas,
        caption: Caption | None,
    ) -> Iterator[None]:
        is_first = True
        for index in frames:
            picture = canvas.paint(reader.decoded(index), caption)
            picture.pts, picture.time_base = self.length_us, TIME_BASE
            if is_first:
                picture.pict_type = 1  # I: players and editors find the beginning of each cut
            is_first = False
            shown = cut.timeline.span(index)
            end_us = shown.end_us
            if shown.start_us < cut.span.end_us < end_us:
                end_us = cut.span.end_us  # the last frame goes when the stretch is over
            self._durations[self.length_us] = end_us - shown.start_us
            self.length_us += end_us - shown.start_us
            self._mux(picture)
            yield

    def finish(self) -> None:
        """Empty the encoder."""
        self._mux(None)

    def _mux(self, picture: VideoFrame | None) -> None:
        for packet in self._stream.encode(picture):
            packet.duration = self._durations.pop(packet.pts or 0)
            self._output.mux(packet)

    def _add_stream(self, timeline: FrameTimeline) -> VideoStream:
        rate = min(max(timeline.average_frame_rate, Fraction(1)), Fraction(240))
        stream = self._output.add_stream("libx264", rate=rate.limit_denominator(1001))
        stream.options = dict(OPTIONS)
        stream.width, stream.height, stream.pix_fmt = *self._size, "yuv420p"
        stream.time_base = stream.codec_context.time_base = TIME_BASE
        stream.codec_context.gop_size = KEY_FRAMES
        stream.codec_context.max_b_frames = 0
        return stream

    def _declare_colours(self, paths: set[Path]) -> None:
        """Say how colours are meant if all sources agree; none are converted."""
        from prismata.media.source import VideoSource

        meant = set()
        for path in paths:
            with VideoSource(path, threads=1) as source:
                theirs = source.stream.codec_context
                meant.add((theirs.color_primaries, theirs.color_trc, theirs.colorspace))
        if len(meant) == 1:
            ours = self._stream.codec_context
            ours.color_primaries, ours.color_trc, ours.colorspace = meant.pop()


class _Canvas:
    """Lays the pictures of one video into the middle of the film's picture.

    Args:
        shape: `(width, height)` of the video, upright with square pixels.
        size: Of the film.
    """

    def __init__(self, shape: tuple[int, int], size: tuple[int, int]) -> None:
        self._size = size
        self._inner = size if shape == size else fitted_size(shape, size)
        self._painter = Painter(self._inner)

    def paint(self, frame: VideoFrame, caption: Caption | None) -> VideoFrame:
        """Return the film's picture of a decoded frame."""
        if self._inner == self._size and caption is None:
            return self._painter.paint(frame)
        planes = self._painter.planes(frame)
        if self._inner != self._size:
            planes = [
                self._framed(plane, black, 1 if place == 0 else 2)
                for place, (plane, black) in enumerate(zip(planes, BLACK, strict=True))
            ]
        if caption is not None:
            caption.lay_over(planes)
        return frame_of(planes, self._size)

    def _framed(self, plane: NDArray[np.uint8], black: int, step: int) -> NDArray[np.uint8]:
        width, height = self._size[0] // step, self._size[1] // step
        # Whole chroma samples on both sides, or colours would shift against the picture.
        left = (self._size[0] - self._inner[0]) // 4 * 2 // step
        top = (self._size[1] - self._inner[1]) // 4 * 2 // step
        framed = np.full((height, width), black, np.uint8)
        framed[top : top + plane.shape[0], left : left + plane.shape[1]] = plane
        return framed
