"""Factory: a machine that works in cycles, seen by a fixed camera."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from prismata.domains import ClipSpec, Domain, Event, EventType, GroupingRule, register_domain


@register_domain
class Factory(Domain):
    """Machine cycles, stoppages, and hands where none should be."""

    name = "factory"
    title = "Factory"
    version = 1
    guide = "Mark what the machine does, not what the lamp says; the lamp may be late."
    event_types = (
        EventType(
            "cycle",
            "segment",
            title="Machine cycle",
            hotkey="m",
            guide="From the first frame in which the ram moves down to the first with it up again.",
        ),
        EventType(
            "stoppage",
            "segment",
            hotkey="s",
            guide="From the first frame in which belt and ram stand still, for more than two "
            "seconds, to the first movement after it.",
        ),
        EventType(
            "hand_in_zone",
            "segment",
            title="Hand in the zone",
            hotkey="h",
            guide="From the first frame with any of a hand within the marked zone to the first "
            "without.",
        ),
    )
    clip = ClipSpec(target_fps=10, num_frames=16, window_stride=1, width=224, height=128)
    rules = {
        "cycle": GroupingRule(min_gap_seconds=0.2, min_seconds=0.4),
        "stoppage": GroupingRule(min_gap_seconds=0.5, min_seconds=1.5),
        "hand_in_zone": GroupingRule(min_gap_seconds=0.4, min_seconds=0.2),
    }

    def review(self, events: Sequence[Event]) -> Iterator[str]:
        """Flag cycles that overlap, and cycles during a stoppage."""
        cycles = [event for event in events if event.event_type == "cycle"]
        for first, second in pairwise(cycles):
            if second.start_us < first.end_us:
                yield f"the cycle at {second.start_us / 1e6:.2f} s starts inside another"
        for stop in (event for event in events if event.event_type == "stoppage"):
            if any(one.start_us < stop.end_us and stop.start_us < one.end_us for one in cycles):
                yield f"a cycle runs during the stoppage at {stop.start_us / 1e6:.2f} s"
