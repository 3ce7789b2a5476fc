"""What a reviewer was shown around a finding: time in which, but for labels, there is nothing.

Invariant: only what was really played counts, and nothing counts in which somebody might still say
otherwise: another candidate that is open, or a stretch that was passed over on purpose.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from prismata.core.coverage import CoverageSpan, cut, paint, unknown_spans
from prismata.core.events import Event
from prismata.core.operations import Operation, State, cover_state
from prismata.core.time import TimeSpan
from prismata.services.review_items import is_judged


def still_open(
    candidates: Iterable[Event],
    judged: Sequence[Event],
    unsure: Iterable[Event],
    tolerances_us: Mapping[str, int],
) -> list[TimeSpan]:
    """Return the time about which somebody may still say something.

    Args:
        candidates: Of the model, without the one that is judged now.
        judged: Labels, whatever they say.
        unsure: Those of which a person was not sure.
        tolerances_us: By event type: how far an instant reaches to both sides.
    """
    open_events = [
        event
        for event in candidates
        if not is_judged(event, judged, tolerance_us=tolerances_us.get(event.event_type, 0))
    ]
    spans = []
    for event in (*open_events, *unsure):
        margin = tolerances_us.get(event.event_type, 0)
        spans.append(TimeSpan(max(0, event.start_us - margin), event.end_us + margin))
    return spans


def context_operation(
    operation_id: str,
    seen: Iterable[TimeSpan],
    open_spans: Iterable[TimeSpan],
    coverage: Sequence[CoverageSpan],
    *,
    duration_us: int,
) -> Operation | None:
    """Return the operation that says of what was played that it was watched.

    Args:
        operation_id: Its id.
        seen: What was played; parts beyond the video are cut off.
        open_spans: Other candidates, and what a person is unsure of: time about which nobody said
            anything yet.
        coverage: What the sheet says so far; of that time nothing is said anew.
        duration_us: Length of the video.

    Returns:
        None if there is nothing new to say.
    """
    told = [item.span for item in coverage]
    unsaid = unknown_spans([*told, *open_spans], duration_us=duration_us)
    new = [
        TimeSpan(max(span.start_us, free.start_us), min(span.end_us, free.end_us))
        for span in _merged(seen)
        for free in unsaid
        if span.start_us < free.end_us and free.start_us < span.end_us
    ]
    if not new:
        return None
    start_us, end_us = new[0].start_us, max(span.end_us for span in new)
    watched = [CoverageSpan(span.start_us, span.end_us, "watched") for span in new]
    before = cover_state(start_us, end_us, tuple(coverage))
    after = cover_state(start_us, end_us, (*cut(coverage, start_us, end_us), *watched))
    return Operation(operation_id, "review", 0, "cover", "", before, after)


def context_taken_back(
    operation_id: str,
    made_id: str,
    before: State,
    after: State,
    coverage: Sequence[CoverageSpan],
) -> Operation:
    """Return the operation that makes unseen again what a decision's context made watched.

    What somebody else watched since in the same place is unseen too: saying less is never wrong.

    Args:
        operation_id: Its id.
        made_id: Id of the operation that is taken back.
        before: Coverage of the stretch before that one.
        after: The same after it.
        coverage: What the sheet says now.
    """
    start_us, end_us = after["start_us"], after["end_us"]
    old = [TimeSpan(item[0], item[1]) for item in before["spans"]]
    added = [
        TimeSpan(max(start_us, free.start_us), min(end_us, free.end_us))
        for free in unknown_spans(old, duration_us=end_us)
        if free.end_us > start_us
    ]
    left = tuple(coverage)
    for span in added:
        left = paint(left, span.start_us, span.end_us, ())
    standing = cover_state(start_us, end_us, tuple(coverage))
    wanted = cover_state(start_us, end_us, left)
    return Operation(operation_id, "review", 0, "cover", "", standing, wanted, made_id)


def _merged(spans: Iterable[TimeSpan]) -> list[TimeSpan]:
    merged: list[TimeSpan] = []
    for span in sorted(spans):
        if merged and span.start_us <= merged[-1].end_us:
            end_us = max(merged[-1].end_us, span.end_us)
            merged[-1] = TimeSpan(merged[-1].start_us, end_us)
        elif span.duration_us:
            merged.append(span)
    return merged
