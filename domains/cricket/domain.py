"""Cricket: bowling deliveries, and the overs they make."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prismata.domains import (
    Attribute,
    ClipSpec,
    DerivedEvent,
    Domain,
    Event,
    EventType,
    Exclusion,
    GroupingRule,
    Wording,
    register_domain,
)


@register_domain
class Cricket(Domain):
    """Every ball bowled, from the start of the run-up until the ball is dead."""

    name = "cricket"
    guide = "Mark every ball that is bowled, no-balls and wides too."
    replays = "skip"
    extra = Attribute("extra", "choice", ("wide", "no_ball"), guide="Empty for a legal ball.")
    event_types = (
        EventType(
            "delivery",
            "segment",
            hotkey="d",
            guide="From the bowler's first step of the run-up to the batter's stroke or leave.",
            attributes=(extra,),
            max_seconds=12,
        ),
    )
    relations = (Exclusion("delivery", "delivery"),)
    derived_types = (EventType("over", "segment"), EventType("ball"))
    clip = ClipSpec(target_fps=10, num_frames=8, window_stride=4, width=224, height=224)
    rules = {"delivery": GroupingRule(min_gap_seconds=2.0, min_seconds=0.5)}
    preset = "classic"
    tolerance_seconds = 1.0
    wording = Wording("delivery", "deliveries", "no ball is bowled here, as far as the model sees")

    def derive(self, events: Sequence[Event], _scores: object) -> Iterator[DerivedEvent]:
        """Number the balls as scorers do (0.1 to 0.6, then 1.1), and join them to overs."""
        over, legal, first = 0, 0, None
        for event in events:
            first = first or event
            extra = str(event.attributes.get("extra") or "").replace("_", "-")
            ball = Event.point("ball", event.start_us)
            yield DerivedEvent(ball, f"{over}.{legal + 1} {extra}".strip())
            legal += not extra
            if legal == 6 or event is events[-1]:
                title = f"over {over + 1}" + ("" if legal == 6 else f", {legal} legal so far")
                yield DerivedEvent(Event.segment("over", first.start_us, event.end_us), title)
                over, legal, first = over + 1, 0, None
