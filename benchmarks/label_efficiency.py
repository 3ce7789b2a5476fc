"""How many labels it takes: train on 10, 20, 40 and 80 of them, test on the same videos.

Videos of the demo's domain, three places to train in. A seed decides in which order somebody goes
through them; all events of a video are labelled before the next is opened, and the last one is
watched only as far as the number wants. What nobody watched is unknown, and a fifth of the labelled
videos is for validation, as in the product. The encoder stays as it was published, so that every
frame is encoded once; what is learned is the head. Tested on other videos of the same places and,
apart from those, in two places that no training saw.

    python benchmarks/label_efficiency.py --seeds 5 --save

A seed that was measured is not measured again while its file lies in the working folder.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import shutil
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from curve_svg import Mark, Panel, draw_curves

from prismata.catalog import ModelRecord, VideoRecord
from prismata.cli.train import parse_settings
from prismata.core.architectures import ARCHITECTURES
from prismata.core.coverage import CoverageSpan
from prismata.core.events import Event
from prismata.core.operations import Operation, cover_state
from prismata.services.annotate import LabelDesk
from prismata.services.detect import DetectRequest
from prismata.services.detect_batch import detect_many
from prismata.services.evaluate import evaluate_model
from prismata.services.ingest import ingest_files
from prismata.services.labels import ImportOptions, apply_label_import, plan_label_import
from prismata.services.train import TrainRequest, prepare_training, run_training, trained_model
from prismata.services.video_sources import LibrarySource
from prismata.services.workbench import Workbench
from prismata.settings import Settings
from prismata.testing.synth import SynthVideo, render_ball_throw, truth_csv
from prismata.wiring import open_workbench

PROJECT = Path(__file__).resolve().parents[1]
DOMAIN, EVENT = "ball_throw", "release"
KNOWN_PLACES, NEW_PLACES = ("meadow", "hall", "beach"), ("dusk", "town")
SECONDS = 10.0
FIRST_SEED = 7000
TESTS = {"known": "known places", "new": "new places"}
CLIP = {"width": 224, "height": 128}
RECIPE = {"frozen": True, "quantize": "never"}
STUDENT = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78, 6: 2.57, 7: 2.45, 8: 2.36, 9: 2.31, 10: 2.26}
"""Two-sided 95 % quantile of Student's t by the number of seeds."""


@dataclass(frozen=True, slots=True)
class Footage:
    """What was rendered: to train on, and to test on by kind of place."""

    folder: Path
    pool: list[SynthVideo]
    tests: dict[str, list[SynthVideo]]

    @property
    def all(self) -> list[SynthVideo]:
        """Every video."""
        return [*self.pool, *(video for part in self.tests.values() for video in part)]


def main() -> None:
    """Measure every point of the curves and print them."""
    arguments = _parse()
    work = arguments.work / "label-efficiency"
    footage = render(work / "videos", arguments.videos)
    whole = measure_whole(arguments, work / "all-labels", footage)
    for row in whole:
        print(_line(row), flush=True)
    rows = []
    for seed in range(arguments.seeds):
        kept = work / f"seed-{seed}.json"
        if not kept.is_file():
            kept.write_text(json.dumps(measure_seed(arguments, work, footage, seed)))
        rows += json.loads(kept.read_text())
    table = _table(rows, arguments)
    print(f"\n{table}")
    if arguments.save:
        _save(table, rows, whole, footage, arguments)
    print(json.dumps({"label_efficiency": {"all_labels": whole, "points": rows}}))


def render(folder: Path, videos: int) -> Footage:
    """Render the videos; a seed of its own each, so that none is that of the demo or a test."""
    folder.mkdir(parents=True, exist_ok=True)
    number = FIRST_SEED

    def part(kind: str, places: Sequence[str], count: int) -> list[SynthVideo]:
        nonlocal number
        rendered = []
        for place in places:
            for index in range(count):
                path = folder / f"{kind}-{place}-{index + 1:02d}.mp4"
                rendered.append(
                    render_ball_throw(
                        path,
                        seconds=SECONDS,
                        seed=number,
                        variable_rate=number % 2 == 1,
                        place=place,
                    )
                )
                number += 1
        return rendered

    pool = part("pool", KNOWN_PLACES, videos)
    return Footage(
        folder, pool, {"known": part("known", KNOWN_PLACES, 3), "new": part("new", NEW_PLACES, 4)}
    )


