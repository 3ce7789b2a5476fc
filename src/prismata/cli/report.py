"""`prismata report`: what a model found, as one HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prismata.cli.console import JsonOption, child_bar, notes, output, parse_thresholds, print_json
from prismata.core.files import check_new_file
from prismata.services.result_report import write_model_report
from prismata.wiring import open_workbench


def report(
    model: Annotated[str, typer.Argument(help="Name or id of the model.")],
    to: Annotated[Path, typer.Option("--to", help="HTML file to write; it must not exist.")],
    video: Annotated[str, typer.Option(help="Only videos with this part in their name.")] = "",
    threshold: Annotated[
        list[str] | None, typer.Option(help="EVENT=0.4: another threshold than the runs had.")
    ] = None,
    title: Annotated[str, typer.Option(help="Title of the page.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Write what a model found in its newest runs as one page that opens offline.

    Counts by type, video and day, a timeline and stills of each video, what people decided, what
    it was made with. Videos on which the run failed are listed with the cause. How good the model
    is, against labels, is told by `prismata evaluate MODEL --report`.
    """
    check_new_file(to)
    thresholds = parse_thresholds(threshold or [])
    try:
        with open_workbench() as bench, child_bar("", enabled=not as_json) as bar:
            facts = write_model_report(
                bench,
                bench.catalog.models.find(model),
                to,
                video=video,
                thresholds=thresholds,
                title=title,
                on_progress=lambda done, total, name: bar.on_message(
                    {"type": "progress", "done": done, "total": total, "note": name}
                ),
            )
    except KeyboardInterrupt:
        notes.print("Stopped. Nothing was written.")
        raise typer.Exit(130) from None
    if as_json:
        print_json(
            {
                "file": str(to),
                "videos": facts.videos,
                "events": facts.events,
                "failures": facts.failures,
            }
        )
        return
    output.print(f"{facts.events} events of {facts.videos} videos written to {to}", markup=False)
    if facts.failures:
        notes.print(
            f"{facts.failures} videos whose last run did not end well are listed with the cause",
            markup=False,
        )
