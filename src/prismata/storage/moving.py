"""Copying a whole storage into another one: checked by digest, taken up again after any end.

Both storages are listed in the order of their keys and walked side by side, and what was checked
is kept in a journal on the disk, so memory does not grow with the number of objects.

Invariant: nothing is removed or changed in the source, and nothing in the target is written over
that did not come from it.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast

from prismata.core.errors import ConflictError, NotFoundError, UnavailableError
from prismata.storage.base import ObjectInfo, StorageBackend, read_chunks
from prismata.storage.local import LocalStorage

MoveProgress = Callable[[int, int, str], None]
"""Called with (bytes done, bytes in all, what now)."""

_PASSES = 5
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Totals:
    """Some objects and their size."""

    objects: int = 0
    bytes: int = 0

    def plus(self, size: int) -> Totals:
        """Return the totals with one more."""
        return Totals(self.objects + 1, self.bytes + size)


@dataclass(slots=True)
class MovePlan:
    """What two storages have in common, told from their listings and the journal alone."""

    source: Totals = field(default_factory=Totals)
    """All objects of the source."""
    to_copy: Totals = field(default_factory=Totals)
    checked: Totals = field(default_factory=Totals)
    """Copied and checked by an earlier run."""
    to_compare: Totals = field(default_factory=Totals)
    """At the target under the same key, from elsewhere or from a run that was cut off."""
    only_in_target: Totals = field(default_factory=Totals)


@dataclass(slots=True)
class MoveReport:
    """What a move came to."""

    copied: Totals = field(default_factory=Totals)
    checked: Totals = field(default_factory=Totals)
    """Objects of the source whose copy has the same digest, those of earlier runs included."""
    digest: str = ""
    """SHA-256 over key, size and digest of all of these, in the order of the keys."""
    only_in_target: Totals = field(default_factory=Totals)
    vanished: int = 0
    """Removed from the source while it was read."""
    differ: list[str] = field(default_factory=list)
    """Keys that hold something else at the target; the first few."""
    differ_count: int = 0
    settled: bool = True
    """False: the source kept changing; another run is needed."""


class Journal:
    """Which objects were copied and checked, each in which version; survives any end.

    Args:
        path: SQLite file; made if it is not there, safe to delete.

    Raises:
        UnavailableError: If it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._rows = sqlite3.connect(path, isolation_level=None)
            self._rows.execute("PRAGMA journal_mode = WAL")
            self._rows.execute(
                "CREATE TABLE IF NOT EXISTS checked (key TEXT PRIMARY KEY, source TEXT NOT NULL,"
                " target TEXT NOT NULL, size INTEGER NOT NULL, sha256 TEXT NOT NULL)"
            )
        except (OSError, sqlite3.Error) as error:
            raise UnavailableError(
                f"the journal of the move cannot be kept in {path}: {error}; make room, or delete "
                "that file to have everything compared again"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._rows.close()

    def get(self, key: str) -> tuple[str, str, str] | None:
        """Return the versions in source and target that were found the same, and their digest."""
        found = self._rows.execute(
            "SELECT source, target, sha256 FROM checked WHERE key = ?", (key,)
        ).fetchone()
        return cast("tuple[str, str, str] | None", found)

    def note(self, source: ObjectInfo, target: ObjectInfo, sha256: str) -> None:
        """Keep that both hold the same."""
        self._rows.execute(
            "INSERT OR REPLACE INTO checked VALUES (?, ?, ?, ?, ?)",
            (source.key, source.etag, target.etag, source.size, sha256),
        )


class StorageMove:
    """Copies everything of one storage into another.

    Args:
        source: Is only read.
        target: Nothing in it is removed; what did not come from the source stays.
        journal: Of this pair.
        read_back: Read each copy again from the target and compare.
    """

    def __init__(
        self,
        source: StorageBackend,
        target: StorageBackend,
        journal: Journal,
        *,
        read_back: bool = True,
    ) -> None:
        self._source, self._target = source, target
        self._journal = journal
        self._read_back = read_back

    def plan(self) -> MovePlan:
        """Say what would be done, without reading any object.

        Raises:
            UnavailableError: If a storage cannot be reached.
        """
        plan = MovePlan()
        for here, there in self._pairs():
            if here is None:
                plan.only_in_target = plan.only_in_target.plus(there.size if there else 0)
                continue
            plan.source = plan.source.plus(here.size)
            if there is None or self._is_outdated(here, there):
                plan.to_copy = plan.to_copy.plus(here.size)
            elif self._is_checked(here, there):
                plan.checked = plan.checked.plus(here.size)
            else:
                plan.to_compare = plan.to_compare.plus(here.size)
        return plan

    def run(self, on_progress: MoveProgress = lambda *_: None) -> MoveReport:
        """Copy and compare until both hold the same, then look once more at all of it.

        An object that differs at the target and was not put there by a move of this source is
        left alone and told.

        Raises:
            UnavailableError: If a storage cannot be reached or is full; what was done is kept.
            ConflictError: If a copy does not read as it was written.
        """
        report = MoveReport()
        for _ in range(_PASSES):
            changed = self._copy_once(report, on_progress)
            if not changed:
                break
        self._conclude(report)
        return report

    def _copy_once(self, report: MoveReport, on_progress: MoveProgress) -> int:
        plan = self.plan()
        total = plan.to_copy.bytes + plan.to_compare.bytes
        done = copied = 0
        for here, there in self._pairs():
            if here is None or (there is not None and self._is_checked(here, there)):
                continue
            if there is not None and not self._is_outdated(here, there):
                on_progress(done, total, f"comparing {here.key}")
                self._compare(here, there)
            else:
                begun = done

                def show(sent: int, _size: int, begun: int = begun, key: str = here.key) -> None:
                    on_progress(begun + sent, max(total, begun + sent), f"copying {key}")

                show(0, 0)
                try:
                    self._copy(here, there, show)
                except NotFoundError:
                    report.vanished += 1
                except ConflictError:
                    if self._source.stat(here.key).etag == here.etag:
                        raise
                    copied += 1  # Replaced while it was read: the next pass takes it.
                else:
                    copied += 1
                    report.copied = report.copied.plus(here.size)
            done += here.size
        return copied

    def _copy(self, here: ObjectInfo, there: ObjectInfo | None, show: Callable[..., None]) -> None:
        # What is not there yet must not appear meanwhile, what is there must still be our copy.
        absent = there is None
        match = None if there is None else there.etag
        if isinstance(self._source, LocalStorage):
            with self._source.local_copy(here.key) as path:
                put = self._target.put_file(
                    here.key, path, if_absent=absent, if_match=match, progress=show
                )
        else:
            with self._source.open(here.key) as stream:
                counted = cast("BinaryIO", _Counted(stream, show))
                put = self._target.put(here.key, counted, if_absent=absent, if_match=match)
        sent = put.sha256 or self._target.digest(here.key)
        known = self._source.stat(here.key)
        if known.etag != here.etag:
            # Replaced while it was read: the next pass finds our copy outdated.
            self._journal.note(here, self._target.stat(here.key), sent)
            return
        if known.sha256 not in (None, sent) or put.size != known.size:
            raise _differs(here.key, "it was read otherwise than it had been stored")
        if self._read_back and self._read(here.key) != sent:
            raise _differs(here.key, "what was written is not what is read")
        self._journal.note(known, self._target.stat(here.key), sent)

    def _compare(self, here: ObjectInfo, there: ObjectInfo) -> None:
        if here.size != there.size:
            return
        try:
            digest = self._source.digest(here.key)
            same = digest == self._target.digest(there.key)
            if same and self._read_back and digest != self._read(here.key):
                return
        except NotFoundError:
            return
        if same:
            self._journal.note(here, there, digest)

    def _read(self, key: str) -> str:
        sha = hashlib.sha256()
        with closing(self._target.open(key)) as stream:
            for chunk in read_chunks(stream):
                sha.update(chunk)
        return sha.hexdigest()

    def _conclude(self, report: MoveReport) -> None:
        everything = hashlib.sha256()
        for here, there in self._pairs():
            if here is None:
                report.only_in_target = report.only_in_target.plus(there.size if there else 0)
                continue
            known = self._journal.get(here.key)
            if known is None or there is None or known[:2] != (here.etag, there.etag):
                if there is None or self._is_outdated(here, there):
                    report.settled = False
                    continue
                report.differ_count += 1
                if len(report.differ) < _SHOWN:
                    report.differ.append(here.key)
                continue
            report.checked = report.checked.plus(here.size)
            everything.update(f"{here.key}\0{here.size}\0{known[2]}\n".encode())
        report.digest = everything.hexdigest()

    def _is_checked(self, here: ObjectInfo, there: ObjectInfo) -> bool:
        known = self._journal.get(here.key)
        return known is not None and known[:2] == (here.etag, there.etag)

    def _is_outdated(self, here: ObjectInfo, there: ObjectInfo) -> bool:
        """Say whether the target has a copy of ours of what the source has replaced since."""
        known = self._journal.get(here.key)
        return known is not None and known[1] == there.etag and known[0] != here.etag

    def _pairs(self) -> Iterator[tuple[ObjectInfo | None, ObjectInfo | None]]:
        """Walk both listings at once; each key once, with what either side has under it."""
        heres, theres = self._source.list(), self._target.list()
        here, there = next(heres, None), next(theres, None)
        while here is not None or there is not None:
            if there is None or (here is not None and here.key < there.key):
                yield here, None
                here = next(heres, None)
            elif here is None or there.key < here.key:
                yield None, there
                there = next(theres, None)
            else:
                yield here, there
                here, there = next(heres, None), next(theres, None)


class _Counted:
    """A stream that tells how far it was read."""

    def __init__(self, source: BinaryIO, show: Callable[..., None]) -> None:
        self._source, self._show = source, show
        self._done = 0

    def read(self, size: int = -1) -> bytes:
        chunk = self._source.read(size)
        self._done += len(chunk)
        self._show(self._done, 0)
        return chunk


def _differs(key: str, fact: str) -> ConflictError:
    return ConflictError(
        f"the copy of {key!r} cannot be trusted: {fact}; nothing in the source was changed, check "
        "disk and network and run the same command again"
    )
