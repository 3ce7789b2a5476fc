"""`prismata backup`: catalog, labels and models in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.filesize import decimal

from prismata.cli.console import JsonOption, child_bar, notes, output, print_json
from prismata.cli.restore import manifest_json, print_manifest
from prismata.services.backup import KEPT, write_backup
from prismata.settings import load_settings
from prismata.wiring import start_logging


def backup(
    file: Annotated[Path, typer.Argument(help="File to write; it must not exist.")],
    catalog_only: Annotated[
        bool, typer.Option("--catalog-only", help="Leave out everything that lies in the storage.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write the catalog and the small things in storage that belong to it to one file.

    All tables as they are at one moment, whether SQLite or PostgreSQL, while the workbench runs;
    and of the storage the labels' JSON, the videos' frame tables, models, results and searches.
    Videos, proxies, checkpoints and weights are not in it: copy the storage for them.

    The file has its name when it is complete and was read back. It holds everything that the
    catalog holds, names of people included, and is readable by its owner only.
    """
    settings = load_settings()
    start_logging(settings)
    try:
        with child_bar("", enabled=not as_json) as bar:
            manifest = write_backup(settings, file, catalog_only=catalog_only, on_progress=bar.show)
    except KeyboardInterrupt:
        notes.print("Stopped. Nothing was written.")
        raise typer.Exit(130) from None
    if as_json:
        print_json(
            {"file": str(file), "file_bytes": file.stat().st_size, **manifest_json(manifest)}
        )
        return
    output.print(f"{file}: {decimal(file.stat().st_size)}, read back and whole", markup=False)
    print_manifest(manifest)
    if manifest.left_out and not catalog_only:
        listed = ", ".join(
            f"{name}/ ({counted['objects']} objects, {decimal(counted['bytes'])})"
            for name, counted in sorted(manifest.left_out.items())
        )
        notes.print(f"not in it, because only {', '.join(KEPT)} are: {listed}", markup=False)
