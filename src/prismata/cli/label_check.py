"""`prismata labels check`: what a domain's rules say about the labels there are."""

from __future__ import annotations

from typing import Annotated

import typer

from prismata.cli.console import JsonOption, notes, output, print_json, print_table
from prismata.core.time import format_time
from prismata.services.label_checks import check_videos
from prismata.wiring import open_workbench


def check_labels(
    domain: Annotated[str, typer.Option("--domain", help="Domain the labels belong to.")],
    video: Annotated[str, typer.Option(help="Only this video.")] = "",
    as_json: JsonOption = False,
) -> None:
    """List labels that are worth a second look: lengths, rules between events, the review hook.

    Nothing is changed, and a label that breaks a rule may be right: rules say what is usual.
    """
    with open_workbench() as bench:
        videos = [bench.catalog.videos.find(video)] if video else []
        checked = list(check_videos(bench, domain, videos))
    failures = {str(item.failure): item for item in checked if item.failure is not None}
    if as_json:
        print_json(
            {
                "videos": len(checked),
                "labels": sum(item.labels for item in checked),
                "remarks": [
                    {"video": item.video.name, **remark.to_dict()}
                    for item in checked
                    for remark in item.remarks
                ],
                "failures": list(failures),
            }
        )
    else:
        rows = [
            (item.video.name, format_time(remark.event.start_us) if remark.event else "", remark)
            for item in checked
            for remark in item.remarks
        ]
        if rows:
            print_table(
                f"{len(rows)} worth a second look",
                ("video", "at", "what"),
                [(name, at, remark.sentence) for name, at, remark in rows],
                right="at",
            )
        elif not failures:
            labels = sum(item.labels for item in checked)
            output.print(
                f"{labels} labels in {len(checked)} videos: nothing looks wrong", markup=False
            )
        for failure in failures:
            notes.print(failure, style="yellow", markup=False)
    if failures:
        raise typer.Exit(1)
