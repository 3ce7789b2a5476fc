"""Backups: the same rows from and into either database, whole or not at all."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import zipfile

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine, text

from prismata.catalog import CatalogTables, open_catalog
from prismata.catalog.schema import METADATA
from prismata.catalog.tables import restart_sequences
from prismata.core.errors import BusyError, ConflictError, InvalidInputError, UserError
from prismata.core.jobs import FailureCause, JobState
from prismata.core.processes import this_process
from prismata.services.backup import write_backup
from prismata.services.backup_archive import ArchiveReader, ArchiveWriter
from prismata.services.restore import RestoreChoices, check_backup, restore_backup
from prismata.settings import Settings
from prismata.storage import open_storage

OBJECTS = {
    "labels/cricket/a.json": b'{"events": []}\n',
    "models/m/encoder.onnx": os.urandom(3_000_000),
    "timelines/ä b.npz": b"",
}
NOT_KEPT = {"videos/x/clip.mp4": b"film", "checkpoints/t/last.pt": b"state"}
PLAIN = RestoreChoices()


def settings_for(folder, url):
    return Settings(data_dir=folder, database_url=url)


@pytest.fixture(scope="session")
def full(tmp_path_factory, maker_type):
    """A SQLite catalog with rows in every table, and a storage with objects; only read."""
    folder = tmp_path_factory.mktemp("full")
    settings = settings_for(folder, f"sqlite:///{folder / 'catalog.db'}")
    with open_catalog(settings.catalog_url) as catalog:
        maker_type(catalog).everything()
    with open_storage(settings) as storage:
        for key, content in (OBJECTS | NOT_KEPT).items():
            storage.put(key, content)
    return settings


@pytest.fixture(scope="session")
def archive(full, tmp_path_factory):
    path = tmp_path_factory.mktemp("backups") / "full.backup"
    write_backup(full, path)
    return path


@pytest.fixture
def target(empty_url, tmp_path):
    """Settings of an empty catalog in either database."""
    return settings_for(tmp_path / "target", empty_url)


@pytest.fixture
def plain_target(tmp_path):
    """Settings of an empty catalog in SQLite, for what is refused before a database is asked."""
    return settings_for(tmp_path / "plain", f"sqlite:///{tmp_path / 'plain' / 'catalog.db'}")


def digests(manifest):
    return {table.name: (table.rows, table.sha256) for table in manifest.tables}


def digests_at(settings, path):
    return digests(write_backup(settings, path, catalog_only=True))


@pytest.mark.postgres
def test_every_table_goes_there_and_back_with_the_same_counts_and_digests(
    archive, make_schema, tmp_path
):
    first = check_backup(archive)
    assert {table.name for table in first.tables} == set(METADATA.tables)
    assert all(table.rows for table in first.tables), "a table without rows proves nothing"
    postgres = settings_for(tmp_path / "b", make_schema())
    restore_backup(postgres, archive, PLAIN)
    second = write_backup(postgres, tmp_path / "second.backup")
    # What belonged to whoever ran jobs is settled once; everything else is as it was.
    settled = {"job", "job_attempt", "worker", "live_scores"}
    assert {k: v for k, v in digests(second).items() if k not in settled} == {
        k: v for k, v in digests(first).items() if k not in settled
    }
    sqlite = settings_for(tmp_path / "c", f"sqlite:///{tmp_path / 'c' / 'catalog.db'}")
    restore_backup(sqlite, tmp_path / "second.backup", PLAIN)
    third = write_backup(sqlite, tmp_path / "third.backup")
    assert digests(third) == digests(second)
    assert third.objects == second.objects == first.objects
    assert {item.key for item in first.objects} == set(OBJECTS)
    assert first.left_out == {
        "videos": {"objects": 1, "bytes": 4},
        "checkpoints": {"objects": 1, "bytes": 5},
    }


def test_work_that_was_under_way_is_queued_again_and_belongs_to_nobody(archive, target):
    report = restore_backup(target, archive, PLAIN)
    assert report.interrupted == 1
    with open_catalog(target.catalog_url) as catalog:
        assert catalog.workers.list() == []
        assert catalog.jobs.list(state=JobState.RUNNING) == []
        (again,) = (job for job in catalog.jobs.list() if job.failures)
        assert (again.state, again.failures) == (JobState.QUEUED, {FailureCause.PREEMPTED: 1})
        (attempt,) = catalog.jobs.attempts(again.id)
        assert (attempt.state, attempt.cause) == (JobState.FAILED, FailureCause.PREEMPTED)
        # And the catalog takes new rows.
        catalog.jobs.submit("ingest", {}, author="anna")
        claimed = catalog.leases.claim(again.id, lease_seconds=60)
        assert claimed.attempt == 2


def test_a_copy_beside_the_original_starts_nothing(archive, target):
    restore_backup(target, archive, RestoreChoices(hold_jobs=True))
    with open_catalog(target.catalog_url) as catalog:
        waiting = catalog.jobs.list(state=JobState.QUEUED)
        assert waiting
        assert all(job.held for job in waiting)


def test_what_is_there_is_not_overwritten_unless_asked(archive, target, tmp_path, maker_type):
    with open_catalog(target.catalog_url) as catalog:
        maker_type(catalog).video("mine.mp4")
    before = digests_at(target, tmp_path / "before.backup")
    with pytest.raises(ConflictError, match=r"not empty: rows 1 in video; .* --replace"):
        restore_backup(target, archive, PLAIN)
    assert digests_at(target, tmp_path / "still.backup") == before
    restore_backup(target, archive, RestoreChoices(replace=True))
    with open_catalog(target.catalog_url) as catalog:
        assert "mine.mp4" not in {video.name for video in catalog.videos.list()}


def test_a_catalog_that_somebody_works_on_is_not_replaced(archive, target):
    with open_catalog(target.catalog_url) as catalog:
        catalog.workers.add("box:7", this_process(), {}, version="0")
    with pytest.raises(BusyError, match="'box:7' was at work"):
        restore_backup(target, archive, RestoreChoices(replace=True))


def test_other_objects_are_kept_aside(archive, target):
    with open_storage(target) as storage:
        storage.put("labels/cricket/a.json", b"newer labels")
        with pytest.raises(ConflictError, match=r"1 objects with another content.*a\.json"):
            restore_backup(target, archive, PLAIN)
        assert [info.key for info in storage.list()] == ["labels/cricket/a.json"]
        report = restore_backup(target, archive, RestoreChoices(replace=True))
        assert (report.put, report.same, report.replaced) == (2, 0, 1)
        assert storage.get("labels/cricket/a.json") == OBJECTS["labels/cricket/a.json"]
        (kept,) = storage.list("replaced/")
        assert storage.get(kept.key) == b"newer labels"


def flip(content, at):
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


@pytest.mark.parametrize("harm", ["cut", "bit", "row", "object", "manifest", "zip", "strange"])
def test_a_damaged_archive_is_refused_before_anything_is_changed(
    archive, plain_target, tmp_path, harm
):
    content = archive.read_bytes()
    bad = tmp_path / "bad.backup"
    if harm == "cut":
        bad.write_bytes(content[:-1000])
    elif harm == "bit":
        bad.write_bytes(flip(content, len(content) // 2))
    elif harm == "strange":
        bad.write_bytes(b"not a backup")
    else:
        with zipfile.ZipFile(archive) as old, zipfile.ZipFile(bad, "w") as new:
            for name in old.namelist():
                part = old.read(name)
                if harm == "row" and name == "tables/video.jsonl":
                    part = b"".join(part.splitlines(keepends=True)[1:])
                if harm == "object" and name == "objects/labels/cricket/a.json":
                    part = b'{"events": [1]}\n'
                if harm == "manifest" and name == "manifest.json":
                    part = part.replace(b'"schema"', b'"shema"')
                new.writestr(name, part)
            if harm == "zip":
                new.writestr("objects/more", b"")
    with pytest.raises(InvalidInputError, match=r"damaged or no backup: .*nothing was changed"):
        restore_backup(plain_target, bad, RestoreChoices(replace=True))
    assert is_empty(plain_target)


def is_empty(settings):
    with open_storage(settings) as storage:
        objects = list(storage.list())
    with open_catalog(settings.catalog_url) as catalog:
        return not objects and not catalog.videos.list() and not catalog.jobs.list()


def rewrite(archive, to, change):
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(to, "w") as new:
        for name in old.namelist():
            part = old.read(name)
            if name == "manifest.json":
                manifest = json.loads(part)
                change(manifest)
                part = json.dumps(manifest).encode()
            new.writestr(name, part)
    return to


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"schema": "9999"}, "schema 9999, made by a newer version"),
        ({"version": 2}, "format 2, this program knows format 1"),
    ],
)
def test_an_archive_of_a_newer_program_is_refused(
    archive, plain_target, tmp_path, change, sentence
):
    newer = rewrite(archive, tmp_path / "newer.backup", lambda manifest: manifest.update(change))
    with pytest.raises(UserError, match=f"{sentence}.*; nothing was changed, upgrade"):
        restore_backup(plain_target, newer, PLAIN)
    assert is_empty(plain_target)


def test_a_row_that_breaks_the_databases_rules_changes_nothing(archive, target, tmp_path):
    """As when two programs disagree: digests fit, and the rows still cannot be."""
    bad = tmp_path / "bad.backup"
    with ArchiveReader(archive) as reader, ArchiveWriter(bad, "SQLite") as writer:
        writer.manifest.schema = reader.manifest.schema
        for table in reader.manifest.tables:
            rows = list(reader.rows(table))
            if table.name == "label_operation":
                rows[0]["video_id"] = "nobody"
            writer.add_table(table.name, table.columns, rows)
        for item in reader.manifest.objects:
            with reader.object(item) as source:
                writer.add_object(item.key, source)
        writer.finish()
    with pytest.raises(UserError, match="does not exist"):
        restore_backup(target, bad, PLAIN)
    assert is_empty(target)


def test_objects_that_cannot_be_put_take_the_rows_back_with_them(archive, target):
    """The storage has a file where a folder is to be: found when all rows have been written."""
    with open_storage(target) as storage:
        storage.put("timelines", b"in the way")
        with pytest.raises(InvalidInputError, match="cannot be stored below another object"):
            restore_backup(target, archive, PLAIN)
        assert [info.key for info in storage.list()] == ["timelines"]
        storage.delete("timelines")
    assert is_empty(target)


PROGRAM = """
import resource, sys
from prismata.cli.main import run_command
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
sys.exit(run_command(sys.argv[2:]))
"""


def run_short_of_room(limit_bytes, settings, *arguments):
    """Run the program where no file may grow beyond a size, as on a full disk."""
    environment = os.environ | {
        "PRISMATA_DATA_DIR": str(settings.data_dir),
        "PRISMATA_DATABASE_URL": settings.catalog_url,
    }
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, str(limit_bytes), *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_full_disk_leaves_no_backup(full, tmp_path):
    (folder := tmp_path / "out").mkdir()
    ended = run_short_of_room(500_000, full, "backup", folder / "new.backup")
    assert ended.returncode == 69
    assert "could not be written" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("limit_bytes", [40_000, 2_000_000])
def test_a_full_disk_leaves_the_catalog_as_it_was(archive, tmp_path, limit_bytes):
    """With the smaller limit rows do not fit, with the larger one they do and a model does not."""
    target = settings_for(tmp_path / "t", f"sqlite:///{tmp_path / 't' / 'catalog.db'}")
    ended = run_short_of_room(limit_bytes, target, "restore", archive)
    assert ended.returncode == 69, ended.stderr
    assert "Traceback" not in ended.stderr
    assert is_empty(target)
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_rows_are_of_one_moment_however_much_is_written_meanwhile(shared, make, empty_url):
    make.video("before.mp4")
    with CatalogTables(shared.url) as tables, tables.snapshot() as rows:
        assert rows.count("video") == 1
        make.video("meanwhile.mp4")
        assert [row["name"] for row in rows.rows("video")] == ["before.mp4"]


def test_a_backup_needs_a_catalog_and_makes_none(target, tmp_path):
    with pytest.raises(InvalidInputError, match="there is no catalog yet"):
        write_backup(target, tmp_path / "new.backup")
    assert not (tmp_path / "new.backup").exists()


@pytest.mark.postgres
def test_counters_of_postgresql_go_on_behind_the_restored_rows(postgres_server, make_schema):
    """No table of ours counts by itself yet; one that will must not collide after a restore."""
    engine = create_engine(make_schema().replace("postgresql://", "postgresql+psycopg://"))
    probe = Table(
        "probe", MetaData(), Column("id", Integer, primary_key=True), Column("what", String)
    )
    with engine.begin() as connection:
        probe.create(connection)
        connection.execute(text("INSERT INTO probe VALUES (1, 'a'), (7, 'b')"))
        restart_sequences(connection)
        connection.execute(text("INSERT INTO probe (what) VALUES ('c')"))
        assert connection.scalar(text("SELECT max(id) FROM probe")) == 8
    engine.dispose()


@pytest.mark.postgres
def test_rows_come_in_the_order_of_bytes_whatever_language_the_server_sorts_by(make_schema):
    url = make_schema()
    with open_catalog(url) as catalog:
        for name in ("anna", "Zoe", "\u00dcnal", "zoe"):
            catalog.annotators.set_preferences(name, {})
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(
            text('ALTER TABLE annotator ALTER COLUMN name TYPE varchar COLLATE "und-x-icu"')
        )
        by_language = connection.scalars(text("SELECT name FROM annotator ORDER BY name")).all()
    engine.dispose()
    with CatalogTables(url) as tables, tables.snapshot() as rows:
        names = [row["name"] for row in rows.rows("annotator")]
    assert names == ["Zoe", "anna", "zoe", "\u00dcnal"] != by_language
