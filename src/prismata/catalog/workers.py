"""Workers: the processes that take jobs, what they offer and when they were last seen."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import delete, select

from prismata.catalog.columns import check_label
from prismata.catalog.database import Database, new_id
from prismata.catalog.job_rows import worker_record
from prismata.catalog.lookup import get_row
from prismata.catalog.records import WorkerRecord
from prismata.catalog.schema import WorkerRow
from prismata.core.jobs import ResourceClass
from prismata.core.processes import ProcessIdentity

_KEPT = timedelta(days=1)


class WorkerRepository:
    """Workers of one catalog."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        name: str,
        process: ProcessIdentity,
        slots: Mapping[ResourceClass, int],
        *,
        version: str,
    ) -> WorkerRecord:
        """Enter a worker that has just started; those not seen for a day are forgotten.

        Raises:
            InvalidInputError: If the name cannot be used.
        """
        with self._database.write() as session:
            now = self._database.time_of(session)
            session.execute(delete(WorkerRow).where(WorkerRow.last_seen < now - _KEPT))
            row = WorkerRow(
                id=new_id(),
                name=check_label(name, "worker"),
                home=process.home,
                pid=process.pid,
                process_started=process.started,
                slots={resource.value: number for resource, number in slots.items()},
                version=version,
                started_at=now,
                last_seen=now,
                draining=False,
            )
            session.add(row)
            session.flush()
            return worker_record(row)

    def beat(self, worker_id: str, *, draining: bool = False) -> None:
        """Say that a worker is there, and whether it takes more jobs.

        Raises:
            NotFoundError: If it has been forgotten.
        """
        with self._database.write() as session:
            row = get_row(session, WorkerRow, worker_id, "worker", lock=True)
            row.last_seen = self._database.time_of(session)
            row.draining = draining

    def remove(self, worker_id: str) -> None:
        """Take a worker out that stops in good order; nothing happens if it is not there."""
        with self._database.write() as session:
            session.execute(delete(WorkerRow).where(WorkerRow.id == worker_id))

    def list(self, seen_within_seconds: float | None = None) -> list[WorkerRecord]:
        """Return the workers, the one that started last first; None: seen whenever."""
        query = select(WorkerRow).order_by(WorkerRow.started_at.desc(), WorkerRow.id)
        with self._database.read() as session:
            if seen_within_seconds is not None:
                since = self._database.time_of(session) - timedelta(seconds=seen_within_seconds)
                query = query.where(WorkerRow.last_seen >= since)
            return [worker_record(row) for row in session.scalars(query)]
