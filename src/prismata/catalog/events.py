"""Events: what people and models assert about a video, and what people decided about it.

Invariant: no change gets lost. Each one names the revision it was based on; whoever comes second
is told so, instead of overwriting what the first one did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, get_args

from sqlalchemy import case, delete, func, select, update
from sqlalchemy.orm import Session

from prismata.catalog.columns import check_json, check_label
from prismata.catalog.database import Database, new_id
from prismata.catalog.lookup import check_choice, get_row
from prismata.catalog.records import (
    EventDraft,
    EventOrigin,
    EventRecord,
    Json,
    LabelCount,
    ReviewState,
)
from prismata.catalog.schema import EventRow, VideoRow
from prismata.core.errors import ConflictError, InvalidInputError
from prismata.core.events import Event, check_name

Annotations = Sequence[Event | EventDraft]
EventRecords = list[EventRecord]
LabelCounts = list[LabelCount]
EventDrafts = list[EventDraft]

_REVIEW_STATES = get_args(ReviewState)


class EventRepository:
    """Events of one catalog."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_annotations(
        self,
        video_id: str,
        domain: str,
        domain_version: int,
        events: Annotations,
        author: str,
        frame_indices: Sequence[int | None] | None = None,
        *,
        review_state: ReviewState = "none",
    ) -> EventRecords:
        """Store annotations, all or none, and return them in the order given.

        `frame_indices` has one entry per event. The review state `rejected` stores hard
        negatives: moments that surely are *not* that event. A draft that brings its own frame
        index or review state keeps it.

        Raises:
            NotFoundError: If there is no such video.
            ConflictError: If a draft's id is taken.
            InvalidInputError: If the author is empty or the indices do not fit the events.
        """
        drafts = _to_drafts(events, frame_indices, review_state)
        with self._database.write() as session:
            get_row(session, VideoRow, video_id, "video")
            return self._insert(session, video_id, (domain, domain_version), drafts, author)

    def replace_annotations(
        self,
        video_id: str,
        domain: str,
        domain_version: int,
        events: Annotations,
        author: str,
        frame_indices: Sequence[int | None] | None = None,
        *,
        review_state: ReviewState = "none",
    ) -> EventRecords:
        """Put these annotations in place of all that the domain has on this video, at once.

        Detections stay. No reader ever sees the video without its annotations. To keep hard
        negatives, pass them along as drafts with their review state.

        Raises:
            NotFoundError: If there is no such video.
            ConflictError: If a draft's id is taken.
            InvalidInputError: If the author is empty or the indices do not fit the events.
        """
        drafts = _to_drafts(events, frame_indices, review_state)
        with self._database.write() as session:
            # The lock on the video makes two replacements follow each other instead of mixing.
            get_row(session, VideoRow, video_id, "video", lock=True)
            session.execute(
                delete(EventRow).where(
                    EventRow.video_id == video_id,
                    EventRow.domain == domain,
                    EventRow.origin == "annotation",
                )
            )
            return self._insert(session, video_id, (domain, domain_version), drafts, author)

    def _insert(
        self,
        session: Session,
        video_id: str,
        domain: tuple[str, int],
        drafts: Sequence[EventDraft],
        author: str,
    ) -> EventRecords:
        now = self._database.now()
        common = {
            "video_id": video_id,
            "domain": check_name(domain[0], "domain"),
            "domain_version": domain[1],
            "origin": "annotation",
            "author": check_label(author, "author"),
            "reviewer": "",
            "provisional": False,
        }
        rows = [
            EventRow(
                **common,
                **event_columns(draft.event),
                id=draft.event_id or new_id(),
                review_state=draft.review_state,
                frame_index=draft.frame_index,
                source_pts=draft.source_pts,
                attributes=check_json(draft.attributes, "the attributes of an event"),
                created_at=now,
                updated_at=now,
                revision=1,
            )
            for draft in drafts
        ]
        session.add_all(rows)
        session.flush()
        return [to_record(row) for row in rows]

    def get(self, event_id: str) -> EventRecord:
        """Return one event.

        Raises:
            NotFoundError: If there is none.
        """
        with self._database.read() as session:
            return to_record(get_row(session, EventRow, event_id, "event"))

    def list(
        self,
        video_id: str | None = None,
        domain: str | None = None,
        origin: EventOrigin | None = None,
        model_id: str | None = None,
        detection_run_id: str | None = None,
        review_state: ReviewState | None = None,
        *,
        provisional: bool | None = None,
    ) -> EventRecords:
        """Return the events that fit every condition given, by start, then type.

        `provisional=False` leaves out what a running detection may still change.
        """
        wanted = {
            "video_id": video_id,
            "domain": domain,
            "origin": origin,
            "model_id": model_id,
            "detection_run_id": detection_run_id,
            "review_state": review_state,
            "provisional": provisional,
        }
        chosen = {name: value for name, value in wanted.items() if value is not None}
        with self._database.read() as session:
            rows = session.scalars(select(EventRow).filter_by(**chosen))
            records = [to_record(row) for row in rows]
        return sorted(records, key=_order)

    def update(
        self,
        event_id: str,
        *,
        event: Event,
        expected_revision: int,
        frame_index: int | None = None,
        source_pts: int | None = None,
        attributes: Json | None = None,
        author: str = "",
    ) -> EventRecord:
        """Change what an event says and return it with its next revision.

        `frame_index` and `source_pts` say on which frame the new start was set. Not given, they
        are kept if the start stays and forgotten if it moves, because they would belong to
        another instant. Attributes and author that are not given stay.

        Raises:
            NotFoundError: If there is no such event.
            ConflictError: If somebody changed it in between, or a detection still runs.
        """
        with self._database.write() as session:
            row = _changeable(session, event_id, expected_revision)
            changes: dict[str, Any] = dict(event_columns(event))
            moved = event.start_us != row.start_us
            if moved or frame_index is not None or source_pts is not None:
                changes |= {"frame_index": frame_index, "source_pts": source_pts}
            if attributes is not None:
                changes["attributes"] = check_json(attributes, "the attributes of an event")
            if author and row.origin == "annotation":
                changes["author"] = check_label(author, "author")
            return self._apply(session, row, expected_revision, changes)

    def set_review_state(
        self, event_id: str, state: ReviewState, author: str, expected_revision: int
    ) -> EventRecord:
        """Record what a person decided about an event; return it with its next revision.

        Raises:
            NotFoundError: If there is no such event.
            ConflictError: If somebody changed it in between, or the detection still runs.
            InvalidInputError: If the state is unknown or the author empty.
        """
        check_choice(state, _REVIEW_STATES, "a review state")
        reviewer = check_label(author, "author")
        with self._database.write() as session:
            row = _changeable(session, event_id, expected_revision)
            changes = {"review_state": state, "reviewer": reviewer}
            return self._apply(session, row, expected_revision, changes)

    def _apply(
        self, session: Session, row: EventRow, expected_revision: int, changes: dict[str, Any]
    ) -> EventRecord:
        changed = session.scalars(
            update(EventRow)
            .where(EventRow.id == row.id, EventRow.revision == expected_revision)
            .values(
                **changes,
                updated_at=self._database.now(),
                revision=expected_revision + 1,
            )
            .returning(EventRow),
            execution_options={"populate_existing": True},
        ).one_or_none()
        if changed is None:
            raise _stale(row.id, expected_revision, None)
        return to_record(changed)

    def delete(self, event_id: str, expected_revision: int) -> EventRecord:
        """Delete an event and return what it was, so that an undo can add it again.

        Raises:
            NotFoundError: If there is no such event.
            ConflictError: If somebody changed it in between, or a detection still runs.
        """
        with self._database.write() as session:
            row = _changeable(session, event_id, expected_revision)
            record = to_record(row)
            gone = session.scalars(
                delete(EventRow)
                .where(EventRow.id == event_id, EventRow.revision == expected_revision)
                .returning(EventRow.id)
            ).one_or_none()
            if gone is None:
                raise _stale(event_id, expected_revision, None)
            return record

    def count_by_type(self, domain: str, origin: EventOrigin = "annotation") -> dict[str, int]:
        """Return how many events of each type a domain has, hard negatives not counted.

        Types without any are not in the result.
        """
        query = (
            select(EventRow.event_type, func.count())
            .where(
                EventRow.domain == domain,
                EventRow.origin == origin,
                EventRow.review_state != "rejected",
                EventRow.provisional.is_(False),
            )
            .group_by(EventRow.event_type)
        )
        with self._database.read() as session:
            return dict(sorted(session.execute(query).all()))

    def count_by_video(self, origin: EventOrigin = "annotation") -> dict[str, int]:
        """Return how many events each video has, by its id; videos without any are not in it."""
        query = (
            select(EventRow.video_id, func.count())
            .where(EventRow.origin == origin)
            .group_by(EventRow.video_id)
        )
        with self._database.read() as session:
            return dict(sorted(session.execute(query).all()))

    def count_labels(self) -> LabelCounts:
        """Return how many annotations there are of each domain, event type and kind.

        Those that a person rejected, the hard negatives, are counted apart.
        """
        is_rejected = EventRow.review_state == "rejected"
        query = (
            select(
                EventRow.domain,
                EventRow.event_type,
                EventRow.kind,
                func.count(),
                func.sum(case((is_rejected, 1), else_=0)),
            )
            .where(EventRow.origin == "annotation")
            .group_by(EventRow.domain, EventRow.event_type, EventRow.kind)
        )
        with self._database.read() as session:
            rows = session.execute(query).all()
        return sorted(
            LabelCount(domain, event_type, kind, total - rejected, rejected)
            for domain, event_type, kind, total, rejected in rows
        )


