"""`prismata labels`: import with a dry run, list, check, export; migrate to other event types."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prismata.cli.console import (
    JsonOption,
    notes,
    output,
    parse_pairs,
    print_json,
    print_table,
)
from prismata.cli.label_check import check_labels
from prismata.cli.label_migration import migrate_labels
from prismata.core.errors import InvalidInputError
from prismata.core.time import format_time
from prismata.services.labels import (
    EXPORT_FORMATS,
    ExportFormat,
    ImportOptions,
    apply_label_import,
    coverage_line,
    export_labels,
    list_labels,
    plan_label_import,
)
from prismata.wiring import open_workbench

app = typer.Typer(no_args_is_help=True, help="Import, list, check, export and migrate labels.")
app.command("check")(check_labels)
app.command("migrate")(migrate_labels)

DomainOption = Annotated[str, typer.Option("--domain", help="Domain the labels belong to.")]


@app.command("import")
def import_labels(
    file: Annotated[Path, typer.Argument(help="CSV, a classic label JSON, or a Labels-v2.json.")],
    domain: DomainOption,
    apply: Annotated[
        bool, typer.Option("--apply", help="Store it; without this the plan is only shown.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace the labels these videos have.")
    ] = False,
    partial: Annotated[
        bool,
        typer.Option(
            "--partial",
            help="The file holds only some of the labels: do not count its videos as watched.",
        ),
    ] = False,
    label_map: Annotated[
        list[str] | None,
        typer.Option("--map", help="LABEL=EVENT: what a label of the file is called here."),
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option("--ignore", help="A label of the file to leave out.")
    ] = None,
    onset: Annotated[
        list[str] | None,
        typer.Option("--onset", help="Point event for which a segment's start is the event."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a label file would bring; store it with --apply.

    The CSV has the columns video,label,kind,start_s,end_s (kind: point, segment, interval or
    clip); the classic JSON has frames under "deliveries" and "false_positives". A Labels-v2.json
    of SoccerNet has its halves in the library as 1.mkv, 1_224p.mkv and the like.
    """
    mapping = parse_pairs(label_map or [], "--map") | dict.fromkeys(ignore or [], "")
    options = ImportOptions(domain, mapping, onset=tuple(onset or ()))
    with open_workbench() as bench:
        plan = plan_label_import(bench, file, options)
        stored = 0
        if apply:
            stored = apply_label_import(bench, plan, domain, replace=replace, partial=partial)
    if as_json:
        print_json({**plan.to_dict(), "partial": partial, "applied": apply, "stored": stored})
        return
    for line in plan.summary_lines():
        output.print(line, markup=False)
    if plan.videos:
        output.print(coverage_line(partial=partial), markup=False)
    if apply:
        notes.print(f"{stored} labels stored")
    else:
        notes.print("Nothing was written: this was a dry run. Add --apply to store it.")


@app.command("list")
def show_labels(
    domain: DomainOption,
    video: Annotated[str, typer.Option(help="Only this video.")] = "",
    as_json: JsonOption = False,
) -> None:
    """List labels by video and time."""
    with open_workbench() as bench:
        bench.domain(domain)
        videos = [bench.catalog.videos.find(video)] if video else bench.catalog.videos.list()
        rows = [(item, record) for item in videos for record in list_labels(bench, item, domain)]
    if as_json:
        print_json(
            {
                "labels": [
                    {
                        "video": item.name,
                        "event_type": record.event.event_type,
                        "kind": record.event.kind,
                        "start_us": record.event.start_us,
                        "end_us": record.event.end_us,
                        "review_state": record.review_state,
                        "author": record.author,
                    }
                    for item, record in rows
                ]
            }
        )
        return
    if not rows:
        notes.print(
            f"No labels for {domain!r} yet. Import some with `prismata labels import FILE "
            f"--domain {domain}`, or open the workbench with `prismata serve`.",
            markup=False,
        )
        return
    print_table(
        f"{len(rows)} labels",
        ("video", "event", "start", "end", "author", "state"),
        [
            (
                item.name,
                record.event.event_type,
                format_time(record.event.start_us),
                format_time(record.event.end_us) if record.event.kind == "segment" else "",
                record.author,
                "" if record.review_state == "none" else record.review_state,
            )
            for item, record in rows
        ],
        right="start,end",
    )


@app.command("export")
def export(
    domain: DomainOption,
    file_format: Annotated[
        str, typer.Option("--format", help=f"One of {', '.join(EXPORT_FORMATS)}.")
    ] = "csv",
    video: Annotated[list[str] | None, typer.Option(help="Only these videos.")] = None,
    to: Annotated[Path | None, typer.Option(help="File to write; by default the screen.")] = None,
) -> None:
    """Export labels."""
    chosen = _check_format(file_format)
    if to is not None and to.exists():
        raise InvalidInputError(f"{to} exists already; name a file that does not")
    with open_workbench() as bench:
        text = export_labels(bench, domain, chosen, videos=tuple(video or ()))
    if to is None:
        print(text, end="")
        return
    to.write_text(text, encoding="utf-8")
    notes.print(f"wrote {to}", markup=False)


def _check_format(name: str) -> ExportFormat:
    for known in EXPORT_FORMATS:
        if name == known:
            return known
    raise InvalidInputError(
        f"there is no export format {name!r}; there is {', '.join(EXPORT_FORMATS)}"
    )
