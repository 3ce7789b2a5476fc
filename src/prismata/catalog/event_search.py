"""Searching events of all videos, a page at a time, however many there are.

Pages are found by where the last one ended (keyset), so the thousandth costs what the first did.
Counting stops at `COUNTED_AT_MOST`, because nobody reads further.
"""

from __future__ import annotations

import base64
import binascii
import builtins
import json
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar, get_args

from sqlalchemy import ColumnElement, Select, and_, delete, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from prismata.catalog.columns import check_label
from prismata.catalog.database import Database
from prismata.catalog.events import to_record
from prismata.catalog.lookup import check_choice
from prismata.catalog.records import EventOrigin, EventRecord, ReviewState
from prismata.catalog.schema import EventRow, SavedSearchRow, VideoRow
from prismata.core.errors import InvalidInputError, NotFoundError

COUNTED_AT_MOST = 1000
PAGE_AT_MOST = 500

RARE = 2000
"""So few events of a length are looked up one by one; walking along an order until enough of them
have come by would take seconds."""

EventOrder = Literal["newest", "score", "unsure"]
"""`newest`: found or labelled last; `score`: surest first; `unsure`: least sure first."""

_Bound = TypeVar("_Bound", float, datetime)


@dataclass(frozen=True, slots=True)
class EventFilter:
    """What is looked for; everything left empty lets all pass.

    Raises:
        InvalidInputError: If a value is none that events have, or a range is upside down.
    """

    domain: str = ""
    event_type: str = ""
    origin: EventOrigin | Literal[""] = ""
    review_state: ReviewState | Literal[""] = ""
    reviewer: str = ""
    video: str = ""
    """Part of the video's name; capitals do not matter."""
    min_score: float | None = None
    max_score: float | None = None
    min_seconds: float | None = None
    max_seconds: float | None = None
    """Of the event's length; a point has 0."""
    since: str = ""
    """Found or labelled at this instant or later, ISO 8601; likewise before `until`."""
    until: str = ""

    def __post_init__(self) -> None:
        if self.origin:
            check_choice(self.origin, get_args(EventOrigin), "the origin of an event")
        if self.review_state:
            check_choice(self.review_state, get_args(ReviewState), "a review state")
        _check_range(self.min_score, self.max_score, "score")
        _check_range(self.min_seconds, self.max_seconds, "length")
        _check_range(moment(self.since), moment(self.until), "date")

    def to_dict(self) -> dict[str, Any]:
        """Return what is asked for, without what is left empty."""
        return {name: value for name, value in asdict(self).items() if value not in ("", None)}

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> EventFilter:
        """Read what `to_dict` wrote.

        Raises:
            InvalidInputError: If a name or value is unknown.
        """
        known = {item.name for item in fields(cls)}
        if unknown := sorted(set(raw) - known):
            raise InvalidInputError(
                f"events cannot be searched by {unknown[0]!r}; by {', '.join(sorted(known))}"
            )
        return cls(**raw)


def _check_range(low: _Bound | None, high: _Bound | None, what: str) -> None:
    if low is not None and high is not None and low > high:
        raise InvalidInputError(
            f"the smallest {what} asked for, {low}, is above the largest, {high}"
        )


def parse_order(text: str) -> EventOrder:
    """Return the order that is called so.

    Raises:
        InvalidInputError: If there is none; lists those there are.
    """
    orders: tuple[EventOrder, ...] = get_args(EventOrder)
    for order in orders:
        if order == text:
            return order
    raise InvalidInputError(f"events cannot be ordered by {text!r}; by {', '.join(orders)}")


def moment(written: str) -> datetime | None:
    """Return the instant of an ISO 8601 text, None if it is empty; without a zone it is UTC.

    Raises:
        InvalidInputError: If it is no date.
    """
    if not written:
        return None
    try:
        found = datetime.fromisoformat(written)
    except ValueError as error:
        raise InvalidInputError(
            f"{written!r} is no date; write it as 2026-11-25 or 2026-11-25T14:30"
        ) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class FoundEvent:
    """An event with the name of its video."""

    record: EventRecord
    video_name: str


