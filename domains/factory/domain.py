"""Factory: a machine that works in cycles, seen by a fixed camera."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from prismata.domains import (
    ClipSpec,
    Domain,
    Event,
    EventType,
    Exclusion,
    GroupingRule,
    ReportSection,
    ReportTable,
    ReportVideo,
    Wording,
    register_domain,
)


@register_domain
class Factory(Domain):
    """Machine cycles, stoppages, and hands where none should be."""

    name = "factory"
    title = "Factory"
    version = 1
    replays = "none"
    guide = "Mark what the machine does, not what the lamp says; the lamp may be late."
    event_types = (
        EventType(
            "cycle",
            "segment",
            title="Machine cycle",
            hotkey="y",
            guide="From the first frame in which the ram moves down to the first with it up again.",
            min_seconds=0.4,
        ),
        EventType(
            "stoppage",
            "segment",
            hotkey="t",
            guide="From the first frame in which belt and ram stand still, for more than two "
            "seconds, to the first movement after it.",
            min_seconds=2,
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
    relations = (Exclusion("cycle", "cycle"), Exclusion("cycle", "stoppage"))
    wording = Wording(none="no cycle, no stoppage and no hand in the zone was seen")
    clip = ClipSpec(target_fps=10, num_frames=16, window_stride=1, width=224, height=128)
    rules = {
        "cycle": GroupingRule(min_gap_seconds=0.2, min_seconds=0.4),
        "stoppage": GroupingRule(min_gap_seconds=0.5, min_seconds=1.5),
        "hand_in_zone": GroupingRule(min_gap_seconds=0.4, min_seconds=0.2),
    }

    def report_section(self, videos: Sequence[ReportVideo]) -> ReportSection | None:
        """Return cycle times, from start to start, and what the machine stood still."""
        rows = [_row(video.name, [video]) for video in videos]
        if len(rows) > 1:
            rows.append(_row("All", videos))
        head = ("Video", "Cycles", "Median", "Fastest", "Slowest", "Stood still", "Stops", "Hands")
        return ReportSection(
            "Cycle times",
            (
                "From one start of a cycle to the next. Where a stoppage lies between two starts, "
                "that time is no cycle time.",
            ),
            ReportTable(head, rows[-MAX_ROWS:], "Seconds, by video"),
        )


MAX_ROWS = 500


def _row(name: str, videos: Sequence[ReportVideo]) -> tuple[str, ...]:
    events = [event for video in videos for event in video.events]
    stops = [event for event in events if event.event_type == "stoppage"]
    times = [time for video in videos for time in _cycle_times(video.events)]
    shown = [f"{value:.2f}" for value in (median(times), min(times), max(times))] if times else []
    stopped_us = sum(event.span.duration_us for event in stops)
    share = stopped_us / max(1, sum(video.duration_us for video in videos))
    counts = {kind: sum(e.event_type == kind for e in events) for kind in ("cycle", "hand_in_zone")}
    return (
        name,
        str(counts["cycle"]),
        *(shown or ["none"] * 3),
        f"{stopped_us / 1e6:.1f} s ({100 * share:.0f} %)",
        str(len(stops)),
        str(counts["hand_in_zone"]),
    )


def _cycle_times(events: Sequence[Event]) -> list[float]:
    """Return the seconds from each start of a cycle to the next, unless a stoppage lies between."""
    starts = [event.start_us for event in events if event.event_type == "cycle"]
    stops = [event.start_us for event in events if event.event_type == "stoppage"]
    return [
        (second - first) / 1e6
        for first, second in pairwise(starts)
        if not any(first <= stop < second for stop in stops)
    ]
