"""The hard synthetic benchmark: train models on invented throws, test in places they never saw.

Renders the videos of `prismata.testing.hard_throws` once, then runs the whole path for every model
and seed (import, train, export, detect in the child, evaluate). Replays are passed over: they are
neither trained on nor scored. Only the release is scored, at the tolerances of the evaluation; each
average precision stands with its 95 % bootstrap interval over the test videos.

    python benchmarks/synthetic_hard.py --seeds 3
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from prismata.catalog import Split, VideoRecord
from prismata.cli.train import parse_settings
from prismata.core.coverage import CoverageSpan
from prismata.core.events import Event
from prismata.core.operations import Operation, cover_state
from prismata.core.ports import ChildOutcome
from prismata.evaluation import EvaluationProtocol
from prismata.evaluation.bootstrap import bootstrap_interval
from prismata.evaluation.chance import cadence_guesses
from prismata.evaluation.ignoring import without_ignored
from prismata.evaluation.matching import EventsByVideo
from prismata.evaluation.means import Rankings, mean_over, rank_types
from prismata.services.annotate import LabelDesk
from prismata.services.detect import DetectRequest, prepare_detection, run_detection
from prismata.services.evaluate import Evaluation, candidates_of, evaluate_model
from prismata.services.ingest import ingest_files
from prismata.services.labels import ImportOptions, apply_label_import, plan_label_import
from prismata.services.train import TrainRequest, prepare_training, run_training, trained_model
from prismata.services.workbench import Workbench
from prismata.settings import Settings
from prismata.testing.hard_throws import BROADCAST, HardVideo, labels_csv, render_hard_set
from prismata.wiring import open_workbench

PROJECT = Path(__file__).resolve().parents[1]
DOMAIN = "ball_throw"
EVENT = "release"
SPLITS: tuple[Split, ...] = ("train", "val", "test")
FALSE_ALARM_NEAR_US = 400_000
"""A false alarm this close to something that looks like a throw is put down to it."""

CLIP = {"width": 112, "height": 64, "target_fps": 12.5}
MODELS: dict[str, dict[str, Any]] = {
    "cnn_lstm": {},
    # Encodes each frame of a stretch once where windows need seven more than they score, so that
    # 20 epochs cost what 14 of the classic do.
    "spot_r18": {
        "architecture": "spot_r18",
        "chunk_samples": 48,
        "batch_chunks": 2,
        "epochs": 20,
        "patience": 20,
    },
    "spot_gsm": {
        "architecture": "spot_rny002",
        "encoder": "tiny_gsm",
        "chunk_samples": 64,
        "batch_chunks": 2,
        "epochs": 40,
        "patience": 40,
    },
}
"""Name → settings of the recipe in which the model differs from `RECIPE`. Another model is one more
line here."""
RECIPE: dict[str, Any] = {
    "encoder": "tiny",
    "frozen": False,
    "weights": "none",
    "epochs": 14,
    "patience": 14,
    "batch_chunks": 4,
    "chunk_samples": 12,
    "weight_decay": 0.05,
    "head_lr": 1e-3,
    "encoder_lr": 1e-3,
    "ema_decay": 0.985,
    "quantize": "never",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """How much there is of everything; the file with the labels is named after it."""

    train: int
    val: int
    test: int
    seconds: float
    seed: int

    @property
    def name(self) -> str:
        """One name for one set of videos."""
        return f"{self.train}-{self.val}-{self.test}x{self.seconds:g}s-{self.seed}"


@dataclass(frozen=True, slots=True)
class Bench:
    """The workbench with the videos taken in and labelled."""

    bench: Workbench
    videos: dict[Split, list[VideoRecord]]
    confusers: dict[str, list[tuple[int, str]]]
    """Video name → when something looks like a throw, and what."""


def main() -> None:
    """Train and test all models asked for and print the table."""
    arguments = _parse()
    shape = Shape(
        arguments.train, arguments.val, arguments.test, arguments.seconds, arguments.data_seed
    )
    folder = arguments.work / "synthetic-hard" / shape.name
    facts = render(shape, folder / "videos")
    settings = Settings(data_dir=folder / "data", domains_dirs=str(PROJECT / "domains"))
    with open_workbench(settings) as bench:
        taken = take_in(bench, folder / "videos", facts)
        print(_described(shape, facts), flush=True)
        rows = []
        for model in arguments.model or list(MODELS):
            for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
                row = run(taken, model, {**RECIPE, **MODELS[model], **arguments.set}, seed)
                print(_line(row), flush=True)
                rows.append(row)
    rows = [*earlier_rows(arguments.beside), *rows]
    rows.sort(key=lambda row: (list(MODELS).index(row["model"]), row["seed"]))
    table = _table(rows)
    print(f"\n{table}")
    if arguments.save:
        _save(_described(shape, facts), table)
    print(json.dumps({"synthetic_hard": rows}))


def earlier_rows(outputs: Sequence[Path]) -> list[dict[str, Any]]:
    """Read the rows that earlier runs printed last, kept with their output in files."""
    rows: list[dict[str, Any]] = []
    for path in outputs:
        lines = [line for line in path.read_text().splitlines() if line.startswith('{"synthetic')]
        if not lines:
            sys.exit(f"{path} is not the output of a finished run of this program")
        rows += json.loads(lines[-1])["synthetic_hard"]
    return rows


def render(shape: Shape, folder: Path) -> dict[str, Any]:
    """Render the videos and write labels and facts; done once, for the facts are written last."""
    path = folder / "facts.json"
    if not path.is_file():
        rendered = render_hard_set(
            folder,
            train=shape.train,
            val=shape.val,
            test=shape.test,
            seconds=shape.seconds,
            seed=shape.seed,
            progress=lambda done, total, name: print(f"rendered {name}, {done} of {total}"),
        )
        every = [video for part in rendered.values() for video in part]
        (folder / "labels.csv").write_text(labels_csv(every))
        unfinished = path.with_suffix(".part")
        unfinished.write_text(json.dumps({v.truth.path.name: _facts(v) for v in every}))
        unfinished.replace(path)
    facts: dict[str, Any] = json.loads(path.read_text())
    return facts


def _facts(video: HardVideo) -> dict[str, Any]:
    return {
        "events": sum(event.event_type == EVENT for event in video.truth.events),
        "replays": [[span.start_us, span.end_us] for span in video.replays],
        "confusers": list(video.confusers),
        "variable_rate": video.truth.variable_rate,
    }


def take_in(bench: Workbench, folder: Path, facts: Mapping[str, Any]) -> Bench:
    """Take the videos in, import their labels and pass the replays over."""
    videos: dict[Split, list[VideoRecord]] = {}
    for split in SPLITS:
        paths = sorted(folder.glob(f"{split}-*.mp4"))
        videos[split] = []
        for result in ingest_files(bench, paths, base=folder, domain=DOMAIN):
            if result.video is None:
                sys.exit(result.message)
            videos[split].append(result.video)
    plan = plan_label_import(bench, folder / "labels.csv", ImportOptions(DOMAIN, {}))
    if plan.num_left_out or plan.unmatched:
        sys.exit("\n".join(plan.summary_lines()))
    apply_label_import(bench, plan, DOMAIN, replace=True)
    desk = LabelDesk(bench)
    for video in (video for part in videos.values() for video in part):
        for start_us, end_us in facts[video.name]["replays"]:
            _pass_over(desk, video, start_us, end_us)
    confusers = {
        name: [(at, kind) for at, kind in item["confusers"]] for name, item in facts.items()
    }
    return Bench(bench, videos, confusers)


def _pass_over(desk: LabelDesk, video: VideoRecord, start_us: int, end_us: int) -> None:
    seen = cover_state(start_us, end_us, (CoverageSpan(start_us, end_us, "watched"),))
    passed = cover_state(start_us, end_us, (CoverageSpan(start_us, end_us, "skipped"),))
    operation = Operation(uuid4().hex, "benchmark", 0, "cover", "", seen, passed)
    answer = desk.apply(video.id, DOMAIN, [operation], "benchmark", since=0)
    if answer.results[0].status != "applied":
        sys.exit(f"the replay in {video.name} was not passed over: {answer.results[0].message}")


def run(taken: Bench, model: str, recipe: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Train one model, detect all test videos, and return one row of the table."""
    bench = taken.bench
    groups = {video.group_name: split for split, part in taken.videos.items() for video in part}
    request = TrainRequest(DOMAIN, dict(recipe), clip=CLIP, fixed_groups=groups, seed=seed)
    prepared = prepare_training(bench, request)
    started = time.perf_counter()
    outcome = _finished(run_training(bench, prepared), f"training of {model}, seed {seed}")
    wall_s = time.perf_counter() - started
    trained = trained_model(bench, outcome)
    for video in taken.videos["test"]:
        detection = prepare_detection(bench, DetectRequest(video.id, trained.id))
        _finished(run_detection(bench, detection), f"detection in {video.name}")
    evaluation = evaluate_model(bench, trained.id, taken.videos["test"])
    result = outcome.result or {}
    return {
        "model": model,
        "seed": seed,
        **_figures(evaluation),
        "confused_with": _confused_with(evaluation, taken.confusers),
        "train_s": round(float(result["seconds"]["train_s"]), 1),
        "wall_s": round(wall_s, 1),
        "epochs": result["epochs"],
        "best_epoch": result["best_epoch"],
    }