def event_columns(event: Event) -> dict[str, Any]:
    """Return the columns that hold an event."""
    return {
        "start_us": event.start_us,
        "end_us": event.end_us,
        "length_us": event.end_us - event.start_us,
        "event_type": event.event_type,
        "kind": event.kind,
        "score": event.score,
    }


def to_record(row: EventRow) -> EventRecord:
    """Return a row as a record."""
    return EventRecord(
        id=row.id,
        video_id=row.video_id,
        domain=row.domain,
        domain_version=row.domain_version,
        event=Event(row.start_us, row.end_us, row.event_type, row.kind, row.score),
        origin=row.origin,
        author=row.author,
        model_id=row.model_id,
        detection_run_id=row.detection_run_id,
        review_state=row.review_state,
        frame_index=row.frame_index,
        source_pts=row.source_pts,
        attributes=row.attributes,
        created_at=row.created_at,
        updated_at=row.updated_at,
        revision=row.revision,
        reviewer=row.reviewer,
        provisional=row.provisional,
    )


def _order(record: EventRecord) -> tuple[int, str, int, datetime, str]:
    event = record.event
    return (event.start_us, event.event_type, event.end_us, record.created_at, record.id)


def _to_drafts(
    events: Annotations, frame_indices: Sequence[int | None] | None, review_state: ReviewState
) -> EventDrafts:
    check_choice(review_state, _REVIEW_STATES, "a review state")
    if frame_indices is not None and len(frame_indices) != len(events):
        raise InvalidInputError(
            f"{len(events)} events came with {len(frame_indices)} frame indices; give one for "
            "each event, or none"
        )
    drafts = []
    for position, item in enumerate(events):
        draft = item if isinstance(item, EventDraft) else EventDraft(item)
        if frame_indices is not None and draft.frame_index is None:
            draft = replace(draft, frame_index=frame_indices[position])
        if draft.review_state is None:
            draft = replace(draft, review_state=review_state)
        check_choice(draft.review_state or "", _REVIEW_STATES, "a review state")
        drafts.append(draft)
    return drafts


def _changeable(session: Session, event_id: str, expected_revision: int) -> EventRow:
    row = get_row(session, EventRow, event_id, "event")
    if row.revision != expected_revision:
        raise _stale(event_id, expected_revision, row.revision)
    if row.provisional:
        raise ConflictError(
            "the detection that found this event is still running and may change it; wait until "
            "it has finished"
        )
    return row


def _stale(event_id: str, expected: int, actual: int | None) -> ConflictError:
    now = "it has just been changed again" if actual is None else f"it is at {actual} now"
    return ConflictError(
        f"somebody else changed the event {event_id!r} meanwhile: you saw revision {expected}, "
        f"{now}; nothing was overwritten, reload it and decide again"
    )