def measure_whole(
    arguments: argparse.Namespace, folder: Path, footage: Footage
) -> list[dict[str, Any]]:
    """Train on all labels; features are kept from an earlier training, which is not counted."""
    shutil.rmtree(folder, ignore_errors=True)
    with open_bench(arguments, folder) as bench:
        videos = take_in(bench, footage)
        label_videos(bench, footage.all, videos, {})
        _train(bench, videos, footage, "linear_probe", {"epochs": 1}, 0)
        return [
            _measure(bench, videos, footage, architecture, arguments, 0)
            for architecture in arguments.architecture
        ]


def measure_seed(
    arguments: argparse.Namespace, work: Path, footage: Footage, seed: int
) -> list[dict[str, Any]]:
    """Label more and more in one library, in an order of its own, and train at each number."""
    folder = work / f"seed-{seed}"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(work / "all-labels" / "cache" / "features", folder / "cache" / "features")
    order = list(footage.pool)
    random.Random(seed).shuffle(order)  # noqa: S311 - a reproducible order, not a secret
    tests = [video for part in footage.tests.values() for video in part]
    rows = []
    with open_bench(arguments, folder) as bench:
        videos = take_in(bench, footage)
        label_videos(bench, tests, videos, {})
        for labels in arguments.labels:
            labelled, until = first_labels(order, labels)
            label_videos(bench, labelled, videos, until)
            for architecture in arguments.architecture:
                row = _measure(bench, videos, footage, architecture, arguments, seed)
                row |= {"labels": labels, "videos": len(labelled)}
                print(_line(row), flush=True)
                rows.append(row)
    return rows


def first_labels(
    order: Sequence[SynthVideo], labels: int
) -> tuple[list[SynthVideo], dict[str, int]]:
    """Return the videos that hold the first so many releases, and how far the last is watched.

    It is watched to the middle between its last labelled release and the next.
    """
    labelled, until, missing = [], {}, labels
    for video in order:
        if missing <= 0:
            break
        labelled.append(video)
        releases = [event.start_us for event in video.events if event.event_type == EVENT]
        if len(releases) > missing:
            until[video.path.name] = (releases[missing - 1] + releases[missing]) // 2
        missing -= len(releases)
    if missing > 0:
        sys.exit(f"the videos hold {labels - missing} releases, not {labels}; render more")
    return labelled, until


def label_videos(
    bench: Workbench,
    rendered: Sequence[SynthVideo],
    videos: Mapping[str, VideoRecord],
    until: Mapping[str, int],
    *,
    domain: str = DOMAIN,
) -> None:
    """Import the labels of these videos and cover them as watched, whole or so far."""
    path = bench.settings.data_dir / "labels.csv"
    kept = [_as_far(video, until.get(video.path.name)) for video in rendered]
    path.write_text(truth_csv(kept))
    plan = plan_label_import(bench, path, ImportOptions(domain, {}))
    apply_label_import(bench, plan, domain, partial=True)
    desk = LabelDesk(bench)
    for item in kept:
        video = videos[item.path.name]
        end_us = until.get(video.name, video.duration_us)
        watched = cover_state(0, end_us, (CoverageSpan(0, end_us, "watched"),))
        sheet = bench.catalog.labels.sheet(video.id, domain)
        before = cover_state(0, end_us, sheet.coverage)
        operation = Operation(uuid4().hex, "benchmark", 0, "cover", "", before, watched)
        result = desk.apply(video.id, domain, [operation], "benchmark", since=0).results[0]
        if result.status != "applied":
            sys.exit(f"{video.name} could not be covered: {result.message}")


def _as_far(video: SynthVideo, until_us: int | None) -> SynthVideo:
    if until_us is None:
        return video
    kept = tuple(_cut(event, until_us) for event in video.events if event.start_us < until_us)
    return SynthVideo(video.path, kept, video.timeline, video.seed, video.variable_rate)


def _cut(event: Event, until_us: int) -> Event:
    if event.kind == "point" or event.end_us <= until_us:
        return event
    return Event.segment(event.event_type, event.start_us, until_us)


