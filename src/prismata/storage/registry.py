"""From settings to a storage backend; each is imported only when it is chosen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from prismata.core.errors import InvalidInputError, UnavailableError
from prismata.storage.base import StorageBackend

if TYPE_CHECKING:
    from prismata.settings import Settings

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
    try:
        from prismata.storage.s3 import S3Storage
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("boto3", "botocore"):
            raise
        raise UnavailableError(
            'the s3 storage was chosen, but boto3 is not installed; run pip install "prismata[s3]"'
        ) from error
    return S3Storage(
        settings.s3_bucket,
        settings.s3_prefix,
        endpoint_url=settings.s3_endpoint_url or None,
        region=settings.s3_region or None,
        cache_dir=settings.cache_dir / "copies",
        cache_max_bytes=int(settings.cache_max_gb * _BYTES_PER_GB),
    )


_OPENERS: dict[str, Callable[[Settings], StorageBackend]] = {
    "local": _open_local,
    "memory": _open_memory,
    "s3": _open_s3,
}