@dataclass(frozen=True, slots=True)
class EventPage:
    """A part of what was found."""

    events: list[FoundEvent]
    next_page: str
    """Asks for what follows; empty at the end."""


@dataclass(frozen=True, slots=True)
class SavedSearch:
    """A search that somebody gave a name."""

    name: str
    filter: EventFilter
    author: str
    created_at: datetime


class EventSearch:
    """Searches of one catalog, and the ones that people keep."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(
        self,
        wanted: EventFilter,
        *,
        order: EventOrder = "newest",
        limit: int = 50,
        page: str = "",
    ) -> EventPage:
        """Return events of finished detections and annotations that fit.

        Orders by score leave out what has none: what people labelled.

        Args:
            wanted: What is looked for.
            order: What comes first.
            limit: Events on a page.
            page: `EventPage.next_page` of the page before; empty = the first.

        Raises:
            InvalidInputError: If the order is unknown, the limit out of range, or `page` is no
                mark of a page of this order.
        """
        parse_order(order)
        if not 1 <= limit <= PAGE_AT_MOST:
            raise InvalidInputError(f"a page holds 1 to {PAGE_AT_MOST} events, not {limit}")
        key, descending = _key(order)
        query = select(EventRow)
        if order != "newest":
            query = query.where(EventRow.score.is_not(None))
        if page:
            value, event_id = _read_mark(page, order)
            query = query.where(_behind(key, value, event_id, descending=descending))
        ends = (key.desc(), EventRow.id.desc()) if descending else (key.asc(), EventRow.id.asc())
        with self._database.read() as session:
            query = _fitting(session, query, wanted)
            rows = list(session.scalars(query.order_by(*ends).limit(limit + 1)))
            shown = sorted({row.video_id for row in rows})
            named = select(VideoRow.id, VideoRow.name).where(VideoRow.id.in_(shown))
            names = {row.id: row.name for row in session.execute(named)}
            found = [FoundEvent(to_record(row), names[row.video_id]) for row in rows[:limit]]
        return EventPage(found, _mark(found[-1], order) if len(rows) > limit else "")

    def count(self, wanted: EventFilter) -> int:
        """Return how many events fit, at most `COUNTED_AT_MOST`."""
        with self._database.read() as session:
            query = _fitting(session, select(EventRow.id), wanted)
            fitting = query.limit(COUNTED_AT_MOST).subquery()
            return int(session.scalar(select(func.count()).select_from(fitting)) or 0)

    def save(self, name: str, wanted: EventFilter, author: str) -> SavedSearch:
        """Keep a search under a name; one that has the name already is replaced.

        Raises:
            InvalidInputError: If the name or the author is empty.
        """
        label, by = check_label(name, "search"), check_label(author, "author")
        with self._database.write() as session:
            row = session.merge(
                SavedSearchRow(
                    name=label,
                    filter=wanted.to_dict(),
                    author=by,
                    created_at=self._database.now(),
                )
            )
            session.flush()
            return _saved(row)

    def saved(self) -> builtins.list[SavedSearch]:
        """Return the searches that were kept, by name."""
        with self._database.read() as session:
            rows = list(session.scalars(select(SavedSearchRow)))
            return sorted((_saved(row) for row in rows), key=lambda item: item.name)

    def forget(self, name: str) -> None:
        """Forget a search.

        Raises:
            NotFoundError: If none has this name.
        """
        label = check_label(name, "search")
        with self._database.write() as session:
            gone = session.scalars(
                delete(SavedSearchRow)
                .where(SavedSearchRow.name == label)
                .returning(SavedSearchRow.name)
            ).one_or_none()
        if gone is None:
            raise NotFoundError(f"no search is saved under the name {name!r}")


def _key(order: EventOrder) -> tuple[InstrumentedAttribute[Any], bool]:
    """Return the column that an order goes by, and whether large values come first."""
    if order == "newest":
        return EventRow.created_at, True
    return EventRow.score, order == "score"


def _fitting(session: Session, query: Select[Any], wanted: EventFilter) -> Select[Any]:
    conditions: list[ColumnElement[bool]] = [EventRow.provisional.is_(False)]
    for column, value in (
        (EventRow.event_type, wanted.event_type),
        (EventRow.origin, wanted.origin),
        (EventRow.review_state, wanted.review_state),
        (EventRow.reviewer, wanted.reviewer),
    ):
        if value:
            conditions.append(column == value)
    if wanted.domain:
        conditions.append(_of_domain(session, wanted))
    conditions += _between(EventRow.score, wanted.min_score, wanted.max_score)
    if of_length := _between(EventRow.length_us, _us(wanted.min_seconds), _us(wanted.max_seconds)):
        ids = list(session.scalars(select(EventRow.id).where(*of_length).limit(RARE + 1)))
        conditions += [EventRow.id.in_(ids)] if len(ids) <= RARE else of_length
    since, until = moment(wanted.since), moment(wanted.until)
    if since is not None:
        conditions.append(EventRow.created_at >= since)
    if until is not None:
        conditions.append(EventRow.created_at < until)
    if wanted.video:
        named = VideoRow.name.icontains(wanted.video, autoescape=True)
        conditions.append(EventRow.video_id.in_(select(VideoRow.id).where(named)))
    return query.where(*conditions)


def _of_domain(session: Session, wanted: EventFilter) -> ColumnElement[bool]:
    """Return the condition that keeps one domain, so that a page of it is found soon.

    An index has domain and type before the order, so for a whole domain it gives all events, which
    would then be sorted. Where they are many they are met soon along the order itself, which the
    database takes if the column alone cannot be looked up.
    """
    exact = EventRow.domain == wanted.domain
    if wanted.event_type:
        return exact
    some = session.scalars(select(EventRow.id).where(exact).limit(RARE + 1)).all()
    return exact if len(some) <= RARE else EventRow.domain.concat("") == wanted.domain


def _between(
    quantity: InstrumentedAttribute[Any], low: float | None, high: float | None
) -> list[ColumnElement[bool]]:
    bounds = [] if low is None else [quantity >= low]
    return bounds if high is None else [*bounds, quantity <= high]


def _us(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1e6)


def _behind(
    key: InstrumentedAttribute[Any], value: datetime | float, event_id: str, *, descending: bool
) -> ColumnElement[bool]:
    if descending:
        return and_(key <= value, or_(key < value, EventRow.id < event_id))
    return and_(key >= value, or_(key > value, EventRow.id > event_id))


def _mark(last: FoundEvent, order: EventOrder) -> str:
    record = last.record
    value = record.created_at.isoformat() if order == "newest" else record.event.score
    written = json.dumps([order, value, record.id])
    return base64.urlsafe_b64encode(written.encode()).decode().rstrip("=")


def _read_mark(page: str, order: EventOrder) -> tuple[datetime | float, str]:
    try:
        padded = page + "=" * (-len(page) % 4)
        of, value, event_id = json.loads(base64.urlsafe_b64decode(padded))
        at = datetime.fromisoformat(value) if of == "newest" else float(value)
    except (binascii.Error, ValueError, TypeError) as error:
        raise InvalidInputError(
            "this is no mark of a page of events; start with the first page"
        ) from error
    if of != order:
        raise InvalidInputError(
            f"this mark belongs to the order {of!r}, not {order!r}; start with the first page"
        )
    return at, str(event_id)


def _saved(row: SavedSearchRow) -> SavedSearch:
    return SavedSearch(row.name, EventFilter.from_dict(row.filter), row.author, row.created_at)
