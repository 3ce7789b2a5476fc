"""Bringing a catalog to this program's schema, once, however many processes start together."""

from __future__ import annotations

import threading
from functools import cache

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from prismata.catalog.database import Database
from prismata.catalog.schema import METADATA
from prismata.core.errors import UserError

# Any number that no other program on the same PostgreSQL is likely to lock: "prismata" in ASCII.
_LOCK_KEY = int.from_bytes(b"prismata", "big") >> 1

# Alembic keeps the migration that runs in module globals.
_one_at_a_time = threading.Lock()


def bring_up_to_date(database: Database) -> None:
    """Create or migrate the schema; a second process waits and then finds nothing to do.

    Raises:
        UserError: If the catalog was written by a newer program, or the database holds tables of
            something else.
        UnavailableError: If the database cannot be reached.
    """
    script = _scripts()
    if _is_current(database, script):
        return
    with _one_at_a_time, database.write_connection() as connection:
        # On SQLite the write transaction itself is the lock: it began IMMEDIATE.
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
        revision = _revision(connection)
        _check_known(database, script, revision)
        if revision is None:
            _check_empty(database, connection)
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def check_up_to_date(database: Database) -> None:
    """Check the schema and change nothing.

    Raises:
        UserError: If the catalog is older or newer than this program.
        UnavailableError: If the database cannot be reached.
    """
    if not _is_current(database, _scripts()):
        raise UserError(
            f"the catalog ({database.where}) is older than this program or empty; "
            "open it once with migration switched on"
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "prismata.catalog:migrations")
    config.set_main_option("path_separator", "os")
    return config


@cache
def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _is_current(database: Database, script: ScriptDirectory) -> bool:
    with database.read_connection() as connection:
        revision = _revision(connection)
    _check_known(database, script, revision)
    return revision == script.get_current_head()


def _check_known(database: Database, script: ScriptDirectory, revision: str | None) -> None:
    known = {item.revision for item in script.walk_revisions()}
    if revision is not None and revision not in known:
        raise UserError(
            f"the catalog ({database.where}) was written by a newer version of this program "
            f"(schema {revision}, this one knows up to {script.get_current_head()}); "
            "nothing was changed, upgrade the program"
        )


def _check_empty(database: Database, connection: Connection) -> None:
    taken = sorted(set(METADATA.tables) & set(inspect(connection).get_table_names()))
    if taken:
        raise UserError(
            f"the database ({database.where}) already holds a table {taken[0]!r} that is not "
            "ours; nothing was changed, choose another database or schema"
        )
