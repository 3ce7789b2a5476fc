"""Active learning: does the uncertainty queue teach a model more than the same number of reviews?

Videos of the demo's domain, or with `--footage fights` the CCTV sequences of `real_fights.py`,
assembled from real clips. One video is labelled and a model is trained on it; it looks at all
others, and a reviewer who knows the truth works through what it found, in the order of the review
queue (most doubtful first, every fourth card a random control) or in random order among what
reaches half of the threshold. What is played around an item, `--context` seconds to both sides,
counts as seen, as in the review inbox. After so many decisions a new model is trained on the labels
that came of them, the queue is made anew from what it finds, and the model is measured on videos
of the same places (fights: of other cameras) that no training saw. A few more videos, labelled and
the same in both orders, are for validation. The encoder stays as it was published.

    python benchmarks/active_learning.py --seeds 5 --save
    python benchmarks/active_learning.py --footage fights --reviews 5 15 --save

A seed that was measured is not measured again while its file lies in the working folder.
"""

from __future__ import annotations

import argparse
import csv
import json
import platform
import random
import shutil
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import label_efficiency as base
import numpy as np
from curve_svg import Mark, Panel, draw_curves
from numpy.typing import NDArray
from real_fights import assemble_all

from prismata.catalog import ModelRecord, VideoRecord
from prismata.cli.train import parse_settings
from prismata.core.events import Event
from prismata.core.time import TimeSpan
from prismata.evaluation import EvaluationReport
from prismata.media import scan
from prismata.services.annotate import LabelDesk
from prismata.services.detect import DetectRequest, load_scores
from prismata.services.detect_batch import detect_many
from prismata.services.evaluate import evaluate_model
from prismata.services.review import ReviewDesk, Verdict
from prismata.services.review_items import ReviewItem, RunShelf, newest_runs, open_items
from prismata.services.review_queue import ReviewCard
from prismata.services.train import TrainRequest, prepare_training, run_training, trained_model
from prismata.services.video_sources import LibrarySource
from prismata.services.workbench import Workbench
from prismata.testing.synth import SynthVideo

ORDERS = {"doubt": "uncertainty queue", "random": "random order"}
FIGURES = {"ap": "Events", "moments": "Moments, average precision in percent"}
SAME_US = 500_000
"""A candidate so near to an event is about it; the reviewer moves it to where it is."""
EXACT_US = 40_000
"""Nearer than this, it is accepted as it is."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Videos by what becomes of them."""

    start: list[SynthVideo]
    val: list[SynthVideo]
    rest: list[SynthVideo]
    """To be reviewed."""
    tests: list[SynthVideo]


@dataclass(frozen=True, slots=True)
class Subject:
    """What is learned, on which videos, and what is measured."""

    domain: str
    footage: base.Footage
    clip: Mapping[str, int]
    val: int
    """Videos for validation."""
    tests: int
    """Videos of the pool to measure on, drawn by the seed; 0: the footage has its own."""
    figure: str
    """What is measured, in words."""
    where: str

    def parts(self, seed: int) -> Parts:
        """Divide the videos, another way with every seed."""
        pool = list(self.footage.pool)
        random.Random(seed).shuffle(pool)  # noqa: S311 - a reproducible order, not a secret
        tests = pool[: self.tests] or self.footage.tests["known"]
        pool = pool[self.tests :]
        return Parts(pool[:1], pool[1 : 1 + self.val], pool[1 + self.val :], tests)

    def measured(self, report: EvaluationReport) -> float:
        """Return the figure, 0 where nothing was found."""
        is_thrown = self.domain == base.DOMAIN
        mean = report.points if is_thrown else report.segments
        return 0.0 if mean is None else float(mean.by_criterion["0.2" if is_thrown else "0.5"] or 0)


