"""`prismata videos`: the library."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from prismata.cli.console import JsonOption, notes, output, print_json, print_table
from prismata.core.time import format_time
from prismata.services.ingest import remove_video
from prismata.wiring import open_workbench

app = typer.Typer(no_args_is_help=True, help="List, show, group and remove videos.")


@app.command("list")
def list_videos(
    domain: Annotated[str, typer.Option(help="Only videos ingested for this domain.")] = "",
    as_json: JsonOption = False,
) -> None:
    """List all videos."""
    with open_workbench() as bench:
        videos = bench.catalog.videos.list(domain=domain or None)
    if as_json:
        print_json({"videos": [asdict(video) for video in videos]})
        return
    if not videos:
        notes.print("There is no video yet. Take some in with `prismata ingest FILE…`.")
        return
    print_table(
        f"{len(videos)} videos",
        ("name", "group", "length", "frames", "size", "codec", "domain"),
        [
            (
                video.name,
                video.group_name,
                format_time(video.duration_us),
                video.frame_count,
                f"{video.width}x{video.height}",
                video.codec,
                video.domain,
            )
            for video in videos
        ],
        right="length,frames",
    )


@app.command("show")
def show_video(
    name: Annotated[str, typer.Argument(help="Name or id.")], as_json: JsonOption = False
) -> None:
    """Show everything known about a video."""
    with open_workbench() as bench:
        video = bench.catalog.videos.find(name)
        labels = bench.catalog.events.list(video_id=video.id, origin="annotation")
        runs = bench.catalog.detections.list(video_id=video.id)
    if as_json:
        print_json({**asdict(video), "labels": len(labels), "detection_runs": len(runs)})
        return
    for key, value in asdict(video).items():
        if value not in ("", ()):
            output.print(f"{key:<14} {value}", markup=False)
    output.print(f"{'labels':<14} {len(labels)}")
    output.print(f"{'detections':<14} {len(runs)} runs")


@app.command("group")
def group_videos(
    group: Annotated[str, typer.Argument(help="Recording, camera or person.")],
    names: Annotated[list[str], typer.Argument(help="Names or ids of videos.")],
) -> None:
    """Put videos into a group; a group never spans two splits."""
    with open_workbench() as bench:
        videos = [bench.catalog.videos.find(name) for name in names]
        for video in videos:
            bench.catalog.videos.set_group(video.id, group)
    notes.print(f"{len(videos)} videos belong to {group!r} now", markup=False)


@app.command("remove")
def remove(
    name: Annotated[str, typer.Argument(help="Name or id.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove a video with its labels and detections."""
    with open_workbench() as bench:
        video = bench.catalog.videos.find(name)
        if not yes:
            labels = bench.catalog.events.list(video_id=video.id, origin="annotation")
            typer.confirm(
                f"Remove {video.name!r} with {len(labels)} labels for good?", abort=True, err=True
            )
        notes.print(remove_video(bench, video.id), markup=False)
