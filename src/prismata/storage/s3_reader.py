"""A seekable stream over one version of an S3 object that survives cut connections."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError, IncompleteReadError

from prismata.core.errors import InvalidInputError, UnavailableError
from prismata.storage.s3_errors import NETWORK_ERRORS, translated

if TYPE_CHECKING:
    from botocore.response import StreamingBody

logger = logging.getLogger(__name__)

_ATTEMPTS = 5


class ObjectReader(io.RawIOBase):
    """Reads from a body that is opened where it is needed.

    boto3 repeats requests but not bodies: one that breaks after 9 of 10 GB is asked for again from
    there, up to five times without a byte.

    Args:
        open_body: Returns the body from a byte offset to the end, of the same version each time.
        size: Bytes of the object.
        key: For messages.
        body: The first body if it is open already, from the start.
    """

    def __init__(
        self,
        open_body: Callable[[int], StreamingBody],
        *,
        size: int,
        key: str,
        body: StreamingBody | None = None,
    ) -> None:
        self._open_body = open_body
        self._size = size
        self._key = key
        self._position = 0
        self._body = body

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position in bytes from the start."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move; the next read opens a new body if that is somewhere else.

        Raises:
            InvalidInputError: If the position would be negative.
        """
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        position = base + offset
        if position < 0:
            raise InvalidInputError(f"{self._key!r} cannot be read from byte {position}")
        if position != self._position:
            self._drop_body()
            self._position = position
        return position

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # the writable buffers that BufferedReader passes
        """Fill `buffer` as far as the object goes and return how many bytes that was.

        Raises:
            UnavailableError: If the store keeps breaking off.
        """
        wanted = min(len(buffer), self._size - self._position)
        if wanted <= 0:
            return 0
        chunk = self._read(wanted)
        buffer[: len(chunk)] = chunk
        self._position += len(chunk)
        return len(chunk)

    def close(self) -> None:
        """Let go of the connection."""
        self._drop_body()
        super().close()

    def _read(self, wanted: int) -> bytes:
        failure: BotoCoreError | ClientError | None = None
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                if self._body is None:
                    self._body = self._open_body(self._position)
                chunk = self._body.read(wanted)
            except (*NETWORK_ERRORS, IncompleteReadError) as error:
                failure = error
            except (BotoCoreError, ClientError) as error:
                raise translated(error, f"read {self._key!r}") from error
            else:
                if chunk:
                    return bytes(chunk)
            logger.warning(
                "body_broken key=%s at=%s attempt=%s", self._key, self._position, attempt
            )
            self._drop_body()
        raise UnavailableError(
            f"could not read {self._key!r}: the connection broke {_ATTEMPTS} times at byte "
            f"{self._position} of {self._size}; try again later"
        ) from failure

    def _drop_body(self) -> None:
        body, self._body = self._body, None
        if body is not None:
            with suppress(OSError):
                body.close()
