"""The doctor where things are not well: real databases, brokers and stores."""

from __future__ import annotations

import os
import time

import pytest
from pydantic import SecretStr

from prismata.catalog import CatalogTables, newest_revision, open_catalog
from prismata.core.jobs import ResourceClass
from prismata.core.processes import this_process
from prismata.services import health_places
from prismata.services.health import check_health
from prismata.testing import s3_server
from prismata.testing.s3_server import TEST_CREDENTIALS, LocalS3Server
from prismata.wiring import check_broker


def look(settings, **changes):
    """Return part → (verdict, message) under changed settings."""
    changed = settings.model_copy(update=changes)
    parts = check_health(changed, {"broker": check_broker})
    return {part.part: (part.verdict, part.message) for part in parts}


def test_no_catalog_is_made_by_looking(settings, tmp_path):
    parts = look(settings, data_dir=tmp_path / "new")
    verdict, message = parts["catalog"]
    assert (verdict, "there is no catalog yet" in message) == ("ok", True)
    assert not list((tmp_path / "new").glob("*.db*"))


def test_a_catalog_of_an_older_program_is_told_and_left_as_it_is(settings, tmp_path):
    url = f"sqlite:///{tmp_path / 'old.db'}"
    with CatalogTables(url) as tables, tables.filling("0007"):
        pass
    behind = int(newest_revision()) - 7
    for _ in range(2):
        verdict, message = look(settings, database_url=SecretStr(url))["catalog"]
        assert verdict == "degraded"
        assert f"{behind} migrations behind (schema 0007" in message
        assert "prismata backup" in message


def test_jobs_that_nobody_takes_are_told_with_the_way_out(settings):
    with open_catalog(settings.catalog_url) as catalog:
        catalog.jobs.submit("train", {}, author="anna", resource_class=ResourceClass.GPU)
        verdict, message = look(settings)["workers"]
        assert verdict == "degraded"
        assert "nobody takes: 1 gpu" in message
        assert "prismata worker --gpu 1" in message
        catalog.workers.add("big:1", this_process(), {ResourceClass.GPU: 1}, version="0")
        verdict, message = look(settings, dispatcher="none")["workers"]
        assert (verdict, "big:1" in message) == ("ok", True)


def test_a_workbench_that_takes_no_jobs_needs_a_worker(settings):
    verdict, message = look(settings, dispatcher="none")["workers"]
    assert verdict == "degraded"
    assert "no worker was seen within a minute" in message


def test_too_little_memory_and_a_folder_that_cannot_be_written(settings, monkeypatch, tmp_path):
    monkeypatch.setattr(health_places, "available_memory_mb", lambda: 200.0)
    verdict, message = look(settings)["memory"]
    assert verdict == "degraded"
    assert message.startswith("200 of ")
    assert "a detection takes about 310 (a ResNet18 on 720p); close other programs" in message
    (tmp_path / "a file").touch()
    verdict, message = look(settings, data_dir=tmp_path / "a file")["data folder"]
    assert verdict == "error"
    assert "PRISMATA_DATA_DIR" in message


@pytest.mark.postgres
def test_the_database_servers_clock_is_asked(settings, postgres_url):
    """Both are on this machine, so they agree; another clock is told with the way out."""
    parts = look(settings, database_url=SecretStr(postgres_url))
    verdict, message = parts["clock"]
    assert verdict == "ok"
    assert "the database server's" in message


@pytest.fixture
def postgres_url():
    """Address of the server that tests use; nothing is written to it."""
    url = os.environ.get("PRISMATA_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/test")
    psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
    try:
        psycopg.connect(url, connect_timeout=3).close()
    except psycopg.OperationalError as error:
        pytest.skip(f"no PostgreSQL at hand: {error}")
    return url


@pytest.mark.s3
@pytest.mark.parametrize(
    ("seconds", "wanted", "told"),
    [
        (0, "ok", "0.0 s ahead of the store's"),
        (-60, "degraded", "s ahead of the store's; have it set by NTP"),
        (1000, "error", "s behind the store's, and S3 refuses requests"),
    ],
)
def test_the_stores_clock_is_compared_by_what_it_answers(
    settings, monkeypatch, seconds, wanted, told
):
    for name, value in TEST_CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    real = s3_server._QuietHandler.date_time_string

    def shifted(handler, timestamp=None):
        return real(handler, (timestamp or time.time()) + seconds)

    monkeypatch.setattr(s3_server._QuietHandler, "date_time_string", shifted)
    with LocalS3Server().running() as server:
        parts = look(
            settings,
            storage_backend="s3",
            s3_bucket=server.make_bucket(),
            s3_endpoint_url=server.endpoint_url,
        )
    verdict, message = parts["clock"]
    assert verdict == wanted
    assert told in message
    assert parts["storage"][0] == "ok"


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_a_broker_that_is_away_is_told_without_its_password(settings, scheme):
    pytest.importorskip("celery", reason="celery is not installed")
    url = SecretStr(f"{scheme}://anna:hunter2@127.0.0.1:1//")
    verdict, message = look(settings, dispatcher="celery", broker_url=url)["broker"]
    assert verdict == "error"
    assert f"the broker ({scheme} at 127.0.0.1) does not answer" in message
    assert "hunter2" not in message


@pytest.mark.parametrize("broker", ["redis", "rabbitmq"], indirect=True)
def test_a_broker_that_answers(settings, broker):
    parts = look(settings, dispatcher="celery", broker_url=SecretStr(broker))
    verdict, message = parts["broker"]
    assert (verdict, message.endswith("at 127.0.0.1 answers")) == ("ok", True)


def test_no_broker_where_there_should_be_one(settings):
    verdict, message = look(settings, dispatcher="celery")["broker"]
    assert verdict == "error"
    assert "PRISMATA_BROKER_URL is empty" in message
