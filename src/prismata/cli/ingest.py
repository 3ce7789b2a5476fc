"""`prismata ingest`: files and folders into the library."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from prismata.cli.console import JsonOption, file_bar, notes, print_json
from prismata.cli.videos import prepare_each
from prismata.core.errors import InvalidInputError
from prismata.services.ingest import IngestResult, find_video_files, ingest_files
from prismata.services.ingest_options import needs_proxy
from prismata.wiring import open_workbench

EXIT_SOME_REFUSED = 65


def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Video files, or folders to search.")],
    base: Annotated[
        Path | None,
        typer.Option(help="Name videos by their path below this folder, not by file name alone."),
    ] = None,
    group: Annotated[
        str, typer.Option(help="Recording, camera or person; one group never spans two splits.")
    ] = "",
    domain: Annotated[str, typer.Option(help="Domain these videos belong to.")] = "",
    no_proxy: Annotated[
        bool,
        typer.Option(
            "--no-proxy", help="Make no proxies, although browsers or the domain want them."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Take videos in: check them, read every frame's time, store them once."""
    files = find_video_files(paths)
    if not files:
        raise InvalidInputError(
            f"there is no video below {', '.join(map(str, paths))}; name files directly if their "
            "suffix is unusual"
        )
    outside = [str(path) for path in files if base and not path.is_relative_to(base)]
    if outside:
        raise InvalidInputError(f"{outside[0]} does not lie below --base {base}")
    results: list[IngestResult] = []
    with open_workbench() as bench:
        with file_bar(enabled=not as_json) as progress:
            task = progress.add_task("ingesting", total=len(files))
            for result in ingest_files(bench, files, base=base, group=group, domain=domain):
                results.append(result)
                progress.advance(task)
                if not as_json:
                    style = {"added": "green", "already_there": "dim", "refused": "yellow"}
                    notes.print(f"[{style[result.status]}]{result.status}[/]", end=" ")
                    notes.print(result.message, markup=False)
        added = [result.video for result in results if result.status == "added" and result.video]
        wanting = [] if no_proxy else [video for video in added if needs_proxy(bench, video)]
        preparations = prepare_each(bench, wanting, show=not as_json)
    refused = [result for result in results if result.status == "refused"]
    if as_json:
        print_json(
            {"files": [_to_json(result) for result in results], "preparations": preparations}
        )
    else:
        notes.print(
            f"{len(added)} added, {len(results) - len(added) - len(refused)} already there, "
            f"{len(refused)} refused"
        )
    if refused:
        raise typer.Exit(EXIT_SOME_REFUSED)


def _to_json(result: IngestResult) -> dict[str, object]:
    return {
        "file": str(result.path),
        "status": result.status,
        "reason": result.reason,
        "message": result.message,
        "video": asdict(result.video) if result.video else None,
    }
