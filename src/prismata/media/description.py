"""One flat summary of a file, for people and scripts; it never raises for a bad file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prismata.core.errors import BadVideoError
from prismata.core.time import to_seconds
from prismata.media.facts import probe
from prismata.media.scanning import scan

FACT_KEYS = (
    "container",
    "codec",
    "width",
    "height",
    "rotation",
    "frames",
    "first_pts_s",
    "min_step_s",
    "max_step_s",
    "duration_s",
    "reader",
)

MATRIX_ROTATION = {0: 0, 90: -90, 180: -180, 270: 90}
"""Clockwise turn for display → rotation of the display matrix in ffprobe's convention."""


def describe(path: Path) -> dict[str, Any]:
    """Say whether a file can be used, and what is in it.

    Returns:
        `accepted`, `reason` and `message` (empty if accepted), the facts (null if refused), and
        `notes`, sentences about oddities of an accepted file. Sizes are as displayed, times in
        seconds. `rotation` is that of the file's display matrix in degrees counter-clockwise, as
        ffprobe prints it (-90 = turn 90° clockwise for display).
    """
    try:
        facts, scanned = probe(path), scan(path)
    except BadVideoError as error:
        nothing: dict[str, Any] = dict.fromkeys(FACT_KEYS)
        refused = {"accepted": False, "reason": error.reason}
        return {**refused, **nothing, "notes": [], "message": str(error)}
    timeline = scanned.timeline
    low, high = timeline.step_range_us
    return {
        "accepted": True,
        "reason": "",
        "container": facts.container,
        "codec": facts.codec,
        "width": facts.width,
        "height": facts.height,
        "rotation": MATRIX_ROTATION[facts.rotation],
        "frames": len(timeline),
        "first_pts_s": to_seconds(timeline.first_pts_us),
        "min_step_s": to_seconds(low),
        "max_step_s": to_seconds(high),
        "duration_s": to_seconds(timeline.duration_us),
        "reader": "pyav",
        "notes": list(scanned.notes),
        "message": "",
    }