def _measure(
    bench: Workbench,
    videos: Mapping[str, VideoRecord],
    footage: Footage,
    architecture: str,
    arguments: argparse.Namespace,
    seed: int,
) -> dict[str, Any]:
    started = time.perf_counter()
    chosen = {"encoder": arguments.encoder, **arguments.set}
    model, seconds = _train(bench, videos, footage, architecture, chosen, seed)
    wall_s = time.perf_counter() - started
    row: dict[str, Any] = {"architecture": architecture, "seed": seed, "wall_s": round(wall_s, 1)}
    row |= {"train_s": seconds["train_s"], "gather_s": seconds["gather_s"]}
    for name, part in footage.tests.items():
        records = [videos[video.path.name] for video in part]
        sources = [LibrarySource(record) for record in records]
        for detected in detect_many(bench, sources, DetectRequest("", model.id)):
            if detected.result is None:
                sys.exit(f"{detected.source}: {detected.message}")
        report = evaluate_model(bench, model.id, records).report
        points, segments = report.points, report.segments
        row[name] = points.by_criterion["0.2"] if points else None
        row[f"{name}_flight"] = segments.by_criterion["0.5"] if segments else None
        row[f"{name}_f1"] = next(item.f1 for item in report.types if item.event_type == EVENT)
    return row


def _train(
    bench: Workbench,
    videos: Mapping[str, VideoRecord],
    footage: Footage,
    architecture: str,
    chosen: Mapping[str, Any],
    seed: int,
) -> tuple[ModelRecord, dict[str, float]]:
    tests = [video for part in footage.tests.values() for video in part]
    request = TrainRequest(
        DOMAIN,
        {"encoder": "mobilenet_v2_1.0_224", **RECIPE, "architecture": architecture, **chosen},
        clip=CLIP,
        fixed_groups={videos[video.path.name].group_name: "test" for video in tests},
        seed=seed,
    )
    outcome = run_training(bench, prepare_training(bench, request))
    if outcome.result is None:
        sys.exit(f"the training of {architecture} {outcome.state.value}: {outcome.message}")
    return trained_model(bench, outcome), outcome.result["seconds"]


def open_bench(arguments: argparse.Namespace, folder: Path) -> Workbench:
    """Open a library of its own in a folder, with the published weights."""
    weights = arguments.realdata / "weights"
    if not weights.is_dir():
        sys.exit(f"there are no weights in {weights}; name their folder's parent with --realdata")
    return open_workbench(
        Settings(data_dir=folder, domains_dirs=str(PROJECT / "domains"), weights_dir=weights)
    )


def take_in(bench: Workbench, footage: Footage, *, domain: str = DOMAIN) -> dict[str, VideoRecord]:
    """Take all videos into the library; return them by name."""
    videos = {}
    paths = [video.path for video in footage.all]
    for result in ingest_files(bench, paths, base=footage.folder, domain=domain):
        if result.video is None:
            sys.exit(result.message)
        videos[result.video.name] = result.video
    return videos


def spread(values: Sequence[float]) -> Mark:
    """Return the mean with its 95 % interval over seeds, Student's t, within 0 and 1."""
    mean = statistics.mean(values)
    if len(values) < 2:
        return Mark(mean, mean, mean)
    margin = STUDENT.get(len(values), 2.0) * statistics.stdev(values) / len(values) ** 0.5
    return Mark(mean, max(0.0, mean - margin), min(1.0, mean + margin))


def _marks(rows: Sequence[Mapping[str, Any]], architecture: str, key: str) -> list[Mark]:
    mine = [row for row in rows if row["architecture"] == architecture]
    numbers = dict.fromkeys(row["labels"] for row in mine)
    return [spread([row[key] for row in mine if row["labels"] == n]) for n in numbers]


def shown(mark: Mark) -> str:
    """Return a share and its interval in percent."""
    return f"{100 * mark.value:.1f} ({100 * mark.low:.0f}-{100 * mark.high:.0f})"


def _line(row: Mapping[str, Any]) -> str:
    what = f"{row['labels']} labels in {row['videos']} videos" if "labels" in row else "all labels"
    places = ", ".join(f"{words} {100 * row[name]:.1f}" for name, words in TESTS.items())
    return (
        f"{row['architecture']}, seed {row['seed']}, {what}: AP ±0.2 s in {places}; training "
        f"{row['train_s']:.0f} s, with everything {row['wall_s']:.0f} s"
    )


