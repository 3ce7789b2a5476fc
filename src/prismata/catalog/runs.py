"""Training runs: recipe, progress epoch by epoch, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NotRequired, TypedDict, Unpack

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from prismata.catalog.columns import check_json, check_label
from prismata.catalog.database import Database, new_id
from prismata.catalog.fencing import check_lease
from prismata.catalog.lookup import find_row, get_row, next_name
from prismata.catalog.records import TrainingRunRecord
from prismata.catalog.schema import DatasetVersionRow, JobRow, TrainingRunRow
from prismata.core.errors import ConflictError, InvalidInputError
from prismata.core.events import check_name
from prismata.core.jobs import JobLease, JobState, check_transition


class NewTrainingRun(TypedDict):
    """The fields of a `TrainingRunRecord` that whoever starts it knows."""

    name: str
    domain: str
    dataset_version_id: str
    recipe: Mapping[str, Any]
    job_id: NotRequired[str | None]


class TrainingRunRepository:
    """Training runs of one catalog."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def start(self, **fields: Unpack[NewTrainingRun]) -> TrainingRunRecord:
        """Store a training run as running.

        Raises:
            ConflictError: If the name is taken.
            NotFoundError: If there is no such dataset version or job.
            InvalidInputError: If the name or the domain cannot be used.
        """
        with self._database.write() as session:
            return _to_record(insert_training(session, fields, self._database.now()))

    def next_name(self, prefix: str) -> str:
        """Return `<prefix>-<n>`, the first such name above all that are taken; reserves nothing."""
        with self._database.read() as session:
            return next_name(session, TrainingRunRow, prefix)

    def add_epoch(
        self,
        run_id: str,
        epoch: Mapping[str, Any],
        *,
        checkpoint_key: str = "",
        lease: JobLease | None = None,
    ) -> TrainingRunRecord:
        """Append one epoch to the history; a checkpoint key that is given replaces the last.

        An attempt that goes on from a checkpoint learns some epochs again: its numbers replace
        those from the same epoch on.

        Raises:
            NotFoundError: If there is no such run.
            ConflictError: If it has ended, or the lease belongs to somebody else now.
        """
        with self._database.write() as session:
            check_lease(session, lease)
            row = get_row(session, TrainingRunRow, run_id, "training run", lock=True)
            if row.state.is_final:
                raise ConflictError(
                    f"the training run {row.name!r} is {row.state}; it takes no more epochs"
                )
            number = epoch.get("epoch")
            before = [
                item
                for item in row.history
                if number is None or item.get("epoch") is None or item["epoch"] < number
            ]
            row.history = [*before, check_json(epoch, "the numbers of an epoch")]
            row.checkpoint_key = checkpoint_key or row.checkpoint_key
            session.flush()
            return _to_record(row)

    def keep_checkpoint(
        self, run_id: str, checkpoint_key: str, *, lease: JobLease | None = None
    ) -> None:
        """Remember where the newest checkpoint lies.

        Raises:
            NotFoundError: If there is no such run.
            ConflictError: If the lease belongs to somebody else now.
        """
        with self._database.write() as session:
            check_lease(session, lease)
            row = get_row(session, TrainingRunRow, run_id, "training run", lock=True)
            row.checkpoint_key = checkpoint_key

    def finish(
        self,
        run_id: str,
        *,
        metrics: Mapping[str, Any],
        checkpoint_key: str = "",
        lease: JobLease | None = None,
    ) -> TrainingRunRecord:
        """End a run with what it measured; no checkpoint key given keeps the last.

        Raises:
            NotFoundError: If there is no such run.
            ConflictError: If it has ended already.
        """
        changes: dict[str, Any] = {"metrics": check_json(metrics, "the metrics")}
        if checkpoint_key:
            changes["checkpoint_key"] = checkpoint_key
        return self._end(run_id, JobState.SUCCEEDED, changes, lease)

    def fail(self, run_id: str, error: str) -> TrainingRunRecord:
        """End a run that failed; `error` is one sentence for a person.

        Raises:
            NotFoundError: If there is no such run.
            ConflictError: If it has ended already.
            InvalidInputError: If there is no sentence.
        """
        if not error.strip():
            raise InvalidInputError("a training run that failed has to say why")
        return self._end(run_id, JobState.FAILED, {"error": error})

    def cancel(self, run_id: str) -> TrainingRunRecord:
        """End a run that somebody stopped; its history stays.

        Raises:
            NotFoundError: If there is no such run.
            ConflictError: If it has ended already.
        """
        return self._end(run_id, JobState.CANCELLED, {})

    def _end(
        self,
        run_id: str,
        state: JobState,
        changes: dict[str, Any],
        lease: JobLease | None = None,
    ) -> TrainingRunRecord:
        with self._database.write() as session:
            check_lease(session, lease)
            row = get_row(session, TrainingRunRow, run_id, "training run", lock=True)
            check_transition(row.state, state)
            for name, value in changes.items():
                setattr(row, name, value)
            row.state = state
            row.finished_at = self._database.now()
            session.flush()
            return _to_record(row)

    def get(self, run_id: str) -> TrainingRunRecord:
        """Return the run with this id.

        Raises:
            NotFoundError: If there is none.
        """
        with self._database.read() as session:
            return _to_record(get_row(session, TrainingRunRow, run_id, "training run"))

    def find(self, name_or_id: str) -> TrainingRunRecord:
        """Return the run with this name or id.

        Raises:
            NotFoundError: If there is none; the message names what comes close.
        """
        with self._database.read() as session:
            return _to_record(find_row(session, TrainingRunRow, name_or_id, "training run"))

    def list(self, domain: str | None = None, job_id: str | None = None) -> list[TrainingRunRecord]:
        """Return the runs of a domain and a job (None: all), newest first."""
        query = select(TrainingRunRow).order_by(TrainingRunRow.started_at.desc(), TrainingRunRow.id)
        if domain is not None:
            query = query.where(TrainingRunRow.domain == domain)
        if job_id is not None:
            query = query.where(TrainingRunRow.job_id == job_id)
        with self._database.read() as session:
            return [_to_record(row) for row in session.scalars(query)]


