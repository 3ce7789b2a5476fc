"""A detection's profile as rows for people: where the time went, how far that is from its floor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

STAGES = ("decode", "resize", "motion", "encode", "head", "group", "wait_decode")
"""In the order of the work; `decode` and `resize` run in a thread beside the others."""

_FLOORS = {"decode": "decode_alone", "encode": "encode_alone"}


@dataclass(frozen=True, slots=True)
class ProfileRow:
    """One stage of a detection."""

    stage: str
    seconds: float
    share: float
    """Of the whole run's wall time; stages overlap, so shares add up to more than 1."""
    floor_seconds: float | None = None
    """What the same work takes alone, if it was measured."""
    ratio: float | None = None
    """How many times its floor the stage took, waiting for cores included."""
    cpu_seconds: float | None = None
    """Processor time of the same work alone, or of the whole run; stages that run beside each other
    on the same cores cannot be told apart."""
    memory_mb: float | None = None
    """Resident memory when the stage had worked for the first time, or at the end."""


def profile_rows(result: Mapping[str, Any]) -> list[ProfileRow]:
    """Return the stages of a DetectionResult that took part, then the whole.

    Decoding contains resizing in its floor, so its ratio is that of both together.
    """
    seconds, profile = result["timing_s"], result.get("profile", {})
    total, memory = float(seconds["total"]), profile.get("memory_mb", {})
    rows = []
    for stage in STAGES:
        if stage not in seconds:
            continue
        spent = float(seconds[stage])
        alone = profile.get(_FLOORS.get(stage, ""), {})
        floor = alone.get("wall_s")
        whole = spent + float(seconds.get("resize", 0.0)) if stage == "decode" else spent
        rows.append(
            ProfileRow(
                stage,
                spent,
                spent / total if total else 0.0,
                floor,
                round(whole / floor, 2) if floor else None,
                alone.get("cpu_s"),
                memory.get(stage),
            )
        )
    floors = [row.floor_seconds for row in rows if row.floor_seconds is not None]
    rows.append(
        ProfileRow(
            "all",
            total,
            1.0,
            max(floors, default=None),
            profile.get("times_larger_floor"),
            profile.get("cpu_s"),
            memory.get("all"),
        )
    )
    return rows