def _finished(outcome: ChildOutcome, what: str) -> ChildOutcome:
    if outcome.result is None:
        sys.exit(f"the {what} {outcome.state.value}: {outcome.message}")
    return outcome


def _figures(evaluation: Evaluation) -> dict[str, Any]:
    """Return average precision with its interval, and the product's counts, of the release."""
    item = next(item for item in evaluation.report.types if item.event_type == EVENT)
    types = [known for known in evaluation.card.event_types if known.name == EVENT]
    ignored = {video.video.name: video.unknown for video in evaluation.videos}
    truth = {video.video.name: video.truth for video in evaluation.videos}
    durations = {video.video.name: video.video.duration_us for video in evaluation.videos}
    known = without_ignored(truth, ignored)
    guesses = cadence_guesses(known, durations, types[0], ignored)
    names = sorted(durations)
    criteria = EvaluationProtocol().criteria("point")

    def ranked(found: EventsByVideo) -> Rankings:
        return rank_types(known, without_ignored(found, ignored), types, criteria, names)

    rankings, chance = ranked(candidates_of(evaluation)), ranked(guesses)
    keys = [criterion.key for criterion in criteria]

    def interval(key: str) -> tuple[float, float] | None:
        return bootstrap_interval(lambda drawn: mean_over(rankings, [key], drawn), len(names))

    return {
        "ap": {key: mean_over(rankings, [key]) for key in keys},
        "ap_interval": {key: interval(key) for key in keys},
        "chance": {key: mean_over(chance, [key]) for key in keys},
        "events": item.num_truth,
        "found": item.num_detected,
        "f1": item.f1,
        "precision": item.precision,
        "recall": item.recall,
        "false_alarms_per_hour": item.false_alarms_per_hour,
    }


