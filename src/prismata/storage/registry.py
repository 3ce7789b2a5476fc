"""From settings to a storage backend; each is imported only when it is chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from prismata.core.errors import InvalidInputError, UnavailableError
from prismata.storage.base import StorageBackend

if TYPE_CHECKING:
    from prismata.settings import Settings
    from prismata.storage.sources import SourceStore

_BYTES_PER_GB = 10**9


def open_storage(settings: Settings) -> StorageBackend:
    """Return the backend that `PRISMATA_STORAGE_BACKEND` names; the network is not asked yet.

    Raises:
        InvalidInputError: If the backend lacks a setting.
        UnavailableError: If it is not installed or its folder cannot be made.
    """
    return _OPENERS[settings.storage_backend](settings)


def _open_local(settings: Settings) -> StorageBackend:
    from prismata.storage.local import LocalStorage

    return LocalStorage(settings.storage_dir)


def _open_memory(settings: Settings) -> StorageBackend:
    del settings
    from prismata.storage.memory import MemoryStorage

    return MemoryStorage()


def _open_s3(settings: Settings) -> StorageBackend:
    if not settings.s3_bucket:
        raise InvalidInputError(
            "the s3 storage was chosen, but no bucket is named; set PRISMATA_S3_BUCKET"
        )
    with _needs_boto3("the s3 storage was chosen"):
        from prismata.storage.s3 import S3Storage
    return S3Storage(
        settings.s3_bucket,
        settings.s3_prefix,
        endpoint_url=settings.s3_endpoint_url or None,
        region=settings.s3_region or None,
        cache_dir=settings.cache_dir / "copies",
        cache_max_bytes=int(settings.cache_max_gb * _BYTES_PER_GB),
    )


def open_s3_source(settings: Settings) -> SourceStore:
    """Return the door to other buckets, at the endpoint of the settings; nothing is asked yet.

    Raises:
        InvalidInputError: If the endpoint cannot be used.
        UnavailableError: If boto3 is not installed.
    """
    with _needs_boto3("an s3:// address was given"):
        from prismata.storage.s3_source import S3Source
    return S3Source(
        endpoint_url=settings.s3_endpoint_url or None, region=settings.s3_region or None
    )


@contextmanager
def _needs_boto3(asked: str) -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("boto3", "botocore"):
            raise
        raise UnavailableError(
            f'{asked}, but boto3 is not installed; run pip install "prismata[s3]"'
        ) from error


_OPENERS: dict[str, Callable[[Settings], StorageBackend]] = {
    "local": _open_local,
    "memory": _open_memory,
    "s3": _open_s3,
}
