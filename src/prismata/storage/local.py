"""Objects as plain files under one folder.

Invariant: data is written to `.prismata-<random>.part` beside its destination, flushed to the disk
and renamed while the folder's lock is held, so other processes see the old object or the new one.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import logging
import os
import stat
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from prismata.core.errors import InvalidInputError, UnavailableError
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
from prismata.storage.keys import RESERVED, check_key, check_prefix
from prismata.storage.locking import take_lock

logger = logging.getLogger(__name__)

LOCK_NAME = f"{RESERVED}lock"
PART_SUFFIX = ".part"

# File systems keep times to the nanosecond, to 100 ns (NTFS), to the second or to two (FAT).
_TIME_STEPS_NS = (0, 1_000, 1_000_000, 1_000_000_000, 2_000_000_000)


class LocalStorage(StorageBackend):
    """Objects as files in `root`; several processes may share it.

    An object's `etag` is made of its modification time, size and inode, not of its content: telling
    a version must not mean hashing gigabytes. Every put gives the file a time later than the
    version it replaces, under the lock that also guards the comparison, so `if_match` is exact
    among all who write through this class. `root` may be a link, nothing below it: a link could
    lead out.

    Args:
        root: Folder; made if it is not there.

    Raises:
        UnavailableError: If the folder cannot be made.
    """

    def __init__(self, root: Path | str) -> None:
        super().__init__()
        with _disk(f"use the storage folder {str(root)!r}"):
            Path(root).mkdir(parents=True, exist_ok=True)
            self.root = Path(root).resolve()

    def __repr__(self) -> str:
        return f"LocalStorage({str(self.root)!r})"

    def put(
        self,
        key: str,
        source: BinaryIO | bytes,
        *,
        if_absent: bool = False,
        if_match: str | None = None,
    ) -> ObjectInfo:
        """Store everything `source` yields; see `StorageBackend.put`."""
        target = self._path(key)
        stream = as_stream(source)
        # Asked here too, so that a put that cannot win does not write gigabytes first.
        check_condition(key, _etag_at(target), if_absent=if_absent, if_match=if_match)
        part, handle = self._open_part(key, target)
        try:
            with handle:
                sha = hashlib.sha256()
                for chunk in read_chunks(stream):
                    sha.update(chunk)
                    with _disk(f"store {key!r}"):
                        handle.write(chunk)
                with _disk(f"store {key!r}"):
                    handle.flush()
                    os.fsync(handle.fileno())
            with self._locked(), _disk(f"store {key!r}"):
                check_condition(key, _etag_at(target), if_absent=if_absent, if_match=if_match)
                _make_later(part, target)
                result = part.stat()
                part.replace(target)
                _sync_folder(target.parent)
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)
        return _info(key, result, sha.hexdigest())

    def open(self, key: str) -> BinaryIO:
        """Return the opened file; a later put does not change what it reads."""
        path = self._path(key)
        with _disk(f"read {key!r}"):
            try:
                return path.open("rb")
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
                raise missing(key) from error

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Return bytes `[start, start + length)`; see `StorageBackend.read_range`."""
        check_range(start, length)
        with self.open(key) as stream, _disk(f"read {key!r}"):
            size = os.fstat(stream.fileno()).st_size
            if start > size:
                raise outside(key, start, size)
            stream.seek(start)
            return stream.read(length)

    @contextmanager
    def local_copy(self, key: str) -> Iterator[Path]:
        """Return the file itself; nothing is copied."""
        self.stat(key)
        yield self._path(key)

    def stat(self, key: str) -> ObjectInfo:
        """Return what is known about an object; its digest is not (see `digest`)."""
        result = _stat_file(self._path(key))
        if result is None:
            raise missing(key)
        return _info(key, result)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Iterate over the files below the folder, sorted by key; links are skipped, and logged."""
        check_prefix(prefix)
        folder = prefix.rpartition("/")[0]
        return self._walk(f"{folder}/" if folder else "", prefix)

    def delete(self, key: str) -> None:
        """Remove the file, and the folders that it leaves empty."""
        path = self._path(key)
        with self._locked(), _disk(f"delete {key!r}"):
            with suppress(FileNotFoundError, NotADirectoryError):
                if not path.is_dir():
                    path.unlink()
            self._remove_empty(path.parent)

    def url_for(self, key: str, *, expires_seconds: int = 3600) -> None:
        """Return None: a browser gets local files through the media route, not by a URL of ours."""
        check_expiry(expires_seconds)
        self.stat(key)

    def remove_leftovers(self, older_than_seconds: float = 86_400.0) -> int:
        """Remove unfinished files that nobody has written to for so long."""
        removed = 0
        horizon = time.time() - older_than_seconds
        with _disk("tidy the storage folder"):
            for path in self.root.rglob(f"{RESERVED}*{PART_SUFFIX}"):
                with suppress(FileNotFoundError):
                    if path.stat().st_mtime < horizon:
                        path.unlink()
                        removed += 1
        return removed

    def _path(self, key: str) -> Path:
        path = self.root / check_key(key)
        with _disk(f"look at {key!r}"):
            has_link = any(
                part.is_symlink()
                for part in (path, *path.parents)
                if part.is_relative_to(self.root)
            )
        # The root was resolved, so whatever is a link lies below it.
        if has_link:
            raise InvalidInputError(
                f"{key!r} passes through a link in the storage folder, which could lead out of it; "
                "put the files there themselves, or mount their folder"
            )
        return path

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with _disk(f"lock the storage folder {str(self.root)!r}"):
            self.root.mkdir(parents=True, exist_ok=True)
            descriptor = take_lock(self.root / LOCK_NAME, fcntl.LOCK_EX)
        try:
            yield
        finally:
            os.close(descriptor)

    def _open_part(self, key: str, target: Path) -> tuple[Path, BinaryIO]:
        part = target.with_name(f"{RESERVED}{uuid.uuid4().hex}{PART_SUFFIX}")
        # Under the lock, because `delete` removes empty folders under it.
        with self._locked(), _disk(f"store {key!r}"):
            if target.is_dir():
                raise InvalidInputError(
                    f"{key!r} cannot be stored: other objects lie below it; choose another key"
                )
            try:
                part.parent.mkdir(parents=True, exist_ok=True)
            except (FileExistsError, NotADirectoryError) as error:
                raise InvalidInputError(
                    f"{key!r} cannot be stored below another object; choose another key"
                ) from error
            return part, part.open("xb")

    def _remove_empty(self, folder: Path) -> None:
        while folder != self.root:
            try:
                folder.rmdir()
            except (FileNotFoundError, NotADirectoryError):
                pass
            except OSError:
                return  # Something else lies in it.
            folder = folder.parent

    def _walk(self, folder: str, prefix: str) -> Iterator[ObjectInfo]:
        for name, is_folder in self._names_in(folder):
            key = folder + name
            if is_folder:
                if key.startswith(prefix) or prefix.startswith(key):
                    yield from self._walk(key, prefix)
            elif key.startswith(prefix):
                result = _stat_file(self.root / key)
                if result is not None:
                    yield _info(key, result)

    def _names_in(self, folder: str) -> Sequence[tuple[str, bool]]:
        with _disk("list the storage folder"):
            try:
                entries = os.scandir(self.root / folder)
            except (FileNotFoundError, NotADirectoryError):
                return []
            with entries:
                found = [
                    (f"{entry.name}/", True)
                    if entry.is_dir(follow_symlinks=False)
                    else (entry.name, False)
                    for entry in entries
                    if _is_object(folder, entry)
                ]
        # A folder counts with its slash: 'a.txt' comes before 'a/b', as it does among keys.
        return sorted(found)


def _is_object(folder: str, entry: os.DirEntry[str]) -> bool:
    if entry.name.startswith(RESERVED):
        return False
    if entry.is_symlink():
        logger.warning("link_skipped key=%s", folder + entry.name)
        return False
    try:
        check_key(folder + entry.name)
    except InvalidInputError:
        logger.warning("file_skipped name=%r", folder + entry.name)
        return False
    return True


def _stat_file(path: Path) -> os.stat_result | None:
    with _disk(f"look at {path.name!r}"):
        try:
            result = path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
    return result if stat.S_ISREG(result.st_mode) else None


def _etag_at(path: Path) -> str | None:
    result = _stat_file(path)
    return None if result is None else _etag(result)


def _etag(result: os.stat_result) -> str:
    return f"{result.st_mtime_ns:x}-{result.st_size:x}-{result.st_ino:x}"


def _info(key: str, result: os.stat_result, sha256: str | None = None) -> ObjectInfo:
    modified = datetime.fromtimestamp(result.st_mtime, UTC)
    return ObjectInfo(key, result.st_size, sha256, _etag(result), modified)


def _make_later(part: Path, target: Path) -> None:
    """Give `part` a modification time after that of `target`, however coarse the file system."""
    old = _stat_file(target)
    floor = -1 if old is None else old.st_mtime_ns
    for step in _TIME_STEPS_NS:
        moment = max(time.time_ns(), floor + 1) + step
        os.utime(part, ns=(moment, moment))
        if part.stat().st_mtime_ns > floor:
            return


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot flush a folder; the object itself is on the disk.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


@contextmanager
def _disk(asked: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UnavailableError(f"could not {asked}: {_reason(error)}") from error


def _reason(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full; free some space and try again"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "the operating system denies it; check the folder's permissions"
    return error.strerror or str(error)
