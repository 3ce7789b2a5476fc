"""Writing labels: operations become changes of one video in one domain, inside one transaction.

Invariant: whoever writes holds the lock on the sheet, so that each change is computed from the
state that the one before left, and the numbers of changes have no gap.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from prismata.catalog.columns import check_label
from prismata.catalog.label_records import LABEL_FIELDS, Change
from prismata.catalog.schema import (
    METADATA,
    EventRow,
    LabelOperationRow,
    LabelSheetRow,
    VideoRow,
)
from prismata.core.coverage import coverage_from_json, coverage_to_json, paint
from prismata.core.errors import InvalidInputError
from prismata.core.operations import (
    SHEET_FIELDS,
    Operation,
    OperationResult,
    State,
    check_attribute_size,
    cover_state,
    is_same,
    merge_state,
    own_fields,
    to_event,
    with_changes,
)
from prismata.core.time import to_seconds

Item = TypeVar("Item")

_CHUNK = 10_000
"""Ids asked for at once; PostgreSQL takes 65,535 parameters, SQLite 32,766."""

# Plain tables: the object mapper would double the time that 100,000 rows take.
_EVENT_TABLE = METADATA.tables[EventRow.__tablename__]
_OPERATION_TABLE = METADATA.tables[LabelOperationRow.__tablename__]
_COLUMNS = [getattr(EventRow, name) for name in LABEL_FIELDS]
_SHARED_FIELDS = ("client", "author", "kind", "event_id", "before", "after")
_SEVERAL_NAMED = 3


class LabelRules(Protocol):
    """What the log has to be told about the domain and the video."""

    @property
    def domain_version(self) -> int:
        """Version of the domain, stored with each event that is made."""
        ...

    def frame_at(self, start_us: int) -> tuple[int | None, int | None]:
        """Return frame index and source timestamp of the frame on screen at a valid start."""
        ...

    def check(self, state: State, standing: State | None) -> None:
        """Check the state of an event before it is stored; `standing`: what it was, if it was.

        Raises:
            InvalidInputError: If it cannot be in this domain or this video.
        """
        ...


@dataclass(slots=True)
class _Held:
    """One event while the transaction runs."""

    is_stored: bool
    state: State | None
    """The whole state; None: there is none (any more)."""
    reviewer: str = ""
    is_changed: bool = False


@dataclass(frozen=True, slots=True)
class _Logged:
    """What the log says of an operation, from before this transaction or from it."""

    is_ours: bool
    """Whether it is about this video and domain."""
    event_id: str
    before: State | None
    conflict: str | None
    """The message of a conflict; None: it was applied."""


class LabelTransaction:
    """Applies operations one after the other in memory; `finish` writes what came of them.

    Args:
        session: An open write session.
        video: The video, with its length.
        sheet: The sheet, locked.
        author: Who edits.
        now: Time of all changes.
    """

    def __init__(
        self,
        session: Session,
        video: VideoRow,
        sheet: LabelSheetRow,
        author: str,
        now: datetime,
    ) -> None:
        self.session = session
        self._video = video
        self._sheet = sheet
        self._author = check_label(author, "author")
        self._now = now
        self.seq = sheet.seq
        self._coverage = coverage_from_json(sheet.coverage)
        self._fields: State = {name: getattr(sheet, name) for name in SHEET_FIELDS}
        self._events: dict[str, _Held] = {}
        self._foreign: set[str] = set()
        self._logged: dict[str, _Logged] = {}
        self._new_rows: list[dict[str, Any]] = []

    def apply(
        self, operations: Sequence[Operation], rules: LabelRules
    ) -> tuple[OperationResult, ...]:
        """Apply operations in order and return what became of each, in the same order."""
        self._look_up(operations)
        return tuple(self._apply_once(operation, rules) for operation in operations)

    def finish(self, domain_version: int) -> None:
        """Write events, log and sheet."""
        self._write_events(domain_version)
        for rows in _chunks(self._new_rows):
            self.session.execute(insert(_OPERATION_TABLE), rows)
        if self.seq == self._sheet.seq:
            return
        self._sheet.seq = self.seq
        self._sheet.coverage = coverage_to_json(self._coverage)
        for name, value in self._fields.items():
            setattr(self._sheet, name, value)
        self._sheet.updated_at = self._now

    def changes(self) -> tuple[Change, ...]:
        """Return what the operations of this transaction did, in order."""
        return tuple(
            Change(
                seq=row["seq"],
                op=row["id"],
                at=row["created_at"],
                **{name: row[name] for name in _SHARED_FIELDS},
            )
            for row in self._new_rows
            if row["seq"] is not None
        )

    def event(self, event_id: str) -> State | None:
        """Return the whole state of an event that an operation of this transaction names."""
        held = self._events.get(event_id)
        return None if held is None else held.state

    def put_event(self, operation: Operation, state: State | None) -> None:
        """Make an event exactly `state` (None: gone) and log it as a change."""
        held = self._events.setdefault(operation.event_id, _Held(is_stored=False, state=None))
        before = held.state
        if state is not None:
            revision = 1 if before is None else before["revision"] + 1
            state = {**state, "author": self._author, "revision": revision}
            if (before or {}).get("review_state", "none") != state["review_state"]:
                held.reviewer = self._author
        held.state, held.is_changed = state, True
        self._log(operation, before, state)

    def put_coverage(self, operation: Operation) -> None:
        """Paint what a `cover` operation wants and log it as a change."""
        after = operation.after or {}
        start_us, end_us = after["start_us"], after["end_us"]
        before = cover_state(start_us, end_us, self._coverage)
        inside = coverage_from_json(after["spans"])
        self._coverage = paint(self._coverage, start_us, end_us, inside)
        self._log(operation, before, cover_state(start_us, end_us, self._coverage))

    def put_sheet(self, operation: Operation, changes: State) -> None:
        """Set fields of the sheet and log it as a change, with those that did not change too."""
        names = list(operation.after or {})
        before = {name: self._fields[name] for name in names}
        self._fields |= changes
        self._log(operation, before, {name: self._fields[name] for name in names})

    def hold_events(self, event_ids: Iterable[str]) -> None:
        """Read the events with these ids."""
        query = select(
            EventRow.video_id, EventRow.domain, EventRow.origin, EventRow.reviewer, *_COLUMNS
        )
        for chunk in _chunks(sorted(set(event_ids) - self._events.keys())):
            rows = self.session.execute(query.where(EventRow.id.in_(chunk)).with_for_update())
            for video_id, domain, origin, reviewer, event_id, *values in rows:
                if (video_id, domain, origin) == (self._video.id, self._sheet.domain, "annotation"):
                    state = dict(zip(LABEL_FIELDS[1:], values, strict=True))
                    self._events[event_id] = _Held(is_stored=True, state=state, reviewer=reviewer)
                else:
                    self._foreign.add(event_id)

    def _look_up(self, operations: Sequence[Operation]) -> None:
        self.hold_events(item.event_id for item in operations if item.event_id)
        ids = {item.id for item in operations} | {item.undoes for item in operations if item.undoes}
        for chunk in _chunks(sorted(ids)):
            rows = self.session.scalars(
                select(LabelOperationRow).where(LabelOperationRow.id.in_(chunk))
            )
            for row in rows:
                is_ours = (row.video_id, row.domain) == (self._video.id, self._sheet.domain)
                conflict = row.message if row.outcome == "conflict" else None
                self._logged[row.id] = _Logged(is_ours, row.event_id, row.before, conflict)

    def _apply_once(self, operation: Operation, rules: LabelRules) -> OperationResult:
        if operation.id in self._logged:
            return self._answer_again(operation)
        if operation.event_id in self._foreign:
            return _refused(
                operation, "this event belongs to another video, another domain or a model"
            )
        try:
            result = self._apply_new(operation, rules)
        except InvalidInputError as error:
            return _refused(operation, str(error))
        if result.status == "conflict":
            self._log(operation, operation.before, operation.after, conflict=result.message)
        return result

    def _answer_again(self, operation: Operation) -> OperationResult:
        """Answer an operation that is in the log as it was answered the first time."""
        logged = self._logged[operation.id]
        if not logged.is_ours:
            return _refused(operation, "an operation of another video has this id already")
        if logged.conflict is None:
            return OperationResult(operation.id, "applied")
        return OperationResult(operation.id, "conflict", logged.conflict, self._current(operation))

    def _apply_new(self, operation: Operation, rules: LabelRules) -> OperationResult:
        if operation.kind == "create":
            return self._create(operation, rules)
        if operation.kind == "update":
            return self._update(operation, rules)
        if operation.kind == "delete":
            return self._delete(operation)
        if operation.kind == "cover":
            return self._cover(operation)
        return self._change_sheet(operation)

    def _create(self, operation: Operation, rules: LabelRules) -> OperationResult:
        standing = self.event(operation.event_id)
        wanted = operation.after or {}
        if standing is not None:
            if not is_same(own_fields(standing), own_fields(wanted)):
                return self._conflict(operation, "this event exists already, and differs")
            self._log(operation, standing, standing)
            return OperationResult(operation.id, "applied")
        check_attribute_size(wanted["attributes"])
        to_event(wanted)
        rules.check(wanted, self._undone_state(operation))
        self.put_event(operation, _placed(wanted, rules))
        return OperationResult(operation.id, "applied")

    def _update(self, operation: Operation, rules: LabelRules) -> OperationResult:
        standing = self.event(operation.event_id)
        if standing is None:
            return self._conflict(operation, "somebody removed this event meanwhile")
        merge = merge_state(standing, operation.before or {}, operation.after or {})
        if merge.conflicts:
            return self._conflict(
                operation, f"somebody else changed {_listed(merge.conflicts)} of this event"
            )
        if not merge.changes:
            self._log(operation, standing, standing)
            return OperationResult(operation.id, "applied")
        wanted = with_changes(standing, merge.changes)
        try:
            to_event(wanted)
        except InvalidInputError as error:
            return self._conflict(operation, f"both edits together do not fit: {error}")
        check_attribute_size(wanted["attributes"])
        rules.check(wanted, standing)
        is_moved = wanted["start_us"] != standing["start_us"]
        self.put_event(operation, _placed(wanted, rules) if is_moved else wanted)
        return OperationResult(operation.id, "applied")

    def _delete(self, operation: Operation) -> OperationResult:
        standing = self.event(operation.event_id)
        if standing is None:
            self._log(operation, None, None)
            return OperationResult(operation.id, "applied")
        if not is_same(own_fields(standing), own_fields(operation.before or {})):
            return self._conflict(operation, "somebody else changed this event meanwhile")
        self.put_event(operation, None)
        return OperationResult(operation.id, "applied")

    def _cover(self, operation: Operation) -> OperationResult:
        end_us = (operation.after or {})["end_us"]
        if end_us > self._video.duration_us:
            raise InvalidInputError(
                f"coverage was painted up to {to_seconds(end_us):.3f} s, but the video lasts "
                f"{to_seconds(self._video.duration_us):.3f} s"
            )
        self.put_coverage(operation)
        return OperationResult(operation.id, "applied")

    def _change_sheet(self, operation: Operation) -> OperationResult:
        merge = merge_state(self._fields, operation.before or {}, operation.after or {})
        if merge.conflicts:
            return self._conflict(
                operation, f"somebody else changed {_listed(merge.conflicts)} of this video"
            )
        self.put_sheet(operation, merge.changes)
        return OperationResult(operation.id, "applied")

    def _conflict(self, operation: Operation, why: str) -> OperationResult:
        message = f"{why}; nothing of this edit was applied, look at both versions and choose"
        return OperationResult(operation.id, "conflict", message, self._current(operation))

    def _current(self, operation: Operation) -> State | None:
        return dict(self._fields) if operation.kind == "sheet" else self.event(operation.event_id)

    def _undone_state(self, operation: Operation) -> State | None:
        """Return what the event was before it was deleted, if a create takes that back.

        An event whose type the domain no longer has may come back, but not be made.
        """
        undone = self._logged.get(operation.undoes or "")
        if undone is None or undone.event_id != operation.event_id or undone.conflict is not None:
            return None
        return undone.before

    def _log(
        self,
        operation: Operation,
        before: State | None,
        after: State | None,
        *,
        conflict: str | None = None,
    ) -> None:
        if conflict is None:
            self.seq += 1
        self._logged[operation.id] = _Logged(
            is_ours=True, event_id=operation.event_id, before=before, conflict=conflict
        )
        self._new_rows.append(
            {
                "id": operation.id,
                "video_id": self._video.id,
                "domain": self._sheet.domain,
                "seq": self.seq if conflict is None else None,
                "client": operation.client,
                "client_seq": operation.seq,
                "author": self._author,
                "kind": operation.kind,
                "event_id": operation.event_id,
                "before": before,
                "after": after,
                "outcome": "applied" if conflict is None else "conflict",
                "message": conflict or "",
                "undoes": operation.undoes,
                "created_at": self._now,
            }
        )

    def _write_events(self, domain_version: int) -> None:
        gone, made, changed = [], [], []
        for event_id, held in self._events.items():
            if not held.is_changed:
                continue
            if held.state is None:
                gone += [event_id] if held.is_stored else []
                continue
            row = {
                **held.state,
                "id": event_id,
                "length_us": held.state["end_us"] - held.state["start_us"],
                "reviewer": held.reviewer,
                "updated_at": self._now,
            }
            if held.is_stored:
                changed.append(row)
            else:
                made.append(
                    {
                        **row,
                        "video_id": self._video.id,
                        "domain": self._sheet.domain,
                        "domain_version": domain_version,
                        "score": None,
                        "origin": "annotation",
                        "provisional": False,
                        "created_at": self._now,
                    }
                )
        for ids in _chunks(gone):
            self.session.execute(delete(EventRow).where(EventRow.id.in_(ids)))
        for rows in _chunks(made):
            self.session.execute(insert(_EVENT_TABLE), rows)
        for rows in _chunks(changed):
            self.session.execute(update(EventRow), rows)


def _placed(state: State, rules: LabelRules) -> State:
    frame_index, source_pts = rules.frame_at(state["start_us"])
    return {**state, "frame_index": frame_index, "source_pts": source_pts}


def _refused(operation: Operation, message: str) -> OperationResult:
    return OperationResult(operation.id, "refused", message)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SEVERAL_NAMED])
    left = len(names) - _SEVERAL_NAMED
    return shown + (f" and {left} more" if left > 0 else "")


def _chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]