def _confused_with(
    evaluation: Evaluation, confusers: Mapping[str, Sequence[tuple[int, str]]]
) -> dict[str, int]:
    """Count false alarms by what they were near to."""
    near: Counter[str] = Counter()
    tolerance_us = evaluation.report.protocol.product_tolerance_us
    for item in evaluation.videos:
        name = item.video.name
        known = without_ignored({name: item.detections}, {name: item.unknown})[name]
        releases = [event.start_us for event in item.truth if event.event_type == EVENT]
        for event in known:
            if event.event_type != EVENT or _nearest(event, releases) <= tolerance_us:
                continue
            kinds = [
                kind
                for at, kind in sorted(
                    confusers[name], key=lambda confuser: abs(confuser[0] - event.start_us)
                )
                if abs(at - event.start_us) <= FALSE_ALARM_NEAR_US
            ]
            near[kinds[0] if kinds else "nothing of these"] += 1
    return dict(near.most_common())


def _nearest(event: Event, times_us: Sequence[int]) -> int:
    return min((abs(event.start_us - time_us) for time_us in times_us), default=sys.maxsize)


def _described(shape: Shape, facts: Mapping[str, Any]) -> str:
    events = {
        split: sum(item["events"] for name, item in facts.items() if name.startswith(split))
        for split in SPLITS
    }
    width, height = BROADCAST.size
    replays = sum(len(item["replays"]) for item in facts.values())
    return (
        f"{shape.train}/{shape.val}/{shape.test} videos of {shape.seconds:g} s to train on, "
        f"validate and test, with {events['train']}/{events['val']}/{events['test']} releases, "
        f"{width}x{height} px at {BROADCAST.kbps} kb/s, {replays} replays passed over; the model "
        f"sees {CLIP['width']}x{CLIP['height']} px at {CLIP['target_fps']:g} frames a second"
    )


