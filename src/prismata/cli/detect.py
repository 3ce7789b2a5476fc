"""`prismata detect`: find events in videos of the library."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from prismata.cli.console import (
    JsonOption,
    child_bar,
    exit_code,
    notes,
    outcome_dict,
    parse_thresholds,
    print_json,
    print_table,
)
from prismata.core.errors import InvalidInputError, NotFoundError
from prismata.core.ports import ChildOutcome
from prismata.core.protocol import Message
from prismata.core.time import format_time
from prismata.services.detect import (
    DetectRequest,
    PreparedDetection,
    load_result,
    prepare_detection,
    run_detection,
)
from prismata.services.ingest import ingest_file
from prismata.services.workbench import Workbench
from prismata.wiring import open_workbench


def detect(
    videos: Annotated[list[str], typer.Argument(help="Videos of the library, or files.")],
    model: Annotated[
        str, typer.Option(help="Model; by default the domain's one in production or newest.")
    ] = "",
    domain: Annotated[str, typer.Option(help="Domain, to choose the model by.")] = "",
    threshold: Annotated[
        list[str] | None, typer.Option(help="EVENT=0.4: another threshold than the model's.")
    ] = None,
    reader: Annotated[str, typer.Option(help="pyav, opencv or decord.")] = "pyav",
    to: Annotated[
        Path | None, typer.Option(help="Also write each DetectionResult JSON into this folder.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Find events in videos, each in an isolated child process."""
    thresholds = parse_thresholds(threshold or [])
    reports: list[dict[str, Any]] = []
    worst = 0
    with open_workbench() as bench:
        for name in videos:
            request = DetectRequest(
                _in_library(bench, name, domain), model, domain, thresholds, reader
            )
            prepared = prepare_detection(bench, request)
            outcome = _run(bench, prepared, show=not as_json)
            report = _report(bench, prepared, outcome)
            reports.append(report)
            if to is not None and "result" in report:
                _write(bench, prepared, to)
            if not as_json:
                _print(report)
            worst = worst or exit_code(outcome)
    if as_json:
        print_json({"runs": reports})
    if worst:
        raise typer.Exit(worst)


def _in_library(bench: Workbench, name: str, domain: str) -> str:
    """Return the id of a video; a file that is not in the library is ingested first."""
    try:
        return bench.catalog.videos.find(name).id
    except NotFoundError:
        path = Path(name)
        if not path.is_file():
            raise
    ingested = ingest_file(bench, path, domain=domain)
    if ingested.video is None:
        raise InvalidInputError(ingested.message)
    notes.print(ingested.message, markup=False)
    return ingested.video.id


def _run(bench: Workbench, prepared: PreparedDetection, *, show: bool) -> ChildOutcome:
    with child_bar(prepared.video.name, enabled=show) as bar:

        def on_message(message: Message) -> None:
            bar.on_message(message)
            if message["type"] == "event" and show:
                event = message["event"]
                bar.progress.console.print(
                    f"  {format_time(event['start_us'])}  {event['event_type']}  "
                    f"{event['score']:.2f}",
                    markup=False,
                )

        return run_detection(bench, prepared, on_message=on_message)


def _report(bench: Workbench, prepared: PreparedDetection, outcome: ChildOutcome) -> dict[str, Any]:
    report: dict[str, Any] = {
        "video": prepared.video.name,
        "model": prepared.model.name,
        "run_id": prepared.run.id,
        **outcome_dict(outcome),
    }
    if outcome.result is not None:
        report["result"] = load_result(bench, bench.catalog.detections.get(prepared.run.id))
    return report


def _print(report: dict[str, Any]) -> None:
    if "result" not in report:
        notes.print(f"{report['video']}: {report['state']}: {report['message']}", markup=False)
        return
    result = report["result"]
    events = result["events"]
    print_table(
        f"{report['video']}: {len(events)} events",
        ("event", "start", "end", "score", "frame"),
        [
            (
                event["event_type"],
                format_time(event["start_us"]),
                format_time(event["end_us"]) if event["kind"] == "segment" else "",
                f"{event['score']:.2f}",
                event["start_frame"],
            )
            for event in events
        ],
        right="start,end,score,frame",
    )
    timing, runtime = result["timing_s"], result["runtime"]
    notes.print(
        f"{report['model']} · {runtime['name']} {runtime['version']} · {timing['total']:.1f} s for "
        f"{result['video']['duration_s']:.1f} s of video · peak {report['peak_rss_mb']:.0f} MB",
        markup=False,
    )


def _write(bench: Workbench, prepared: PreparedDetection, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    run = bench.catalog.detections.get(prepared.run.id)
    target = folder / f"{Path(prepared.video.name).stem}-{run.id[:8]}.json"
    temporary = target.with_name(f"{target.name}.{os.getpid()}.part")
    temporary.write_bytes(bench.storage.get(run.result_key))
    temporary.replace(target)
    notes.print(f"wrote {target}", markup=False)
