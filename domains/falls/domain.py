"""Falls at home, seen by a fixed camera."""

from __future__ import annotations

from prismata.domains import ClipSpec, Domain, EventType, GroupingRule, register_domain


@register_domain
class Falls(Domain):
    """The instant in which somebody loses balance and goes down."""

    name = "falls"
    title = "Falls at home"
    version = 1
    guide = "Mark where a fall begins. Sitting down, kneeling or lying down on purpose is no fall."
    replays = "none"
    # A point and not a segment: recordings often end while the person still lies there, so the
    # end of a fall cannot be labelled, but its onset can.
    event_types = (
        EventType(
            "fall",
            "point",
            title="Onset of a fall",
            hotkey="f",
            guide="First frame in which the body tips over and is no longer held.",
        ),
    )
    clip = ClipSpec(target_fps=10, num_frames=16, window_stride=1, width=224, height=224)
    rules = {"fall": GroupingRule(threshold=0.5, min_gap_seconds=2.0, buffer_seconds=2.0)}
    tolerance_seconds = 0.5
