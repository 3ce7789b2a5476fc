"""Search events of all videos: what people labelled, what models found, what was decided."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prismata.catalog.event_search import (
    PAGE_AT_MOST,
    EventFilter,
    EventOrder,
    EventPage,
    FoundEvent,
)
from prismata.core.errors import InvalidInputError, NotFoundError
from prismata.services.workbench import Workbench

COLUMNS = (
    "video",
    "domain",
    "event_type",
    "start_seconds",
    "end_seconds",
    "score",
    "origin",
    "review_state",
    "reviewer",
    "author",
    "model",
    "created_at",
    "id",
)


def resolve_search(bench: Workbench, name: str, changes: dict[str, Any]) -> EventFilter:
    """Return a search: one that was saved (empty = none), with what is asked for beside it.

    Raises:
        NotFoundError: If none is saved under this name; lists those that are.
        InvalidInputError: If a condition is unknown or cannot be meant.
    """
    base: dict[str, Any] = {}
    if name:
        saved = {item.name: item for item in bench.catalog.event_search.saved()}
        if name not in saved:
            there = f"there is {', '.join(saved)}" if saved else "there is none yet"
            raise NotFoundError(f"no search is saved under the name {name!r}; {there}")
        base = saved[name].filter.to_dict()
    return EventFilter.from_dict({**base, **changes})


def find_events(
    bench: Workbench,
    wanted: EventFilter,
    *,
    order: EventOrder = "newest",
    limit: int = 50,
    page: str = "",
) -> EventPage:
    """Return a page of the events that fit.

    Raises:
        NotFoundError: If there is no such domain.
        InvalidInputError: If the domain has no such event type, or as the catalog's search.
    """
    declared = bench.domain(wanted.domain).event_types if wanted.domain else ()
    names = [event_type.name for event_type in declared]
    if wanted.event_type and names and wanted.event_type not in names:
        raise InvalidInputError(
            f"domain {wanted.domain!r} has no event type {wanted.event_type!r}; it has "
            f"{', '.join(names)}"
        )
    return bench.catalog.event_search.find(wanted, order=order, limit=limit, page=page)


def all_events(
    bench: Workbench, wanted: EventFilter, *, order: EventOrder = "newest"
) -> Iterator[FoundEvent]:
    """Yield every event that fits, a page at a time, so memory stays flat."""
    page = ""
    while True:
        part = find_events(bench, wanted, order=order, limit=PAGE_AT_MOST, page=page)
        yield from part.events
        if not (page := part.next_page):
            return


def describe_event(found: FoundEvent, models: dict[str, str]) -> dict[str, Any]:
    """Return an event by the names in `COLUMNS`.

    Args:
        found: The event.
        models: Model id → name.
    """
    record, event = found.record, found.record.event
    return {
        "video": found.video_name,
        "domain": record.domain,
        "event_type": event.event_type,
        "start_seconds": event.start_us / 1e6,
        "end_seconds": event.end_us / 1e6,
        "score": event.score,
        "origin": record.origin,
        "review_state": record.review_state,
        "reviewer": record.reviewer,
        "author": record.author,
        "model": models.get(record.model_id or "", ""),
        "created_at": record.created_at.isoformat(timespec="seconds"),
        "id": record.id,
    }


def model_names(bench: Workbench) -> dict[str, str]:
    """Return the name of every model by its id."""
    return {model.id: model.name for model in bench.catalog.models.list()}
