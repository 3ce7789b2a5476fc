"""Somebody throws a ball: the synthetic domain of the demo and the tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prismata.domains import ClipSpec, Domain, Event, EventType, GroupingRule, register_domain


@register_domain
class BallThrow(Domain):
    """Release and flight of a thrown ball."""

    name = "ball_throw"
    title = "Ball throw"
    version = 1
    guide = "Mark throws only: an arm that swings while the ball stays in the hand is none."
    replays = "skip"
    event_types = (
        EventType(
            "release",
            "point",
            hotkey="t",
            guide="First frame in which the ball no longer touches the hand.",
        ),
        EventType(
            "flight",
            "segment",
            hotkey="f",
            guide="From the release to the first frame with the ball on the ground.",
        ),
    )
    clip = ClipSpec(target_fps=15, num_frames=8, window_stride=1, width=128, height=72)
    rules = {
        "release": GroupingRule(threshold=0.5, min_gap_seconds=0.3, buffer_seconds=1.0),
        "flight": GroupingRule(threshold=0.5, min_gap_seconds=0.15, min_seconds=0.2),
    }
    tolerance_seconds = 0.2

    def review(self, events: Sequence[Event]) -> Iterator[str]:
        """Flag flights that do not begin with a release, and releases without a flight."""
        releases = {event.start_us for event in events if event.event_type == "release"}
        flights = {event.start_us for event in events if event.event_type == "flight"}
        for start_us in sorted(flights - releases):
            yield f"the flight at {start_us / 1e6:.3f} s does not begin with a release"
        for start_us in sorted(releases - flights):
            yield f"the release at {start_us / 1e6:.3f} s has no flight"
