"""An S3 that is really spoken to, with the faults that a test asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import botocore.loaders
import botocore.session
import pytest

from prismata.storage.s3 import S3Storage
from prismata.testing.s3_server import TEST_CREDENTIALS, LocalS3Server


@pytest.fixture(scope="session")
def running_s3() -> Iterator[LocalS3Server]:
    with LocalS3Server().running() as server:
        yield server


@pytest.fixture
def s3_server(
    running_s3: LocalS3Server, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LocalS3Server]:
    for name, value in TEST_CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    # boto3 reads a megabyte of API descriptions for each client; once is enough for all tests.
    monkeypatch.setattr(botocore.session, "create_loader", _LOADER)
    no_fault = running_s3.fault
    yield running_s3
    running_s3.fault = no_fault
    running_s3.requests.clear()


_LOADER = cache(botocore.loaders.create_loader)

OpenS3 = Callable[..., S3Storage]


@pytest.fixture
def open_s3(s3_server: LocalS3Server, tmp_path: Path) -> OpenS3:
    """Open a store in a new bucket, or where the arguments say."""

    def build(
        bucket: str = "", prefix: str = "", *, endpoint_url: str = "", max_bytes: int = 10**9
    ) -> S3Storage:
        return S3Storage(
            bucket or s3_server.make_bucket(),
            prefix,
            endpoint_url=endpoint_url or s3_server.endpoint_url,
            cache_dir=tmp_path / "cache",
            cache_max_bytes=max_bytes,
        )

    return build


@pytest.fixture
def s3(open_s3: OpenS3) -> S3Storage:
    return open_s3()
