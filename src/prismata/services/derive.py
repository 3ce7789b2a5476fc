"""Derived events of a run: what a domain makes of what was found, worked out whenever it is asked.

Invariant: they are stored nowhere, so they always follow from the thresholds that are set now and
from what people have decided by now.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from prismata.catalog import DetectionRunRecord, EventRecord
from prismata.core.errors import NotFoundError
from prismata.core.events import DescribedEvent, Event, EventType
from prismata.domains import DerivedEvent, Domain, HookFailure, derive_events
from prismata.services.regroup import Regrouped
from prismata.services.workbench import Workbench

SAME_TIOU = 0.5
"""A label that overlaps a found stretch so far is about the same event."""


@dataclass(frozen=True, slots=True)
class DerivedFound:
    """What follows from the events of one run."""

    events: tuple[DerivedEvent, ...] = ()
    """By time."""
    types: tuple[EventType, ...] = ()
    """The derived types of the domain."""
    failure: HookFailure | None = None
    """Why there are none, if the hook failed."""


def domain_of_run(bench: Workbench, run: DetectionRunRecord) -> Domain | None:
    """Return the domain of a run's model; None if its plugin is not here (any more)."""
    try:
        return bench.domain(bench.catalog.models.get(run.model_id).domain)
    except NotFoundError:
        return None


def derive_found(bench: Workbench, run: DetectionRunRecord, found: Regrouped) -> DerivedFound:
    """Return what follows from a run's events as they are grouped now.

    The hook gets what stands: events with what the matching label says of them, without those that
    a person rejected.
    """
    domain = domain_of_run(bench, run)
    if domain is None or not domain.derived_types:
        return DerivedFound()
    events = described_found(bench, run, domain, found.events)
    derived = derive_events(domain, events, found.track)
    return DerivedFound(derived.events, domain.derived_types, derived.failure)


def described_found(
    bench: Workbench, run: DetectionRunRecord, domain: Domain, events: Sequence[Event]
) -> list[DescribedEvent]:
    """Return found events with what people said about them; rejected ones are left out.

    A label is about a found event if it is of the same type and lies within the tolerance of the
    instant, or shares half of the joint stretch.
    """
    labels: dict[tuple[str, str], list[EventRecord]] = {}
    for record in bench.catalog.events.list(
        video_id=run.video_id, domain=domain.name, origin="annotation"
    ):
        labels.setdefault((record.event.event_type, record.event.kind), []).append(record)
    lanes = {key: _Lane(records) for key, records in labels.items()}
    tolerances = domain.tolerances_us()
    described = []
    for event in events:
        lane = lanes.get((event.event_type, event.kind))
        label = lane and lane.about(event, tolerances.get(event.event_type, 0))
        if label and label.review_state == "rejected":
            continue
        described.append(DescribedEvent.of(event, label.attributes if label else {}))
    return described


class _Lane:
    """The labels of one type and kind in one video."""

    def __init__(self, records: list[EventRecord]) -> None:
        self._records = sorted(records, key=lambda item: item.event.start_us)
        self._starts = [item.event.start_us for item in self._records]
        self._longest_us = max(item.event.span.duration_us for item in records)

    def about(self, event: Event, tolerance_us: int) -> EventRecord | None:
        """Return the label that is about an event; of several the nearest."""
        low = bisect_left(self._starts, event.start_us - tolerance_us - self._longest_us)
        high = bisect_right(self._starts, event.end_us + tolerance_us)
        # Points have no length, so all that lie there are within the tolerance.
        fitting = [
            item
            for item in self._records[low:high]
            if event.kind == "point" or item.event.span.tiou(event.span) >= SAME_TIOU
        ]
        return min(
            fitting, key=lambda item: abs(item.event.start_us - event.start_us), default=None
        )
