"""The migrations build exactly what the program thinks the tables are."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import IntegrityError

from prismata.catalog import open_catalog
from prismata.catalog.schema import METADATA
from prismata.catalog.upgrades import _scripts, newest_revision
from prismata.core.events import Event


def connect(url):
    return create_engine(url.replace("postgresql://", "postgresql+psycopg://"))


def facts(engine):
    """Everything about the tables that the database itself can tell, checks included."""
    inspector = inspect(engine)
    found = {}
    for table in sorted(METADATA.tables):
        checks = {item["name"]: item["sqltext"] for item in inspector.get_check_constraints(table)}
        keys = {
            item["name"]: (item["constrained_columns"], item["options"])
            for item in inspector.get_foreign_keys(table)
        }
        uniques = {
            item["name"]: item["column_names"] for item in inspector.get_unique_constraints(table)
        }
        indexes = {
            item["name"]: (
                item["column_names"],
                bool(item["unique"]),
                {name: str(value) for name, value in item.get("dialect_options", {}).items()},
            )
            for item in inspector.get_indexes(table)
        }
        columns = {
            item["name"]: (str(item["type"]), item["nullable"])
            for item in inspector.get_columns(table)
        }
        found[table] = (checks, keys, uniques, indexes, columns)
    return found


def test_the_newest_schema_is_known_without_alembic():
    assert newest_revision() == _scripts().get_current_head()


def test_alembic_sees_no_difference(catalog, raw):
    with raw.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, METADATA) == []


def test_checks_keys_and_partial_indexes_are_the_same_too(empty_url):
    """Alembic compares neither checks nor the conditions of partial indexes."""
    open_catalog(empty_url).close()
    engine = connect(empty_url)
    migrated = facts(engine)
    with engine.begin() as connection:
        METADATA.drop_all(connection)
        METADATA.create_all(connection)
    created = facts(engine)
    engine.dispose()
    assert migrated["job"][0]  # the database does report its checks
    assert created == migrated


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ("UPDATE job SET state = 'done'", "state_known"),
        ("UPDATE job SET progress = 1.5", "progress_range"),
        ("UPDATE job SET state = 'failed'", "failed_says_why"),
        ("UPDATE job SET state = 'running'", "running_has_lease"),
        ("UPDATE job SET cause = 'bad_luck'", "cause_known"),
    ],
)
def test_the_database_itself_refuses_a_job_that_cannot_be(catalog, raw, change, check):
    catalog.jobs.submit("ingest", {}, author="anna")
    with pytest.raises(IntegrityError, match=check), raw.begin() as connection:
        connection.execute(text(change))


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ("UPDATE event SET end_us = start_us - 1", "times_fit_kind"),
        ("UPDATE event SET score = 1.01", "score_range"),
        ("UPDATE event SET review_state = 'maybe'", "review_state_known"),
        ("UPDATE event SET origin = 'detection'", "origin_is_known"),
        ("UPDATE event SET author = ''", "origin_is_known"),
    ],
)
def test_the_database_itself_refuses_an_event_that_cannot_be(catalog, make, raw, change, check):
    catalog.events.add_annotations(make.video().id, "cricket", 1, [Event.point("hit", 5)], "anna")
    with pytest.raises(IntegrityError, match=check), raw.begin() as connection:
        connection.execute(text(change))
