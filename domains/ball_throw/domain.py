"""Somebody throws a ball: the synthetic domain of the demo and the tests."""

from __future__ import annotations

from prismata.domains import (
    ClipSpec,
    Domain,
    EventType,
    GroupingRule,
    Implication,
    Wording,
    register_domain,
)


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
    # A flight begins with its release; hand and eye are not more exact than this.
    relations = (Implication("flight", "release", 0.1), Implication("release", "flight", 0.1))
    wording = Wording(none="nobody throws here, as far as the model sees")
