"""`prismata videos`: the library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from prismata.catalog import VideoRecord
from prismata.cli.console import (
    EXIT_JOB_FAILED,
    JsonOption,
    child_bar,
    notes,
    outcome_dict,
    output,
    print_json,
    print_table,
)
from prismata.core.errors import UserError
from prismata.core.jobs import JobState
from prismata.core.time import format_time
from prismata.services.ingest import remove_video
from prismata.services.prepare import needs_preparation, prepare_video
from prismata.services.workbench import Workbench
from prismata.wiring import open_workbench

app = typer.Typer(no_args_is_help=True, help="List, show, prepare, group and remove videos.")


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


@app.command("prepare")
def prepare(
    names: Annotated[
        list[str] | None, typer.Argument(help="Names or ids of videos; by default all.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make what the player needs: thumbnails, waveform and, where browsers need it, a proxy."""
    with open_workbench() as bench:
        videos = (
            [bench.catalog.videos.find(name) for name in names]
            if names
            else bench.catalog.videos.list()
        )
        waiting = [video for video in videos if needs_preparation(bench, video)]
        preparations = prepare_each(bench, waiting, show=not as_json)
    failed = [item for item in preparations if item["state"] != JobState.SUCCEEDED]
    if as_json:
        print_json({"already_prepared": len(videos) - len(waiting), "preparations": preparations})
    else:
        notes.print(
            f"{len(preparations) - len(failed)} prepared, {len(videos) - len(waiting)} were "
            f"already, {len(failed)} failed"
        )
    if failed:
        raise typer.Exit(EXIT_JOB_FAILED)


def prepare_each(
    bench: Workbench, videos: Sequence[VideoRecord], *, show: bool
) -> list[dict[str, Any]]:
    """Prepare videos one after the other and return how each went, as JSON values.

    One that fails does not stop the others; it is in the library all the same.
    """
    told: list[dict[str, Any]] = []
    for video in videos:
        with child_bar(video.name, enabled=show) as bar:
            try:
                outcome = outcome_dict(prepare_video(bench, video, on_message=bar.on_message))
            except UserError as error:
                outcome = {"state": JobState.FAILED.value, "message": str(error)}
        told.append({"video": video.name, **outcome})
        if show and outcome["state"] != JobState.SUCCEEDED:
            notes.print(f"{video.name} was not prepared: {outcome['message']}", markup=False)
    return told


@app.command("group")
def group_videos(
    group: Annotated[str, typer.Argument(help="Recording, camera or person.")],
    names: Annotated[list[str], typer.Argument(help="Names or ids of videos.")],
) -> None:
    """Put videos into a group; a group never spans two splits."""
    with open_workbench() as bench:
        videos = [bench.catalog.videos.find(name) for name in names]
        for video in videos:
            bench.catalog.videos.set_group(video.id, group, author=bench.settings.author)
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
