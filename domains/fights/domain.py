"""Fights in surveillance footage."""

from __future__ import annotations

from prismata.domains import (
    ClipSpec,
    Domain,
    EventType,
    Exclusion,
    GroupingRule,
    Wording,
    register_domain,
)


@register_domain
class Fights(Domain):
    """Stretches in which people hit, kick or wrestle each other."""

    name = "fights"
    title = "Fights"
    version = 1
    guide = "Mark bodily violence between people; shouting, running and hugging are no fights."
    replays = "none"
    event_types = (
        EventType(
            "fight",
            "segment",
            hotkey="f",
            guide="From the first blow, kick or grab to the frame in which the last one lets go.",
            min_seconds=0.3,
        ),
    )
    relations = (Exclusion("fight", "fight"),)
    wording = Wording("fight", "fights", "no fight was seen")
    clip = ClipSpec(target_fps=8, num_frames=8, window_stride=1, width=224, height=224)
    rules = {
        "fight": GroupingRule(
            threshold=0.5, min_gap_seconds=1.0, min_seconds=0.5, buffer_seconds=1.0
        )
    }
    tolerance_seconds = 1.0
