"""All tables of a catalog as plain rows, the same from SQLite and PostgreSQL: for backups.

The tables are taken as the database describes them and not as `schema` does, so a catalog of an
older schema can be read without changing it, and filled before it is migrated.

Invariant: a row has one form, whichever database it comes from. Times are UTC text to the
microsecond, JSON is its stored text untouched, rows come in the order of their key's bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from types import TracebackType
from typing import Any, Literal, Self

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    DateTime,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    cast,
    delete,
    func,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeDecorator, TypeEngine

from prismata.catalog.database import Clock, Database, parse_url, utc_now
from prismata.catalog.leases import reap_lost
from prismata.catalog.schema import METADATA, JobRow, LiveScoresRow, WorkerRow
from prismata.catalog.upgrades import (
    check_revision_known,
    migrate_within,
    newest_revision,
    revision_of,
)
from prismata.core.errors import (
    BusyError,
    ConflictError,
    InternalError,
    InvalidInputError,
    UserError,
)
from prismata.core.jobs import FailureCause, JobState

Kind = Literal["text", "integer", "real", "boolean", "time", "json"]
Value = str | int | float | bool | None
PlainRow = dict[str, Value]

ALIVE_SECONDS = 60.0
"""A worker that was seen so recently counts as running."""

_VERSION_TABLE = "alembic_version"
_ROWS_AT_ONCE = 500
_LOCK_WAIT = "10s"
_TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"
_INTERRUPTED = (
    "the backup that this catalog was restored from was made while it ran; it starts again"
)

# Wider kinds first: JSON is no string, but a boolean of SQLite is stored as an integer.
_KINDS: tuple[tuple[type[TypeEngine[Any]], Kind], ...] = (
    (JSON, "json"),
    (DateTime, "time"),
    (Boolean, "boolean"),
    (Float, "real"),
    (Integer, "integer"),
    (String, "text"),
)


class _JsonText(TypeDecorator[str]):
    """PostgreSQL's JSON as the text it was stored with: number and key order stay as they are."""

    impl = Text
    cache_ok = True

    def bind_expression(self, bindparam: Any) -> ColumnElement[Any]:  # noqa: ANN401 - SQLAlchemy's
        return cast(bindparam, JSON)

    def column_expression(self, colexpr: Any) -> ColumnElement[Any]:  # noqa: ANN401 - SQLAlchemy's
        return cast(colexpr, Text)


@dataclass(frozen=True, slots=True)
class TableShape:
    """One table: its columns by name, each with what it holds."""

    name: str
    columns: Mapping[str, Kind]


class TableRows:
    """The tables of one catalog inside one transaction; made by `CatalogTables`.

    Args:
        database: Of the catalog.
        connection: With the transaction.
    """

    def __init__(self, database: Database, connection: Connection) -> None:
        self._database = database
        self._connection = connection
        self.revision = revision_of(connection)
        """Number of the schema; None: there is no catalog yet."""
        self._tables = _reflect(connection, is_sqlite=database.is_sqlite)
        self.shapes = [
            TableShape(name, {column.name: _kind(column, table) for column in table.columns})
            for name, table in self._tables.items()
        ]
        """What a row refers to comes before it."""

    def count(self, name: str) -> int:
        """Return how many rows a table has."""
        query = select(func.count()).select_from(self._tables[name])
        return int(self._connection.scalar(query) or 0)

    def rows(self, name: str) -> Iterator[PlainRow]:
        """Iterate over a table's rows, ordered by key, a few at a time in memory."""
        table = self._tables[name]
        query = select(table).order_by(*(self._by_bytes(column) for column in table.primary_key))
        kinds = {column.name: _kind(column, table) for column in table.columns}
        found = self._connection.execute(query, execution_options={"yield_per": _ROWS_AT_ONCE})
        for row in found.mappings():
            yield {column: _to_plain(row[column], kind) for column, kind in kinds.items()}

    def _by_bytes(self, column: Column[Any]) -> ColumnElement[Any]:
        # PostgreSQL would sort by the language of the server, SQLite sorts by bytes.
        if not self._database.is_sqlite and isinstance(column.type, String):
            return column.collate("C")
        return column

    def insert(self, name: str, rows: Iterable[PlainRow]) -> None:
        """Add rows as `rows` gave them.

        Raises:
            InvalidInputError: If a value does not fit its column.
        """
        table = self._tables[name]
        kinds = {column.name: _kind(column, table) for column in table.columns}
        statement = table.insert()
        coming = iter(rows)
        while some := list(islice(coming, _ROWS_AT_ONCE)):
            self._connection.execute(
                statement,
                [
                    {
                        column: _from_plain(row[column], kind, f"{name}.{column}")
                        for column, kind in kinds.items()
                    }
                    for row in some
                ],
            )

    def finish(self, *, hold_jobs: bool = False) -> int:
        """Bring filled tables to this program's schema and have the catalog begin its new life.

        Whoever ran a job when the backup was made does not run it here: those jobs are queued
        again, with their attempt ended. No worker is known until one comes, and scores of runs
        that were under way are gone.

        Args:
            hold_jobs: Pause what is queued, so that nothing runs before somebody resumes it.

        Returns:
            How many jobs had been running.
        """
        if not self._database.is_sqlite:
            restart_sequences(self._connection)
        if self.revision != newest_revision():
            migrate_within(self._connection, self._database, "head")
        with Session(self._connection) as session:
            found = reap_lost(
                session,
                self._database,
                lambda *_: True,
                cause=FailureCause.PREEMPTED,
                message=_INTERRUPTED,
            )
            session.execute(delete(WorkerRow))
            session.execute(delete(LiveScoresRow))
            if hold_jobs:
                session.execute(
                    update(JobRow).where(JobRow.state == JobState.QUEUED).values(held=True)
                )
            session.commit()  # into the transaction that the connection is in
        return len(found)


