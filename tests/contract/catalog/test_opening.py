"""Opening, migrating and losing a catalog."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import create_engine, inspect, make_url, text

from prismata.catalog import open_catalog
from prismata.core.errors import InvalidInputError, PrismataError, UnavailableError, UserError

OUR_TABLES = {
    *("dataset_version", "detection_run", "event", "job", "model", "training_run", "video"),
    *("annotator", "label_operation", "label_sheet", "saved_search", "person", "deed"),
    *("job_attempt", "live_scores", "review_decision", "worker"),
}

OPEN_WHEN_TOLD = """
import sys
from prismata.catalog import open_catalog
print("ready", flush=True)
sys.stdin.readline()
with open_catalog(sys.argv[1]) as catalog:
    catalog.jobs.submit("ingest", {}, author="anna")
"""


def engine_of(url):
    return create_engine(url.replace("postgresql://", "postgresql+psycopg://"))


def tables_of(url):
    engine = engine_of(url)
    names = set(inspect(engine).get_table_names())
    engine.dispose()
    return names


def execute(url, *statements):
    engine = engine_of(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def journal_mode_of(file):
    connection = sqlite3.connect(file)
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    connection.close()
    return mode


def test_a_new_catalog_has_every_table_and_opens_again(empty_url):
    open_catalog(empty_url).close()
    with open_catalog(empty_url, migrate=False) as catalog:
        catalog.ping()
    assert tables_of(empty_url) == OUR_TABLES | {"alembic_version"}


def test_processes_that_start_together_migrate_once_and_without_warnings(empty_url):
    started = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", OPEN_WHEN_TOLD, empty_url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in started:
        assert process.stdout.readline() == "ready\n"
    for process in started:
        process.stdin.write("go\n")
        process.stdin.flush()
    ends = [(*process.communicate(timeout=60), process.returncode) for process in started]

    assert ends == [("", "", 0)] * 3
    with open_catalog(empty_url) as catalog:
        assert len(catalog.jobs.list()) == 3


def test_threads_that_start_together_migrate_once(empty_url):
    barrier = threading.Barrier(6)

    def open_and_close():
        barrier.wait()
        open_catalog(empty_url).close()

    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(open_and_close) for _ in range(6)]:
            done.result()
    assert tables_of(empty_url) >= OUR_TABLES


def test_a_catalog_of_a_newer_program_is_refused_untouched(empty_url):
    open_catalog(empty_url).close()
    execute(empty_url, "UPDATE alembic_version SET version_num = '9999'")
    for migrate in (True, False):
        with pytest.raises(UserError, match=r"newer version.*9999.*upgrade the program"):
            open_catalog(empty_url, migrate=migrate)


def test_without_migration_an_empty_database_stays_empty(empty_url):
    with pytest.raises(UserError, match="older than this program or empty"):
        open_catalog(empty_url, migrate=False)
    assert tables_of(empty_url) == set()


def test_a_database_of_something_else_is_left_alone(empty_url, tmp_path):
    (tmp_path / "new folder").mkdir()
    execute(empty_url, "CREATE TABLE video (title VARCHAR(20))")
    with pytest.raises(UserError, match=r"table 'video' that is not ours"):
        open_catalog(empty_url)
    assert tables_of(empty_url) == {"video"}


def test_a_migration_that_fails_leaves_nothing_half_made(empty_url, tmp_path):
    (tmp_path / "new folder").mkdir()
    execute(
        empty_url,
        "CREATE TABLE other (x INTEGER)",
        "CREATE INDEX ix_event_domain_event_type ON other (x)",
    )
    with pytest.raises(PrismataError, match="ix_event_domain_event_type"):
        open_catalog(empty_url)
    assert tables_of(empty_url) == {"other"}


def test_the_sqlite_file_is_in_wal_mode(tmp_path):
    file = tmp_path / "a" / "b" / "catalog.db"
    open_catalog(f"sqlite:///{file}").close()
    assert journal_mode_of(file) == "wal"


def test_a_writer_waits_for_another_writer_instead_of_failing(tmp_path):
    file = tmp_path / "catalog.db"
    with open_catalog(f"sqlite:///{file}") as catalog:
        other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        other.execute("UPDATE job SET attempt = attempt")
        threading.Timer(0.3, lambda: other.execute("COMMIT")).start()
        before = time.monotonic()
        # This reads before it writes: begun deferred, it would fail at once.
        catalog.datasets.create(
            domain="cricket",
            domain_version=1,
            seed=1,
            video_splits={},
            groups={},
            content=(),
            author="anna",
        )
        assert time.monotonic() - before >= 0.25
        other.close()


def test_a_new_file_that_somebody_is_just_setting_up_is_waited_for(tmp_path):
    """SQLite does not wait when switching to WAL, so opening has to."""
    other = sqlite3.connect(tmp_path / "new.db", isolation_level=None, check_same_thread=False)
    other.execute("CREATE TABLE setting_up (x INTEGER)")
    other.execute("BEGIN IMMEDIATE")
    threading.Timer(0.3, lambda: other.execute("COMMIT")).start()
    open_catalog(f"sqlite:///{tmp_path / 'new.db'}").close()
    other.close()
    assert journal_mode_of(tmp_path / "new.db") == "wal"


def test_a_reader_is_not_held_up_by_a_writer(tmp_path):
    file = tmp_path / "catalog.db"
    with open_catalog(f"sqlite:///{file}") as catalog:
        other = sqlite3.connect(file, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert catalog.videos.list() == []
        other.close()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///file:x?mode=memory"])
def test_a_catalog_in_memory_is_refused(url):
    with pytest.raises(InvalidInputError, match="cannot live in memory"):
        open_catalog(url)


@pytest.mark.parametrize("url", ["", "catalog.db", "postgresql://user:s3cr3t@host:port/x"])
def test_an_address_that_cannot_be_read_is_refused_without_repeating_it(url):
    with pytest.raises(InvalidInputError, match="cannot be read") as caught:
        open_catalog(url)
    assert "s3cr3t" not in str(caught.value)


def test_other_databases_are_refused_by_name():
    with pytest.raises(InvalidInputError, match=r"'mysql'; it can be sqlite or postgresql"):
        open_catalog("mysql://user:s3cr3t@host/x")


def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("not a database, but somebody's only copy of something\n" * 50)
    before = file.read_bytes()
    with pytest.raises(InvalidInputError, match="a file of another kind"):
        open_catalog(f"sqlite:///{file}")
    assert file.read_bytes() == before


def test_a_folder_in_place_of_the_file_is_named(tmp_path):
    with pytest.raises(UnavailableError, match="that is a folder"):
        open_catalog(f"sqlite:///{tmp_path}")


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UnavailableError, match="cannot be made"):
        open_catalog(f"sqlite:///{tmp_path / 'file' / 'catalog.db'}")


def test_an_unreachable_server_is_one_sentence_without_the_password():
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    with pytest.raises(UnavailableError) as caught:
        open_catalog("postgresql://anna:s3cr3t@127.0.0.1:1/catalog")
    message = str(caught.value)
    assert "127.0.0.1:1" in message
    assert "efused" in message
    assert "s3cr3t" not in message
    assert "\n" not in message


def test_a_missing_driver_names_the_line_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(UnavailableError, match=r'pip install "prismata\[postgres\]"'):
        open_catalog("postgresql://anna@127.0.0.1/catalog")


def test_where_a_catalog_is_can_be_shown_to_people(catalog, backend, url):
    expected = {"sqlite": url.removeprefix("sqlite:///"), "postgresql": "database"}
    assert expected[backend] in catalog.where
    assert "options" not in catalog.where


@pytest.mark.postgres
def test_a_server_that_restarted_is_used_again_without_an_error(postgres_server, make_schema):
    url = make_schema()
    name = make_url(url).query["application_name"]
    with open_catalog(url) as catalog:
        catalog.ping()
        with postgres_server.begin() as connection:
            ended = connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = :name"
                ),
                {"name": name},
            ).all()
        assert ended
        catalog.ping()