def main() -> None:
    """Measure both orders with every seed and print them side by side."""
    arguments = _parse()
    work = arguments.work / f"active-learning-{arguments.footage}"
    subject = (thrown if arguments.footage == "throws" else fights)(arguments, work / "videos")
    rows: list[dict[str, Any]] = []
    for seed in range(arguments.seeds):
        kept = work / f"seed-{seed}.json"
        if not kept.is_file():
            kept.write_text(json.dumps(measure_seed(arguments, work, subject, seed)))
        rows += json.loads(kept.read_text())
    table = _table(rows, arguments)
    print(f"\n{table}")
    if arguments.save:
        _save(table, rows, arguments, subject)
    print(json.dumps({"active_learning": rows}))


def thrown(arguments: argparse.Namespace, folder: Path) -> Subject:
    """Render the videos of the demo's domain."""
    footage = base.render(folder, arguments.videos)
    return Subject(base.DOMAIN, footage, base.CLIP, 3, 0, "release, AP ±0.2 s", "known places")


def fights(arguments: argparse.Namespace, folder: Path) -> Subject:
    """Assemble the CCTV sequences of every camera."""
    truth: dict[str, list[Event]] = {}
    table = assemble_all(arguments.realdata / "surv-fights", folder)
    with table.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            start, end = (round(float(row[key]) * 1e6) for key in ("start_s", "end_s"))
            truth.setdefault(row["video"], []).append(Event.segment("fight", start, end))
    pool = [
        SynthVideo(
            path, tuple(truth.get(path.name, ())), scan(path).timeline, seed=0, variable_rate=True
        )
        for path in sorted(folder.glob("*.mp4"))
    ]
    footage = base.Footage(folder, pool, {})
    return Subject("fights", footage, {}, 2, 3, "fight, AP at tIoU 0.5", "other cameras, assembled")


def measure_seed(
    arguments: argparse.Namespace, work: Path, subject: Subject, seed: int
) -> list[dict[str, Any]]:
    """Begin with one labelled video and go on in both orders, each in a library of its own."""
    parts = subject.parts(seed)
    folder = work / f"seed-{seed}-start"
    shutil.rmtree(folder, ignore_errors=True)
    features = work / "features"
    if features.is_dir():
        shutil.copytree(features, folder / "cache" / "features")
    with base.open_bench(arguments, folder) as bench:
        videos = base.take_in(bench, subject.footage, domain=subject.domain)
        labelled = [*parts.start, *parts.val, *parts.tests]
        base.label_videos(bench, labelled, videos, {}, domain=subject.domain)
        first = _train(bench, videos, subject, parts, arguments, seed)
        _detect(bench, first, [videos[item.path.name] for item in parts.rest])
        begun = _row("start", 0, seed, _measure(bench, first, videos, subject, parts), 0)
    print(_line(begun, subject), flush=True)
    shutil.rmtree(features, ignore_errors=True)
    shutil.copytree(folder / "cache" / "features", features)
    rows = [begun]
    for order in ORDERS:
        mine = work / f"seed-{seed}-{order}"
        shutil.rmtree(mine, ignore_errors=True)
        shutil.copytree(folder, mine)
        with base.open_bench(arguments, mine) as bench:
            rows += list(_rounds(bench, first, subject, arguments, order=order, seed=seed))
    whole = work / f"seed-{seed}-whole"
    shutil.rmtree(whole, ignore_errors=True)
    shutil.copytree(folder, whole)
    with base.open_bench(arguments, whole) as bench:
        videos = {video.name: video for video in bench.catalog.videos.list()}
        base.label_videos(bench, parts.rest, videos, {}, domain=subject.domain)
        model = _train(bench, videos, subject, parts, arguments, seed, before=first)
        measured = _measure(bench, model, videos, subject, parts)
        rows.append(_row("whole", 0, seed, measured, 0))
    print(_line(rows[-1], subject), flush=True)
    return rows


