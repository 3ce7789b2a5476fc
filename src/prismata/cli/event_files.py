"""`prismata events export`, `clips` and `reel`: events as files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, get_args

import typer

from prismata.catalog.event_search import EventOrder
from prismata.cli.console import JsonOption, child_bar, notes, output, print_json
from prismata.cli.event_choice import Asked, takes_events
from prismata.core.files import check_new_file
from prismata.core.time import format_time, to_us
from prismata.services.export_events import EVENT_FORMATS, export_events, parse_event_format
from prismata.services.reel import (
    CONTEXT_SECONDS,
    FilmProgress,
    Surroundings,
    write_clips,
    write_reel,
)
from prismata.wiring import open_workbench

_ORDERS = ", ".join(get_args(EventOrder))

BeforeOption = Annotated[float, typer.Option(help="Seconds shown before each event.", min=0)]
AfterOption = Annotated[float, typer.Option(help="Seconds shown after each event.", min=0)]
CaptionsOption = Annotated[
    bool, typer.Option("--captions", help="Burn in what happens, where and when.")
]
OrderOption = Annotated[
    str, typer.Option(help=f"Which come first, where --limit leaves some out: {_ORDERS}.")
]
LimitOption = Annotated[int, typer.Option(help="At most so many events; 0 = all.", min=0)]


@takes_events
def export(
    asked: Asked,
    to: Annotated[Path, typer.Option("--to", help="File to write; it must not exist.")],
    file_format: Annotated[
        str, typer.Option("--format", help=f"One of {', '.join(EVENT_FORMATS)}.")
    ] = "csv",
    order: Annotated[str, typer.Option(help=f"What comes first: {_ORDERS}.")] = "newest",
    as_json: JsonOption = False,
) -> None:
    """Write events that a search finds, or that a model's runs hold, into one file.

    CSV can be imported again with `prismata labels import`. WebVTT holds one video. Parquet needs
    pyarrow. The file appears when it is complete.
    """
    chosen = parse_event_format(file_format)
    with open_workbench() as bench:
        made_with = asked.provenance(bench)
        events = asked.events(bench, order=order)
        count = export_events(events, to, chosen, provenance=made_with)
    if as_json:
        print_json({"file": str(to), "events": count.rows, "videos": len(count.videos)})
        return
    output.print(f"{count.rows} events of {len(count.videos)} videos written to {to}", markup=False)


@takes_events
def clips(
    asked: Asked,
    to: Annotated[Path, typer.Option("--to", help="Folder to write into; empty, or a new one.")],
    before: BeforeOption = CONTEXT_SECONDS,
    after: AfterOption = CONTEXT_SECONDS,
    captions: CaptionsOption = False,
    order: OrderOption = "newest",
    limit: LimitOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Cut out each event as an MP4 of its own, exact to the frame, without sound.

    Rejected events are left out, unless they are what --state asks for.
    """
    around = Surroundings(to_us(before), to_us(after))
    with open_workbench() as bench, _stopped_politely(f"The clips that are complete are in {to}."):
        events = asked.best_events(bench, order=order, limit=limit)
        with _film_bar(shown=not as_json) as on_progress:
            written = write_clips(
                bench, events, to, around=around, captions=captions, on_progress=on_progress
            )
    if as_json:
        listed = zip(events, written, strict=True)
        print_json(
            {
                "clips": [
                    {
                        "file": str(path),
                        "video": item.row.video,
                        "event_type": item.row.event.event_type,
                        "start_us": item.row.event.start_us,
                        "end_us": item.row.event.end_us,
                        "id": item.row.id or None,
                    }
                    for item, path in listed
                ]
            }
        )
        return
    output.print(f"{len(written)} clips written to {to}", markup=False)


@takes_events
def reel(
    asked: Asked,
    to: Annotated[Path, typer.Option("--to", help="MP4 file to write; it must not exist.")],
    before: BeforeOption = CONTEXT_SECONDS,
    after: AfterOption = CONTEXT_SECONDS,
    captions: CaptionsOption = False,
    order: OrderOption = "newest",
    limit: LimitOption = 50,
    as_json: JsonOption = False,
) -> None:
    """Put events of one or many videos behind each other into one MP4, by video and time.

    Exact to the frame, H.264, without sound. Events that lie so close that they would share frames
    become one scene. Other shapes of picture get black bars. Rejected events are left out.
    """
    check_new_file(to)
    around = Surroundings(to_us(before), to_us(after))
    with open_workbench() as bench, _stopped_politely("Nothing was written."):
        events = asked.best_events(bench, order=order, limit=limit)
        with _film_bar(shown=not as_json) as on_progress:
            made = write_reel(
                bench, events, to, around=around, captions=captions, on_progress=on_progress
            )
    if as_json:
        print_json(
            {
                "file": str(to),
                "events": len(events),
                "frames": made.frames,
                "width": made.width,
                "height": made.height,
                "duration_us": made.duration_us,
            }
        )
        return
    output.print(
        f"{len(events)} events in {format_time(made.duration_us)} written to {to} "
        f"({made.width}x{made.height})",
        markup=False,
    )
    if limit and len(events) == limit:
        notes.print(f"there may be more: these are the first {limit} (--limit)", markup=False)


@contextmanager
def _film_bar(*, shown: bool) -> Iterator[FilmProgress]:
    with child_bar("", enabled=shown) as bar:

        def on_progress(done: int, total: int, name: str) -> None:
            bar.on_message({"type": "progress", "done": done, "total": total, "note": name})

        yield on_progress


@contextmanager
def _stopped_politely(what_is_kept: str) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        notes.print(f"Stopped. {what_is_kept}", markup=False)
        raise typer.Exit(130) from None