def insert_training(session: Session, fields: NewTrainingRun, now: datetime) -> TrainingRunRow:
    """Enter a run as running, as part of the caller's transaction."""
    name = check_label(fields["name"], "training run")
    recipe = check_json(fields["recipe"], "the recipe")
    job_id = fields.get("job_id")
    get_row(session, DatasetVersionRow, fields["dataset_version_id"], "dataset version")
    if job_id is not None:
        get_row(session, JobRow, job_id, "job")
    taken = select(TrainingRunRow.id).where(TrainingRunRow.name == name)
    if session.scalar(taken) is not None:
        raise ConflictError(
            f"a training run is already named {name!r}; choose another name, for example "
            f"{next_name(session, TrainingRunRow, name)!r}"
        )
    row = TrainingRunRow(
        id=new_id(),
        name=name,
        domain=check_name(fields["domain"], "domain"),
        dataset_version_id=fields["dataset_version_id"],
        job_id=job_id,
        recipe=recipe,
        state=JobState.RUNNING,
        started_at=now,
        finished_at=None,
        checkpoint_key="",
        metrics={},
        history=[],
        error="",
    )
    session.add(row)
    session.flush()
    return row


def end_training_of(session: Session, job: JobRow, now: datetime) -> None:
    """End the training run that went down with its job; part of the caller's transaction."""
    check_transition(JobState.RUNNING, job.state)
    error = job.message if job.state is JobState.FAILED else ""
    session.execute(
        update(TrainingRunRow)
        .where(TrainingRunRow.job_id == job.id, TrainingRunRow.state == JobState.RUNNING)
        .values(state=job.state, error=error, finished_at=now)
    )


def _to_record(row: TrainingRunRow) -> TrainingRunRecord:
    return TrainingRunRecord(
        id=row.id,
        name=row.name,
        domain=row.domain,
        dataset_version_id=row.dataset_version_id,
        job_id=row.job_id,
        recipe=row.recipe,
        state=row.state,
        started_at=row.started_at,
        finished_at=row.finished_at,
        checkpoint_key=row.checkpoint_key,
        metrics=row.metrics,
        history=row.history,
        error=row.error,
    )
