"""Train a model for each pack on its invented scenes and test it on scenes that it never saw.

Films the videos once, then takes the whole path: import, train from random weights, export, detect
in the child, evaluate. What comes out stands beside what the pack's `scene.py` expects at least.

    python benchmarks/packs.py                   # all packs
    python benchmarks/packs.py falls --seeds 3   # one, trained three times
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prismata.catalog import Split, VideoRecord
from prismata.cli.train import parse_settings
from prismata.core.events import EventKind
from prismata.core.ports import ChildOutcome
from prismata.domains import DomainRegistry
from prismata.evaluation import EvaluationProtocol
from prismata.services.detect import DetectRequest, prepare_detection, run_detection
from prismata.services.evaluate import Evaluation, evaluate_model
from prismata.services.ingest import ingest_files
from prismata.services.labels import ImportOptions, apply_label_import, plan_label_import
from prismata.services.train import TrainRequest, prepare_training, run_training, trained_model
from prismata.services.workbench import Workbench
from prismata.settings import Settings
from prismata.testing.scenes import FilmedScene, ScenePack, film_set, load_scene
from prismata.testing.synth import truth_csv
from prismata.wiring import open_workbench

PROJECT = Path(__file__).resolve().parents[1]
RESULTS = PROJECT / "benchmarks" / "results" / "packs.md"
SPLITS: tuple[Split, ...] = ("train", "val", "test")
SEED_STEP = 1000
"""Between the seeds of two splits: no video is in two of them."""

RECIPE: dict[str, Any] = {
    "architecture": "spot_r18",
    "encoder": "tiny",
    "frozen": False,
    "weights": "none",
    "epochs": 14,
    "patience": 14,
    "batch_chunks": 2,
    "chunk_samples": 40,
    "weight_decay": 0.05,
    "head_lr": 1e-3,
    "encoder_lr": 1e-3,
    "ema_decay": 0.985,
    "quantize": "never",
}


@dataclass(frozen=True, slots=True)
class Course:
    """What one pack is taught with."""

    train: int
    """Videos; `val` and `test` likewise."""
    val: int
    test: int
    seconds: float
    """Length of each."""
    clip: Mapping[str, float]
    """What the model sees, where that differs from the domain's own clip."""
    recipe: Mapping[str, Any]
    """Where it differs from `RECIPE`."""


CLIP = {"width": 112, "height": 64, "target_fps": 8}
COURSES = {
    "cricket": Course(16, 3, 6, 24.0, CLIP, {}),
    "soccer": Course(42, 3, 12, 24.0, {"width": 128, "height": 72, "target_fps": 6}, {}),
    # Two of its four events are rare and short, so there is more to learn from, for longer.
    "warehouse": Course(24, 4, 6, 24.0, CLIP, {"epochs": 24, "patience": 24}),
    "factory": Course(16, 3, 6, 24.0, CLIP, {}),
    "falls": Course(16, 3, 6, 24.0, CLIP, {}),
    "fights": Course(16, 3, 6, 24.0, CLIP, {}),
}


def main() -> None:
    """Train and test the packs asked for and print the table."""
    arguments = _parse()
    settings = Settings(data_dir=arguments.work / "data", domains_dirs=str(PROJECT / "domains"))
    rows: list[dict[str, Any]] = []
    with open_workbench(settings) as bench:
        for name in arguments.pack if arguments.pack or arguments.beside else list(COURSES):
            course = COURSES[name]
            pack = load_scene(DomainRegistry.get(name))
            videos, counts = take_in(bench, pack, course, arguments.work / "videos" / name)
            for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
                row = run(bench, pack, course, videos, {**arguments.set}, seed)
                rows.append({**row, "filmed": counts})
                print(_line(rows[-1]), flush=True)
    rows = sorted([*earlier_rows(arguments.beside, _expected), *rows], key=_place)
    table = _table(rows)
    print(f"\n{table}")
    if arguments.save:
        _save(rows, table)
    print(json.dumps({"packs": rows}))
    if any(check["ok"] is False for row in rows for check in row["checks"]):
        sys.exit(1)


def _place(row: Mapping[str, Any]) -> tuple[int, int]:
    return list(COURSES).index(row["pack"]), row["seed"]


def _expected(name: str) -> Mapping[str, float]:
    return load_scene(DomainRegistry.get(name)).expected


