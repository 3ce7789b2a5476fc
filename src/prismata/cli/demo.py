"""`prismata demo`: the whole job on invented videos, from nothing to a report."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from prismata.catalog import Split, VideoRecord
from prismata.cli.console import (
    child_bar,
    exit_code,
    file_bar,
    notes,
    output,
    print_json,
    print_table,
)
from prismata.cli.evaluate import print_report
from prismata.core.errors import ConflictError
from prismata.core.time import format_time
from prismata.services.detect import DetectRequest, load_result, prepare_detection, run_detection
from prismata.services.evaluate import Evaluation, evaluate_model
from prismata.services.ingest import ingest_files
from prismata.services.labels import ImportOptions, apply_label_import, plan_label_import
from prismata.services.report import write_report
from prismata.services.train import TrainRequest, prepare_training, run_training, trained_model
from prismata.services.workbench import Workbench
from prismata.settings import Settings
from prismata.testing.synth import render_set, truth_csv
from prismata.wiring import open_workbench

DOMAIN = "ball_throw"
MARKER = ".prismata-demo"
PLACE = "meadow"
"""One place, as one camera sees it on many days; throwers, balls and distractors differ."""
COUNTS: dict[Split, int] = {"train": 22, "val": 3, "test": 5}
SECONDS = 6.0

RECIPE = {
    "encoder": "tiny",
    "frozen": False,
    "weights": "none",
    "epochs": 30,
    "patience": 10,
    "batch_chunks": 2,
    "weight_decay": 0.05,
    "head_lr": 2e-3,
    "encoder_lr": 2e-3,
    "ema_decay": 0.985,
}


@dataclass(frozen=True, slots=True)
class _Detections:
    wall_seconds: float
    peak_rss_mb: float


def demo(
    to: Annotated[Path, typer.Option(help="Folder for videos, data and report.")] = Path(
        "demo-output"
    ),
    seed: Annotated[int, typer.Option(help="Another seed invents other videos.")] = 1,
) -> None:
    """Invent videos with known truth, label, train, export, detect on unseen ones, evaluate.

    Needs no GPU, no network and no weights. Ends with one line of JSON.
    """
    started = time.perf_counter()
    _make_room(to)
    settings = Settings(data_dir=to / "data")
    with open_workbench(settings) as bench:
        bench.domain(DOMAIN)
        videos = _invent(bench, to / "videos", seed)
        model, train_seconds = _train(bench, videos, seed)
        found = _detect(bench, videos["test"], model)
        evaluation = evaluate_model(bench, model, videos["test"])
    report = to / "report.html"
    write_report(evaluation, report, title="Prismata demo: thrown balls")
    output.print()
    print_report(evaluation.report)
    notes.print(f"\nReport with timelines: {report}", markup=False)
    notes.print(f"Open the workbench on it: PRISMATA_DATA_DIR={to / 'data'} prismata serve")
    print_json({"demo": _figures(evaluation, found, train_seconds, started)})


def _make_room(folder: Path) -> None:
    """Replace an earlier demo; never touch a folder that is something else.

    Raises:
        ConflictError: If the folder exists and no demo made it.
    """
    if folder.exists():
        if any(folder.iterdir()) and not (folder / MARKER).is_file():
            raise ConflictError(
                f"{folder} exists and is not an earlier demo; name another with --to"
            )
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / MARKER).touch()


def _invent(bench: Workbench, folder: Path, seed: int) -> dict[Split, list[VideoRecord]]:
    """Render the videos, take them in and label them from the truth."""
    with file_bar() as progress:
        task = progress.add_task("inventing videos", total=sum(COUNTS.values()))
        rendered = render_set(
            folder,
            train=COUNTS["train"],
            val=COUNTS["val"],
            test=COUNTS["test"],
            seconds=SECONDS,
            seed=seed,
            place=PLACE,
            progress=lambda done, total, _name: progress.update(task, completed=done, total=total),
        )
    truth = folder / "truth.csv"
    truth.write_text(truth_csv([video for part in rendered.values() for video in part]))
    videos: dict[Split, list[VideoRecord]] = {}
    splits: tuple[Split, ...] = ("train", "val", "test")
    for split in splits:
        paths = [video.path for video in rendered[split]]
        results = list(ingest_files(bench, paths, domain=DOMAIN))
        videos[split] = [result.video for result in results if result.video]
    plan = plan_label_import(bench, truth, ImportOptions(DOMAIN, {}))
    stored = apply_label_import(bench, plan, DOMAIN)
    records = [video for part in videos.values() for video in part]
    variable = sum(video.max_step_us - video.min_step_us > 1000 for video in records)
    notes.print(
        f"{len(records)} videos, {format_time(sum(video.duration_us for video in records))} in "
        f"all, {variable} with variable frame rate; {stored} labels",
        markup=False,
    )
    return videos


def _train(
    bench: Workbench, videos: dict[Split, list[VideoRecord]], seed: int
) -> tuple[str, float]:
    groups = {video.group_name: split for split, part in videos.items() for video in part}
    request = TrainRequest(DOMAIN, RECIPE, fixed_groups=groups, seed=seed)
    prepared = prepare_training(bench, request)
    with child_bar("train") as bar:
        outcome = run_training(bench, prepared, on_message=bar.on_message)
    if outcome.result is None:
        notes.print(f"training {outcome.state.value}: {outcome.message}", markup=False)
        raise typer.Exit(exit_code(outcome))
    model = trained_model(bench, outcome)
    seconds = float(outcome.result["seconds"]["train_s"])
    notes.print(
        f"{model.name}: {outcome.result['epochs']} epochs in {seconds:.0f} s, exported to ONNX, "
        f"differs from PyTorch by at most "
        f"{outcome.result['parity']['max_score_difference']:.1e}",
        markup=False,
    )
    return model.name, seconds


def _detect(bench: Workbench, videos: list[VideoRecord], model: str) -> _Detections:
    rows: list[tuple[object, ...]] = []
    wall, peak = 0.0, 0.0
    for video in videos:
        prepared = prepare_detection(bench, DetectRequest(video.id, model))
        with child_bar(video.name) as bar:
            outcome = run_detection(bench, prepared, on_message=bar.on_message)
        if outcome.result is None:
            notes.print(f"{video.name}: {outcome.state.value}: {outcome.message}", markup=False)
            raise typer.Exit(exit_code(outcome))
        wall += outcome.wall_seconds
        peak = max(peak, outcome.peak_rss_mb, float(outcome.result.get("peak_rss_mb") or 0))
        result = load_result(bench, bench.catalog.detections.get(prepared.run.id))
        rows += [
            (
                video.name,
                event["event_type"],
                format_time(event["start_us"]),
                format_time(event["end_us"]) if event["kind"] == "segment" else "",
                f"{event['score']:.2f}",
            )
            for event in result["events"]
        ]
    print_table(
        f"{len(rows)} events found in {len(videos)} videos the model has never seen",
        ("video", "event", "start", "end", "score"),
        rows,
        right="start,end,score",
    )
    return _Detections(wall, peak)


def _figures(
    evaluation: Evaluation, found: _Detections, train_seconds: float, started: float
) -> dict[str, Any]:
    points, segments = evaluation.report.points, evaluation.report.segments
    return {
        "map_point_0.2s": points.by_criterion.get("0.2") if points else None,
        "map_segment_tiou_0.5": segments.by_criterion.get("0.5") if segments else None,
        "train_s": round(train_seconds, 1),
        "detect_s": round(found.wall_seconds, 1),
        "child_peak_mb": round(found.peak_rss_mb, 1),
        "total_s": round(time.perf_counter() - started, 1),
        "model": evaluation.model.name,
        "test_videos": len(evaluation.videos),
    }
