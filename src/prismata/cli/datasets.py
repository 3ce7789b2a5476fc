"""`prismata datasets`: frozen versions of labels, and what would be frozen now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from prismata.catalog import DatasetVersionRecord, FrozenAnnotation
from prismata.cli.console import JsonOption, notes, output, print_json, print_table
from prismata.cli.dataset_duplicates import show_duplicates
from prismata.cli.dataset_groups import group_by_pattern
from prismata.core.replays import replays_in_data
from prismata.core.time import to_seconds
from prismata.services.dataset_diff import DatasetDiff, diff_datasets
from prismata.services.datasets import plan_dataset
from prismata.services.workbench import Workbench
from prismata.wiring import open_workbench

app = typer.Typer(no_args_is_help=True)
app.command("groups")(group_by_pattern)
app.command("duplicates")(show_duplicates)

_DIGEST_SHOWN = 12


@app.command(name="list")
def list_datasets(
    domain: Annotated[str, typer.Option(help="Only versions of this domain.")] = "",
    as_json: JsonOption = False,
) -> None:
    """List dataset versions, newest first."""
    with open_workbench() as bench:
        versions = bench.catalog.datasets.list(domain or None)
    if as_json:
        print_json([_version_dict(version) for version in versions])
        return
    if not versions:
        notes.print("no version was frozen yet; `prismata train` freezes one from the labels")
        return
    rows = [
        (
            version.name,
            version.created_at.strftime("%Y-%m-%d %H:%M"),
            *(_videos_in(version, split) for split in ("train", "val", "test")),
            _count_labels(version.content),
            version.digest[:_DIGEST_SHOWN],
        )
        for version in versions
    ]
    columns = ("version", "frozen (UTC)", "train", "val", "test", "labels", "digest")
    print_table("", columns, rows, right="train,val,test,labels")


@app.command()
def show(
    version: Annotated[str, typer.Argument(help="Name or id.")],
    as_json: JsonOption = False,
) -> None:
    """Show the videos of a version with their splits and labels."""
    with open_workbench() as bench:
        found = bench.catalog.datasets.get(version)
        names = _names(bench)
    if as_json:
        labels = _labels_by_video(found.content)
        videos = [
            {
                "video": names.get(video_id, video_id),
                "split": split,
                "group": found.groups[video_id],
                "labels": labels.get(video_id, {}),
            }
            for video_id, split in found.video_splits.items()
        ]
        print_json({**_version_dict(found), "videos": videos})
        return
    output.print(
        f"{found.name}: labels of {found.domain} (version {found.domain_version}), frozen by "
        f"{found.author} on {found.created_at:%Y-%m-%d %H:%M} UTC",
        markup=False,
    )
    output.print(f"digest {found.digest}", markup=False)
    output.print(f"replays: {replays_in_data(found.replays)}", markup=False)
    _print_videos(found.video_splits, found.groups, found.content, names)


@app.command()
def plan(
    domain: Annotated[str, typer.Argument(help="Domain to freeze the labels of.")],
    seed: Annotated[int, typer.Option(help="Same seed, same split.")] = 0,
    val_share: Annotated[float, typer.Option(help="Share of time for validation.")] = 0.2,
    test_share: Annotated[float, typer.Option(help="Share of time held out.")] = 0.0,
) -> None:
    """Show what a version would hold if it were frozen now; nothing is written."""
    with open_workbench() as bench:
        planned = plan_dataset(bench, domain, seed=seed, val_share=val_share, test_share=test_share)
        names = _names(bench)
    content = [(item.video_id, item.event, item.review_state) for item in planned.labels]
    _print_videos(planned.split.splits, planned.split.groups, content, names)
    if planned.split.note:
        notes.print(planned.split.note, markup=False)


@app.command()
def diff(
    older: Annotated[str, typer.Argument(help="Name or id of the version compared with.")],
    newer: Annotated[str, typer.Argument(help="Name or id of the version to tell about.")],
    as_json: JsonOption = False,
) -> None:
    """Show what differs between two versions: videos, splits, labels, known time."""
    with open_workbench() as bench:
        durations = {video.id: video.duration_us for video in bench.catalog.videos.list()}
        find = bench.catalog.datasets.get
        found = diff_datasets(find(older), find(newer), durations)
        names = _names(bench)
    if as_json:
        print_json(_diff_dict(found, names))
    else:
        _print_diff(found, names)


def _print_diff(found: DatasetDiff, names: dict[str, str]) -> None:
    if found.is_empty:
        output.print(f"{found.newer.name} holds what {found.older.name} holds", markup=False)
        return
    for word, videos in (("+", found.added_videos), ("-", found.removed_videos)):
        for video_id in videos:
            output.print(f"{word} video {names.get(video_id, video_id)}", markup=False)
    for video_id, (before, after) in found.other_split.items():
        output.print(f"~ video {names.get(video_id, video_id)}: {before} → {after}", markup=False)
    for word, labels in (("+", found.added), ("-", found.removed)):
        for video_id, event, state in labels:
            rejected = " (rejected)" if state == "rejected" else ""
            output.print(
                f"{word} {event.event_type}{rejected} at {to_seconds(event.start_us):.3f} s of "
                f"{names.get(video_id, video_id)}",
                markup=False,
            )
    for label in found.moved:
        start = (label.after.start_us - label.before.start_us) / 1000
        end = (label.after.end_us - label.before.end_us) / 1000
        ends = "" if label.after.kind == "point" else f", its end by {end:+.0f} ms"
        output.print(
            f"~ {label.before.event_type} at {to_seconds(label.before.start_us):.3f} s of "
            f"{names.get(label.video_id, label.video_id)}: moved by {start:+.0f} ms{ends}",
            markup=False,
        )
    for (video_id, event, before_state), (_, _, after_state) in found.judged:
        output.print(
            f"~ {event.event_type} at {to_seconds(event.start_us):.3f} s of "
            f"{names.get(video_id, video_id)}: {before_state} → {after_state}",
            markup=False,
        )
    if found.known_change_us:
        output.print(f"known time: {to_seconds(found.known_change_us):+.1f} s", markup=False)
    if found.older.domain_version != found.newer.domain_version:
        output.print(
            f"domain version: {found.older.domain_version} → {found.newer.domain_version}",
            markup=False,
        )
    if found.older.replays != found.newer.replays:
        output.print(
            f"replays: {replays_in_data(found.older.replays)} → "
            f"{replays_in_data(found.newer.replays)}",
            markup=False,
        )


def _diff_dict(found: DatasetDiff, names: dict[str, str]) -> dict[str, Any]:
    def label(item: FrozenAnnotation) -> dict[str, Any]:
        video_id, event, state = item
        return {
            "video": names.get(video_id, video_id),
            "event_type": event.event_type,
            "start_us": event.start_us,
            "end_us": event.end_us,
            "review_state": state,
        }

    return {
        "older": found.older.name,
        "newer": found.newer.name,
        "same": found.is_empty,
        "added_videos": [names.get(video_id, video_id) for video_id in found.added_videos],
        "removed_videos": [names.get(video_id, video_id) for video_id in found.removed_videos],
        "other_split": {
            names.get(video_id, video_id): list(pair)
            for video_id, pair in found.other_split.items()
        },
        "added": [label(item) for item in found.added],
        "removed": [label(item) for item in found.removed],
        "moved": [
            {
                **label((item.video_id, item.after, "none")),
                "start_before_us": item.before.start_us,
                "end_before_us": item.before.end_us,
            }
            for item in found.moved
        ],
        "judged": [
            {**label(after), "review_state_before": before[2]} for before, after in found.judged
        ],
        "known_change_s": to_seconds(found.known_change_us),
        "replays": [found.older.replays, found.newer.replays],
    }


def _print_videos(
    splits: dict[str, Any],
    groups: dict[str, str],
    content: Iterable[FrozenAnnotation],
    names: dict[str, str],
) -> None:
    labels = _labels_by_video(content)
    types = sorted({name for counts in labels.values() for name in counts})
    rows = [
        (
            names.get(video_id, video_id),
            split,
            groups[video_id],
            *(labels.get(video_id, {}).get(name, 0) for name in types),
        )
        for video_id, split in sorted(
            splits.items(), key=lambda item: (item[1], groups[item[0]], names.get(item[0], ""))
        )
    ]
    columns = ("video", "split", "group", *types)
    print_table("", columns, rows, right=",".join(types))


def _labels_by_video(content: Iterable[FrozenAnnotation]) -> dict[str, dict[str, int]]:
    counts: dict[str, Counter[str]] = {}
    for video_id, event, state in content:
        if state != "rejected":
            counts.setdefault(video_id, Counter())[event.event_type] += 1
    return {video_id: dict(counter) for video_id, counter in counts.items()}


def _count_labels(content: Iterable[FrozenAnnotation]) -> int:
    return sum(state != "rejected" for _, _, state in content)


def _videos_in(version: DatasetVersionRecord, split: str) -> int:
    return sum(part == split for part in version.video_splits.values())


def _names(bench: Workbench) -> dict[str, str]:
    return {video.id: video.name for video in bench.catalog.videos.list()}


def _version_dict(version: DatasetVersionRecord) -> dict[str, Any]:
    return {
        "name": version.name,
        "domain": version.domain,
        "domain_version": version.domain_version,
        "digest": version.digest,
        "seed": version.seed,
        "splits": {split: _videos_in(version, split) for split in ("train", "val", "test")},
        "labels": _count_labels(version.content),
        "replays": version.replays,
        "author": version.author,
        "created_at": version.created_at.isoformat(),
    }
