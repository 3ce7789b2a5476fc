"""Local copies of remote objects: checked when they arrive, bounded, never taken from a user.

One entry per version of an object: `<root>/<ab>/<abcdef…>/copy/<file name>` and `stamp.json`, with
two lock files next to the folder. Whoever uses or fills an entry holds its `.pin` shared, whoever
removes it holds `.pin` exclusively; `.fill` is for one filler at a time. The kernel frees the locks
of a process that dies.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from prismata.core.errors import UnavailableError
from prismata.storage.base import ObjectInfo, read_chunks
from prismata.storage.locking import file_lock, take_lock, try_file_lock

logger = logging.getLogger(__name__)

_STAMP = "stamp.json"


@dataclass(frozen=True, slots=True)
class _Entry:
    folder: Path
    name: str

    @property
    def pin(self) -> Path:
        return _beside(self.folder, "pin")

    @property
    def fill(self) -> Path:
        return _beside(self.folder, "fill")

    @property
    def path(self) -> Path:
        # The object's own name lies one floor deeper, where it cannot be mistaken for the stamp.
        return self.folder / "copy" / self.name

    @property
    def stamp(self) -> Path:
        return self.folder / _STAMP


class LocalCopyCache:
    """Bounded least-recently-used cache of whole objects, shared between threads and processes.

    Content is checked by SHA-256 (or size, where the store knows no digest) when it arrives, and by
    size and modification time on every use; a copy that somebody changed is fetched again. Copies
    in use are never removed: if they alone exceed the bound, the bound gives way, with a warning.

    Args:
        root: Folder; may be deleted whenever nobody uses it.
        max_bytes: Bound for all copies together.
        namespace: Tells apart stores that share `root`, for example endpoint and bucket.
        rehash: Also check the SHA-256 on every use; costs reading the file.
    """

    def __init__(
        self, root: Path, *, max_bytes: int, namespace: str = "", rehash: bool = False
    ) -> None:
        self.root = root
        self.max_bytes = max_bytes
        self._namespace = namespace
        self._rehash = rehash

    @contextmanager
    def hold(self, info: ObjectInfo, fetch: Callable[[], BinaryIO]) -> Iterator[Path]:
        """Return a context with a checked local copy of one version of an object.

        Args:
            info: The version wanted.
            fetch: Opens a stream of exactly that version; called only if no good copy is there.

        Raises:
            UnavailableError: If the content arrives damaged twice, or the disk refuses.
        """
        entry = self._entry(info)
        with _disk(self.root):
            entry.pin.parent.mkdir(parents=True, exist_ok=True)
            descriptor = take_lock(entry.pin, fcntl.LOCK_SH)
        try:
            with _disk(self.root):
                self._make_good(entry, info, fetch)
            yield entry.path
        finally:
            os.close(descriptor)

    def size_bytes(self) -> int:
        """Return what all copies take on the disk, unfinished ones included."""
        return sum(_size_of(folder) for folder in self._folders())

    def _entry(self, info: ObjectInfo) -> _Entry:
        identity = "\0".join((self._namespace, info.key, info.etag, info.sha256 or ""))
        digest = hashlib.sha256(identity.encode()).hexdigest()
        return _Entry(self.root / digest[:2] / digest, info.key.rpartition("/")[2])

    def _make_good(self, entry: _Entry, info: ObjectInfo, fetch: Callable[[], BinaryIO]) -> None:
        if not self._is_good(entry, info):
            with file_lock(entry.fill):
                if not self._is_good(entry, info):
                    self._make_room(info.size)
                    self._fill(entry, info, fetch)
        now = time.time_ns()
        os.utime(entry.pin, ns=(now, now))

    def _is_good(self, entry: _Entry, info: ObjectInfo) -> bool:
        try:
            stamp = json.loads(entry.stamp.read_text(encoding="utf-8"))
            found = entry.path.lstat()
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return False
        good = bool(
            isinstance(stamp, dict)
            and stamp.get("size") == found.st_size
            and stamp.get("mtime_ns") == found.st_mtime_ns
        )
        if good and self._rehash:
            with entry.path.open("rb") as stream:
                good = bool(hashlib.file_digest(stream, "sha256").hexdigest() == stamp["sha256"])
        if not good:
            logger.warning("copy_changed key=%s", info.key)
        return good

    def _fill(self, entry: _Entry, info: ObjectInfo, fetch: Callable[[], BinaryIO]) -> None:
        # Nothing is removed here: others may be reading a copy that somebody has damaged since.
        entry.path.parent.mkdir(parents=True, exist_ok=True)
        part = entry.folder / f"{_STAMP}.part"
        try:
            size, sha256 = self._download(info, fetch, part)
            part.replace(entry.path)
            mtime_ns = entry.path.stat().st_mtime_ns
            stamp = {"key": info.key, "size": size, "mtime_ns": mtime_ns, "sha256": sha256}
            part.write_text(json.dumps(stamp), encoding="utf-8")
            part.replace(entry.stamp)
        finally:
            part.unlink(missing_ok=True)

    def _download(
        self, info: ObjectInfo, fetch: Callable[[], BinaryIO], part: Path
    ) -> tuple[int, str]:
        size, sha256 = _write(fetch, part)
        if _differs(info, size, sha256):
            logger.warning("copy_damaged key=%s", info.key)
            size, sha256 = _write(fetch, part)
        if _differs(info, size, sha256):
            raise UnavailableError(
                f"{info.key!r} arrived damaged twice: {info.size} bytes with SHA-256 {info.sha256} "
                f"were stored, {size} bytes with {sha256} arrived; store the object again"
            )
        return size, sha256

    def _make_room(self, wanted: int) -> None:
        with file_lock(self.root / "evict.lock"):
            sizes = {folder: _size_of(folder) for folder in self._folders()}
            total = sum(sizes.values()) + wanted
            for folder in sorted(sizes, key=_last_use):
                if total <= self.max_bytes:
                    return
                with try_file_lock(_beside(folder, "pin")) as ours:
                    if ours:
                        shutil.rmtree(folder, ignore_errors=True)
                        _beside(folder, "fill").unlink(missing_ok=True)
                        _beside(folder, "pin").unlink(missing_ok=True)
                        total -= sizes[folder]
        if total > self.max_bytes:
            logger.warning("cache_over_bound bytes=%s bound=%s", total, self.max_bytes)

    def _folders(self) -> list[Path]:
        return [path for path in self.root.glob("??/*") if path.is_dir()]


def _beside(folder: Path, suffix: str) -> Path:
    return folder.with_name(f"{folder.name}.{suffix}")


def _differs(info: ObjectInfo, size: int, sha256: str) -> bool:
    return size != info.size or info.sha256 not in (None, sha256)


def _write(fetch: Callable[[], BinaryIO], part: Path) -> tuple[int, str]:
    sha, size = hashlib.sha256(), 0
    with fetch() as stream, part.open("wb") as handle:
        for chunk in read_chunks(stream):
            sha.update(chunk)
            size += len(chunk)
            handle.write(chunk)
        handle.flush()
        os.fsync(handle.fileno())
    return size, sha.hexdigest()


def _size_of(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += 0 if path.is_dir() else path.stat().st_size
        except FileNotFoundError:
            continue  # Filled or removed by somebody else at this moment.
    return total


def _last_use(folder: Path) -> int:
    try:
        return _beside(folder, "pin").stat().st_mtime_ns
    except FileNotFoundError:
        return 0


@contextmanager
def _disk(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UnavailableError(
            f"no local copy could be kept in {str(root)!r}: {error.strerror or error}"
        ) from error
