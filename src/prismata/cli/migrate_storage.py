"""`prismata migrate-storage`: the storage moves from disk to S3, or back."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.filesize import decimal

from prismata.cli.console import JsonOption, child_bar, notes, output, print_json
from prismata.services.migrate_storage import (
    Destination,
    move_storage,
    plan_move,
    settings_afterwards,
)
from prismata.settings import CONFIG_FILE, Settings, load_settings
from prismata.storage.moving import MovePlan, MoveReport, Totals
from prismata.wiring import start_logging

EXIT_INCOMPLETE = 75
"""Something differs or kept changing: the settings should not be changed yet."""


def migrate_storage(
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="PLACE",
            help="s3://BUCKET/PREFIX, or a folder that is to be PRISMATA_DATA_DIR.",
        ),
    ],
    endpoint_url: Annotated[
        str, typer.Option(help="Endpoint of an S3-compatible store; else that of the settings.")
    ] = "",
    region: Annotated[
        str, typer.Option(help="Region of the bucket; else that of the settings.")
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be copied.")
    ] = False,
    read_back: Annotated[
        bool,
        typer.Option(
            "--read-back/--no-read-back",
            help="Read each copy again and compare its digest; without, what was sent is compared.",
        ),
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Copy the storage that the settings name to another place, and check every object.

    Videos, labels, models, results: everything under PRISMATA_STORAGE_BACKEND. Run it while the
    workbench runs, then stop workbench and workers, run it once more for what came meanwhile,
    change the settings that it names, and start them again. Run it again after any interruption:
    it goes on where it was.

    Nothing is deleted, neither here nor there, and nothing at the new place is written over that
    did not come from here. The catalog stays where it is; `prismata backup` and `prismata restore`
    move that.
    """
    settings = load_settings()
    start_logging(settings)
    destination = Destination(
        to, endpoint_url or settings.s3_endpoint_url, region or settings.s3_region
    )
    if dry_run:
        _print_plan(plan_move(settings, destination), as_json=as_json)
        return
    try:
        with child_bar("", enabled=not as_json) as bar:
            report = move_storage(settings, destination, read_back=read_back, on_progress=bar.show)
    except KeyboardInterrupt:
        notes.print("Stopped. What was copied is kept; the same command goes on from there.")
        raise typer.Exit(130) from None
    complete = report.settled and not report.differ_count
    then = settings_afterwards(settings, destination)
    if as_json:
        print_json({"complete": complete, **asdict(report), "settings": then})
    else:
        _print_report(report)
        if complete:
            _print_settings(settings, then)
    if not complete:
        raise typer.Exit(EXIT_INCOMPLETE)


def _size(totals: Totals) -> str:
    return f"{totals.objects} objects, {decimal(totals.bytes)}"


def _print_plan(plan: MovePlan, *, as_json: bool) -> None:
    if as_json:
        print_json(asdict(plan))
        return
    for what, totals in (
        ("in the storage now", plan.source),
        ("to be copied", plan.to_copy),
        ("copied and checked before", plan.checked),
        ("there already, to be compared", plan.to_compare),
        ("only there, left alone", plan.only_in_target),
    ):
        output.print(f"{what + ':':<31} {_size(totals)}")
    notes.print("nothing was copied")


def _print_report(report: MoveReport) -> None:
    output.print(f"{'copied now:':<31} {_size(report.copied)}")
    output.print(f"{'the same here and there:':<31} {_size(report.checked)}")
    output.print(f"{'digest over all of these:':<31} {report.digest}")
    if report.only_in_target.objects:
        output.print(f"{'only there, left alone:':<31} {_size(report.only_in_target)}")
    if report.differ_count:
        notes.print(
            f"{report.differ_count} objects hold something else there and were left alone, such as "
            f"{', '.join(report.differ)}; remove them there if they are not needed, or choose "
            "another place, and run this again",
            markup=False,
        )
    if not report.settled:
        notes.print("the storage kept changing; stop workbench and workers and run this again")


def _print_settings(settings: Settings, then: dict[str, str]) -> None:
    notes.print("To use it, stop workbench and workers, run this once more, then set everywhere:")
    for name, value in then.items():
        notes.print(f"  {name}={value}", markup=False)
    if Path(CONFIG_FILE).is_file():
        notes.print(
            f"(or in {CONFIG_FILE}, which is read in this folder; variables win over it)",
            markup=False,
        )
    if settings.catalog_url.startswith("sqlite"):
        notes.print(
            "The catalog stays in its SQLite file on this machine. Workers on other machines need "
            "PostgreSQL: prismata backup, then prismata restore there.",
        )
    if then["PRISMATA_STORAGE_BACKEND"] == "s3":
        notes.print(
            "Every machine needs credentials for the bucket; large uploads go straight to it if "
            "its CORS rules allow the workbench's address, otherwise through the workbench."
        )
    notes.print("The old storage is untouched; remove it when you no longer need it.")
