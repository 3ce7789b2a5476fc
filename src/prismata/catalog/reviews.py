"""Decisions of reviewers about what models found: who, when, under which model and threshold.

Invariant: a decision is stored in the same transaction as the change of the labels that it made, so
one is never there without the other; taking the change back marks the decision as undone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from prismata.catalog.columns import check_label
from prismata.catalog.database import Database
from prismata.catalog.lookup import get_row
from prismata.catalog.records import ReviewDecision
from prismata.catalog.schema import EventRow, ReviewDecisionRow

_FIELDS = tuple(item.name for item in fields(ReviewDecision))


class ReviewRepository:
    """Decisions of one catalog; `LabelLogRepository` writes them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, decision_id: str) -> ReviewDecision:
        """Return one decision, taken back or not.

        Raises:
            NotFoundError: If there is none.
        """
        with self._database.read() as session:
            return _to_record(get_row(session, ReviewDecisionRow, decision_id, "review decision"))

    def list(
        self,
        domain: str,
        *,
        model_id: str | None = None,
        video_id: str | None = None,
        standing: bool = True,
    ) -> list[ReviewDecision]:
        """Return decisions, oldest first.

        Args:
            domain: Of this domain.
            model_id: About this model's candidates; None = any.
            video_id: In this video; None = any.
            standing: Only those that were not taken back, and whose annotation is still there.
        """
        query = select(ReviewDecisionRow).where(ReviewDecisionRow.domain == domain)
        if model_id is not None:
            query = query.where(ReviewDecisionRow.model_id == model_id)
        if video_id is not None:
            query = query.where(ReviewDecisionRow.video_id == video_id)
        if standing:
            kept = select(EventRow.id).where(EventRow.id == ReviewDecisionRow.event_id).exists()
            query = query.where(
                ReviewDecisionRow.undone_at.is_(None), (ReviewDecisionRow.event_id == "") | kept
            )
        query = query.order_by(ReviewDecisionRow.created_at, ReviewDecisionRow.id)
        with self._database.read() as session:
            return [_to_record(row) for row in session.scalars(query)]


def keep_decisions(
    session: Session, decisions: Sequence[ReviewDecision], reviewer: str, now: datetime
) -> None:
    """Store decisions that are not stored yet; part of the caller's transaction."""
    for item in decisions:
        if session.get(ReviewDecisionRow, item.id) is not None:  # sent twice
            continue
        values = {name: getattr(item, name) for name in _FIELDS}
        made = {"reviewer": check_label(reviewer, "reviewer"), "created_at": now, "undone_at": None}
        session.add(ReviewDecisionRow(**(values | made)))
    session.flush()


def undo_decisions(session: Session, ids: Sequence[str], now: datetime) -> None:
    """Mark decisions as taken back; part of the caller's transaction."""
    if ids:
        session.execute(
            update(ReviewDecisionRow)
            .where(ReviewDecisionRow.id.in_(ids), ReviewDecisionRow.undone_at.is_(None))
            .values(undone_at=now)
        )


def _to_record(row: ReviewDecisionRow) -> ReviewDecision:
    return ReviewDecision(**{name: getattr(row, name) for name in _FIELDS})