def criteria(kind: EventKind) -> list[str]:
    """Return how strictly events of a kind are measured, as the names of metrics say it."""
    unit = "s" if kind == "point" else ""
    return [f"{criterion.key}{unit}" for criterion in EvaluationProtocol().criteria(kind)]


def earlier_rows(
    outputs: Sequence[Path], expected_of: Callable[[str], Mapping[str, float]]
) -> list[dict[str, Any]]:
    """Read the rows that earlier runs printed last, judged by what is expected of a pack now."""
    rows: list[dict[str, Any]] = []
    for path in outputs:
        lines = [line for line in path.read_text().splitlines() if line.startswith('{"packs"')]
        if not lines:
            sys.exit(f"{path} is not the output of a finished run of this program")
        rows += json.loads(lines[-1])["packs"]
    for row in rows:
        row["checks"] = compare(row["metrics"], expected_of(row["pack"]))
    return rows


def take_in(
    bench: Workbench, pack: ScenePack, course: Course, folder: Path
) -> tuple[dict[Split, list[VideoRecord]], dict[str, dict[str, int]]]:
    """Film what is not there yet, take it in and label it from the truth.

    Returns:
        The videos of each split, and how often everything happens in them.
    """
    videos: dict[Split, list[VideoRecord]] = {}
    counts: dict[str, dict[str, int]] = {}
    for number, split in enumerate(SPLITS):
        shape = f"{getattr(course, split)}x{course.seconds:g}s"
        where = folder / f"{split}-{shape}"
        labels = where / "labels.csv"
        if not labels.is_file():
            filmed = film_set(
                pack,
                where,
                videos=getattr(course, split),
                seconds=course.seconds,
                seed=SEED_STEP * number,
            )
            (where / "counts.json").write_text(json.dumps(_counts(filmed)))
            labels.write_text(truth_csv(filmed), encoding="utf-8")
        counts[split] = json.loads((where / "counts.json").read_text())
        results = ingest_files(bench, sorted(where.glob("*.mp4")), domain=pack.domain)
        videos[split] = [result.video for result in results if result.video]
        plan = plan_label_import(bench, labels, ImportOptions(pack.domain, {}))
        apply_label_import(bench, plan, pack.domain, replace=True)
    return videos, counts


def _counts(filmed: Sequence[FilmedScene]) -> dict[str, int]:
    counts = Counter(event.event_type for video in filmed for event in video.events)
    counts.update(f"({item.event_type})" for video in filmed for item in video.distractors)
    return dict(sorted(counts.items()))


def run(
    bench: Workbench,
    pack: ScenePack,
    course: Course,
    videos: Mapping[Split, Sequence[VideoRecord]],
    changes: Mapping[str, Any],
    seed: int,
) -> dict[str, Any]:
    """Train one model, detect in all test videos, and return one row of the table."""
    groups = {video.group_name: split for split, part in videos.items() for video in part}
    recipe = {**RECIPE, **course.recipe, **changes}
    request = TrainRequest(
        pack.domain, recipe, clip=dict(course.clip), fixed_groups=groups, seed=seed
    )
    started = time.perf_counter()
    outcome = _finished(run_training(bench, prepare_training(bench, request)), pack.domain)
    wall_s = time.perf_counter() - started
    model = trained_model(bench, outcome)
    for video in videos["test"]:
        detection = prepare_detection(bench, DetectRequest(video.id, model.id))
        _finished(run_detection(bench, detection), video.name)
    evaluation = evaluate_model(bench, model.id, videos["test"])
    metrics = metrics_of(evaluation)
    result = outcome.result or {}
    return {
        "pack": pack.domain,
        "seed": seed,
        "metrics": metrics,
        "checks": compare(metrics, pack.expected),
        "types": {
            item.event_type: {"truth": item.num_truth, "ap": item.ap, "f1": item.f1}
            for item in evaluation.report.types
        },
        "epochs": result["epochs"],
        "train_s": round(float(result["seconds"]["train_s"]), 1),
        "wall_s": round(wall_s, 1),
    }


def _finished(outcome: ChildOutcome, what: str) -> ChildOutcome:
    if outcome.result is None:
        sys.exit(f"{what} {outcome.state.value}: {outcome.message}")
    return outcome