def _table(rows: Sequence[Mapping[str, Any]], arguments: argparse.Namespace) -> str:
    names = [f"{architecture}, {words}" for architecture in arguments.architecture
             for words in TESTS.values()]  # fmt: skip
    lines = [f"| labels | {' | '.join(names)} |", "| ---: |" + " ---: |" * len(names)]
    columns = [_marks(rows, a, key) for a in arguments.architecture for key in TESTS]
    for number, labels in enumerate(arguments.labels):
        lines.append(f"| {labels} | {' | '.join(shown(c[number]) for c in columns)} |")
    return "\n".join(lines)


def _save(
    table: str,
    rows: Sequence[Mapping[str, Any]],
    whole: Sequence[Mapping[str, Any]],
    footage: Footage,
    arguments: argparse.Namespace,
) -> None:
    folder = PROJECT / "benchmarks" / "results"
    panels = [
        Panel(words, {a: _marks(rows, a, key) for a in arguments.architecture})
        for key, words in TESTS.items()
    ]
    title = "Average precision of the release within 0.2 s, by labelled events"
    (folder / "label_efficiency.svg").write_text(
        draw_curves(title, [str(n) for n in arguments.labels], "labelled releases", panels),
        encoding="utf-8",
    )
    counts = {
        name: sum(event.event_type == EVENT for video in part for event in video.events)
        for name, part in {"pool": footage.pool, **footage.tests}.items()
    }
    lines = [
        "| head | training | with start, export, checks | AP ±0.2 s, known | new |",
        "| --- | ---: | ---: | ---: | ---: |",
        *(
            f"| `{row['architecture']}` | {row['train_s']:.0f} s | {row['wall_s']:.0f} s | "
            f"{100 * row['known']:.1f} | {100 * row['new']:.1f} |"
            for row in whole
        ),
    ]
    whole_table = "\n".join(lines)
    (folder / "label_efficiency.md").write_text(
        f"# How many labels it takes\n\n`python benchmarks/label_efficiency.py --seeds "
        f"{arguments.seeds}`, {datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, Python "
        f"{platform.python_version()}, CPU only.\n\nVideos of {SECONDS:g} s of the demo's domain: "
        f"{len(footage.pool)} to train on ({counts['pool']} releases, {len(KNOWN_PLACES)} places), "
        f"{len(footage.tests['known'])} others of these places ({counts['known']}) and "
        f"{len(footage.tests['new'])} of two places\nthat no training saw ({counts['new']}). "
        f"Frozen {arguments.encoder} at {CLIP['width']}x{CLIP['height']} pixels, 15 samples a "
        f"second. Average precision of the release within 0.2 s in percent;\nmean of "
        f"{arguments.seeds} seeds, which decide what is labelled and how training starts, with the "
        f"95 % interval of that mean (Student's t).\n\n![Curves](label_efficiency.svg)\n\n{table}\n"
        f"\nAll labels, features kept from before:\n\n{whole_table}\n",
        encoding="utf-8",
    )


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="orders of labelling, and trainings")
    parser.add_argument(
        "--labels", type=int, nargs="+", default=[10, 20, 40, 80], help="labelled releases"
    )
    parser.add_argument(
        "--architecture",
        action="append",
        choices=sorted(ARCHITECTURES),
        help="repeatable; by default the classic and the dense one",
    )
    parser.add_argument("--encoder", default="mobilenet_v2_1.0_224", help="frozen encoder")
    parser.add_argument("--videos", type=int, default=12, help="training videos of each place")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting of the recipe for all heads, repeatable",
    )
    parser.add_argument(
        "--realdata",
        type=Path,
        default=PROJECT.parent / "shared" / "realdata",
        help="folder with the published weights",
    )
    parser.add_argument(
        "--work", type=Path, default=PROJECT / "data" / "benchmarks", help="working folder"
    )
    parser.add_argument(
        "--save", action="store_true", help="write the page and the plot in benchmarks/results"
    )
    arguments = parser.parse_args()
    arguments.set = parse_settings(arguments.set)
    arguments.architecture = arguments.architecture or ["cnn_lstm", "spot_r18"]
    return arguments


if __name__ == "__main__":
    main()
