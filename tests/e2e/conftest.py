"""Where the whole path is walked: two databases and two kinds of storage."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from uuid import uuid4

import botocore.loaders
import botocore.session
import pytest

from prismata.testing.s3_server import TEST_CREDENTIALS, LocalS3Server

PROBED_URL = "postgresql://postgres@127.0.0.1:5432/test"


@pytest.fixture
def s3_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """A bucket of its own on a server of its own, which children can reach too."""
    for name, value in TEST_CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    # boto3 reads a megabyte of API descriptions for each client, and each command makes one.
    monkeypatch.setattr(botocore.session, "create_loader", cache(botocore.loaders.create_loader))
    with LocalS3Server().running() as server:
        yield {
            "storage_backend": "s3",
            "s3_bucket": server.make_bucket(),
            "s3_prefix": "team-a/",
            "s3_endpoint_url": server.endpoint_url,
        }


@pytest.fixture
def postgres_settings() -> Iterator[dict[str, str]]:
    """An empty schema of a PostgreSQL that is at hand."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    from sqlalchemy import create_engine, make_url, text
    from sqlalchemy.exc import OperationalError

    url = make_url(os.environ.get("PRISMATA_TEST_POSTGRES_URL", PROBED_URL))
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"), connect_args={"connect_timeout": 3}
    )
    schema = f"prismata_e2e_{uuid4().hex}"
    try:
        with engine.begin() as connection:
            connection.execute(text(f"CREATE SCHEMA {schema}"))
    except OperationalError as error:
        engine.dispose()
        pytest.skip(f"no PostgreSQL at hand: {str(error.orig).splitlines()[0]}")
    inside = url.set(drivername="postgresql").update_query_dict(
        {"options": f"-csearch_path={schema}"}
    )
    yield {"database_url": inside.render_as_string(hide_password=False)}
    with engine.begin() as connection:
        connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
    engine.dispose()
