"""Scores of runs that go on: appended part by part, read from where a reader was, gone at the end.

What is kept of a finished run is its score track in the storage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from prismata.catalog.database import Database
from prismata.catalog.lookup import get_row
from prismata.catalog.schema import DetectionRunRow, LiveScoresRow
from prismata.core.errors import ConflictError


@dataclass(frozen=True, slots=True)
class LiveScores:
    """Scores of one part of a video."""

    number: int
    """From 1; later parts of the video have higher numbers."""
    times_us: tuple[int, ...]
    """K instants, increasing, after those of the part before."""
    scores: tuple[tuple[float, ...], ...]
    """K rows of one score for each event type of the model, in [0, 1]."""


class LiveScoresRepository:
    """Live scores of one catalog."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self, run_id: str, times_us: Sequence[int], scores: Sequence[Sequence[float]]
    ) -> LiveScores:
        """Append a part; readers see it at once.

        Raises:
            NotFoundError: If there is no such run.
            ConflictError: If the run has ended.
        """
        with self._database.write() as session:
            run = get_row(session, DetectionRunRow, run_id, "detection run", lock=True)
            if run.state.is_final:
                raise ConflictError(
                    f"the detection run {run_id!r} is {run.state}; it takes no more scores"
                )
            last = session.scalar(
                select(func.max(LiveScoresRow.number)).where(
                    LiveScoresRow.detection_run_id == run_id
                )
            )
            row = LiveScoresRow(
                detection_run_id=run_id,
                number=(last or 0) + 1,
                times_us=list(times_us),
                scores=[list(part) for part in scores],
            )
            session.add(row)
            session.flush()
            return _to_record(row)

    def since(self, run_id: str, number: int = 0) -> list[LiveScores]:
        """Return the parts after this one, in order; none of a run that has ended."""
        query = (
            select(LiveScoresRow)
            .where(LiveScoresRow.detection_run_id == run_id, LiveScoresRow.number > number)
            .order_by(LiveScoresRow.number)
        )
        with self._database.read() as session:
            return [_to_record(row) for row in session.scalars(query)]

    def forget(self, run_id: str) -> None:
        """Remove what an earlier attempt at the run left: the next one begins anew."""
        with self._database.write() as session:
            forget_live_scores(session, [run_id])


def forget_live_scores(session: Session, run_ids: Sequence[str]) -> None:
    """Remove the live scores of these runs, as part of the caller's transaction."""
    session.execute(delete(LiveScoresRow).where(LiveScoresRow.detection_run_id.in_(run_ids)))


def _to_record(row: LiveScoresRow) -> LiveScores:
    return LiveScores(row.number, tuple(row.times_us), tuple(tuple(part) for part in row.scores))