def metrics_of(evaluation: Evaluation) -> dict[str, float]:
    """Return the mean average precisions of an evaluation by the names that packs use."""
    metrics: dict[str, float] = {}
    report = evaluation.report
    for mean, unit in ((report.points, "s"), (report.segments, "")):
        if mean is None:
            continue
        values = {f"_{key}{unit}": value for key, value in mean.by_criterion.items()}
        values |= {"": mean.mean, "_by_chance": mean.chance}
        metrics |= {
            f"{mean.kind}_map{name}": round(value, 4)
            for name, value in values.items()
            if value is not None
        }
    return metrics


def compare(metrics: Mapping[str, float], expected: Mapping[str, float]) -> list[dict[str, Any]]:
    """Return one verdict for each expectation; a metric that was not measured falls short."""
    return [
        {
            "metric": name,
            "at_least": least,
            "measured": metrics.get(name),
            "ok": metrics.get(name, -1.0) >= least,
        }
        for name, least in expected.items()
    ]


def _line(row: Mapping[str, Any]) -> str:
    verdicts = "; ".join(_verdict(check) for check in row["checks"]) or "nothing is expected"
    return (
        f"{row['pack']}, seed {row['seed']}: {verdicts}; {row['epochs']} epochs in "
        f"{row['train_s']:.0f} s; {row['metrics']}; {row['types']}"
    )


def _verdict(check: Mapping[str, Any]) -> str:
    measured = check["measured"]
    shown = "not measured" if measured is None else f"{100 * measured:.1f}"
    mark = "ok" if check["ok"] else "SHORT"
    return f"{mark}: {check['metric']} {shown} (at least {100 * check['at_least']:.0f})"


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = [
        "| pack | seed | metric | measured | by chance | expected at least | | epochs | train s |",
        "| --- | ---: | --- | ---: | ---: | ---: | --- | ---: | ---: |",
    ]
    for row in rows:
        for check in row["checks"]:
            kind = check["metric"].partition("_")[0]
            chance = row["metrics"].get(f"{kind}_map_by_chance")
            cells = (
                row["pack"],
                str(row["seed"]),
                f"`{check['metric']}`",
                _percent(check["measured"]),
                _percent(chance),
                _percent(check["at_least"]),
                "ok" if check["ok"] else "**short**",
                str(row["epochs"]),
                f"{row['train_s']:.0f}",
            )
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def _save(rows: Sequence[Mapping[str, Any]], table: str) -> None:
    filmed = {row["pack"]: row["filmed"] for row in rows}
    lines = []
    for name, counts in filmed.items():
        course = COURSES[name]
        test = ", ".join(f"{count} {what}" for what, count in counts["test"].items())
        lines.append(
            f"* `{name}`: {course.train}/{course.val}/{course.test} videos of {course.seconds:g} s "
            f"to train on, validate and test; {int(course.clip['width'])}x"
            f"{int(course.clip['height'])} px at {course.clip['target_fps']:g} frames a second. "
            f"In the test videos: {test}."
        )
    RESULTS.write_text(
        "# Packs on their own scenes, measured\n\n"
        f"`python benchmarks/packs.py`, {datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, "
        f"{os.cpu_count()} cores, Python {platform.python_version()}, CPU only, from random "
        "weights.\n\nMean average precision in percent, on scenes of seeds that no training "
        "video has. Points within the tolerance, segments\nwith the overlap (tIoU) that the name "
        "says. Chance is the mean over all tolerances or overlaps for as many guesses at a\nfixed "
        "cadence. Seconds are by the clock, while other programs used the cores.\n\n"
        f"{table}\n\nWhat was filmed; names in parentheses look like events and are none:\n\n"
        f"{chr(10).join(lines)}\n",
        encoding="utf-8",
    )


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pack", nargs="*", help="by default all, or none beside earlier rows")
    parser.add_argument("--seeds", type=int, default=1, help="trainings of each")
    parser.add_argument("--first-seed", type=int, default=0, help="of these trainings")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="of the recipe, for all"
    )
    parser.add_argument(
        "--beside",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="output of an earlier run, whose rows go into the table; repeatable",
    )
    parser.add_argument(
        "--work", type=Path, default=PROJECT / "data" / "benchmarks" / "packs", help="folder"
    )
    parser.add_argument("--save", action="store_true", help=f"write {RESULTS.name}")
    arguments = parser.parse_args()
    arguments.set = parse_settings(arguments.set)
    return arguments


if __name__ == "__main__":
    main()
