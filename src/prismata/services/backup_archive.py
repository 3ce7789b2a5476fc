"""The file that a backup is: a ZIP that ordinary tools open, with a digest of every part.

    tables/<table>.jsonl    one row a line, as an object: the columns by name, in alphabetical order
    objects/<key>           an object of the storage
    manifest.json           what is in the file, and what was left out

Text, whole and real numbers, booleans and null are JSON's. Times are UTC, as in
`2031-02-03T04:05:06.789012Z`. JSON columns are a string with their JSON text. Rows stand in the
order of their key's bytes, so that two catalogs that hold the same have tables with the same
digest, whatever database they are in.

Invariant: nothing is taken from an archive before all of it was checked against its manifest.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, BinaryIO, Self, cast

from prismata._version import __version__
from prismata.catalog import PlainRow
from prismata.core.errors import InvalidInputError, NotFoundError, UnavailableError, UserError
from prismata.storage import check_key

FORMAT = "prismata-backup"
FORMAT_VERSION = 1

_MANIFEST = "manifest.json"
_CHUNK_BYTES = 1024 * 1024
_MAX_MANIFEST_BYTES = 256 * 1024 * 1024
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, KeyError, TypeError)

Progress = Callable[[int, int, str], None]
"""Called with (bytes done, bytes in all, what now)."""


@dataclass(frozen=True, slots=True)
class TableEntry:
    """One table of an archive."""

    name: str
    rows: int
    bytes: int
    """Of its lines, before they were compressed."""
    sha256: str
    """Of the same."""
    columns: dict[str, str]


@dataclass(frozen=True, slots=True)
class ObjectEntry:
    """One object of an archive."""

    key: str
    bytes: int
    sha256: str


@dataclass(slots=True)
class Manifest:
    """What an archive says about itself."""

    schema: str
    """Number of the catalog's schema."""
    made_at: str
    made_by: str = f"prismata {__version__}"
    catalog: str = ""
    """The kind of database that it came from."""
    tables: list[TableEntry] = field(default_factory=list)
    """What a row refers to comes before it."""
    objects: list[ObjectEntry] = field(default_factory=list)
    left_out: dict[str, dict[str, int]] = field(default_factory=dict)
    """Beginning of the keys → objects and bytes that the storage held and the archive does not."""
    edited_meanwhile: list[list[str]] = field(default_factory=list)
    """Video id and domain of labels whose mirror in storage may be newer than their rows."""

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return sum(table.rows for table in self.tables)

    @property
    def bytes(self) -> int:
        """Bytes of everything, before it was compressed."""
        return sum(table.bytes for table in self.tables) + sum(item.bytes for item in self.objects)


class LineDigest:
    """Counts and digests the lines of one table as they pass."""

    def __init__(self) -> None:
        self._sha = hashlib.sha256()
        self.rows = self.bytes = 0

    def line(self, row: PlainRow) -> bytes:
        """Return the row as its line."""
        text = json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        line = f"{text}\n".encode()
        self.count(line)
        return line

    def count(self, line: bytes) -> None:
        """Take note of a line."""
        self._sha.update(line)
        self.rows += 1
        self.bytes += len(line)

    def hexdigest(self) -> str:
        """Return the SHA-256 of all lines so far."""
        return self._sha.hexdigest()


class ArchiveWriter:
    """Writes one archive, part after part; the manifest comes last.

    Args:
        path: A new file that is to become the archive.
        catalog: Kind of database.
    """

    def __init__(self, path: Path, catalog: str) -> None:
        now = datetime.now(UTC)
        self.manifest = Manifest("", now.isoformat(timespec="seconds"), catalog=catalog)
        self._moment = now.timetuple()[:6]
        # For its owner's eyes: it holds all that the catalog holds.
        self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b")
        self._zip = zipfile.ZipFile(self._file, "w", zipfile.ZIP_DEFLATED, compresslevel=6)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        with self._file:
            self._zip.close()

    def add_table(self, name: str, columns: dict[str, str], rows: Iterable[PlainRow]) -> None:
        """Write all rows of a table."""
        digest = LineDigest()
        with self._part(f"tables/{name}.jsonl", zipfile.ZIP_DEFLATED) as part:
            for row in rows:
                part.write(digest.line(row))
        self.manifest.tables.append(
            TableEntry(name, digest.rows, digest.bytes, digest.hexdigest(), columns)
        )

    def add_object(self, key: str, source: BinaryIO) -> ObjectEntry:
        """Write an object of the storage."""
        sha, size = hashlib.sha256(), 0
        # Text shrinks; models and score tracks hardly do and take long.
        method = zipfile.ZIP_DEFLATED if key.endswith(".json") else zipfile.ZIP_STORED
        with self._part(f"objects/{key}", method) as part:
            while chunk := source.read(_CHUNK_BYTES):
                sha.update(chunk)
                size += len(chunk)
                part.write(chunk)
        entry = ObjectEntry(key, size, sha.hexdigest())
        self.manifest.objects.append(entry)
        return entry

    def finish(self) -> None:
        """Write the manifest, without which it is no archive."""
        content = {"format": FORMAT, "version": FORMAT_VERSION, **asdict(self.manifest)}
        with self._part(_MANIFEST, zipfile.ZIP_DEFLATED) as part:
            part.write(json.dumps(content, indent=1, ensure_ascii=False).encode())
        self._zip.close()
        self._file.flush()
        os.fsync(self._file.fileno())

    def _part(self, name: str, method: int) -> IO[bytes]:
        info = zipfile.ZipInfo(name, self._moment)
        info.compress_type = method
        info.external_attr = 0o600 << 16
        return self._zip.open(info, "w", force_zip64=True)