_COLUMNS = (
    "model",
    "seed",
    *(f"AP ±{key} s" for key in ("0.1", "0.2", "0.5", "1")),
    "F1 ±0.5 s",
    "false alarms/h",
    "epochs",
    "training s",
)


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return a Markdown table: all runs, the median of each model's seeds, and chance."""
    lines = [f"| {' | '.join(_COLUMNS)} |", "| --- |" + " ---: |" * (len(_COLUMNS) - 1)]
    keys = list(rows[0]["ap"])
    for model in dict.fromkeys(row["model"] for row in rows):
        mine = [row for row in rows if row["model"] == model]
        lines += [_cells(row, [_with_interval(row, key) for key in keys]) for row in mine]
        middle: dict[str, Any] = {
            name: _median([row[name] for row in mine])
            for name in ("f1", "false_alarms_per_hour", "epochs", "train_s")
        }
        aps = [_percent(_median([row["ap"][key] for row in mine])) for key in keys]
        lines.append(_cells({"model": model, "seed": "median", **middle}, aps))
    chance = " | ".join(_percent(rows[0]["chance"][key]) for key in keys)
    lines.append(f"| chance | | {chance} | | | | |")
    return "\n".join(lines)


def _cells(row: Mapping[str, Any], aps: Sequence[str]) -> str:
    hourly, seconds = row["false_alarms_per_hour"], row["train_s"]
    cells = [
        str(row["model"]),
        str(row["seed"]),
        *aps,
        _percent(row["f1"]),
        "-" if hourly is None else f"{hourly:.0f}",
        f"{row['epochs']:.0f}",
        "-" if seconds is None else f"{seconds:.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def _with_interval(row: Mapping[str, Any], key: str) -> str:
    interval = row["ap_interval"][key]
    shown = _percent(row["ap"][key])
    return (
        shown if interval is None else f"{shown} ({100 * interval[0]:.0f}-{100 * interval[1]:.0f})"
    )


def _line(row: Mapping[str, Any]) -> str:
    aps = ", ".join(f"±{key} s {_with_interval(row, key)}" for key in row["ap"])
    return (
        f"{row['model']}, seed {row['seed']}: AP {aps}; F1 {_percent(row['f1'])}, "
        f"{row['found']} found of {row['events']}, trained {row['train_s']:.0f} s, "
        f"{row['epochs']} epochs (best {row['best_epoch']}); false alarms by what they are near "
        f"to: {row['confused_with']}"
    )


def _median(values: Sequence[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return statistics.median(there) if there else None


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def _save(described: str, table: str) -> None:
    path = PROJECT / "benchmarks" / "results" / "synthetic_hard.md"
    path.write_text(
        "# The hard synthetic benchmark, measured\n\n"
        f"`python benchmarks/synthetic_hard.py`, {datetime.now(UTC):%Y-%m-%d}, "
        f"{platform.machine()}, Python {platform.python_version()}, CPU only.\n\n"
        f"{described}.\n\nAverage precision of the release in percent, with 95 % bootstrap "
        "intervals over the test videos, which show\nplaces that no other video shows.\n\n"
        f"{table}\n",
        encoding="utf-8",
    )


def _parse() -> argparse.Namespace:
    shape = Shape(train=10, val=3, test=6, seconds=40.0, seed=0)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--model", action="append", choices=list(MODELS), help="repeatable; by default all"
    )
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each model")
    parser.add_argument("--first-seed", type=int, default=0, help="of these trainings")
    parser.add_argument(
        "--beside",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="output of an earlier run on these videos, whose rows go into the table; repeatable",
    )
    parser.add_argument("--train", type=int, default=shape.train, help="training videos")
    parser.add_argument("--val", type=int, default=shape.val, help="validation videos")
    parser.add_argument("--test", type=int, default=shape.test, help="test videos")
    parser.add_argument("--seconds", type=float, default=shape.seconds, help="length of a video")
    parser.add_argument("--data-seed", type=int, default=shape.seed, help="of the videos")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting of the recipe for all models, repeatable",
    )
    parser.add_argument(
        "--work", type=Path, default=PROJECT / "data" / "benchmarks", help="working folder"
    )
    parser.add_argument(
        "--save", action="store_true", help="write benchmarks/results/synthetic_hard.md"
    )
    arguments = parser.parse_args()
    arguments.set = parse_settings(arguments.set)
    return arguments


if __name__ == "__main__":
    main()
