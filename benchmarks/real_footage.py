"""What the two programs on real footage share: where it lies, one fold, the printed table.

The footage lies beside the project (`../shared/realdata`, or `--realdata DIR`) and is never copied
into it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prismata.catalog import Split, VideoRecord
from prismata.core.architectures import ARCHITECTURES, DEFAULT_ARCHITECTURE
from prismata.core.ports import ChildOutcome
from prismata.evaluation import MeanPrecision, evaluate
from prismata.postprocess import candidate_events
from prismata.services.detect import DetectRequest, prepare_detection, run_detection
from prismata.services.evaluate import Evaluation, evaluate_model
from prismata.services.ingest import ingest_files
from prismata.services.report import write_report
from prismata.services.train import TrainRequest, prepare_training, run_training, trained_model
from prismata.services.workbench import Workbench
from prismata.settings import Settings
from prismata.wiring import open_workbench

PROJECT = Path(__file__).resolve().parents[1]
ENCODER = "mobilenet_v2_1.0_224"


def parse_arguments(description: str, *, epochs: int) -> argparse.Namespace:
    """Read the command line; leave with a sentence if the footage is not there."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--realdata",
        type=Path,
        default=PROJECT.parent / "shared" / "realdata",
        help="folder with the footage and the weights",
    )
    parser.add_argument(
        "--work", type=Path, default=PROJECT / "data" / "benchmarks", help="working folder"
    )
    parser.add_argument("--encoder", default=ENCODER, help="frozen encoder")
    parser.add_argument(
        "--architecture",
        action="append",
        choices=sorted(ARCHITECTURES),
        help="what to train; repeat for several, side by side (default: the classic)",
    )
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    arguments.architecture = arguments.architecture or [DEFAULT_ARCHITECTURE]
    if not (arguments.realdata / "weights").is_dir():
        sys.exit(f"there is no real footage in {arguments.realdata}; name it with --realdata DIR")
    return arguments


def open_bench(arguments: argparse.Namespace, name: str) -> Workbench:
    """Open a workbench of its own for one benchmark; features are kept between runs."""
    return open_workbench(
        Settings(
            data_dir=arguments.work / name,
            domains_dirs=str(PROJECT / "domains"),
            weights_dir=arguments.realdata / "weights",
        )
    )


def ingest(
    bench: Workbench, paths: Sequence[Path], *, base: Path, domain: str
) -> list[VideoRecord]:
    """Take videos in and return them; a refused one ends the program with its sentence."""
    videos = []
    for result in ingest_files(bench, paths, base=base, domain=domain):
        if result.video is None:
            sys.exit(result.message)
        videos.append(result.video)
    return videos


@dataclass(frozen=True, slots=True)
class Fold:
    """One fold: what was held out and what came of it."""

    name: str
    evaluation: Evaluation
    train_videos: int
    train_events: int
    train_seconds: float
    detect_seconds: float
    peak_rss_mb: float


def run_fold(
    bench: Workbench,
    domain: str,
    name: str,
    *,
    held_out: Sequence[VideoRecord],
    architecture: str,
    arguments: argparse.Namespace,
) -> Fold:
    """Train on the rest, export, detect the held-out videos in the child, evaluate."""
    fixed: dict[str, Split] = {video.group_name: "test" for video in held_out}
    recipe = {
        "architecture": architecture,
        "encoder": arguments.encoder,
        "frozen": True,
        "epochs": arguments.epochs,
        "patience": arguments.epochs,
        "head": {"hidden": 64, "dropout": 0.5},
        "batch_windows": 64,
        "weight_decay": 0.1,
    }
    request = TrainRequest(domain, recipe, val_share=0.25, fixed_groups=fixed, seed=arguments.seed)
    prepared = prepare_training(bench, request)
    started = time.perf_counter()
    outcome = _finished(run_training(bench, prepared), f"training of fold {name}")
    trained = time.perf_counter()
    model = trained_model(bench, outcome)
    peak = 0.0
    for video in held_out:
        detection = prepare_detection(bench, DetectRequest(video.id, model.id))
        ended = _finished(run_detection(bench, detection), f"detection in {video.name}")
        peak = max(peak, ended.peak_rss_mb)
    splits = prepared.dataset.video_splits
    train_ids = {video_id for video_id, split in splits.items() if split != "test"}
    return Fold(
        name,
        evaluate_model(bench, model.id, list(held_out)),
        len(train_ids),
        sum(video_id in train_ids for video_id, _, _ in prepared.dataset.content),
        trained - started,
        time.perf_counter() - trained,
        peak,
    )


