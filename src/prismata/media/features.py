"""What the FFmpeg that PyAV brought can do, beside what this program needs of it."""

from __future__ import annotations

from dataclasses import dataclass

import av

_DECODERS = {
    "H.264": ("h264",),
    "HEVC": ("hevc",),
    "VP8": ("vp8", "libvpx"),
    "VP9": ("vp9", "libvpx-vp9"),
    # FFmpeg's own `av1` decodes in hardware only.
    "AV1": ("libdav1d", "libaom-av1"),
    "MPEG-4": ("mpeg4",),
    "MPEG-2": ("mpeg2video",),
    "ProRes": ("prores",),
    "Motion JPEG": ("mjpeg",),
}
_ENCODERS = {"H.264": "libx264", "AAC": "aac"}
"""Proxies and clips are made with these."""


@dataclass(frozen=True, slots=True)
class CodecFeatures:
    """Codecs by the names that people know."""

    library: str
    """PyAV and the libraries of FFmpeg, with versions."""
    decodes: tuple[str, ...]
    cannot_decode: tuple[str, ...]
    cannot_encode: tuple[str, ...]


def codec_features() -> CodecFeatures:
    """Ask FFmpeg which of the needed codecs it was built with."""
    there = av.codec.codecs_available
    decodes = tuple(name for name, ways in _DECODERS.items() if any(way in there for way in ways))
    major, minor, _ = av.library_versions["libavcodec"]
    return CodecFeatures(
        f"PyAV {av.__version__}, libavcodec {major}.{minor}",
        decodes,
        tuple(name for name in _DECODERS if name not in decodes),
        tuple(name for name, way in _ENCODERS.items() if way not in there),
    )
