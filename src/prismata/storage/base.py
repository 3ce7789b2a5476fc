"""What every storage backend promises: whole objects under plain keys.

Invariant: an object is either there with all its bytes or not there. A reader never sees half of
one, and a put that fails leaves what was there before.
"""

from __future__ import annotations

import hashlib
import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from prismata.core.errors import ConflictError, InvalidInputError, NotFoundError
from prismata.storage.keys import check_key

if TYPE_CHECKING:
    from prismata.storage.parts import PartUploads

CHUNK_BYTES = 1024 * 1024
MAX_READ_BYTES = 64 * 1024 * 1024
"""What `get` and `read_range` load into memory at most; larger objects are streamed."""
MAX_URL_SECONDS = 7 * 24 * 3600
"""Signature version 4 refuses a longer life."""

Progress = Callable[[int, int], None]
"""Called with `(bytes_done, bytes_total)`; an exception it raises stops the transfer."""
Names = list[str]


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What is known about a stored object without reading it."""

    key: str
    size: int
    """Bytes."""
    sha256: str | None
    """Hex digest of the content; None where telling would mean reading it (see `digest`)."""
    etag: str
    """Opaque version: differs whenever the content differs; for `if_match`."""
    modified: datetime
    """When it was stored; aware, UTC, to the second at least."""


class StorageBackend(ABC):
    """Whole objects under plain keys (see `check_key`); safe to share between threads.

    Every operation raises `InvalidInputError` for a key that cannot be used and `UnavailableError`
    when the store cannot be reached, is full or refuses. The last five methods are the classic
    surface: videos under `videos/<name>`, labels under `labels/<name>.json`.
    """

    def __init__(self) -> None:
        self._held = ExitStack()
        self._held_paths: dict[tuple[str, str], Path] = {}
        self._held_lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the local copies that `read_video` handed out; the backend stays usable."""
        with self._held_lock:
            held, self._held = self._held, ExitStack()
            self._held_paths.clear()
        held.close()

    @abstractmethod
    def put(
        self,
        key: str,
        source: BinaryIO | bytes,
        *,
        if_absent: bool = False,
        if_match: str | None = None,
    ) -> ObjectInfo:
        """Store everything `source` yields, replacing what was there, all at once.

        An exception that `source` raises passes unchanged; the old object stays.

        Args:
            key: Where.
            source: Bytes, or a binary stream read from its current position to its end.
            if_absent: Store only if there is no object yet.
            if_match: Store only if the object still has this `etag`. To change an object, `stat` it
                first and read it then: what is read is that version or a later one, which the
                condition refuses.

        Raises:
            ConflictError: If the condition does not hold; nothing was overwritten.
        """

    def put_file(
        self,
        key: str,
        path: Path,
        *,
        if_absent: bool = False,
        if_match: str | None = None,
        progress: Progress | None = None,
    ) -> ObjectInfo:
        """Store the content of a file, as `put` does; for anything large.

        Raises:
            NotFoundError: If there is no such file.
            ConflictError: If the condition does not hold, or the file changes meanwhile.
        """
        with open_source(path) as source:
            total = path.stat().st_size
            counted = _CountingSource(source, total, progress) if progress else source
            # The counter answers `read`, which is all that `put` promises to call.
            return self.put(key, counted, if_absent=if_absent, if_match=if_match)  # type: ignore[arg-type]

    def get(self, key: str, *, max_bytes: int = MAX_READ_BYTES) -> bytes:
        """Return the whole content.

        Raises:
            NotFoundError: If there is no such object.
            InvalidInputError: If it is larger than `max_bytes`.
        """
        with self.open(key) as stream:
            content = stream.read(max_bytes + 1)
        if len(content) > max_bytes:
            raise InvalidInputError(
                f"{key!r} was asked for in memory, but it is larger than {max_bytes} bytes; "
                "use open, read_range or local_copy"
            )
        return content

    @abstractmethod
    def open(self, key: str) -> BinaryIO:
        """Return a readable, seekable stream of one version of the object; close it after use.

        Raises:
            NotFoundError: If there is no such object.
        """

    @abstractmethod
    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Return bytes `[start, start + length)`, fewer where the object ends before.

        Raises:
            NotFoundError: If there is no such object.
            InvalidInputError: If the range is negative, starts after the end or is larger than
                `MAX_READ_BYTES`.
        """

    @abstractmethod
    def local_copy(self, key: str) -> AbstractContextManager[Path]:
        """Return a context in which the object is a local file with the key's file name.

        The file is for reading only and may vanish when the context ends.

        Raises:
            NotFoundError: If there is no such object.
        """

    def exists(self, key: str) -> bool:
        """Say whether there is such an object."""
        try:
            self.stat(key)
        except NotFoundError:
            return False
        return True

    @abstractmethod
    def stat(self, key: str) -> ObjectInfo:
        """Return what is known about an object, without reading it.

        Raises:
            NotFoundError: If there is no such object.
        """

    @abstractmethod
    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Iterate over all objects whose key begins with `prefix`, sorted by key.

        The prefix is text, not a folder: `videos/a` finds `videos/ab.mp4`.
        """

    @abstractmethod
    def delete(self, key: str) -> None:
        """Remove an object; nothing happens if there is none."""

    @abstractmethod
    def url_for(self, key: str, *, expires_seconds: int = 3600) -> str | None:
        """Return a URL from which a browser gets the object with ranges, None if there is none.

        Mint one per view: it may end earlier than asked with the signer's session.

        Raises:
            NotFoundError: If there is no such object.
            InvalidInputError: If it is to live less than a second or more than seven days.
        """

    @property
    def browser_origin(self) -> str:
        """Scheme and host that browsers get objects from; empty if only from the workbench."""
        return ""

    @property
    def part_uploads(self) -> PartUploads | None:
        """How a browser sends large objects straight to the store; None if there is no such way."""
        return None

    def digest(self, key: str) -> str:
        """Return the SHA-256 of the content in hex, reading it where the store does not know.

        Raises:
            NotFoundError: If there is no such object.
        """
        known = self.stat(key).sha256
        if known:
            return known
        sha = hashlib.sha256()
        with self.open(key) as stream:
            for chunk in read_chunks(stream):
                sha.update(chunk)
        return sha.hexdigest()

    def remove_leftovers(self, older_than_seconds: float = 86_400.0) -> int:
        """Remove what killed writers left unfinished (never visible) and return how many."""
        del older_than_seconds
        return 0

    def read_video(self, name: str) -> Path:
        """Return a local path of video `name`, valid while this backend lives and is not closed.

        Raises:
            NotFoundError: If there is no such video.
        """
        key = f"videos/{check_key(name)}"
        version = (key, self.stat(key).etag)
        with self._held_lock:
            if version in self._held_paths:
                return self._held_paths[version]
        with ExitStack() as fetched:
            path = fetched.enter_context(self.local_copy(key))
            with self._held_lock:
                if version not in self._held_paths:
                    self._held_paths[version] = path
                    self._held.push(fetched.pop_all())
                return self._held_paths[version]

    def list_videos(self) -> Names:
        """Return the names of all videos, sorted."""
        return [info.key.removeprefix("videos/") for info in self.list("videos/")]

    def read_labels(self, name: str) -> dict[str, Any]:
        """Return the labels of video `name`.

        Raises:
            NotFoundError: If it has none.
            InvalidInputError: If what is stored is not a JSON object.
        """
        key = f"labels/{check_key(name)}.json"
        try:
            labels = json.loads(self.get(key))
        except ValueError as error:
            raise InvalidInputError(f"{key!r} holds labels that are not JSON: {error}") from error
        if not isinstance(labels, dict):
            raise InvalidInputError(
                f"{key!r} should hold a JSON object, but it holds a {type(labels).__name__}"
            )
        return labels

    def write_labels(self, name: str, labels: dict[str, Any]) -> None:
        """Store the labels of video `name` as JSON, replacing what was there, all at once.

        Raises:
            InvalidInputError: If they are not a dictionary that JSON can hold.
        """
        key = f"labels/{check_key(name)}.json"
        if not isinstance(labels, dict):
            raise InvalidInputError(
                f"labels of {name!r} must be a dict, not {type(labels).__name__}"
            )
        try:
            text = json.dumps(labels, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
            content = f"{text}\n".encode()
        except (TypeError, ValueError) as error:
            raise InvalidInputError(
                f"the labels of {name!r} cannot be written as JSON: {error}"
            ) from error
        self.put(key, content)

    def presigned_url(self, name: str, expires_seconds: int = 3600) -> str | None:
        """Return a URL for video `name` as `url_for` does, None if there is none."""
        return self.url_for(f"videos/{check_key(name)}", expires_seconds=expires_seconds)


class _CountingSource:
    """A stream that reports how far it was read."""

    def __init__(self, source: BinaryIO, total: int, progress: Progress) -> None:
        self._source, self._total, self._progress = source, total, progress
        self._done = 0

    def read(self, size: int = -1) -> bytes:
        chunk = self._source.read(size)
        self._done += len(chunk)
        if chunk:
            self._progress(self._done, max(self._total, self._done))
        return chunk


def open_source(path: Path) -> BinaryIO:
    """Open a file that is to be stored.

    Raises:
        NotFoundError: If there is no such file.
        InvalidInputError: If it cannot be read.
    """
    try:
        return path.open("rb")
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no file {str(path)!r} to store") from error
    except OSError as error:
        raise InvalidInputError(f"the file {str(path)!r} cannot be read: {error}") from error


def as_stream(source: BinaryIO | bytes) -> BinaryIO:
    """Return `source` as a stream.

    Raises:
        InvalidInputError: If it is neither bytes nor a stream.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return BytesIO(source)
    if not hasattr(source, "read"):
        raise InvalidInputError(
            f"a {type(source).__name__} cannot be stored; give bytes or an open binary file"
        )
    return source


def read_chunks(source: BinaryIO) -> Iterator[bytes]:
    """Iterate over the rest of a stream in pieces of at most `CHUNK_BYTES`.

    Raises:
        InvalidInputError: If the stream yields text.
    """
    while chunk := source.read(CHUNK_BYTES):
        if not isinstance(chunk, bytes | bytearray | memoryview):
            raise InvalidInputError("the source yields text; open the file in binary mode ('rb')")
        yield chunk


def missing(key: str) -> NotFoundError:
    """Return the error for an object that is not there."""
    return NotFoundError(f"there is no object {key!r} in the storage")


def check_condition(
    key: str, current_etag: str | None, *, if_absent: bool, if_match: str | None
) -> None:
    """Compare what a put demands with the object's present `etag` (None: no object).

    Raises:
        ConflictError: If the condition does not hold.
        InvalidInputError: If both conditions are given.
    """
    check_one_condition(if_absent=if_absent, if_match=if_match)
    if if_absent and current_etag is not None:
        raise already_there(key)
    if if_match is not None and current_etag != if_match:
        raise changed(key)


def check_one_condition(*, if_absent: bool, if_match: str | None) -> None:
    """Refuse a put that demands both conditions.

    Raises:
        InvalidInputError: If both are given.
    """
    if if_absent and if_match is not None:
        raise InvalidInputError(
            "a put can demand if_absent or if_match, but both were given; leave one away"
        )


def already_there(key: str) -> ConflictError:
    """Return the error of a put with `if_absent` that came second."""
    return ConflictError(f"{key!r} exists already, so it was not created; nothing was overwritten")


def changed(key: str) -> ConflictError:
    """Return the error of a put with `if_match` whose version is gone."""
    return ConflictError(
        f"{key!r} was changed or deleted by somebody else, so it was not replaced; "
        "read it again and repeat the change"
    )


def check_range(start: int, length: int) -> None:
    """Refuse a range that no object has.

    Raises:
        InvalidInputError: If it is negative or longer than `MAX_READ_BYTES`.
    """
    if start < 0 or length < 0:
        raise InvalidInputError(f"a byte range cannot start at {start} with length {length}")
    if length > MAX_READ_BYTES:
        raise InvalidInputError(
            f"{length} bytes were asked for at once and the limit is {MAX_READ_BYTES}; "
            "use open or local_copy"
        )


def outside(key: str, start: int, size: int) -> InvalidInputError:
    """Return the error for a range that starts after the end."""
    return InvalidInputError(
        f"bytes from {start} of {key!r} were asked for, but it has {size} bytes"
    )


def check_expiry(expires_seconds: int) -> int:
    """Return how long a URL lives.

    Raises:
        InvalidInputError: If it is less than a second or more than seven days.
    """
    if not 1 <= expires_seconds <= MAX_URL_SECONDS:
        raise InvalidInputError(
            f"a URL cannot live {expires_seconds} seconds; ask for 1 to {MAX_URL_SECONDS}"
        )
    return expires_seconds
