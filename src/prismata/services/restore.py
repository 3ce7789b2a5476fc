"""Restore: a backup becomes the catalog that the settings name, all of it or nothing."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from prismata.catalog import CatalogTables, TableRows
from prismata.core.errors import ConflictError, InvalidInputError, NotFoundError, UnavailableError
from prismata.services.backup_archive import (
    ArchiveReader,
    LineDigest,
    Manifest,
    ObjectEntry,
    Progress,
)
from prismata.services.label_mirror import mirror_key, write_mirror
from prismata.services.workbench import Workbench
from prismata.settings import Settings
from prismata.storage import StorageBackend, open_storage

REPLACED = "replaced/"
"""Where in storage objects are kept that `--replace` put others in the place of."""


@dataclass(slots=True)
class RestoreReport:
    """What a restore did."""

    manifest: Manifest
    put: int = 0
    """Objects that were not in the storage."""
    same: int = 0
    """Objects that were there already."""
    replaced: int = 0
    """Objects that were there with another content, which is kept below `REPLACED`."""
    interrupted: int = 0
    """Jobs that ran when the backup was made, and are queued again."""
    mirrors: int = 0
    """Label mirrors that were written anew."""
    missing_videos: list[str] = field(default_factory=list)
    """Names of videos whose file is not in the storage."""


@dataclass(frozen=True, slots=True)
class RestoreChoices:
    """How a backup is to be restored."""

    replace: bool = False
    """Lose what the catalog holds."""
    catalog_only: bool = False
    """Leave the storage alone."""
    hold_jobs: bool = False
    """Pause what is queued."""


def check_backup(path: Path, on_progress: Progress = lambda *_: None) -> Manifest:
    """Read a whole backup, compare it with its digests, and return what is in it.

    Raises:
        UserError: If it is damaged, or not for this program.
    """
    with ArchiveReader(path) as archive:
        archive.check(on_progress)
        return archive.manifest


def restore_backup(
    settings: Settings,
    path: Path,
    choices: RestoreChoices,
    on_progress: Progress = lambda *_: None,
) -> RestoreReport:
    """Put a backup's rows and objects where the settings say.

    Everything is checked first; then rows are written, read back and compared with the archive in
    one transaction, which becomes real when the objects are in the storage, too. An archive of an
    older schema is migrated within it.

    Raises:
        InvalidInputError: If the archive is damaged.
        ConflictError: If the catalog holds something, or the storage other objects under the same
            keys, and they are not to be replaced.
        BusyError: If a worker is at work on the catalog.
        UserError: If the archive is newer than this program.
        UnavailableError: If there is no room, or catalog or storage cannot be reached.
    """
    with ExitStack() as opened:
        archive = opened.enter_context(ArchiveReader(path))
        tables = opened.enter_context(CatalogTables(settings.catalog_url))
        tables.check_may_fill(archive.manifest.schema, replace=choices.replace)
        archive.check(on_progress)
        report = RestoreReport(archive.manifest)
        storage = None if choices.catalog_only else opened.enter_context(open_storage(settings))
        plan = _Plan() if storage is None else _plan(storage, archive.manifest)
        if plan.other and not choices.replace:
            raise ConflictError(
                f"the storage holds {len(plan.other)} objects with another content than the "
                f"backup's, the first is {plan.other[0].key!r}; nothing was changed, say "
                f"--replace (what is there is then kept below {REPLACED}) or --catalog-only"
            )
        _check_room(settings, archive.manifest, plan)
        undo = opened.enter_context(ExitStack())
        with tables.filling(archive.manifest.schema, replace=choices.replace) as rows:
            _fill(rows, archive, on_progress)
            if storage is not None:
                _put_objects(storage, archive, plan, undo, on_progress)
            report.interrupted = rows.finish(hold_jobs=choices.hold_jobs)
        undo.pop_all()
        report.put, report.same = len(plan.absent), plan.same
        report.replaced = len(plan.other)
        return report


def finish_restore(bench: Workbench, report: RestoreReport) -> None:
    """Bring what is beside the catalog in line with it: label mirrors; say which videos lack.

    Raises:
        UnavailableError: If catalog or storage cannot be reached.
    """
    videos = {video.id: video for video in bench.catalog.videos.list()}
    edited = {(video_id, domain) for video_id, domain in report.manifest.edited_meanwhile}
    there = {info.key for info in bench.storage.list("labels/")}
    for sheet in bench.catalog.labels.sheets():
        video, key = videos[sheet.video_id], (sheet.video_id, sheet.domain)
        if key in edited or mirror_key(video, sheet.domain) not in there:
            write_mirror(bench, video, sheet.domain)
            report.mirrors += 1
    stored = {info.key for info in bench.storage.list("videos/")}
    report.missing_videos = sorted(
        video.name
        for video in videos.values()
        if video.storage_key not in stored
        # Videos of the classic kind, or of plugins, may lie elsewhere.
        and not bench.storage.exists(video.storage_key)
    )


@dataclass(slots=True)
class _Plan:
    """What is to be done with the objects of an archive."""

    absent: list[ObjectEntry] = field(default_factory=list)
    other: list[ObjectEntry] = field(default_factory=list)
    same: int = 0


def _plan(storage: StorageBackend, manifest: Manifest) -> _Plan:
    plan = _Plan()
    for item in manifest.objects:
        try:
            size = storage.stat(item.key).size
            is_same = size == item.bytes and storage.digest(item.key) == item.sha256
        except NotFoundError:
            plan.absent.append(item)
            continue
        if is_same:
            plan.same += 1
        else:
            plan.other.append(item)
    return plan


def _check_room(settings: Settings, manifest: Manifest, plan: _Plan) -> None:
    """Refuse before anything is written, where it is clear that the disk is too small.

    Raises:
        UnavailableError: If it is.
    """
    needed = 0
    if settings.storage_backend == "local":
        needed += sum(item.bytes for item in (*plan.absent, *plan.other))
    if settings.catalog_url.startswith("sqlite"):
        needed += sum(table.bytes for table in manifest.tables)
    folder = next(path for path in settings.data_dir.resolve().parents if path.exists())
    free = shutil.disk_usage(settings.data_dir if settings.data_dir.exists() else folder).free
    if free < needed:
        raise UnavailableError(
            f"restoring takes about {needed / 1e6:.0f} MB in {settings.data_dir} and "
            f"{free / 1e6:.0f} MB are free; nothing was changed, make room"
        )


def _fill(rows: TableRows, archive: ArchiveReader, on_progress: Progress) -> None:
    manifest = archive.manifest
    here = {shape.name: dict(shape.columns) for shape in rows.shapes}
    if here != {table.name: table.columns for table in manifest.tables}:
        raise InvalidInputError(
            f"the tables in {archive.path} are not those of schema {manifest.schema}, which it "
            "says it has; nothing was changed"
        )
    total = 2 * manifest.rows
    done = 0
    for table in manifest.tables:
        on_progress(done, total, f"restoring {table.name}")
        rows.insert(table.name, archive.rows(table))
        done += table.rows
    for table in manifest.tables:
        on_progress(done, total, f"reading back {table.name}")
        digest = LineDigest()
        for row in rows.rows(table.name):
            digest.line(row)
        if (digest.rows, digest.hexdigest()) != (table.rows, table.sha256):
            raise InvalidInputError(
                f"the table {table.name} reads differently after it was written; nothing was "
                "changed. Please report this"
            )
        done += table.rows


def _put_objects(
    storage: StorageBackend,
    archive: ArchiveReader,
    plan: _Plan,
    undo: ExitStack,
    on_progress: Progress,
) -> None:
    total = sum(item.bytes for item in (*plan.absent, *plan.other))
    done = 0
    stamp = archive.manifest.made_at.replace(":", "").replace("+0000", "Z")
    for item in plan.other:
        kept = f"{REPLACED}before-restore-of-{stamp}/{item.key}"
        with storage.local_copy(item.key) as path:
            storage.put_file(kept, path)
        undo.callback(_put_back, storage, item.key, kept)
    for item in (*plan.absent, *plan.other):
        on_progress(done, total, f"restoring {item.key}")
        with archive.object(item) as source:
            info = storage.put(item.key, source)
        if item in plan.absent:
            undo.callback(partial(storage.delete, item.key))
        if info.sha256 not in (None, item.sha256):
            raise UnavailableError(
                f"{item.key!r} was stored with another content than the backup's; nothing was "
                "changed, check the storage"
            )
        done += item.bytes


def _put_back(storage: StorageBackend, key: str, kept: str) -> None:
    with storage.local_copy(kept) as path:
        storage.put_file(key, path)
    storage.delete(kept)
