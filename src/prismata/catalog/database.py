"""The connection to the database: addresses, transactions, and errors people can read.

Invariant: nothing of SQLAlchemy or of a driver passes this file's door, neither rows nor errors.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, make_url, select
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    SQLAlchemyError,
    StatementError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry

from prismata.catalog.job_ends import JobEnds
from prismata.core.errors import (
    ConflictError,
    InternalError,
    InvalidInputError,
    NotFoundError,
    PrismataError,
    UnavailableError,
)

Clock = Callable[[], datetime]

_BUSY_SECONDS = 30
_CONNECT_SECONDS = 10
_WRITE = "prismata_write"
_POSTGRES_NAMES = ("postgres", "postgresql", "postgresql+psycopg")
_SQLITE_NAMES = ("sqlite", "sqlite+pysqlite")


def utc_now() -> datetime:
    """Return this machine's clock as aware UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """Return a fresh opaque id: 32 hexadecimal digits."""
    return uuid4().hex


def parse_url(url: str) -> URL:
    """Return the address with the driver we use filled in.

    Raises:
        InvalidInputError: If it is no address of SQLite or PostgreSQL, or SQLite in memory, which
            threads cannot share. The message never repeats the address: it may hold a password.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise InvalidInputError(
            "the catalog's address cannot be read; write sqlite:///path/to/file.db or "
            "postgresql://user@host/database"
        ) from error
    if parsed.drivername in _POSTGRES_NAMES:
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername not in _SQLITE_NAMES:
        raise InvalidInputError(
            f"the catalog cannot live in {parsed.drivername!r}; it can be sqlite or postgresql"
        )
    if parsed.database in (None, "", ":memory:") or "mode" in parsed.query:
        raise InvalidInputError(
            "the catalog cannot live in memory, because several threads and processes share it; "
            "give a file: sqlite:///path/to/file.db"
        )
    return parsed


def describe_url(url: URL) -> str:
    """Return where the catalog is, for people; never with a password."""
    if url.get_backend_name() == "sqlite":
        return f"SQLite at {url.database}"
    host = url.host or url.query.get("host") or "the local socket"
    return f"PostgreSQL at {host}:{url.port or 5432}, database {url.database or url.username!r}"


class Database:
    """Transactions on one catalog, from any thread.

    A write transaction on SQLite begins IMMEDIATE: a deferred one that reads and then writes
    fails at once when somebody wrote in between, no matter how long it would wait.

    Args:
        url: As `parse_url` returns it.
        clock: Source of "now" for every stored time and every lease.

    Raises:
        UnavailableError: If the driver is not installed or the folder cannot be made.
    """

    def __init__(self, url: URL, clock: Clock = utc_now) -> None:
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self.where = describe_url(url)
        self.now = clock
        self.job_ends = JobEnds()
        self._secret = url.password or ""
        if self.is_sqlite:
            self._make_folder(Path(url.database or ""))
        self._engine = self._create_engine(url)
        if self.is_sqlite:
            event.listen(self._engine, "connect", _set_up_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
        self._readers = sessionmaker(self._engine, expire_on_commit=False)
        # A clone with its own options; it shares the pool and the listeners.
        self._write_engine = self._engine.execution_options(**{_WRITE: True})
        self._writers = sessionmaker(self._write_engine, expire_on_commit=False)

    def _make_folder(self, file: Path) -> None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UnavailableError(
                f"the folder of the catalog, {file.parent}, cannot be made: {error.strerror}"
            ) from error
        if file.is_dir():
            raise UnavailableError(f"the catalog cannot be {file}: that is a folder, not a file")

    def _create_engine(self, url: URL) -> Engine:
        serializer = json.JSONEncoder(allow_nan=False).encode
        if self.is_sqlite:
            return create_engine(
                url, json_serializer=serializer, connect_args={"timeout": _BUSY_SECONDS}
            )
        waiting = {} if "connect_timeout" in url.query else {"connect_timeout": _CONNECT_SECONDS}
        try:
            # A restarted server leaves dead connections in the pool; pre-ping replaces them.
            return create_engine(
                url, json_serializer=serializer, connect_args=waiting, pool_pre_ping=True
            )
        except ModuleNotFoundError as error:
            raise UnavailableError(
                "a PostgreSQL catalog needs psycopg, which is not installed; run "
                'pip install "prismata[postgres]"'
            ) from error

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a session that sees one consistent state and keeps nothing.

        Raises:
            UnavailableError: If the database cannot be reached or stays busy.
        """
        with self._translated(), self._readers() as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Open a session whose changes are committed together at its end, or not at all.

        Raises:
            ConflictError: If a unique value is taken.
            NotFoundError: If something referred to does not exist.
            InvalidInputError: If a value cannot be stored.
            UnavailableError: If the database cannot be reached or stays busy.
        """
        with self._translated(), self._writers.begin() as session:
            yield session

    def time_of(self, session: Session) -> datetime:
        """Return "now" as all who share the catalog see it, for leases: the server's clock.

        SQLite has no server; those who share it share the machine's clock. A clock that was handed
        in always counts.
        """
        if self.is_sqlite or self.now is not utc_now:
            return self.now()
        moment: datetime | None = session.scalar(select(func.clock_timestamp()))
        if moment is None:
            raise InternalError(f"the catalog ({self.where}) does not know the time")
        return moment.astimezone(UTC)

    @contextmanager
    def write_connection(self) -> Iterator[Connection]:
        """Open a bare connection in one write transaction, for migrations."""
        with self._translated(), self._write_engine.begin() as connection:
            yield connection

    @contextmanager
    def read_connection(self) -> Iterator[Connection]:
        """Open a bare connection, for looking at the schema."""
        with self._translated(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def snapshot_connection(self) -> Iterator[Connection]:
        """Open a bare connection that sees everything as it stands now, however long it reads.

        PostgreSQL otherwise lets each statement see what was written meanwhile.
        """
        level = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        with (
            self._translated(),
            self._engine.execution_options(**level).connect() as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except PoolTimeoutError as error:
            raise UnavailableError(
                f"the catalog ({self.where}) has no free connection; too many requests wait for "
                "it, try again in a moment"
            ) from error
        except SQLAlchemyError as error:
            raise self._translate(error) from error

    def _translate(self, error: SQLAlchemyError) -> PrismataError:
        cause = error.orig if isinstance(error, StatementError) else None
        if isinstance(cause, PrismataError):
            return cause
        if isinstance(error, IntegrityError):
            return _explain_integrity(error)
        if isinstance(error, OperationalError | InterfaceError):
            return UnavailableError(
                f"the catalog ({self.where}) cannot be used: {self._first_line(cause)}; "
                "check the address and that it is running and writable"
            )
        if isinstance(error, DataError) or isinstance(cause, TypeError | ValueError):
            return InvalidInputError(
                f"the catalog cannot store a value it was given: {self._first_line(cause)}"
            )
        if isinstance(error, DBAPIError) and self.is_sqlite and "not a database" in str(cause):
            return InvalidInputError(
                f"the catalog ({self.where}) is a file of another kind; nothing was changed, "
                "choose another file"
            )
        return InternalError(f"the catalog ({self.where}) failed: {self._first_line(error)}")

    def _first_line(self, error: object) -> str:
        # psycopg adds hints on further lines and numbers the addresses it tried.
        lines = str(error).strip().splitlines() or [type(error).__name__]
        line = lines[0].strip().rstrip(".")
        return line.replace(self._secret, "***") if self._secret else line


def _set_up_sqlite(connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
    """Give each SQLite connection the same terms; we begin transactions ourselves."""
    del record
    connection.isolation_level = None
    cursor = connection.cursor()
    try:
        cursor.execute("PRAGMA foreign_keys = ON")
        # FULL: each commit is on the disk before it is acknowledged. NORMAL in WAL mode would lose
        # the last ones in a power cut, and a label that was acknowledged must not be lost.
        cursor.execute("PRAGMA synchronous = FULL")
        if cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            _switch_to_wal(cursor)
    finally:
        cursor.close()


def _switch_to_wal(cursor: DBAPICursor) -> None:
    """Switch a new file to WAL, which it then stays in.

    SQLite itself does not wait here: of several processes that switch the same new file at once,
    some get "database is locked" immediately (3 of 400 openings, measured), whatever the timeout.
    """
    give_up = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                raise
            time.sleep(0.01)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    """Begin; for writing at once with the write lock, so that waiting works."""
    writing = connection.get_execution_options().get(_WRITE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _integrity_kind(error: IntegrityError) -> str:
    """Return PostgreSQL's SQLSTATE or SQLite's name of the extended result code."""
    cause: Any = error.orig
    return str(getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", ""))


def _explain_integrity(error: IntegrityError) -> PrismataError:
    kind = _integrity_kind(error)
    if kind in ("23505", "SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"):
        return ConflictError(
            "something with this name or id exists already; nothing was changed, choose another"
        )
    if kind in ("23503", "SQLITE_CONSTRAINT_FOREIGNKEY"):
        return NotFoundError(
            "something this refers to does not exist (any more), or something else still refers "
            "to it; nothing was changed"
        )
    return InternalError(f"the catalog refused a row that breaks its own rules: {error.orig}")
