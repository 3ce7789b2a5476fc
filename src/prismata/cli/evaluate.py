"""`prismata evaluate`: what a model is worth on labelled videos."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal, cast, get_args

import typer

from prismata.catalog import Split, VideoRecord
from prismata.cli.console import (
    JsonOption,
    child_bar,
    exit_code,
    notes,
    output,
    print_json,
    print_table,
)
from prismata.core.errors import InvalidInputError
from prismata.evaluation import EvaluationReport
from prismata.evaluation.segmental import SegmentalScores
from prismata.evaluation.soccernet import SoccerNetScores
from prismata.services.detect import DetectRequest, prepare_detection, run_detection
from prismata.services.evaluate import (
    evaluate_model,
    latest_run,
    score_as_ms_tcn,
    score_as_soccernet,
    videos_of_split,
)
from prismata.services.report import evaluation_dict, write_report
from prismata.services.workbench import Workbench
from prismata.wiring import open_workbench


def evaluate(
    model: Annotated[str, typer.Argument(help="Name or id.")],
    video: Annotated[list[str] | None, typer.Option(help="Videos to measure on.")] = None,
    split: Annotated[
        str, typer.Option(help="Split of the model's dataset version: train, val or test.")
    ] = "",
    detect: Annotated[
        bool, typer.Option("--detect", help="Run the model on videos it has not been run on.")
    ] = False,
    metric: Annotated[
        Literal["ours", "soccernet", "ms-tcn"],
        typer.Option(
            help="Whose metric: ours; soccernet, whose δ is a full width, for instants; ms-tcn, "
            "F1@k and edit score, for segments. Numbers of two metrics never compare."
        ),
    ] = "ours",
    report: Annotated[Path | None, typer.Option(help="Also write an HTML report here.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure a model's detections against labels, event by event."""
    with open_workbench() as bench:
        videos = choose_videos(bench, model, video or [], split)
        if detect:
            detect_missing(bench, model, videos, show=not as_json)
        evaluation = evaluate_model(bench, model, videos)
    if report is not None:
        write_report(evaluation, report)
    if metric == "soccernet":
        _print_soccernet(score_as_soccernet(evaluation), as_json=as_json)
    elif metric == "ms-tcn":
        _print_ms_tcn(score_as_ms_tcn(evaluation), as_json=as_json)
    elif as_json:
        print_json(evaluation_dict(evaluation))
    else:
        print_report(evaluation.report)
    if report is not None:
        notes.print(f"wrote {report}", markup=False)


def _print_soccernet(scores: SoccerNetScores, *, as_json: bool) -> None:
    if as_json:
        print_json({"metric": "soccernet", **asdict(scores)})
        return
    output.print(
        f"SoccerNet average mAP: tight {scores.tight:.3f} (δ 1 to 5 s), loose {scores.loose:.3f} "
        "(δ 5 to 60 s)",
        markup=False,
    )
    deltas = ", ".join(f"{delta} s: {score:.3f}" for delta, score in scores.at.items())
    output.print(f"mAP at δ = {deltas}", markup=False)
    rows = [
        (name, f"{scores.tight_by_type[name]:.3f}", f"{scores.loose_by_type[name]:.3f}")
        for name in scores.tight_by_type
    ]
    print_table("", ("event", "tight", "loose"), rows, right="tight,loose")
    notes.print(
        "δ is a full width: a hit at δ = 1 s is at most 0.5 s away. Not to be put beside ±δ."
    )


def _print_ms_tcn(scores: SegmentalScores, *, as_json: bool) -> None:
    if as_json:
        f1 = {f"{100 * overlap:g}": score for overlap, score in scores.f1.items()}
        print_json({"metric": "ms-tcn", "f1": f1, "edit": scores.edit})
        return
    parts = [f"F1@{100 * overlap:g} {score:.1f}" for overlap, score in scores.f1.items()]
    edit = "no segment at all" if scores.edit is None else f"{scores.edit:.1f}"
    output.print(f"{', '.join(parts)}, edit score {edit} (of 100)", markup=False)


def print_report(report: EvaluationReport) -> None:
    """Print an evaluation for people."""
    rows = report.to_table()
    columns = list(rows[0])
    # Turned: there are many figures and few event types, and screens are narrow.
    print_table(
        f"{len(report.videos)} videos, {report.hours * 60:.1f} minutes",
        ("", *(row["Event"] for row in rows)),
        [(name, *(row[name] for row in rows)) for name in columns if name != "Event"],
        right=",".join(row["Event"] for row in rows),
    )
    for means in (report.points, report.segments):
        if means is None or means.mean is None:
            continue
        parts = [
            f"{'±' + key + ' s' if means.kind == 'point' else 'tIoU ' + key}: {value:.3f}"
            for key, value in means.by_criterion.items()
            if value is not None
        ]
        line = f"mAP {means.kind}s {means.mean:.3f} ({', '.join(parts)})"
        if means.interval:
            line += f", 95 % interval {means.interval[0]:.3f} to {means.interval[1]:.3f}"
        if means.chance is not None:
            line += f", chance {means.chance:.3f}"
        output.print(line, markup=False)
    for note in report.notes:
        notes.print(note, markup=False)


def choose_videos(bench: Workbench, model: str, names: list[str], split: str) -> list[VideoRecord]:
    """Return the videos that are named, or those of a split of the model's dataset version.

    Raises:
        InvalidInputError: If both are given, or there is no such split.
        NotFoundError: If there is no such video, or the split is empty.
    """
    if names and split:
        raise InvalidInputError("name videos or a split, not both")
    if names:
        return [bench.catalog.videos.find(name) for name in names]
    if split and split not in get_args(Split):
        raise InvalidInputError(f"there is no split {split!r}; there is train, val and test")
    return videos_of_split(bench, bench.catalog.models.find(model), cast(Split, split or "val"))


def detect_missing(
    bench: Workbench, model_name: str, videos: list[VideoRecord], *, show: bool
) -> None:
    """Run a model on the videos it has no finished run on; ends the command if one fails."""
    model = bench.catalog.models.find(model_name)
    for video in videos:
        if latest_run(bench, model, video) is not None:
            continue
        prepared = prepare_detection(bench, DetectRequest(video.id, model.id))
        with child_bar(video.name, enabled=show) as bar:
            outcome = run_detection(bench, prepared, on_message=bar.on_message)
        if outcome.result is None:
            notes.print(f"{video.name}: {outcome.message}", markup=False)
            raise typer.Exit(exit_code(outcome))
