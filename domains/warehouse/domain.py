"""Warehouse: what a fixed camera over an aisle should notice."""

from __future__ import annotations

from prismata.domains import (
    ClipSpec,
    Domain,
    EventType,
    GroupingRule,
    Implication,
    register_domain,
)


@register_domain
class Warehouse(Domain):
    """Falling loads, people where trucks drive, trucks, and what nearly went wrong."""

    name = "warehouse"
    title = "Warehouse"
    version = 1
    replays = "none"
    guide = "Mark what happens in the marked aisle; the walkway beside it is no aisle."
    event_types = (
        EventType(
            "pallet_drop",
            "point",
            hotkey="d",
            guide="First frame in which the load is no longer held and falls.",
        ),
        EventType(
            "person_in_aisle",
            "segment",
            hotkey="h",
            guide="From the first foot over the yellow line to the first frame with both feet "
            "outside.",
        ),
        EventType(
            "forklift_pass",
            "segment",
            hotkey="t",
            guide="From the first frame that shows any of the truck to the first without it.",
        ),
        EventType(
            "near_miss",
            "point",
            hotkey="q",
            guide="The frame in which truck and person are nearest, when one had to brake or jump.",
        ),
    )
    relations = (
        Implication("near_miss", "forklift_pass", within_seconds=0, near="anywhere"),
        Implication("near_miss", "person_in_aisle", within_seconds=1, near="anywhere"),
    )
    clip = ClipSpec(target_fps=10, num_frames=16, window_stride=1, width=224, height=128)
    rules = {
        "pallet_drop": GroupingRule(min_gap_seconds=2.0, buffer_seconds=3.0),
        "person_in_aisle": GroupingRule(min_gap_seconds=1.0, min_seconds=0.5),
        "forklift_pass": GroupingRule(min_gap_seconds=0.4, min_seconds=1.0),
        "near_miss": GroupingRule(min_gap_seconds=3.0, buffer_seconds=4.0),
    }
    tolerance_seconds = 0.5
