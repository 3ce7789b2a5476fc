"""Objects elsewhere that are read as input: what a listing tells of them, and the door to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class SourceObject:
    """One version of one object, as a listing tells of it."""

    bucket: str
    key: str
    etag: str
    """Changes with the content."""
    size: int
    """Bytes."""

    @property
    def url(self) -> str:
        """What people call it."""
        return f"s3://{self.bucket}/{self.key}"


class SourceStore(Protocol):
    """Lists and fetches objects, and never writes any."""

    endpoint_url: str | None
    """Which store it is; None for AWS."""

    def list(self, bucket: str, prefix: str) -> Iterator[SourceObject]:
        """Iterate over the objects whose key begins with `prefix`.

        Raises:
            NotFoundError: If there is no such bucket.
            UnavailableError: If the store cannot be reached or denies it.
        """
        ...

    def fetch(self, source: SourceObject, target: Path) -> None:
        """Write this version of an object to a file.

        Raises:
            NotFoundError: If it is gone.
            ConflictError: If it has been replaced since it was listed.
            UnavailableError: If the store cannot be reached, or there is no room for the file.
        """
        ...
