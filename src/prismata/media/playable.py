"""What a browser shows exactly: the rule that decides between the stored file and a proxy.

The rule follows measurements in Chromium and Firefox: docs/adr/0015. Whatever
is not known to play frame by frame in both gets a proxy.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from prismata.core.time import format_time
from prismata.media.facts import VideoProbe
from prismata.media.scanning import ScanResult

RULES = 2
"""Version of this rule; a stored judgement of another version is made anew."""

MAX_SIDE = 4096
"""Beyond it, decoders in hardware refuse H.264."""

CODECS_OF = {
    "mp4": frozenset({"h264", "vp9", "av1"}),
    "webm": frozenset({"vp8", "vp9", "av1"}),
}
TITLES = {
    "h264": "H.264",
    "hevc": "HEVC",
    "mpeg4": "MPEG-4 part 2",
    "prores": "ProRes",
    "vp8": "VP8",
    "vp9": "VP9",
    "av1": "AV1",
}
PLAIN_PIXELS = frozenset({"yuv420p", "yuvj420p"})
_DOCTYPE_ID = b"\x42\x82"
_HEAD_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Playability:
    """How a browser shows a file."""

    playable: bool
    """Whether a picture appears in both."""
    exact: bool
    """Whether the frame asked for is the frame shown; if not, a proxy is needed."""
    reason: str
    """One sentence: why not, empty if exact."""


def judge(path: Path, facts: VideoProbe, scanned: ScanResult) -> Playability:
    """Decide whether browsers show the stored file exactly.

    Args:
        path: The file; only its first bytes are read.
        facts: What `probe` said.
        scanned: What `scan` said.
    """
    family = container_family(path, facts.container)
    codec = TITLES.get(facts.codec, facts.codec)
    if family == "matroska":
        plays = facts.codec in CODECS_OF["mp4"] | CODECS_OF["webm"]
        return Playability(
            plays, exact=False, reason="browsers do not show Matroska (MKV) frame by frame"
        )
    if family not in CODECS_OF:
        return _black(f"browsers do not open this kind of file ({facts.container})")
    if facts.codec not in CODECS_OF[family]:
        return _black(f"browsers show no picture for {codec} in this kind of file")
    if facts.pixel_format not in PLAIN_PIXELS:
        return _black(
            f"not every browser decodes {codec} with {facts.pixel_format} pixels; 8 bit 4:2:0 plays"
        )
    why = _why_inexact(facts, scanned, family)
    return Playability(playable=True, exact=not why, reason=why)


def container_family(path: Path, container: str) -> str:
    """Return `mp4` (also MOV), `webm`, `matroska`, or FFmpeg's name of anything else.

    FFmpeg has one name for Matroska and WebM; the file itself says which it is (its DocType).
    """
    if container.startswith("mov,mp4"):
        return "mp4"
    if not container.startswith("matroska"):
        return container
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    place = head.find(_DOCTYPE_ID)
    return "webm" if place >= 0 and head[place + 3 : place + 7] == b"webm" else "matroska"


def _black(why: str) -> Playability:
    return Playability(playable=False, exact=False, reason=why)


def _why_inexact(facts: VideoProbe, scanned: ScanResult, family: str) -> str:
    first_us = scanned.timeline.first_pts_us
    # Chromium takes a late start off the end of the video: beyond the length of the last frame it
    # cannot reach that frame any more.
    latest_us = scanned.timeline.span(len(scanned.timeline) - 1).duration_us
    if scanned.decoded:
        return "the file is damaged or misleading, so browsers may count its frames differently"
    if not 0 <= first_us < latest_us:
        return (
            f"its first frame stands at {format_time(first_us)}, which browsers count differently"
        )
    if scanned.cut_off:
        return "an edit list cuts frames off its start, which browsers do differently"
    if facts.mirrored or (facts.rotation and family != "mp4"):
        return "its picture has to be turned or mirrored, which browsers do differently"
    if max(facts.width, facts.height) > MAX_SIDE:
        return f"its picture has more than {MAX_SIDE} pixels on a side, too many for some decoders"
    return ""
