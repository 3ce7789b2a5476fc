"""Every frame's real timestamp: the table on which the one clock stands."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prismata.core.errors import BadVideoError
from prismata.core.time import MICROSECONDS, FrameTimeline, format_time, to_us
from prismata.media.facts import VideoProbe, probe_source
from prismata.media.packets import MAX_FRAMES, PacketCensus
from prismata.media.source import VideoSource, frame_tick

MAX_DURATION_US = 7 * 24 * 3600 * MICROSECONDS
NOTABLE_US = MICROSECONDS
"""From this difference between declared and real end on, a note says so."""


@dataclass(frozen=True, slots=True)
class ScanResult:
    """The timeline of one video, and what was odd about the file."""

    timeline: FrameTimeline
    packets: int
    """Packets of the video stream that hold data."""
    decoded: bool
    """Whether every frame was decoded, because the packets could not be believed."""
    notes: tuple[str, ...]
    """Sentences for a person; empty for a sound file."""
    cut_off: int = 0
    """Frames that an edit list removes from the presentation."""


@dataclass(slots=True)
class _Truth:
    """What decoding every frame brought to light."""

    ticks: NDArray[np.int64]
    last_duration: int
    skipped: int
    """Frames whose timestamp was missing or not after the one before: never displayed."""
    first_jump_back: int | None
    damaged: list[int]
    """Ticks of frames that the decoder had to patch up."""


def scan(path: Path, *, decode: bool = False) -> ScanResult:
    """Find out when each frame of a video is displayed.

    Packets are read, not decoded: about a second per hour of video. Where packets do not tell the
    truth (damage, missing, doubled or wild timestamps, packets that are not one frame each) every
    frame is decoded once, and the timeline holds the frames that really come out.

    Args:
        path: The file.
        decode: Decode every frame whatever the packets say.

    Raises:
        BadVideoError: If it is not a video that can be read, with the reason.
    """
    with VideoSource(path, threads=1) as source:
        facts = probe_source(source)
    with VideoSource(path) as source:
        census = PacketCensus(source)
        truth = None
    doubtful = bool(census.doubts) or decode
    if doubtful:
        with VideoSource(path) as source:
            truth = _decode_all(source)
    ticks = census.ticks if truth is None else truth.ticks
    if ticks.size == 0:
        raise BadVideoError(
            f"{path.name!r} has no frame with a timestamp, so nothing in it can be placed in time; "
            "convert it to MP4 first",
            reason="no_frames",
        )
    last_duration = census.last_duration if truth is None else truth.last_duration
    timeline = _timeline(path, ticks, source.time_base, last_duration)
    notes = _notes(facts, census, truth, timeline, source)
    return ScanResult(timeline, census.packet_count, doubtful, tuple(notes), census.cut_off)


def _decode_all(source: VideoSource) -> _Truth:
    ticks: list[int] = []
    damaged: list[int] = []
    skipped, first_jump_back, last_duration = 0, None, 0
    for frame in source.frames():
        tick = frame_tick(frame)
        if tick is None:
            skipped += 1
        elif ticks and tick <= ticks[-1]:
            skipped += 1
            if first_jump_back is None and tick < ticks[-1]:
                first_jump_back = ticks[-1]
        else:
            ticks.append(tick)
            last_duration = frame.duration or 0
            if frame.is_corrupt:
                damaged.append(tick)
            if len(ticks) > MAX_FRAMES:
                raise BadVideoError(
                    f"{source.path.name!r} has more than {MAX_FRAMES:,} frames; cut it first",
                    reason="too_large",
                )
    return _Truth(np.array(ticks, np.int64), last_duration, skipped, first_jump_back, damaged)


def _timeline(
    path: Path, ticks: NDArray[np.int64], time_base: Fraction, last_duration: int
) -> FrameTimeline:
    # Whole-number arithmetic on Python integers: wild ticks overflow int64 products.
    span_us = (int(ticks[-1]) - int(ticks[0])) * time_base * MICROSECONDS
    if span_us > MAX_DURATION_US or abs(int(ticks[0]) * time_base) > 2**40:
        raise BadVideoError(
            f"{path.name!r} has timestamps that span {float(span_us / MICROSECONDS / 3600):.0f} "
            "hours, which cannot be right; rewrite them with another program first",
            reason="damaged",
        )
    ticks, time_base, last_duration = _manageable(ticks, time_base, last_duration)
    # Two frames within one microsecond: the later one is the one that can be seen.
    scale = time_base * MICROSECONDS
    places = (2 * ticks * scale.numerator + scale.denominator) // (2 * scale.denominator)
    ticks = ticks[np.append(np.diff(places) > 0, True)]
    steps = np.diff(ticks)
    usual = float(np.median(steps)) if steps.size else 0.0
    believable = last_duration > 0 and (not usual or last_duration <= 10 * usual)
    return FrameTimeline.from_pts(
        ticks, time_base=time_base, last_duration=last_duration if believable else None
    )


def _manageable(
    ticks: NDArray[np.int64], time_base: Fraction, last_duration: int
) -> tuple[NDArray[np.int64], Fraction, int]:
    """Return the same in microsecond ticks where int64 products would overflow."""
    scale = time_base * MICROSECONDS
    largest = max(abs(int(ticks[0])), abs(int(ticks[-1])))
    if 2 * largest * scale.numerator + scale.denominator < 2**62:
        return ticks, time_base, last_duration
    whole = np.array([round(tick * scale) for tick in ticks.tolist()], np.int64)
    return whole, Fraction(1, MICROSECONDS), round(last_duration * scale)


def _notes(
    facts: VideoProbe,
    census: PacketCensus,
    truth: _Truth | None,
    timeline: FrameTimeline,
    source: VideoSource,
) -> list[str]:
    notes: list[str] = []
    if census.cut_off:
        notes.append(f"{_frames(census.cut_off)} cut off by the file's edit list")
    shown = len(timeline) + census.cut_off
    if facts.declared_frames and facts.declared_frames != shown:
        notes.append(f"the header says {facts.declared_frames} frames, {len(timeline)} are there")
    declared_us = facts.declared_duration_us
    latest_end_us = timeline.duration_us + max(0, timeline.first_pts_us) + NOTABLE_US
    if declared_us and declared_us > latest_end_us and not facts.has_audio:
        notes.append(
            f"the header says {format_time(declared_us)}, the video ends at "
            f"{format_time(timeline.duration_us)}"
        )
    if source.read_errors:
        notes.append(
            f"damaged after {format_time(timeline.duration_us)}: what follows cannot be read"
        )
    if truth is not None:
        notes += _damage_notes(census, truth, source, timeline)
    return notes


def _damage_notes(
    census: PacketCensus, truth: _Truth, source: VideoSource, timeline: FrameTimeline
) -> list[str]:
    def shown(tick: int) -> str:
        return format_time(to_us(tick * source.time_base) - timeline.first_pts_us)

    notes: list[str] = []
    missing = np.setdiff1d(census.ticks, truth.ticks)
    lead = missing[missing < truth.ticks[0]]
    if lead.size:
        notes.append(f"{_frames(lead.size)} at the start cannot be decoded; left out")
    later = missing[missing > truth.ticks[0]]
    if later.size and truth.first_jump_back is None:
        notes.append(
            f"{_frames(later.size)} cannot be decoded (from {shown(int(later[0]))} on); left out"
        )
    if truth.damaged:
        notes.append(
            f"{_frames(len(truth.damaged))} damaged, the first at {shown(truth.damaged[0])}"
        )
    if truth.first_jump_back is not None:
        notes.append(
            f"timestamps jump back at {shown(truth.first_jump_back)}; "
            f"{_frames(truth.skipped)} not after the one before; left out"
        )
    elif truth.skipped:
        notes.append(f"{_frames(truth.skipped)} without a timestamp of its own; left out")
    return notes


def _frames(count: int) -> str:
    return "1 frame" if count == 1 else f"{count} frames"
