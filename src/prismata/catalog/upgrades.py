"""Bringing a catalog to this program's schema, once, however many processes start together."""

from __future__ import annotations

import threading
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from prismata.catalog.database import Database
from prismata.catalog.schema import METADATA
from prismata.core.errors import UserError

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

_VERSIONS = Path(__file__).with_name("migrations") / "versions"

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
    if _is_current(database):
        return
    from alembic import command

    with _one_at_a_time, database.write_connection() as connection:
        # On SQLite the write transaction itself is the lock: it began IMMEDIATE.
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
        revision = revision_of(connection)
        check_revision_known(database, revision)
        if revision is None:
            _check_empty(database, connection)
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def migrate_within(connection: Connection, database: Database, revision: str) -> None:
    """Bring the schema to `revision` as part of the caller's write transaction.

    On PostgreSQL no other program migrates until that has ended.
    """
    from alembic import command

    with _one_at_a_time:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def steps_behind(revision: str | None) -> int:
    """Return how many migrations lie between `revision` and this program's schema."""
    known = sorted(path.name[1:5] for path in _VERSIONS.glob("v*.py"))
    return sum(number > (revision or "") for number in known)


def check_up_to_date(database: Database) -> None:
    """Check the schema and change nothing.

    Raises:
        UserError: If the catalog is older or newer than this program.
        UnavailableError: If the database cannot be reached.
    """
    if not _is_current(database):
        raise UserError(
            f"the catalog ({database.where}) is older than this program or empty; "
            "open it once with migration switched on"
        )


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "prismata.catalog:migrations")
    config.set_main_option("path_separator", "os")
    return config


@cache
def _scripts() -> ScriptDirectory:
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_config())


@cache
def newest_revision() -> str:
    """Return the last of `migrations/versions`, told by the names of the files alone.

    Most processes find their catalog there and then need no Alembic, which is why it is imported
    only where something is to be done: it takes a tenth of a second.
    """
    return max(path.name[1:5] for path in _VERSIONS.glob("v*.py"))


def revision_of(connection: Connection) -> str | None:
    """Return the number of the schema that a database has; None: it holds no catalog."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def _is_current(database: Database) -> bool:
    with database.read_connection() as connection:
        revision = revision_of(connection)
    if revision == newest_revision():
        return True
    check_revision_known(database, revision)
    return False


def check_revision_known(database: Database, revision: str | None) -> None:
    """Refuse a schema that only a newer program knows.

    Raises:
        UserError: If that is so.
    """
    known = {item.revision for item in _scripts().walk_revisions()}
    if revision is not None and revision not in known:
        raise UserError(
            f"the catalog ({database.where}) was written by a newer version of this program "
            f"(schema {revision}, this one knows up to {newest_revision()}); "
            "nothing was changed, upgrade the program"
        )


def _check_empty(database: Database, connection: Connection) -> None:
    taken = sorted(set(METADATA.tables) & set(inspect(connection).get_table_names()))
    if taken:
        raise UserError(
            f"the database ({database.where}) already holds a table {taken[0]!r} that is not "
            "ours; nothing was changed, choose another database or schema"
        )