class CatalogTables:
    """A catalog of any schema that this program knows, for copying it as a whole.

    Args:
        url: As `open_catalog` takes it. Nothing is created or migrated by opening.
        clock: Source of "now" for leases.

    Raises:
        InvalidInputError: If the address is of another kind.
        UnavailableError: If the driver is not installed.
    """

    def __init__(self, url: str, clock: Clock = utc_now) -> None:
        self._database = Database(parse_url(url), clock)

    @property
    def where(self) -> str:
        """Where the catalog is, for people; never with a password."""
        return self._database.where

    def close(self) -> None:
        """Close all connections."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @contextmanager
    def snapshot(self) -> Iterator[TableRows]:
        """Read everything as it stands at one moment, while others go on writing.

        Raises:
            UserError: If there is no catalog, or one of a newer schema.
            UnavailableError: If the database cannot be reached.
        """
        with self._database.snapshot_connection() as connection:
            rows = TableRows(self._database, connection)
            if rows.revision is None:
                raise InvalidInputError(
                    f"there is no catalog yet ({self.where}); nothing was copied, check "
                    "PRISMATA_DATABASE_URL and PRISMATA_DATA_DIR"
                )
            check_revision_known(self._database, rows.revision)
            yield rows

    def check_may_fill(self, revision: str, *, replace: bool) -> None:
        """Check that a catalog of a schema may be put here.

        Raises:
            UserError: If the schema is newer than this program.
            ConflictError: If there is one with something in it, and it is not to be replaced.
            BusyError: If a worker is at work on it.
            UnavailableError: If the database cannot be reached.
        """
        self._check_can_restore(revision)
        with self._database.snapshot_connection() as connection:
            self._check_may_fill(TableRows(self._database, connection), connection, replace=replace)

    def _check_can_restore(self, revision: str) -> None:
        if revision > newest_revision():
            raise UserError(
                f"the backup is of schema {revision}, made by a newer version of this program, "
                f"which knows up to {newest_revision()}; nothing was changed, upgrade the program"
            )

    def _check_may_fill(self, rows: TableRows, connection: Connection, *, replace: bool) -> None:
        names = {shape.name for shape in rows.shapes}
        if rows.revision is None and names:
            raise ConflictError(
                f"the database ({self.where}) already holds a table {min(names)!r} that is not "
                "ours; nothing was changed, choose another database or schema"
            )
        if "worker" in names:
            with Session(connection) as session:
                since = self._database.time_of(session) - timedelta(seconds=ALIVE_SECONDS)
            seen = select(WorkerRow.name).where(WorkerRow.last_seen >= since).limit(1)
            if name := connection.scalar(seen):
                raise BusyError(
                    f"the worker {name!r} was at work on the catalog ({self.where}) less than a "
                    "minute ago; nothing was changed, stop workbench and workers first"
                )
        filled = {name: count for name in names - {"worker"} if (count := rows.count(name))}
        if filled and not replace:
            listed = ", ".join(f"{count} in {name}" for name, count in sorted(filled.items()))
            raise ConflictError(
                f"the catalog ({self.where}) is not empty: rows {listed}; nothing was changed, "
                "name an empty one in PRISMATA_DATABASE_URL, or say --replace to lose what it holds"
            )

    @contextmanager
    def filling(self, revision: str, *, replace: bool = False) -> Iterator[TableRows]:
        """Build empty tables of a schema to be filled; all of it becomes real at the end, or none.

        When all rows are there, call `finish`.

        Args:
            revision: The schema of the rows that will come.
            replace: Lose what the catalog holds now.

        Raises:
            ConflictError: If there is something in the catalog, and it is not to be replaced.
            BusyError: If a worker is at work on it.
            UserError: If the schema is newer than this program.
            UnavailableError: If the database cannot be reached or is full.
        """
        self._check_can_restore(revision)
        with self._database.write_connection() as connection:
            if not self._database.is_sqlite:
                connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_WAIT}'"))
            before = TableRows(self._database, connection)
            self._check_may_fill(before, connection, replace=replace)
            _drop(connection, before)
            migrate_within(connection, self._database, revision)
            yield TableRows(self._database, connection)


def restart_sequences(connection: Connection) -> None:
    """Have PostgreSQL's counters go on behind the highest number that rows came with.

    Rows that bring their number do not move the counter, so the next row would collide.
    """
    inspector = inspect(connection)
    for table in inspector.get_table_names():
        for column in inspector.get_columns(table):
            if not isinstance(column["type"], Integer):
                continue
            quoted = connection.dialect.identifier_preparer.quote
            sequence = connection.scalar(
                text("SELECT pg_get_serial_sequence(:table, :column)"),
                {"table": quoted(table), "column": column["name"]},
            )
            if sequence is None:
                continue
            numbers: Column[int] = Column(column["name"], Integer)
            highest = connection.scalar(select(func.max(Table(table, MetaData(), numbers).c[0])))
            connection.execute(
                text("SELECT setval(:sequence, :number, false)"),
                {"sequence": sequence, "number": (highest or 0) + 1},
            )


def _reflect(connection: Connection, *, is_sqlite: bool) -> dict[str, Table]:
    """Return our tables as they are there, what others refer to first."""
    here = set(inspect(connection).get_table_names()) & set(METADATA.tables)
    found = MetaData()
    found.reflect(connection, only=sorted(here), resolve_fks=False)
    for table in found.sorted_tables:
        for column in table.columns:
            if isinstance(column.type, JSON):
                # SQLite keeps JSON as text anyway.
                column.type = _JsonMark() if is_sqlite else _JsonText()
    return {table.name: table for table in found.sorted_tables}


class _JsonMark(TypeDecorator[str]):
    """SQLite's JSON, which is text."""

    impl = Text
    cache_ok = True