def _rounds(
    bench: Workbench,
    model: ModelRecord,
    subject: Subject,
    arguments: argparse.Namespace,
    *,
    order: str,
    seed: int,
) -> Iterator[dict[str, Any]]:
    """Review, train, measure; yield a row for each number of decisions."""
    parts = subject.parts(seed)
    videos = {video.name: video for video in bench.catalog.videos.list()}
    truth = {videos[item.path.name].id: item.events for item in parts.rest}
    labels = LabelDesk(bench)
    desk = ReviewDesk(bench, labels)
    decided = true = 0
    for goal in arguments.reviews:
        while decided < goal:
            cards = _next(bench, desk, model, order=order, limit=goal - decided)
            if not cards:
                break
            for card in cards:
                verdict = _judge(card, truth[card.item.video.id], arguments.context)
                desk.decide(verdict, "reviewer")
                decided += 1
                true += verdict.decision in ("accepted", "corrected") or len(verdict.found)
        model = _train(bench, videos, subject, parts, arguments, seed, before=model)
        measured = _measure(bench, model, videos, subject, parts)
        row = {**_row(order, goal, seed, measured, true), "decided": decided}
        print(_line(row, subject), flush=True)
        yield row
        if goal != arguments.reviews[-1]:
            _detect(bench, model, [videos[item.path.name] for item in parts.rest])


def _next(
    bench: Workbench, desk: ReviewDesk, model: ModelRecord, *, order: str, limit: int
) -> Sequence[ReviewCard]:
    if order == "doubt":
        return desk.queue(model.domain, model.id, limit=limit).cards
    items = [
        item
        for item in open_items(bench, RunShelf(bench), model)
        if item.stratum in ("shown", "near")
    ]
    return [ReviewCard(item, "control") for item in sorted(items, key=lambda i: i.lot)[:limit]]


def _judge(card: ReviewCard, truth: Sequence[Event], context: float) -> Verdict:
    """Return what somebody says who knows the truth and saw so many seconds around the item."""
    item = card.item
    margin = round(context * 1e6)
    played = TimeSpan(max(0, item.span.start_us - margin), item.span.end_us + margin)
    told = Verdict(
        id=uuid.uuid4().hex,
        run_id=item.run_id,
        event_type=item.event.event_type if item.event else "",
        span=item.span,
        decision="rejected",
        reason=card.reason,
        doubt=item.doubt.value,
        seen=(played,) if margin else (),
    )
    if item.event is None:
        seen = tuple(event for event in truth if item.span.contains(event.start_us))
        return replace(told, decision="watched", found=seen)
    meant = _about(item, truth)
    if meant is None:
        return told
    off = max(abs(meant.start_us - item.span.start_us), abs(meant.end_us - item.span.end_us))
    if off <= EXACT_US:
        return replace(told, decision="accepted")
    return replace(told, decision="corrected", corrected=meant)


def _about(item: ReviewItem, truth: Sequence[Event]) -> Event | None:
    """Return the event that a candidate is about, if there is one."""
    event = item.event
    assert event is not None  # noqa: S101 - asked for candidates alone
    same = [other for other in truth if other.event_type == event.event_type]
    if event.kind == "point":
        same = [other for other in same if abs(other.start_us - event.start_us) <= SAME_US]
    else:
        same = [other for other in same if other.span.tiou(event.span) > 0]
    return min(same, key=lambda other: abs(other.start_us - event.start_us), default=None)


