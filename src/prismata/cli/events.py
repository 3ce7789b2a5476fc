"""`prismata events`: search the events of all videos; keep searches that come again."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from prismata.catalog.event_search import (
    COUNTED_AT_MOST,
    EventFilter,
    EventOrder,
    FoundEvent,
    parse_order,
)
from prismata.cli.console import JsonOption, notes, output, print_json, print_table
from prismata.core.errors import ConflictError
from prismata.core.time import format_time
from prismata.formats.events_csv import guarded_cell
from prismata.services.event_search import (
    COLUMNS,
    all_events,
    describe_event,
    find_events,
    model_names,
    resolve_search,
)
from prismata.services.workbench import Workbench
from prismata.wiring import open_workbench

app = typer.Typer(no_args_is_help=True, help="Search events of all videos.")

_ORDERS = ", ".join(get_args(EventOrder))


@app.command()
def search(
    domain: Annotated[str, typer.Option(help="Only of this domain.")] = "",
    event_type: Annotated[str, typer.Option("--type", help="Only of this event type.")] = "",
    origin: Annotated[str, typer.Option(help="annotation or detection.")] = "",
    state: Annotated[str, typer.Option(help="none, accepted, rejected, corrected or unsure.")] = "",
    reviewer: Annotated[str, typer.Option(help="Decided by this person.")] = "",
    video: Annotated[str, typer.Option(help="Part of the video's name.")] = "",
    min_score: Annotated[float | None, typer.Option(help="At least this score.")] = None,
    max_score: Annotated[float | None, typer.Option(help="At most this score.")] = None,
    min_seconds: Annotated[float | None, typer.Option(help="At least so long.")] = None,
    max_seconds: Annotated[float | None, typer.Option(help="At most so long.")] = None,
    since: Annotated[str, typer.Option(help="Found or labelled then or later, ISO 8601.")] = "",
    until: Annotated[str, typer.Option(help="Found or labelled before, ISO 8601.")] = "",
    saved: Annotated[str, typer.Option(help="Begin with this saved search.")] = "",
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
    asked: dict[str, Any] = {
        "domain": domain,
        "event_type": event_type,
        "origin": origin,
        "review_state": state,
        "reviewer": reviewer,
        "video": video,
        "min_score": min_score,
        "max_score": max_score,
        "min_seconds": min_seconds,
        "max_seconds": max_seconds,
        "since": since,
        "until": until,
    }
    with open_workbench() as bench:
        changes = {name: value for name, value in asked.items() if value not in ("", None)}
        wanted = resolve_search(bench, saved, changes)
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
    if path.exists():
        raise ConflictError(f"{path} exists already; name a file that does not")
    models = model_names(bench)
    unfinished = path.with_name(f"{path.name}.part")
    count = 0
    try:
        with unfinished.open("w", encoding="utf-8", newline="") as target:
            writer = csv.writer(target)
            writer.writerow(COLUMNS)
            for found in all_events(bench, wanted, order=order):
                cells = describe_event(found, models).values()
                writer.writerow(
                    [guarded_cell(cell) if isinstance(cell, str) else cell for cell in cells]
                )
                count += 1
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    output.print(f"{count} events written to {path}", markup=False)
