"""What a video is, from its header and its first frame."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from prismata.core.time import MICROSECONDS
from prismata.media.pixels import Orientation
from prismata.media.source import VideoSource

WIDE_TRANSFERS = frozenset({16, 18})
"""SMPTE ST 2084 (PQ) and ARIB STD-B67 (HLG), numbered as in ITU-T H.273."""


@dataclass(frozen=True, slots=True)
class VideoProbe:
    """Facts about one video; what is declared is the header's word and may be wrong."""

    container: str
    """FFmpeg's name of the container, for example `mov,mp4,m4a,3gp,3g2,mj2`."""
    codec: str
    """FFmpeg's name of the codec, for example `h264`."""
    pixel_format: str
    width: int
    """As displayed, after rotation."""
    height: int
    coded_width: int
    """As stored."""
    coded_height: int
    rotation: int
    """Degrees clockwise to turn for display: 0, 90, 180 or 270."""
    mirrored: bool
    """Whether the stored picture is mirrored before it is turned."""
    high_dynamic_range: bool
    sample_aspect_ratio: Fraction | None
    """Width of a pixel by its height; None = not declared. Resizing stretches, so it is unused."""
    declared_frames: int | None
    declared_duration_us: int | None
    average_frame_rate: Fraction | None
    """For people; never used to turn an index into a time."""
    has_audio: bool

    @property
    def orientation(self) -> Orientation:
        """What turns stored pixels into displayed ones."""
        return Orientation(self.rotation, self.mirrored)


def probe(path: Path) -> VideoProbe:
    """Look at a file's header and decode its first frame, which proves that it can be decoded.

    Raises:
        BadVideoError: If it is not a video that can be read, with the reason.
    """
    with VideoSource(path, threads=1) as source:
        return probe_source(source)


def probe_source(source: VideoSource) -> VideoProbe:
    """Do what `probe` does on a freshly opened file; moves its read position."""
    stream = source.stream
    frame = source.first_frame()
    orientation = Orientation.of(frame)
    width, height = orientation.displayed_size(frame.width, frame.height)
    duration = None
    if stream.duration:
        duration = round(stream.duration * source.time_base * MICROSECONDS)
    elif source.container.duration:
        duration = int(source.container.duration)
    return VideoProbe(
        container=source.container.format.name,
        codec=stream.codec_context.codec.canonical_name,
        pixel_format=frame.format.name,
        width=width,
        height=height,
        coded_width=frame.width,
        coded_height=frame.height,
        rotation=orientation.rotation,
        mirrored=orientation.mirrored,
        high_dynamic_range=int(frame.color_trc) in WIDE_TRANSFERS,
        sample_aspect_ratio=stream.sample_aspect_ratio or None,
        declared_frames=stream.frames or None,
        declared_duration_us=duration,
        average_frame_rate=stream.average_rate,
        has_audio=bool(source.container.streams.audio),
    )
