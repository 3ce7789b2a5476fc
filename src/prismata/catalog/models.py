"""Models: what detection can run, and which one of a domain is in production."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict, Unpack, get_args

from sqlalchemy import case, select
from sqlalchemy.orm import Session

from prismata.catalog.columns import check_json, check_label
from prismata.catalog.database import Database, new_id
from prismata.catalog.fencing import check_lease
from prismata.catalog.lookup import check_choice, find_row, get_row, next_name
from prismata.catalog.records import ModelKind, ModelRecord, ModelStage
from prismata.catalog.schema import ModelRow, TrainingRunRow
from prismata.core.errors import ConflictError, NotFoundError
from prismata.core.events import check_name
from prismata.core.jobs import JobLease


class NewModel(TypedDict):
    """The fields of a `ModelRecord` that whoever publishes it knows."""

    name: str
    domain: str
    domain_version: int
    bundle_key: str
    kind: ModelKind
    card: Mapping[str, Any]
    training_run_id: NotRequired[str | None]
    stage: NotRequired[ModelStage]
    """By default `candidate`."""


class ModelRepository:
    """Models of one catalog."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, *, lease: JobLease | None = None, **fields: Unpack[NewModel]) -> ModelRecord:
        """Store a model.

        Added as `production`, it takes the place of the one that is. An attempt at a training that
        comes here again, because the one before it got no further, replaces its model.

        Raises:
            ConflictError: If the name is taken, or the lease belongs to somebody else now.
            NotFoundError: If there is no such training run.
            InvalidInputError: If the name, the domain, the kind or the stage cannot be used.
        """
        name = check_label(fields["name"], "model")
        domain = check_name(fields["domain"], "domain")
        stage = fields.get("stage", "candidate")
        check_choice(fields["kind"], get_args(ModelKind), "the kind of a model")
        check_choice(stage, get_args(ModelStage), "the stage of a model")
        run_id = fields.get("training_run_id")
        card = check_json(fields["card"], "the model card")
        with self._database.write() as session:
            check_lease(session, lease)
            if run_id is not None:
                get_row(session, TrainingRunRow, run_id, "training run")
            taken = session.scalar(select(ModelRow).where(ModelRow.name == name))
            if taken is not None and lease is not None and taken.training_run_id == run_id:
                session.delete(taken)
                session.flush()
            elif taken is not None:
                raise ConflictError(
                    f"a model is already named {name!r}; choose another name, for example "
                    f"{next_name(session, ModelRow, name)!r}"
                )
            if stage == "production":
                _retire_production(session, domain)
            row = ModelRow(
                id=new_id(),
                name=name,
                domain=domain,
                domain_version=fields["domain_version"],
                training_run_id=run_id,
                bundle_key=fields["bundle_key"],
                kind=fields["kind"],
                card=card,
                stage=stage,
                promoted_at=self._database.now() if stage == "production" else None,
                created_at=self._database.now(),
            )
            session.add(row)
            session.flush()
            return _to_record(row)

    def next_name(self, prefix: str) -> str:
        """Return `<prefix>-<n>`, the first such name above all that are taken.

        Nothing is reserved: whoever adds it first has it.
        """
        with self._database.read() as session:
            return next_name(session, ModelRow, prefix)

    def get(self, model_id: str) -> ModelRecord:
        """Return the model with this id.

        Raises:
            NotFoundError: If there is none.
        """
        with self._database.read() as session:
            return _to_record(get_row(session, ModelRow, model_id, "model"))

    def find(self, name_or_id: str) -> ModelRecord:
        """Return the model with this name or id.

        Raises:
            NotFoundError: If there is none; the message names what comes close.
        """
        with self._database.read() as session:
            return _to_record(find_row(session, ModelRow, name_or_id, "model"))

    def latest(self, domain: str) -> ModelRecord | None:
        """Return the domain's model to use: the one in production, else the newest candidate.

        None means that the domain has neither. Checkpoints cannot be run and do not count.
        """
        query = (
            select(ModelRow)
            .where(
                ModelRow.domain == domain,
                ModelRow.stage != "retired",
                ModelRow.kind != "checkpoint",
            )
            .order_by(
                case((ModelRow.stage == "production", 0), else_=1),
                ModelRow.created_at.desc(),
                ModelRow.id,
            )
            .limit(1)
        )
        with self._database.read() as session:
            row = session.scalars(query).one_or_none()
            return None if row is None else _to_record(row)

    def list(self, domain: str | None = None, stage: ModelStage | None = None) -> list[ModelRecord]:
        """Return the models of a domain and a stage (None: all), newest first."""
        query = select(ModelRow).order_by(ModelRow.created_at.desc(), ModelRow.id)
        if domain is not None:
            query = query.where(ModelRow.domain == domain)
        if stage is not None:
            query = query.where(ModelRow.stage == stage)
        with self._database.read() as session:
            return [_to_record(row) for row in session.scalars(query)]

    def set_stage(self, model_id: str, stage: ModelStage) -> ModelRecord:
        """Move a model to a stage; the one it replaces in production is retired with it, at once.

        Raises:
            NotFoundError: If there is no such model.
            InvalidInputError: If the stage is unknown.
        """
        check_choice(stage, get_args(ModelStage), "the stage of a model")
        with self._database.write() as session:
            row = get_row(session, ModelRow, model_id, "model")
            if stage == "production" and row.stage != "production":
                _retire_production(session, row.domain)
                row.promoted_at = self._database.now()
            row.stage = stage
            session.flush()
            return _to_record(row)

    def roll_back(self, domain: str) -> ModelRecord:
        """Put the model back into production that the present one took the place of.

        The present one is retired and not come back to by another roll back.

        Raises:
            NotFoundError: If none is in production, or none was before it.
        """
        with self._database.write() as session:
            models = _lock_domain(session, domain)
            present = next((row for row in models if row.stage == "production"), None)
            if present is None:
                raise NotFoundError(
                    f"no model of {domain!r} is in production, so there is nothing to roll back; "
                    "promote one with `prismata models promote`"
                )
            earlier = [row for row in models if row.promoted_at and row.id != present.id]
            if not earlier:
                raise NotFoundError(
                    f"{present.name!r} is the first model of {domain!r} in production; there is "
                    "none to go back to"
                )
            previous = max(earlier, key=lambda row: row.promoted_at or row.created_at)
            present.stage, present.promoted_at = "retired", None
            session.flush()
            previous.stage = "production"
            session.flush()
            return _to_record(previous)


def _lock_domain(session: Session, domain: str) -> Sequence[ModelRow]:
    # All models of the domain are locked, in one order: on PostgreSQL two promotions at once then
    # follow each other, and the second sees what the first one promoted.
    return session.scalars(
        select(ModelRow)
        .where(ModelRow.domain == domain)
        .order_by(ModelRow.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()


def _retire_production(session: Session, domain: str) -> None:
    for row in _lock_domain(session, domain):
        if row.stage == "production":
            row.stage = "retired"
    # Flushed before the promotion: the database allows one production model at any instant.
    session.flush()


def _to_record(row: ModelRow) -> ModelRecord:
    return ModelRecord(
        id=row.id,
        name=row.name,
        domain=row.domain,
        domain_version=row.domain_version,
        training_run_id=row.training_run_id,
        bundle_key=row.bundle_key,
        kind=row.kind,
        card=row.card,
        stage=row.stage,
        promoted_at=row.promoted_at,
        created_at=row.created_at,
    )
