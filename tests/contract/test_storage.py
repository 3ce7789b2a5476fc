"""Every backend keeps every promise."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import botocore.loaders
import botocore.session
import pytest

from prismata.storage.base import StorageBackend
from prismata.storage.local import LocalStorage
from prismata.storage.memory import MemoryStorage
from prismata.storage.s3 import S3Storage
from prismata.testing.s3_server import TEST_CREDENTIALS, LocalS3Server
from prismata.testing.storage_contract import StorageContract


@pytest.fixture(scope="module")
def s3_server() -> Iterator[LocalS3Server]:
    with pytest.MonkeyPatch.context() as patch, LocalS3Server().running() as server:
        # boto3 reads a megabyte of API descriptions for each client; once is enough for all tests.
        patch.setattr(botocore.session, "create_loader", cache(botocore.loaders.create_loader))
        yield server


class TestLocal(StorageContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> StorageBackend:
        return LocalStorage(tmp_path / "storage")


class TestMemory(StorageContract):
    @pytest.fixture
    def store(self) -> Iterator[StorageBackend]:
        with MemoryStorage() as store:
            yield store


@pytest.mark.s3
class TestS3(StorageContract):
    @pytest.fixture
    def store(
        self, s3_server: LocalS3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[StorageBackend]:
        for name, value in TEST_CREDENTIALS.items():
            monkeypatch.setenv(name, value)
        with S3Storage(
            s3_server.make_bucket(),
            "team-a/",
            endpoint_url=s3_server.endpoint_url,
            cache_dir=tmp_path / "cache",
        ) as store:
            yield store


# Not a skip: without a bucket there is nothing to miss, and a hundred skips would hide real ones.
if "PRISMATA_TEST_S3_BUCKET" in os.environ:

    @pytest.mark.s3
    class TestRealBucket(StorageContract):
        """The same on `PRISMATA_TEST_S3_BUCKET`, at `PRISMATA_TEST_S3_URL` if that is not AWS."""

        @pytest.fixture
        def store(self, tmp_path: Path) -> Iterator[StorageBackend]:
            with S3Storage(
                os.environ["PRISMATA_TEST_S3_BUCKET"],
                f"prismata-contract-{uuid.uuid4().hex}",
                endpoint_url=os.environ.get("PRISMATA_TEST_S3_URL"),
                cache_dir=tmp_path / "cache",
            ) as store:
                yield store
                for info in store.list():
                    store.delete(info.key)