class ArchiveReader:
    """Reads one archive.

    Args:
        path: The file.

    Raises:
        NotFoundError: If there is no such file.
        InvalidInputError: If it is no backup, or one of another format.
        UnavailableError: If it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._reading("its end is missing or it is of another kind"):
            self._zip = zipfile.ZipFile(path)
        try:
            self.manifest = self._read_manifest()
        except BaseException:
            self._zip.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._zip.close()

    def _damaged(self, fact: str) -> InvalidInputError:
        return InvalidInputError(
            f"{self.path} is damaged or no backup: {fact}; nothing was changed, take another copy "
            "or an older backup"
        )

    @contextmanager
    def _reading(self, fact: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise NotFoundError(f"there is no file {self.path}; name a backup") from error
        except _UNREADABLE as error:
            raise self._damaged(fact) from error
        except OSError as error:
            raise UnavailableError(f"{self.path} cannot be read: {error.strerror}") from error

    def _read_manifest(self) -> Manifest:
        with self._reading("it has no manifest that can be read"):
            if self._zip.getinfo(_MANIFEST).file_size > _MAX_MANIFEST_BYTES:
                raise self._damaged("its manifest is too large")
            content = json.loads(self._zip.read(_MANIFEST))
            if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
                raise self._damaged("its manifest is another program's")
        version = content.pop("version", None)
        if version != FORMAT_VERSION:
            raise UserError(
                f"{self.path} is a backup of format {version}, this program knows format "
                f"{FORMAT_VERSION}; nothing was changed, upgrade the program"
            )
        with self._reading("its manifest is not complete"):
            return _manifest(content)

    def check(self, on_progress: Progress = lambda *_: None) -> None:
        """Read everything once and compare it with the manifest.

        Raises:
            InvalidInputError: If anything differs, is missing or is too much.
        """
        manifest = self.manifest
        expected = {f"tables/{table.name}.jsonl" for table in manifest.tables}
        expected |= {f"objects/{item.key}" for item in manifest.objects} | {_MANIFEST}
        listed = [info.filename for info in self._zip.infolist()]
        if sorted(listed) != sorted(expected):
            odd = sorted(set(listed) ^ expected) or ["a part twice"]
            raise self._damaged(f"{odd[0]} does not fit its manifest")
        done = 0
        for table in manifest.tables:
            on_progress(done, manifest.bytes, f"checking {table.name}")
            for _ in self.rows(table):
                pass
            done += table.bytes
        for item in manifest.objects:
            on_progress(done, manifest.bytes, f"checking {item.key}")
            self._check_object(item)
            done += item.bytes
        on_progress(done, manifest.bytes, "checked")

    def rows(self, table: TableEntry) -> Iterator[PlainRow]:
        """Iterate over a table's rows, and compare them with the manifest at the end.

        Raises:
            InvalidInputError: If they are not what was written.
        """
        name = f"tables/{table.name}.jsonl"
        digest = LineDigest()
        with self._reading(f"{name} cannot be read"), self._zip.open(name) as part:
            for line in part:
                digest.count(line)
                row = json.loads(line)
                if not isinstance(row, dict) or row.keys() != table.columns.keys():
                    raise self._damaged(f"line {digest.rows} of {name} is no row of it")
                yield row
        if digest.hexdigest() != table.sha256 or digest.rows != table.rows:
            raise self._damaged(f"{name} is not what was written")

    def _check_object(self, item: ObjectEntry) -> None:
        name = f"objects/{item.key}"
        sha, size = hashlib.sha256(), 0
        with self._reading(f"{name} cannot be read"), self._zip.open(name) as part:
            while chunk := part.read(_CHUNK_BYTES):
                sha.update(chunk)
                size += len(chunk)
        if (size, sha.hexdigest()) != (item.bytes, item.sha256):
            raise self._damaged(f"{name} is not what was written")

    @contextmanager
    def object(self, item: ObjectEntry) -> Iterator[BinaryIO]:
        """Open an object, to be read from its beginning to its end."""
        with self._reading(f"objects/{item.key} cannot be read"):
            part = self._zip.open(f"objects/{item.key}")
        with part:
            yield cast("BinaryIO", part)


def _manifest(content: dict[str, Any]) -> Manifest:
    tables = [TableEntry(**table) for table in content.pop("tables")]
    objects = [ObjectEntry(**item) for item in content.pop("objects")]
    for item in objects:
        check_key(item.key)
    return Manifest(**content, tables=tables, objects=objects)
