"""Datasets: frozen lists of labels with splits that never cut through a group."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from prismata.catalog import (
    DatasetVersionRecord,
    EventRecord,
    FrozenAnnotation,
    Split,
    VideoRecord,
)
from prismata.core.errors import InvalidInputError
from prismata.core.time import TimeSpan
from prismata.domains import Domain
from prismata.services.known_time import known_time
from prismata.services.type_migration import check_declared
from prismata.services.workbench import Workbench


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """How videos are divided, and why."""

    splits: dict[str, Split]
    """Video id → split."""
    groups: dict[str, str]
    """Video id → group."""
    note: str
    """A sentence or two about anything unusual; empty if there is nothing."""


def plan_split(
    videos: Sequence[VideoRecord],
    *,
    seed: int = 0,
    val_share: float = 0.2,
    test_share: float = 0.0,
    fixed: Mapping[str, Split] | None = None,
    known_us: Mapping[str, int] | None = None,
) -> SplitPlan:
    """Divide videos by group, reproducibly.

    Groups are shuffled with the seed and dealt out so that the shares of labelled time are met as
    well as whole groups allow; training always keeps at least one group.

    Args:
        videos: The videos; those of one group stay together.
        seed: Same seed, same split.
        val_share: Share of the time for validation, in [0, 1).
        test_share: Share of the time held out altogether, in [0, 1).
        fixed: Group name → split, for groups that are not dealt out.
        known_us: Video id → how much of it is known, where it is not everything.

    Raises:
        InvalidInputError: If a share is out of range, a fixed group does not exist, or nothing is
            left to train on.
    """
    if not videos:
        raise InvalidInputError("there is no video to split; ingest and label some first")
    if not (0 <= val_share < 1 and 0 <= test_share < 1 and val_share + test_share < 1):
        raise InvalidInputError(
            f"shares of {val_share} for validation and {test_share} for testing leave nothing to "
            "train on; they must add up to less than 1"
        )
    groups = {video.id: video.group_name for video in videos}
    weight: dict[str, int] = {}
    for video in videos:
        labelled_us = (known_us or {}).get(video.id, video.duration_us)
        weight[video.group_name] = weight.get(video.group_name, 0) + labelled_us
    chosen: dict[str, Split] = dict(fixed or {})
    unknown = sorted(set(chosen) - set(weight))
    if unknown:
        raise InvalidInputError(
            f"no video belongs to group {unknown[0]!r}; groups are {', '.join(sorted(weight))}"
        )
    free = sorted(set(weight) - set(chosen))
    random.Random(seed).shuffle(free)  # noqa: S311 - a reproducible split, not a secret
    total = sum(weight[name] for name in free)
    keep_one = 0 if "train" in chosen.values() else 1
    shares: tuple[tuple[Split, float], ...] = (("test", test_share), ("val", val_share))
    for split, share in shares:
        taken = 0
        for name in reversed(free if share else []):
            # A group that is too long is passed over: a shorter one behind it may still fit.
            if len(free) > keep_one and taken + weight[name] / 2 <= share * total:
                free = [other for other in free if other != name]
                chosen[name] = split
                taken += weight[name]
        if share and not taken and len(free) > keep_one:
            shortest = min(reversed(free), key=weight.__getitem__)
            free.remove(shortest)
            chosen[shortest] = split
    for name in free:
        chosen[name] = "train"
    if "train" not in chosen.values():
        raise InvalidInputError("every group is held out; leave at least one to train on")
    note = ""
    if val_share and "val" not in chosen.values():
        note = (
            "There are too few groups for a validation split, so early stopping and thresholds "
            "look at the training videos; the figures are optimistic."
        )
    return SplitPlan({video.id: chosen[video.group_name] for video in videos}, groups, note)


@dataclass(frozen=True, slots=True)
class DatasetPlan:
    """What a dataset version would hold if it were frozen now."""

    labels: tuple[EventRecord, ...]
    """Hard negatives too; not what a person is unsure of."""
    videos: tuple[VideoRecord, ...]
    known: dict[str, tuple[TimeSpan, ...]]
    """Video id → stretches of which something is known; only where it is not everything."""
    split: SplitPlan


def plan_dataset(
    bench: Workbench,
    domain_name: str,
    *,
    seed: int = 0,
    val_share: float = 0.2,
    test_share: float = 0.0,
    fixed: Mapping[str, Split] | None = None,
) -> DatasetPlan:
    """Say what a dataset version of a domain would hold; nothing is written.

    A video belongs to the domain if it has labels of it, was ingested for it, or somebody watched
    it for it; one of which nothing is known, because nobody watched it and it has no labels, is
    left out.

    Raises:
        InvalidInputError: If there is nothing labelled, labels have an event type that the domain
            does not declare, or the split is impossible.
        NotFoundError: If the domain does not exist.
    """
    domain = bench.domain(domain_name)
    annotations = bench.catalog.events.list(domain=domain_name, origin="annotation")
    usable = [item for item in annotations if item.review_state != "unsure"]
    if not any(item.review_state != "rejected" for item in usable):
        raise InvalidInputError(
            f"no video is labelled for {domain_name!r} yet; label some, or import labels with "
            f"`prismata labels import FILE --domain {domain_name}`"
        )
    check_declared(domain, usable)
    known = known_by_video(bench, domain_name, annotations)
    videos = [video for video in bench.catalog.videos.list() if known.get(video.id)]
    split = plan_split(
        videos,
        seed=seed,
        val_share=val_share,
        test_share=test_share,
        fixed=fixed,
        known_us={name: total_us(spans) for name, spans in known.items()},
    )
    remarks = (
        split.note,
        _unseen_remark(len(known) - len(videos)),
        _replay_remark(bench, domain, usable),
        _untaught_remark(domain, usable, split),
    )
    split = replace(split, note=" ".join(remark for remark in remarks if remark))
    return DatasetPlan(
        tuple(usable),
        tuple(videos),
        {
            video.id: known[video.id]
            for video in videos
            if total_us(known[video.id]) < video.duration_us
        },
        split,
    )


def _unseen_remark(unseen: int) -> str:
    if not unseen:
        return ""
    if unseen == 1:
        return "1 video of this domain takes no part: nobody watched it and it holds no labels."
    return (
        f"{unseen} videos of this domain take no part: nobody watched them and they hold no labels."
    )


def taught_types(
    content: Iterable[FrozenAnnotation], splits: Mapping[str, Split]
) -> frozenset[str]:
    """Return the event types of which a training video holds an example.

    Args:
        content: Labels, as they are or would be frozen.
        splits: Video id → split.
    """
    return frozenset(
        event.event_type
        for video_id, event, state in content
        if state != "rejected" and splits.get(video_id) == "train"
    )


def _untaught_remark(domain: Domain, labels: Sequence[EventRecord], split: SplitPlan) -> str:
    """Say which event types a model trained on this will not know."""
    shown = taught_types(map(_frozen, labels), split.splits)
    missing = [item.title for item in domain.event_types if item.name not in shown]
    if not missing or len(missing) == len(domain.event_types):
        return ""
    return (
        f"No training video holds an example of {', '.join(missing)}; a model trained on this will "
        "not know it."
    )


def _labels_lie(count: int) -> str:
    return "1 label lies" if count == 1 else f"{count} labels lie"


def _replay_remark(bench: Workbench, domain: Domain, labels: Sequence[EventRecord]) -> str:
    """Say which labels contradict a domain that passes replays over."""
    if domain.replays != "skip":
        return ""
    skipped = {
        sheet.video_id: [item.span for item in sheet.coverage if item.state == "skipped"]
        for sheet in bench.catalog.labels.sheets(domain.name)
    }
    # The middle counts: a label may reach over the cut to a replay by a frame.
    inside = [
        item
        for item in labels
        if item.review_state != "rejected"
        and any(
            span.start_us <= (item.event.start_us + item.event.end_us) // 2 < span.end_us
            for span in skipped.get(item.video_id, ())
        )
    ]
    if not inside:
        return ""
    first = bench.catalog.videos.get(inside[0].video_id).name
    return (
        f"{domain.title} passes replays over, but {_labels_lie(len(inside))} in stretches that "
        f"were passed over, the first in {first}; they are learned from like all others. Remove "
        "them, or mark these stretches as watched."
    )


def create_dataset(
    bench: Workbench,
    domain_name: str,
    *,
    seed: int = 0,
    val_share: float = 0.2,
    test_share: float = 0.0,
    fixed: Mapping[str, Split] | None = None,
) -> tuple[DatasetVersionRecord, SplitPlan]:
    """Freeze the labels of a domain, as they are now, with a split.

    What is known of each video is frozen too. The same labels, the same known time and the same
    split give the same version again.

    Raises:
        InvalidInputError: If there is nothing labelled, labels have an event type that the domain
            does not declare, or the split is impossible.
        NotFoundError: If the domain does not exist.
    """
    domain = bench.domain(domain_name)
    planned = plan_dataset(
        bench, domain_name, seed=seed, val_share=val_share, test_share=test_share, fixed=fixed
    )
    version = bench.catalog.datasets.create(
        domain=domain_name,
        domain_version=domain.version,
        seed=seed,
        video_splits=planned.split.splits,
        groups=planned.split.groups,
        content=[_frozen(item) for item in planned.labels],
        author=bench.settings.author,
        known=planned.known,
        replays=domain.replays,
    )
    return version, planned.split


def known_by_video(
    bench: Workbench, domain_name: str, labels: Sequence[EventRecord]
) -> dict[str, tuple[TimeSpan, ...]]:
    """Return what is known of each video that belongs to the domain, by its id.

    Args:
        bench: The workbench.
        domain_name: The domain.
        labels: All annotations of the domain.
    """
    by_video: dict[str, list[EventRecord]] = {}
    for item in labels:
        by_video.setdefault(item.video_id, []).append(item)
    coverage = {
        sheet.video_id: sheet.coverage for sheet in bench.catalog.labels.sheets(domain_name)
    }
    return {
        video.id: known_time(
            bench, video, domain_name, coverage.get(video.id, ()), by_video.get(video.id, ())
        )
        for video in bench.catalog.videos.list()
        if video.id in by_video or video.id in coverage or video.domain == domain_name
    }


def total_us(spans: Sequence[TimeSpan]) -> int:
    """Return how long stretches are together, in microseconds."""
    return sum(span.duration_us for span in spans)


def _frozen(item: EventRecord) -> FrozenAnnotation:
    return item.video_id, item.event, item.review_state