def _train(
    bench: Workbench,
    videos: Mapping[str, VideoRecord],
    subject: Subject,
    parts: Parts,
    arguments: argparse.Namespace,
    seed: int,
    *,
    before: ModelRecord | None = None,
) -> ModelRecord:
    unseen = [item for part in subject.footage.tests.values() for item in part]
    fixed = {videos[item.path.name].group_name: "test" for item in [*parts.tests, *unseen]}
    fixed |= {videos[item.path.name].group_name: "val" for item in parts.val}
    request = TrainRequest(
        subject.domain,
        {
            "encoder": arguments.encoder,
            **base.RECIPE,
            "architecture": arguments.architecture,
            **arguments.set,
        },
        clip=subject.clip,
        fixed_groups=_known_groups(bench, fixed),
        seed=seed,
    )
    outcome = run_training(bench, prepare_training(bench, request))
    if outcome.result is None and before is not None and "nothing to tell apart" in outcome.message:
        # Five accepted fights in a video that is all fight teach no difference: there is no new
        # model then, and the one before goes on.
        return before
    if outcome.result is None:
        sys.exit(f"the training {outcome.state.value}: {outcome.message}")
    return trained_model(bench, outcome)


def _known_groups(bench: Workbench, fixed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the groups of which something is labelled: others are in no dataset."""
    labelled = {item.video_id for item in bench.catalog.events.list(origin="annotation")}
    groups = {video.group_name for video in bench.catalog.videos.list() if video.id in labelled}
    return {name: split for name, split in fixed.items() if name in groups}


def _detect(bench: Workbench, model: ModelRecord, videos: Sequence[VideoRecord]) -> None:
    sources = [LibrarySource(video) for video in videos]
    for detected in detect_many(bench, sources, DetectRequest("", model.id)):
        if detected.result is None:
            sys.exit(f"{detected.source}: {detected.message}")


def _measure(
    bench: Workbench,
    model: ModelRecord,
    videos: Mapping[str, VideoRecord],
    subject: Subject,
    parts: Parts,
) -> tuple[float, float]:
    records = [videos[item.path.name] for item in parts.tests]
    _detect(bench, model, records)
    found = subject.measured(evaluate_model(bench, model.id, records).report)
    return found, _moments(bench, model, videos, parts.tests)


def _moments(
    bench: Workbench,
    model: ModelRecord,
    videos: Mapping[str, VideoRecord],
    tests: Sequence[SynthVideo],
) -> float:
    """Return the average precision of single moments: is what happens scored above the rest?

    It knows no edges and no grouping, so a handful of videos says more by it than by AP of events.
    """
    newest = {run.video_id: run for run in newest_runs(bench, model)}
    scores, labels = [], []
    for item in tests:
        track = load_scores(bench, newest[videos[item.path.name].id])
        scores.append(track.scores.max(axis=1))
        labels.append([any(e.span.contains(int(us)) for e in item.events) for us in track.times_us])
    return average_precision(np.concatenate(scores), np.concatenate(labels))


def average_precision(scores: NDArray[np.float32], labels: NDArray[np.bool_]) -> float:
    """Return the mean precision at each true moment, the highest scores first."""
    hits = labels[np.argsort(-scores, kind="stable")]
    precision = np.cumsum(hits) / np.arange(1, hits.size + 1)
    return float(precision[hits].mean()) if hits.any() else 0.0


def _row(
    order: str, decided: int, seed: int, measured: tuple[float, float], true: int
) -> dict[str, Any]:
    found, moments = measured
    return {
        "order": order,
        "reviews": decided,
        "seed": seed,
        "ap": found,
        "moments": moments,
        "true": true,
    }


def _line(row: Mapping[str, Any], subject: Subject) -> str:
    decided = row.get("decided", row["reviews"])  # fewer than wanted: nothing was open any more
    return (
        f"seed {row['seed']}, {ORDERS.get(row['order'], row['order'])}, {decided} reviewed "
        f"({row['true']} of them true): {subject.figure} {100 * row['ap']:.1f}, "
        f"moments {100 * row['moments']:.1f}"
    )


def _marks(rows: Sequence[Mapping[str, Any]], order: str, figure: str = "ap") -> list[Mark]:
    numbers = sorted({row["reviews"] for row in rows})
    return [
        base.spread(
            [
                row[figure]
                for row in rows
                if row["reviews"] == n and row["order"] in (order, "start")
            ]
        )
        for n in numbers
    ]


def _table(rows: Sequence[Mapping[str, Any]], arguments: argparse.Namespace) -> str:
    return "\n\n".join(
        f"{words}:\n\n{_table_of(rows, arguments.seeds, figure)}"
        for figure, words in FIGURES.items()
    )


def _table_of(rows: Sequence[Mapping[str, Any]], seeds: int, figure: str) -> str:
    lines = [
        f"| reviewed | {' | '.join(ORDERS.values())} | gain, seed by seed |",
        "| ---: | ---: | ---: | ---: |",
    ]
    reviewed = [row for row in rows if row["order"] != "whole"]
    numbers = sorted({row["reviews"] for row in reviewed})
    marks = {order: _marks(reviewed, order, figure) for order in ORDERS}
    for place, number in enumerate(numbers):
        cells = [base.shown(marks[order][place]) for order in ORDERS]
        gains = []
        for seed in range(seeds):
            pair = {
                row["order"]: row[figure]
                for row in reviewed
                if row["seed"] == seed and row["reviews"] == number
            }
            if ORDERS.keys() <= pair.keys():
                gains.append(f"{100 * (pair['doubt'] - pair['random']):+.1f}")
        lines.append(f"| {number} | {' | '.join(cells)} | {' '.join(gains)} |")
    whole = base.shown(base.spread([row[figure] for row in rows if row["order"] == "whole"]))
    lines.append(f"| everything labelled | {whole} | {whole} |  |")
    return "\n".join(lines)


def _save(
    table: str,
    rows: Sequence[Mapping[str, Any]],
    arguments: argparse.Namespace,
    subject: Subject,
) -> None:
    results = Path(__file__).parent / "results"
    name = "active_learning" + ("" if arguments.footage == "throws" else f"_{arguments.footage}")
    reviewed = [row for row in rows if row["order"] != "whole"]
    numbers = [str(number) for number in sorted({row["reviews"] for row in reviewed})]
    panel = Panel(
        subject.where, {words: _marks(reviewed, order) for order, words in ORDERS.items()}
    )
    title = f"{subject.figure}, by reviewed candidates"
    (results / f"{name}.svg").write_text(
        draw_curves(title, numbers, "reviewed candidates", [panel]), encoding="utf-8"
    )
    text = (
        "# Active learning: the uncertainty queue against random order\n\n"
        f"`{' '.join(['python', 'benchmarks/active_learning.py', *sys.argv[1:]])}`, "
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.processor() or platform.machine()}. "
        f"{arguments.architecture} on a frozen {arguments.encoder}; mean of {arguments.seeds} "
        f"seeds with its 95 % interval (Student's t); {subject.figure}, in percent, on videos that "
        f"no training saw ({subject.where}).\n\n{table}\n\n![Curves]({name}.svg)\n"
    )
    (results / f"{name}.md").write_text(text, encoding="utf-8")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--footage", choices=("throws", "fights"), default="throws")
    parser.add_argument("--videos", type=int, default=10, help="in each of three places")
    parser.add_argument("--reviews", type=int, nargs="+", default=[10, 20, 40])
    parser.add_argument(
        "--context", type=float, default=1.0, help="seconds seen around each item; 0 = none"
    )
    parser.add_argument("--architecture", default="spot_r18")
    parser.add_argument("--encoder", default="mobilenet_v2_1.0_224")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE")
    parser.add_argument("--realdata", type=Path, default=base.PROJECT.parent / "shared/realdata")
    parser.add_argument("--work", type=Path, default=Path("work"))
    parser.add_argument("--save", action="store_true")
    parsed = parser.parse_args()
    parsed.set = parse_settings(parsed.set)
    parsed.work.mkdir(parents=True, exist_ok=True)
    return parsed


if __name__ == "__main__":
    began = time.perf_counter()
    main()
    print(f"{time.perf_counter() - began:.0f} s")
