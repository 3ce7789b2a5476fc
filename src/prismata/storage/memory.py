"""Objects in memory, for tests and trials; everything is gone with the process."""

from __future__ import annotations

import hashlib
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from prismata.storage.base import (
    ObjectInfo,
    StorageBackend,
    as_stream,
    check_condition,
    check_expiry,
    check_range,
    missing,
    outside,
    read_chunks,
)
from prismata.storage.keys import check_key, check_prefix


@dataclass(frozen=True, slots=True)
class _Stored:
    info: ObjectInfo
    content: bytes


class MemoryStorage(StorageBackend):
    """A dictionary of immutable objects behind one lock."""

    def __init__(self) -> None:
        super().__init__()
        self._objects: dict[str, _Stored] = {}
        self._version = 0
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return "MemoryStorage()"

    def put(
        self,
        key: str,
        source: BinaryIO | bytes,
        *,
        if_absent: bool = False,
        if_match: str | None = None,
    ) -> ObjectInfo:
        """Store everything `source` yields; see `StorageBackend.put`."""
        check_key(key)
        content = b"".join(read_chunks(as_stream(source)))
        sha256 = hashlib.sha256(content).hexdigest()
        with self._lock:
            old = self._objects.get(key)
            etag = old.info.etag if old else None
            check_condition(key, etag, if_absent=if_absent, if_match=if_match)
            self._version += 1
            info = ObjectInfo(key, len(content), sha256, str(self._version), datetime.now(UTC))
            self._objects[key] = _Stored(info, content)
        return info

    def open(self, key: str) -> BinaryIO:
        """Return a stream over the object as it is now."""
        return BytesIO(self._find(key).content)

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Return bytes `[start, start + length)`; see `StorageBackend.read_range`."""
        check_range(start, length)
        content = self._find(key).content
        if start > len(content):
            raise outside(key, start, len(content))
        return content[start : start + length]

    @contextmanager
    def local_copy(self, key: str) -> Iterator[Path]:
        """Write the object to a temporary file that goes when the context ends."""
        content = self._find(key).content
        with tempfile.TemporaryDirectory(prefix="prismata-") as folder:
            path = Path(folder) / key.rpartition("/")[2]
            path.write_bytes(content)
            yield path

    def stat(self, key: str) -> ObjectInfo:
        """Return what is known about an object; the digest always is."""
        return self._find(key).info

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Iterate over the objects that are there now, sorted by key."""
        check_prefix(prefix)
        with self._lock:
            found = sorted(key for key in self._objects if key.startswith(prefix))
            return iter([self._objects[key].info for key in found])

    def delete(self, key: str) -> None:
        """Remove an object; nothing happens if there is none."""
        check_key(key)
        with self._lock:
            self._objects.pop(key, None)

    def url_for(self, key: str, *, expires_seconds: int = 3600) -> None:
        """Return None: there is no URL to an object in memory."""
        check_expiry(expires_seconds)
        self._find(key)

    def _find(self, key: str) -> _Stored:
        check_key(key)
        with self._lock:
            found = self._objects.get(key)
        if found is None:
            raise missing(key)
        return found
