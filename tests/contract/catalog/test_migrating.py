"""A catalog that an older program wrote, opened by this one."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from alembic import command
from sqlalchemy import create_engine, inspect, text

from prismata.catalog import CatalogTables, newest_revision, open_catalog
from prismata.catalog.schema import METADATA
from prismata.catalog.upgrades import _config, _scripts
from prismata.core.coverage import CoverageSpan
from prismata.services.backup import write_backup
from prismata.services.restore import RestoreChoices, restore_backup
from prismata.settings import Settings

NOW = datetime(2030, 1, 1, tzinfo=UTC)
SETTLED = ("job", "job_attempt", "worker", "live_scores")
REVISIONS = sorted(item.revision for item in _scripts().walk_revisions())

VIDEO = """
    INSERT INTO video VALUES (:id, :id, :key, :digest, 1, 'mov', 'h264', 64, 64, 0, 100,
      :duration_us, 0, 40000, 40000, 'timeline', 'group', 'cricket', '[]', :now)
"""
EVENT = """
    INSERT INTO event VALUES (:id, :video, :domain, 1, 5, 5, 'hit', 'point', NULL, 'annotation',
      'anna', NULL, NULL, 'none', '', :no, NULL, NULL, '{}', :now, :now, 1)
"""


@pytest.fixture
def first_schema(empty_url, tmp_path):
    """Make a catalog of the first schema with labels in two of three videos."""
    (tmp_path / "new folder").mkdir()
    engine = create_engine(empty_url.replace("postgresql://", "postgresql+psycopg://"))
    now = NOW.replace(tzinfo=None) if engine.dialect.name == "sqlite" else NOW
    with engine.begin() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for name, duration_us in (("labelled", 9_000_001), ("both", 5), ("bare", 7)):
            connection.execute(
                text(VIDEO),
                {
                    "id": name,
                    "key": f"videos/{name}",
                    "digest": name.rjust(64, "0"),
                    "duration_us": duration_us,
                    "now": now,
                },
            )
        for video, domain in (("labelled", "cricket"), ("both", "cricket"), ("both", "falls")):
            for number in range(2):
                connection.execute(
                    text(EVENT),
                    {
                        "id": f"{video}-{domain}-{number}",
                        "video": video,
                        "domain": domain,
                        "no": False,
                        "now": now,
                    },
                )
    engine.dispose()
    return empty_url


def test_labels_from_before_coverage_count_as_complete_as_they_did_until_now(first_schema):
    with open_catalog(first_schema) as catalog:
        assert {
            (sheet.video_id, sheet.domain): sheet.coverage for sheet in catalog.labels.sheets()
        } == {
            ("labelled", "cricket"): (CoverageSpan(0, 9_000_001, "watched"),),
            ("both", "cricket"): (CoverageSpan(0, 5, "watched"),),
            ("both", "falls"): (CoverageSpan(0, 5, "watched"),),
        }
        assert catalog.labels.sheet("bare", "cricket").coverage == ()
        loaded = catalog.labels.load("both", "cricket")
        assert [row[0] for row in loaded.rows] == ["both-cricket-0", "both-cricket-1"]
        assert (loaded.sheet.seq, loaded.sheet.status) == (0, "in_progress")
        # Their mirrors know nothing of coverage yet.
        assert len(catalog.labels.not_mirrored()) == 3


@pytest.fixture(scope="session")
def rows_of_today(tmp_path_factory, maker_type):
    """Rows of every table of the newest schema."""
    url = f"sqlite:///{tmp_path_factory.mktemp('today') / 'catalog.db'}"
    with open_catalog(url) as catalog:
        maker_type(catalog).everything()
    with CatalogTables(url) as tables, tables.snapshot() as rows:
        return {shape.name: list(rows.rows(shape.name)) for shape in rows.shapes}


def fill(url, revision, rows_of_today):
    """Make a catalog of an older schema with what it has room for; return its rows."""
    with CatalogTables(url) as tables:
        with tables.filling(revision) as rows:
            for shape in rows.shapes:
                rows.insert(shape.name, rows_of_today[shape.name])
        return read(tables)


def read(tables):
    with tables.snapshot() as rows:
        return {shape.name: list(rows.rows(shape.name)) for shape in rows.shapes}


def check_kept(url, before, *, but=()):
    """Compare all that there was, table by table and column by column, with what there is."""
    with CatalogTables(url) as tables, tables.snapshot() as rows:
        assert rows.revision == newest_revision()
        assert {shape.name for shape in rows.shapes} == set(METADATA.tables)
        for name in before.keys() - set(but):
            columns = before[name][0].keys()
            now = [{column: row[column] for column in columns} for row in rows.rows(name)]
            assert now == before[name], name


@pytest.mark.parametrize("revision", REVISIONS)
def test_every_schema_from_the_first_on_keeps_its_rows(
    empty_url, rows_of_today, tmp_path, revision
):
    before = fill(empty_url, revision, rows_of_today)
    assert all(before.values())
    assert {"video", "event", "job", "model", "training_run", "detection_run"} <= before.keys()
    # A backup changes nothing, and is of the schema that it found.
    settings = Settings(data_dir=tmp_path / "data", database_url=empty_url)
    manifest = write_backup(settings, tmp_path / "old.backup")
    assert manifest.schema == revision
    open_catalog(empty_url).close()
    check_kept(empty_url, before)
    with open_catalog(empty_url) as catalog:
        assert len(catalog.videos.list()) == len(before["video"])
        catalog.jobs.submit("ingest", {}, author="anna")
    # It becomes a catalog of today in the other kind of database, too.
    elsewhere = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    settings = Settings(data_dir=tmp_path / "data", database_url=elsewhere)
    restore_backup(settings, tmp_path / "old.backup", RestoreChoices(catalog_only=True))
    check_kept(elsewhere, before, but=SETTLED)


@pytest.mark.postgres
@pytest.mark.parametrize("revision", [REVISIONS[0], REVISIONS[-2]])
def test_an_old_backup_of_sqlite_becomes_a_catalog_in_postgresql(
    make_schema, rows_of_today, tmp_path, revision
):
    before = fill(old := f"sqlite:///{tmp_path / 'old.db'}", revision, rows_of_today)
    settings = Settings(data_dir=tmp_path / "data", database_url=old)
    write_backup(settings, tmp_path / "old.backup")
    settings = Settings(data_dir=tmp_path / "data", database_url=(new := make_schema()))
    restore_backup(settings, tmp_path / "old.backup", RestoreChoices())
    check_kept(new, before, but=SETTLED)


def columns_of(url):
    engine = create_engine(url)
    found = inspect(engine)
    columns = {
        (table, column["name"]): (str(column["type"]), column)
        for table in found.get_table_names()
        for column in found.get_columns(table)
    }
    engine.dispose()
    return columns


@pytest.mark.parametrize(("older", "newer"), [*pairwise(REVISIONS)])
def test_a_program_of_the_schema_before_can_work_on(tmp_path, older, newer):
    """docs/operation.md promises it: whoever is running goes on reading and writing.

    A migration that cannot keep this promise has to be told there and in the changelog.
    """
    schemas = []
    for revision in (older, newer):
        url = f"sqlite:///{tmp_path / f'{revision}.db'}"
        with CatalogTables(url) as tables, tables.filling(revision):
            pass
        schemas.append(columns_of(url))
    before, after = schemas
    for name, (kind, column) in before.items():
        assert name in after, f"{name} is gone"
        assert (after[name][0], after[name][1]["nullable"]) == (kind, column["nullable"]), name
    tables_before = {table for table, _ in before}
    for (table, name), (_, column) in after.items():
        if table in tables_before and (table, name) not in before:
            assert column["nullable"] or column["default"] is not None, f"{table}.{name}"
