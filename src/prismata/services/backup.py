"""Backup: the catalog and the small things in storage that belong to it, as one file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prismata.catalog import CatalogTables, TableRows
from prismata.core.errors import NotFoundError, UnavailableError
from prismata.core.files import check_new_file, written_whole
from prismata.services.backup_archive import ArchiveReader, ArchiveWriter, Manifest, Progress
from prismata.settings import Settings
from prismata.storage import ObjectInfo, StorageBackend, open_storage

KEPT = ("detections/", "labels/", "models/", "searches/", "timelines/")
"""What of the storage goes along: what the catalog names and nothing makes again by itself. Videos
are the storage's own matter, renditions are made again, checkpoints and weights come from
elsewhere."""


def write_backup(
    settings: Settings,
    to: Path,
    *,
    catalog_only: bool = False,
    on_progress: Progress = lambda *_: None,
) -> Manifest:
    """Write a backup that was read back before it got its name; others may go on working.

    All rows are of one moment; objects are read behind it.

    Args:
        settings: Say where catalog and storage are.
        to: The file; it must not exist.
        catalog_only: Leave all objects out.
        on_progress: Told how far it is.

    Returns:
        What is in it.

    Raises:
        ConflictError: If the file exists.
        InvalidInputError: If its folder does not, or there is no catalog.
        UnavailableError: If there is no room, or catalog or storage cannot be reached; nothing
            stays behind.
    """
    check_new_file(to)
    with _writing(to), CatalogTables(settings.catalog_url) as tables, written_whole(to) as part:
        with ArchiveWriter(part, tables.where.partition(" ")[0]) as writer:
            with tables.snapshot() as rows:
                writer.manifest.schema = str(rows.revision)
                sheets = _sheet_states(rows)
                _add_tables(writer, rows, on_progress)
            if not catalog_only:
                with open_storage(settings) as storage:
                    _add_objects(writer, storage, on_progress)
            # Their mirrors were read after the rows, so they may say more than the rows do.
            with tables.snapshot() as rows:
                edited = _sheet_states(rows) - sheets
            writer.manifest.edited_meanwhile = sorted(
                [video, domain] for video, domain, _ in edited
            )
            writer.finish()
        with ArchiveReader(part) as reader:
            reader.check(on_progress)
    return writer.manifest


@contextmanager
def _writing(to: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UnavailableError(
            f"the backup {to} could not be written: {error.strerror or error}; nothing of it is "
            "left, make room or name another place"
        ) from error


def _add_tables(writer: ArchiveWriter, rows: TableRows, on_progress: Progress) -> None:
    counts = {shape.name: rows.count(shape.name) for shape in rows.shapes}
    done = 0
    for shape in rows.shapes:
        on_progress(done, sum(counts.values()), f"writing {shape.name}")
        writer.add_table(shape.name, dict(shape.columns), rows.rows(shape.name))
        done += counts[shape.name]


def _add_objects(writer: ArchiveWriter, storage: StorageBackend, on_progress: Progress) -> None:
    kept: list[ObjectInfo] = []
    for info in storage.list():
        if info.key.startswith(KEPT):
            kept.append(info)
            continue
        beginning = info.key.partition("/")[0]
        counted = writer.manifest.left_out.setdefault(beginning, {"objects": 0, "bytes": 0})
        counted["objects"] += 1
        counted["bytes"] += info.size
    total = sum(info.size for info in kept)
    done = 0
    for info in kept:
        on_progress(done, total, f"writing {info.key}")
        try:
            source = storage.open(info.key)
        except NotFoundError:
            continue  # Removed a moment ago, and what named it with it.
        with source:
            writer.add_object(info.key, source)
        done += info.size


def _sheet_states(rows: TableRows) -> set[tuple[str, str, int]]:
    """Return video, domain and number of the last operation of all labels."""
    if all(shape.name != "label_sheet" for shape in rows.shapes):
        return set()  # schema 0001
    return {
        (str(row["video_id"]), str(row["domain"]), int(row["seq"] or 0))
        for row in rows.rows("label_sheet")
    }