def _finished(outcome: ChildOutcome, what: str) -> ChildOutcome:
    if outcome.result is None:
        sys.exit(f"the {what} {outcome.state.value}: {outcome.message}")
    return outcome


def report(
    title: str, folds: Sequence[Fold], kind: str, keys: Sequence[str], folder: Path
) -> dict[str, Any]:
    """Print one row a fold and the means, write HTML reports, return the figures."""
    head = f"{'fold':<24}{'videos':>7}{'events':>7}{'found':>7}{'F1':>7}{'FA/h':>8}"
    head += "".join(f"{'AP@' + key:>9}" for key in keys) + f"{'chance':>9}{'train s':>9}"
    print(f"\n{title}\n{head}")
    rows: list[dict[str, Any]] = []
    for fold in folds:
        item = fold.evaluation.report.types[0]
        means = fold.evaluation.report.points or fold.evaluation.report.segments
        row: dict[str, Any] = {
            "fold": fold.name,
            "videos": len(fold.evaluation.videos),
            "events": item.num_truth,
            "found": item.num_detected,
            "f1": item.f1,
            "precision": item.precision,
            "recall": item.recall,
            "false_alarms_per_hour": item.false_alarms_per_hour,
            "ap": {key: item.ap.get(key) for key in keys},
            "chance": means.chance if means else None,
            "frame_auc": item.frames.roc_auc if item.frames else None,
            "train_videos": fold.train_videos,
            "train_events": fold.train_events,
            "train_s": round(fold.train_seconds, 1),
            "detect_s": round(fold.detect_seconds, 1),
            "child_peak_mb": round(fold.peak_rss_mb, 1),
        }
        rows.append(row)
        line = f"{fold.name:<24}{row['videos']:>7}{item.num_truth:>7}{item.num_detected:>7}"
        line += f"{_shown(item.f1):>7}{_shown(item.false_alarms_per_hour, 1):>8}"
        line += "".join(f"{_shown(item.ap.get(key)):>9}" for key in keys)
        print(f"{line}{_shown(row['chance']):>9}{fold.train_seconds:>9.1f}")
        folder.mkdir(parents=True, exist_ok=True)
        safe = "".join(c if c.isalnum() else "-" for c in fold.name)
        write_report(fold.evaluation, folder / f"{safe}.html", title=f"{title}: {fold.name}")
    summary: dict[str, Any] = {f"mean_ap_{kind}_{key}": _mean(rows, key) for key in keys}
    summary |= {"folds": rows, "events": sum(row["events"] for row in rows)}
    print(
        "mean over folds with events: "
        + ", ".join(f"AP@{k} {_shown(_mean(rows, k))}" for k in keys)
    )
    pooled = _pooled(folds)
    summary |= {"pooled_ap": pooled.by_criterion, "pooled_chance": pooled.chance}
    shown = ", ".join(f"AP@{key} {_shown(pooled.by_criterion.get(key))}" for key in keys)
    print(f"all held-out videos as one set: {shown}, chance {_shown(pooled.chance)} (mean)")
    if pooled.interval:
        low, high = pooled.interval
        print(f"mean {_shown(pooled.mean)}, 95 % of resamples of videos {low:.3f} to {high:.3f}")
    summary |= {"pooled_mean": pooled.mean, "pooled_interval": pooled.interval}
    print(f"reports: {folder}")
    return summary


def _pooled(folds: Sequence[Fold]) -> MeanPrecision:
    """Rank the candidates of all folds together; each video is scored by the model of its fold."""
    items = [(fold.evaluation.card, item) for fold in folds for item in fold.evaluation.videos]
    event_types = folds[0].evaluation.card.event_types
    report = evaluate(
        {item.video.name: item.truth for _, item in items},
        {
            item.video.name: candidate_events(
                item.track, event_types, card.rules, duration_us=item.video.duration_us
            )
            for card, item in items
        },
        {item.video.name: item.detections for _, item in items},
        {item.video.name: item.video.duration_us for _, item in items},
        event_types,
        ignored={item.video.name: item.unknown for _, item in items},
    )
    means = report.points or report.segments
    if means is None:
        sys.exit("the folds hold no event type")
    return means


def print_figures(name: str, figures: Mapping[str, Any]) -> None:
    """End with one line that a program can read."""
    print(json.dumps({name: figures}))


def _mean(rows: Sequence[Mapping[str, Any]], key: str) -> float | None:
    values = [row["ap"][key] for row in rows if row["ap"][key] is not None]
    return sum(values) / len(values) if values else None


def _shown(value: float | None, places: int = 3) -> str:
    return "-" if value is None else f"{value:.{places}f}"
