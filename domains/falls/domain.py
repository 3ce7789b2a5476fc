"""Falls at home, seen by a fixed camera."""

from __future__ import annotations

from prismata.domains import (
    ClipSpec,
    Domain,
    EventType,
    Exclusion,
    GroupingRule,
    Implication,
    Wording,
    register_domain,
)


@register_domain
class Falls(Domain):
    """The instant in which somebody loses balance, and the time on the floor after it."""

    name = "falls"
    title = "Falls at home"
    version = 2
    guide = "Mark where a fall begins. Sitting down, kneeling or lying down on purpose is no fall."
    replays = "none"
    # The fall is a point: where it ends is a matter of taste, but its onset is not. How long
    # somebody lies there decides how bad it is, so that is an event of its own.
    event_types = (
        EventType(
            "fall",
            "point",
            title="Onset of a fall",
            hotkey="f",
            guide="First frame in which the body tips over and is no longer held.",
        ),
        EventType(
            "lying",
            "segment",
            title="Lying after a fall",
            hotkey="d",
            guide="From the first frame in which the fallen body rests to the first in which it "
            "gets up.",
        ),
    )
    relations = (
        Exclusion("lying", "lying"),
        Implication("lying", "fall", within_seconds=5, order="before"),
    )
    emphasis = "recall"
    wording = Wording(none="nobody was seen to fall")
    clip = ClipSpec(target_fps=10, num_frames=16, window_stride=1, width=224, height=224)
    rules = {
        "fall": GroupingRule(threshold=0.5, min_gap_seconds=2.0, buffer_seconds=2.0),
        "lying": GroupingRule(threshold=0.5, min_gap_seconds=1.0, min_seconds=0.5),
    }
    tolerance_seconds = 0.5
