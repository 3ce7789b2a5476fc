"""`prismata restore`: a backup becomes the catalog again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.filesize import decimal

from prismata.catalog import newest_revision
from prismata.cli.console import JsonOption, child_bar, notes, output, print_json, print_table
from prismata.services.backup_archive import Manifest
from prismata.services.restore import (
    REPLACED,
    RestoreChoices,
    RestoreReport,
    check_backup,
    finish_restore,
    restore_backup,
)
from prismata.settings import load_settings
from prismata.wiring import open_workbench, start_logging


def restore(
    file: Annotated[Path, typer.Argument(help="The backup.")],
    check: Annotated[
        bool, typer.Option("--check", help="Only read it and compare it with its digests.")
    ] = False,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Lose what the catalog holds now, and put objects back."),
    ] = False,
    catalog_only: Annotated[
        bool, typer.Option("--catalog-only", help="Leave the storage alone.")
    ] = False,
    hold_jobs: Annotated[
        bool,
        typer.Option("--hold-jobs", help="Pause what is queued: for a copy beside the original."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a backup the catalog that PRISMATA_DATABASE_URL names, in SQLite or PostgreSQL.

    The catalog has to be empty, or --replace has to be said; workbench and workers have to be
    stopped. Everything is checked before anything is changed, and all of it comes or nothing.
    Backups of older versions are brought up to date.

    Jobs that ran when the backup was made are queued again. What the storage holds under the same
    name and with the same content stays; other content is a refusal, or with --replace kept aside.
    """
    try:
        if check:
            with child_bar("", enabled=not as_json) as bar:
                manifest = check_backup(file, bar.show)
            _print_checked(file, manifest, as_json=as_json)
            return
        settings = load_settings()
        start_logging(settings)
        choices = RestoreChoices(replace, catalog_only, hold_jobs)
        with child_bar("", enabled=not as_json) as bar:
            report = restore_backup(settings, file, choices, bar.show)
        with open_workbench(settings) as bench:
            where = bench.catalog.where
            if not catalog_only:
                finish_restore(bench, report)
    except KeyboardInterrupt:
        notes.print("Stopped. Nothing was changed.")
        raise typer.Exit(130) from None
    if as_json:
        print_json({"catalog": where, **_report_json(report)})
        return
    output.print(f"restored into {where}, every table read back and the same", markup=False)
    print_manifest(report.manifest)
    _print_report(report)


def manifest_json(manifest: Manifest) -> dict[str, Any]:
    """Return what is in a backup, as JSON values."""
    return {
        "made_at": manifest.made_at,
        "made_by": manifest.made_by,
        "schema": manifest.schema,
        "catalog": manifest.catalog,
        "tables": {
            table.name: {"rows": table.rows, "sha256": table.sha256} for table in manifest.tables
        },
        "objects": len(manifest.objects),
        "object_bytes": sum(item.bytes for item in manifest.objects),
        "left_out": manifest.left_out,
    }


def print_manifest(manifest: Manifest) -> None:
    """Print a line for each table, and what there is beside them."""
    print_table(
        "",
        ("table", "rows", "SHA-256"),
        [(table.name, table.rows, table.sha256[:16]) for table in manifest.tables],
        right="rows",
    )
    size = sum(item.bytes for item in manifest.objects)
    output.print(
        f"{len(manifest.objects)} objects, {decimal(size)}; schema {manifest.schema}, made "
        f"{manifest.made_at} by {manifest.made_by} from {manifest.catalog}",
        markup=False,
    )


def _print_checked(file: Path, manifest: Manifest, *, as_json: bool) -> None:
    if as_json:
        print_json({"file": str(file), "whole": True, **manifest_json(manifest)})
        return
    output.print(f"{file} is whole", markup=False)
    print_manifest(manifest)


def _report_json(report: RestoreReport) -> dict[str, Any]:
    return {
        **manifest_json(report.manifest),
        "schema_now": newest_revision(),
        "objects_put": report.put,
        "objects_same": report.same,
        "objects_replaced": report.replaced,
        "mirrors_written": report.mirrors,
        "jobs_queued_again": report.interrupted,
        "missing_videos": report.missing_videos,
    }


def _print_report(report: RestoreReport) -> None:
    output.print(
        f"objects: {report.put} put, {report.same} were there, {report.replaced} replaced; "
        f"{report.mirrors} label mirrors written anew",
        markup=False,
    )
    if report.manifest.schema != newest_revision():
        notes.print(f"brought from schema {report.manifest.schema} to {newest_revision()}")
    if report.interrupted:
        notes.print(
            f"{report.interrupted} jobs ran when the backup was made and are queued again; "
            "`prismata jobs list --active` shows them",
            markup=False,
        )
    if report.replaced:
        notes.print(f"what the storage held instead is kept below {REPLACED}", markup=False)
    if report.missing_videos:
        notes.print(
            f"{len(report.missing_videos)} videos are not in the storage, the first is "
            f"{report.missing_videos[0]!r}; copy the storage, too (prismata migrate-storage, or "
            "that of the old machine)",
            markup=False,
        )
