"""`prismata detect`: find events in videos, one or many."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from prismata.cli.console import JsonOption, notes, parse_thresholds, print_json
from prismata.cli.detect_output import BatchView, code_of, report_dict, summary_dict
from prismata.services.detect import DetectRequest
from prismata.services.detect_batch import VideoReport, detect_many
from prismata.services.video_sources import find_sources
from prismata.wiring import open_workbench


def detect(
    videos: Annotated[
        list[str],
        typer.Argument(
            help="Videos of the library, files, folders, globs such as 'rec/*.mp4', or "
            "s3://BUCKET/PREFIX."
        ),
    ],
    model: Annotated[
        str, typer.Option(help="Model; by default the domain's one in production or newest.")
    ] = "",
    domain: Annotated[str, typer.Option(help="Domain, to choose the model by.")] = "",
    threshold: Annotated[
        list[str] | None, typer.Option(help="EVENT=0.4: another threshold than the model's.")
    ] = None,
    reader: Annotated[str, typer.Option(help="pyav, opencv or decord.")] = "pyav",
    runtime: Annotated[
        Literal["", "auto", "onnxruntime", "openvino"],
        typer.Option(help="What runs the model; by default as PRISMATA_DETECT_RUNTIME says."),
    ] = "",
    precision: Annotated[
        Literal["", "auto", "fp32", "bf16", "int8"],
        typer.Option(help="Arithmetic; by default as PRISMATA_DETECT_PRECISION says."),
    ] = "",
    batch_size: Annotated[
        int, typer.Option(min=0, help="Frames encoded at once; 0 = chosen by memory.")
    ] = 0,
    coarse: Annotated[
        bool,
        typer.Option(
            "--coarse", help="Only look at key frames: much faster, misses what lies between."
        ),
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Also run what has been run with these settings.")
    ] = False,
    profile: Annotated[
        bool,
        typer.Option(
            "--profile", help="Show time and memory by stage, and how far each is from its floor."
        ),
    ] = False,
    to: Annotated[
        Path | None, typer.Option(help="Also write each DetectionResult JSON into this folder.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Find events in videos, each a job of its own in an isolated child process.

    What has been found before with the same model and settings is reported and not run again, so
    a batch that was stopped goes on where it was.
    """
    request = DetectRequest(
        video="",
        model=model,
        domain=domain,
        thresholds=parse_thresholds(threshold or []),
        reader=reader,
        runtime=runtime,
        precision=precision,
        batch=batch_size,
        coarse=coarse,
        measure_floors=profile,
    )
    done: list[VideoReport] = []
    with open_workbench() as bench:
        sources = find_sources(bench, videos)
        with BatchView(count=len(sources), shown=not as_json, profile=profile, to=to) as view:

            def on_video(report: VideoReport) -> None:
                done.append(report)
                view.on_video(report)

            try:
                detect_many(
                    bench,
                    sources,
                    request,
                    again=again,
                    on_video=on_video,
                    on_progress=view.on_progress,
                    on_message=view.on_message,
                )
            except KeyboardInterrupt:
                notes.print(
                    f"Stopped: {len(done)} of {len(sources)} videos are done. The same command "
                    "goes on with the others."
                )
                raise typer.Exit(130) from None
    if as_json:
        print_json({"runs": [report_dict(item) for item in done], "summary": summary_dict(done)})
    worst = next((code for code in map(code_of, done) if code), 0)
    if worst:
        raise typer.Exit(worst)
