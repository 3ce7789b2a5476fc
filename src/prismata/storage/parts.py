"""Uploads that go straight to the store: whoever has the file sends its parts to signed addresses.

A store without such addresses has none of this (`StorageBackend.part_uploads` is None). Invariant:
which parts are there is asked of the store, never remembered, and an object appears with all of
them or not at all.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

from prismata.core.errors import ConflictError
from prismata.storage.base import ObjectInfo

MAX_PARTS = 10_000
SMALLEST_PART_BYTES = 8 * 2**20
URL_SECONDS = 900
"""How long an address is good for: a part of 8 MiB at 80 kbit/s; it is renewed when it is over."""


@dataclass(frozen=True, slots=True)
class PartUpload:
    """One object that arrives in parts."""

    key: str
    token: str
    """What the store calls this upload; no secret without its credentials."""
    size: int
    """Bytes of the whole object."""

    @property
    def part_bytes(self) -> int:
        """Bytes of every part but the last: a multiple of the smallest, 10,000 at most of them."""
        pieces = -(-self.size // (SMALLEST_PART_BYTES * MAX_PARTS))
        return SMALLEST_PART_BYTES * max(1, pieces)

    @property
    def count(self) -> int:
        """How many parts there will be; numbered from 1."""
        return max(1, -(-self.size // self.part_bytes))

    def bytes_of(self, number: int) -> int:
        """Return how many bytes a part has."""
        return min(self.part_bytes, self.size - (number - 1) * self.part_bytes)


class PartUploads(ABC):
    """Takes objects in parts that somebody else sends.

    Every operation raises `UnavailableError` when the store cannot be reached or refuses.
    """

    @abstractmethod
    def begin(self, key: str, size: int) -> PartUpload:
        """Begin an object; nothing of it can be seen before `finish`."""

    @abstractmethod
    def urls(
        self, upload: PartUpload, numbers: Iterable[int], *, expires_seconds: int = URL_SECONDS
    ) -> dict[int, str]:
        """Return the address to which each part is to be sent with PUT; may be asked again."""

    @abstractmethod
    def sizes(self, upload: PartUpload) -> dict[int, int]:
        """Return the bytes of each part that has arrived, by its number.

        Raises:
            NotFoundError: If the upload has ended or was aborted.
        """

    @abstractmethod
    def finish(self, upload: PartUpload) -> ObjectInfo:
        """Make the object of its parts; safe to call again after an answer that was lost.

        Raises:
            ConflictError: If parts are missing or have another size; nothing is lost by asking.
            NotFoundError: If the upload was aborted.
        """

    @abstractmethod
    def abort(self, upload: PartUpload) -> None:
        """Forget all parts; nothing happens if the upload has ended."""

    @abstractmethod
    def take_over(self, source_key: str, key: str, *, sha256: str) -> ObjectInfo:
        """Copy an object within the store and note its digest, without moving bytes through here.

        Args:
            source_key: What has arrived; stays.
            key: Where it is to be; replaced if it is there.
            sha256: Digest of its content, which the caller has read.

        Raises:
            NotFoundError: If there is no such object.
        """


def check_complete(upload: PartUpload, sizes: dict[int, int]) -> None:
    """Refuse to make an object of parts that are not all there.

    Raises:
        ConflictError: If one is missing or has another size.
    """
    wrong = [
        number
        for number in range(1, upload.count + 1)
        if sizes.get(number) != upload.bytes_of(number)
    ]
    if wrong:
        raise ConflictError(
            f"{len(wrong)} of {upload.count} parts of {upload.key!r} are missing or have another "
            f"size, the first is part {wrong[0]}; send them and try again"
        )
