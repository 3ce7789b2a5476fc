"""`prismata events`: search the events of all videos, keep searches, write events to files."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated, get_args

import typer

from prismata.catalog.event_search import (
    COUNTED_AT_MOST,
    EventFilter,
    EventOrder,
    FoundEvent,
    parse_order,
)
from prismata.cli.console import JsonOption, notes, output, print_json, print_table
from prismata.cli.event_choice import Asked, takes_search
from prismata.cli.event_files import clips, export, reel
from prismata.core.files import check_new_file, written_whole
from prismata.core.time import format_time
from prismata.formats.events_csv import guarded_cell
from prismata.services.event_search import (
    COLUMNS,
    all_events,
    describe_event,
    find_events,
    model_names,
)
from prismata.services.workbench import Workbench
from prismata.wiring import open_workbench

app = typer.Typer(
    no_args_is_help=True, help="Search events of all videos, and write them as tables and films."
)
app.command("export")(export)
app.command("clips")(clips)
app.command("reel")(reel)

_ORDERS = ", ".join(get_args(EventOrder))


@app.command()
@takes_search
def search(
    asked: Asked,
    save: Annotated[str, typer.Option(help="Keep this search under a name.")] = "",
    order: Annotated[str, typer.Option(help=f"What comes first: {_ORDERS}.")] = "newest",
    limit: Annotated[int, typer.Option(help="Events on a page.", min=1, max=500)] = 50,
    page: Annotated[str, typer.Option(help="Mark that the page before ended with.")] = "",
    csv_file: Annotated[
        Path | None, typer.Option("--csv", help="Write all that fit into this new file instead.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Find events by what is asked for; without options, the newest of all."""
    by = parse_order(order)
    with open_workbench() as bench:
        wanted = asked.filter(bench)
        if save:
            bench.catalog.event_search.save(save, wanted, bench.settings.author)
        if csv_file is not None:
            _write_csv(bench, wanted, by, csv_file)
            return
        found = find_events(bench, wanted, order=by, limit=limit, page=page)
        models = model_names(bench)
        count = bench.catalog.event_search.count(wanted)
    if as_json:
        events = [describe_event(item, models) for item in found.events]
        print_json({"events": events, "count": count, "next_page": found.next_page})
        return
    if not found.events:
        notes.print("no event fits", markup=False)
        return
    rows = [_row(item) for item in found.events]
    columns = ("video", "event", "start", "length", "score", "who", "state")
    print_table("", columns, rows, right="start,length,score")
    many = f"more than {COUNTED_AT_MOST - 1}" if count >= COUNTED_AT_MOST else str(count)
    output.print(f"{many} fit", markup=False)
    if found.next_page:
        notes.print(f"the next page: --page {found.next_page}", markup=False)


@app.command(name="saved")
def list_saved(as_json: JsonOption = False) -> None:
    """List the searches that were kept."""
    with open_workbench() as bench:
        kept = bench.catalog.event_search.saved()
    if as_json:
        print_json([{"name": i.name, "author": i.author, **i.filter.to_dict()} for i in kept])
        return
    if not kept:
        notes.print("no search is saved yet; add --save NAME to one", markup=False)
        return
    rows = [(item.name, _said(item.filter), item.author) for item in kept]
    print_table("", ("name", "asks for", "saved by"), rows)


@app.command()
def forget(name: Annotated[str, typer.Argument(help="Name of a saved search.")]) -> None:
    """Forget a saved search; the events stay."""
    with open_workbench() as bench:
        bench.catalog.event_search.forget(name)
    output.print(f"forgot {name!r}", markup=False)


def _said(wanted: EventFilter) -> str:
    return ", ".join(f"{name} {value}" for name, value in wanted.to_dict().items()) or "everything"


def _row(found: FoundEvent) -> tuple[str, ...]:
    record, event = found.record, found.record.event
    return (
        found.video_name,
        event.event_type,
        format_time(event.start_us),
        f"{(event.end_us - event.start_us) / 1e6:.2f} s" if event.kind == "segment" else "",
        "" if event.score is None else f"{event.score:.2f}",
        record.author or "model",
        "" if record.review_state == "none" else record.review_state,
    )


def _write_csv(bench: Workbench, wanted: EventFilter, order: EventOrder, path: Path) -> None:
    """Write every event that fits, all or nothing.

    Raises:
        ConflictError: If the file exists.
    """
    check_new_file(path)
    models = model_names(bench)
    count = 0
    with (
        written_whole(path) as unfinished,
        unfinished.open("w", encoding="utf-8", newline="") as target,
    ):
        writer = csv.writer(target)
        writer.writerow(COLUMNS)
        for found in all_events(bench, wanted, order=order):
            cells = describe_event(found, models).values()
            writer.writerow(
                [guarded_cell(cell) if isinstance(cell, str) else cell for cell in cells]
            )
            count += 1
    output.print(f"{count} events written to {path}", markup=False)
