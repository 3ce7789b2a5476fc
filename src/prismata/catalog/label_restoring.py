"""Going back: what labels, coverage and sheet were after an earlier change, and making them so.

Worked out backwards from the present: what happened later is taken off, so it does not matter how
long the log is, and labels from before the log come out right too.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from prismata.catalog.label_records import LABEL_FIELDS, SheetRecord
from prismata.catalog.label_writing import LabelTransaction
from prismata.catalog.schema import EventRow, LabelOperationRow
from prismata.core.coverage import CoverageSpan, coverage_from_json, paint
from prismata.core.operations import (
    SHEET_FIELDS,
    Operation,
    OperationKind,
    State,
    cover_state,
    is_same,
    own_fields,
)


@dataclass(frozen=True, slots=True)
class LabelsThen:
    """Labels of one video in one domain at an earlier time."""

    events: dict[str, State]
    """Event id → whole state."""
    coverage: tuple[CoverageSpan, ...]
    sheet: State
    """Status, assignee and note."""
    touched: frozenset[str]
    """Ids of the events that were changed since."""
    domain_version: int
    """Of the last event that is stored; 1 where there is none."""


def labels_after(session: Session, sheet: SheetRecord, seq: int) -> LabelsThen:
    """Return what was after change `seq`, which has to be one of the sheet's."""
    columns = [getattr(EventRow, name) for name in LABEL_FIELDS]
    rows = session.execute(
        select(EventRow.domain_version, *columns).where(
            EventRow.video_id == sheet.video_id,
            EventRow.domain == sheet.domain,
            EventRow.origin == "annotation",
        )
    )
    events: dict[str, State] = {}
    version = 1
    for row_version, event_id, *values in rows:
        events[event_id] = dict(zip(LABEL_FIELDS[1:], values, strict=True))
        version = max(version, row_version)
    coverage = sheet.coverage
    fields: State = {name: getattr(sheet, name) for name in SHEET_FIELDS}
    touched = set()
    later = (
        select(
            LabelOperationRow.kind,
            LabelOperationRow.event_id,
            LabelOperationRow.before,
        )
        .where(
            LabelOperationRow.video_id == sheet.video_id,
            LabelOperationRow.domain == sheet.domain,
            LabelOperationRow.seq > seq,
        )
        .order_by(LabelOperationRow.seq.desc())
    )
    for kind, event_id, before in session.execute(later):
        if kind == "cover" and before is not None:
            inside = coverage_from_json(before["spans"])
            coverage = paint(coverage, before["start_us"], before["end_us"], inside)
        elif kind == "sheet":
            fields |= before or {}
        else:
            touched.add(event_id)
            if before is None:
                events.pop(event_id, None)
            else:
                events[event_id] = before
    return LabelsThen(events, coverage, fields, frozenset(touched), version)


def restore_operations(
    transaction: LabelTransaction, sheet: SheetRecord, then: LabelsThen, operation: Operation
) -> None:
    """Apply the operations that lead from the present to `then`.

    The first is `operation` itself, with the fields of the sheet that change (maybe none), so that
    its id stands in the log whatever else there is to do.
    """
    changed = {name: value for name, value in then.sheet.items() if value != getattr(sheet, name)}
    transaction.put_sheet(replace(operation, kind="sheet", after=changed), changed)
    number = 0
    if then.coverage != sheet.coverage:
        end_us = max(span.end_us for span in (*then.coverage, *sheet.coverage))
        number += 1
        transaction.put_coverage(
            replace(
                operation,
                id=_derived_id(operation.id, number),
                kind="cover",
                after=cover_state(0, end_us, then.coverage),
            )
        )
    transaction.hold_events(then.touched)
    for event_id in sorted(then.touched):
        standing, wanted = transaction.event(event_id), then.events.get(event_id)
        if standing is None and wanted is None:
            continue
        if standing and wanted and is_same(own_fields(standing), own_fields(wanted)):
            continue
        number += 1
        transaction.put_event(
            replace(
                operation,
                id=_derived_id(operation.id, number),
                kind=_kind(standing, wanted),
                event_id=event_id,
            ),
            wanted,
        )


def _kind(standing: State | None, wanted: State | None) -> OperationKind:
    if standing is None:
        return "create"
    return "delete" if wanted is None else "update"


def _derived_id(operation_id: str, number: int) -> str:
    return hashlib.sha256(f"{operation_id}/{number}".encode()).hexdigest()[:32]
