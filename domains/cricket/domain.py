"""Cricket: bowling deliveries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from prismata.domains import ClipSpec, Domain, Event, EventType, GroupingRule, register_domain

LONGEST_DELIVERY_US = 12_000_000


@register_domain
class Cricket(Domain):
    """Every ball bowled, from the start of the run-up until the ball is dead."""

    name = "cricket"
    title = "Cricket"
    version = 1
    guide = "Mark every ball that is bowled, no-balls and wides too."
    replays = "skip"
    event_types = (
        EventType(
            "delivery",
            "segment",
            hotkey="d",
            guide="From the bowler's first step of the run-up to the batter's stroke or leave.",
        ),
    )
    # The classic recipe: 8 frames at 10 a second, a window every 4 frames.
    clip = ClipSpec(target_fps=10, num_frames=8, window_stride=4, width=224, height=224)
    rules = {
        "delivery": GroupingRule(
            threshold=0.5, min_gap_seconds=2.0, min_seconds=0.5, buffer_seconds=1.0
        )
    }
    tolerance_seconds = 1.0

    def review(self, events: Sequence[Event]) -> Iterator[str]:
        """Flag deliveries that overlap, or that last longer than any run-up."""
        for event in events:
            if event.span.duration_us > LONGEST_DELIVERY_US:
                yield f"the delivery at {event.start_us / 1e6:.2f} s lasts more than 12 s"
        for first, second in pairwise(events):
            if second.start_us < first.end_us:
                yield f"the delivery at {second.start_us / 1e6:.2f} s starts inside another"