def _kind(column: Column[Any], table: Table) -> Kind:
    if isinstance(column.type, _JsonText | _JsonMark):
        return "json"
    for base, kind in _KINDS:
        if isinstance(column.type, base):
            return kind
    raise InternalError(f"backups know no values as in {table.name}.{column.name}: {column.type}")


def _to_plain(value: Any, kind: Kind) -> Value:  # noqa: ANN401 - whatever a driver returns
    if value is None:
        return None
    return _WRITERS[kind](value)


def _write_time(value: datetime) -> str:
    moment = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return moment.strftime(_TIME_FORMAT)


_WRITERS: Mapping[Kind, Callable[[Any], Value]] = {
    "text": str,
    "json": str,
    "integer": int,
    "real": float,
    "boolean": bool,
    "time": _write_time,
}
_STORED_AS: Mapping[Kind, tuple[type, ...]] = {
    "text": (str,),
    "json": (str,),
    "integer": (int,),
    "real": (float, int),
    "boolean": (bool,),
    "time": (str,),
}


def _from_plain(value: Value, kind: Kind, where: str) -> Any:  # noqa: ANN401 - for a driver
    if value is None:
        return None
    if not isinstance(value, _STORED_AS[kind]):
        raise InvalidInputError(f"{where} holds {str(value)[:80]!r}, which is no {kind}")
    if kind == "real":
        return float(value)
    if kind != "time":
        return value
    try:
        return datetime.strptime(str(value), _TIME_FORMAT).replace(tzinfo=UTC)
    except ValueError as error:
        raise InvalidInputError(f"{where} holds {str(value)[:80]!r}, which is no time") from error


def _drop(connection: Connection, before: TableRows) -> None:
    for shape in reversed(before.shapes):
        Table(shape.name, MetaData()).drop(connection)
    if before.revision is not None:
        Table(_VERSION_TABLE, MetaData()).drop(connection)
