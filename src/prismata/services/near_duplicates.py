"""Near-duplicates: footage that videos of different groups share, looked for when a person asks.

Two cuts of one recording, or a copy in another size, in training and in validation make every
figure too good. A comparison is a job; the latest one of a domain is kept in the catalog and read
by whoever shows or trains a dataset.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Any

from prismata.catalog import JobRecord, Split
from prismata.core.errors import NotFoundError
from prismata.core.jobs import JobState, ResourceClass
from prismata.core.ports import (
    Assignment,
    ChildLimits,
    ChildOutcome,
    MessageHandler,
    ignore_message,
)
from prismata.core.time import TimeSpan, to_seconds
from prismata.domains import DomainRegistry
from prismata.media.likeness import RULES
from prismata.media.signatures import FORMAT
from prismata.services.admission import job_need_mb
from prismata.services.datasets import plan_dataset
from prismata.services.wording import some_of
from prismata.services.workbench import LiveJob, Workbench

_DECLARED_MB = 400.0
"""What a comparison takes before any was seen: two videos of a few hours, and the decoder."""

_MADE_BY = [FORMAT, RULES]
"""What a result depends on beside the videos; others do not count any more."""

COMPARE_CHILD = (sys.executable, "-m", "prismata.worker.compare")


@dataclass(frozen=True, slots=True)
class Subject:
    """The videos that are compared: those of a dataset version, or of what would be one now."""

    name: str
    """Of the version, or of the domain."""
    domain: str
    splits: Mapping[str, Split]
    """Video id → split."""
    groups: Mapping[str, str]
    """Video id → group."""


@dataclass(frozen=True, slots=True)
class NearDuplicate:
    """Two videos of different groups that share footage."""

    first: str
    """Name of a video."""
    second: str
    splits: tuple[Split, Split]
    first_span: TimeSpan
    """Where the footage is in the first video."""
    second_span: TimeSpan
    similarity: float
    """How well it agrees, in [0, 1]."""

    @property
    def leaks(self) -> bool:
        """Whether the two are in different splits."""
        return self.splits[0] != self.splits[1]

    @property
    def overlap_us(self) -> int:
        """How much they share, in microseconds."""
        return self.first_span.duration_us

    @property
    def offset_us(self) -> int:
        """How much later it comes in the first video than in the second."""
        return self.first_span.start_us - self.second_span.start_us

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            "videos": [self.first, self.second],
            "splits": list(self.splits),
            "leaks": self.leaks,
            "overlap_s": to_seconds(self.overlap_us),
            "offset_s": to_seconds(self.offset_us),
            "starts_s": [
                to_seconds(self.first_span.start_us),
                to_seconds(self.second_span.start_us),
            ],
            "similarity": self.similarity,
        }


@dataclass(frozen=True, slots=True)
class DuplicateReport:
    """What is known about footage that videos share; nothing is computed for it."""

    subject: Subject
    found: tuple[NearDuplicate, ...]
    """Those in different splits first, then by how much they share."""
    pairs: int
    """Pairs of different groups."""
    not_compared: int
    """Of these, pairs that nobody has compared yet."""
    too_still: tuple[str, ...]
    """Names of videos in which so little moves that a copy of them would not be noticed."""
    unreadable: Mapping[str, str]
    """Name of a video → why it could not be compared."""

    @property
    def leaks(self) -> tuple[NearDuplicate, ...]:
        """The pairs in different splits."""
        return tuple(item for item in self.found if item.leaks)

    def warning(self) -> str:
        """Return a sentence for whoever is about to train; empty if there is nothing to say."""
        if len(set(self.subject.splits.values())) < 2 or not self.pairs:
            return ""
        command = f"`prismata datasets duplicates {self.subject.domain}`"
        if self.not_compared == self.pairs:
            return f"Nobody looked yet whether videos of different splits share footage; {command}."
        parts = []
        if self.leaks:
            worst = self.leaks[0]
            count = len(self.leaks)
            parts.append(
                f"{count} pairs of videos in different splits share footage"
                if count > 1
                else "Two videos in different splits share footage"
            )
            parts[0] += (
                f"{', most of all' if count > 1 else ':'} {worst.first!r} ({worst.splits[0]}) and "
                f"{worst.second!r} ({worst.splits[1]}), {to_seconds(worst.overlap_us):.1f} s, so "
                f"that the figures will be too good; put them into one group ({command} lists "
                "them)."
            )
        if self.not_compared:
            parts.append(
                f"{self.not_compared} of {self.pairs} pairs of videos were not compared yet; "
                f"{command}."
            )
        return " ".join(parts)

    def sentences(self) -> list[str]:
        """Return what a person should know beside the table."""
        told = []
        if not self.pairs:
            told.append("All videos are in one group, so there is nothing to compare.")
        if self.too_still:
            told.append(
                f"Too little moves in {some_of(self.too_still)} to know the footage again: a copy "
                "would not be noticed."
            )
        told += [
            f"{name!r} was not compared: {why}" for name, why in sorted(self.unreadable.items())
        ]
        if self.not_compared:
            told.append(f"{self.not_compared} of {self.pairs} pairs were not compared.")
        return told

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        return {
            "subject": self.subject.name,
            "domain": self.subject.domain,
            "videos": len(self.subject.splits),
            "pairs": self.pairs,
            "not_compared": self.not_compared,
            "leaks": len(self.leaks),
            "found": [item.to_dict() for item in self.found],
            "too_still": list(self.too_still),
            "unreadable": dict(self.unreadable),
        }


def find_subject(
    bench: Workbench,
    name: str,
    *,
    seed: int = 0,
    val_share: float = 0.2,
    test_share: float = 0.0,
) -> Subject:
    """Return the videos of a domain, split as they would be now, or those of a dataset version.

    Videos of a version that were removed since are left out.

    Args:
        bench: The workbench.
        name: Name of a domain, or name or id of a version.
        seed: As for `plan_dataset`, like the shares; a version has its own split.
        val_share: Share of the time for validation.
        test_share: Share of the time held out.

    Raises:
        NotFoundError: If there is neither such a domain nor such a version.
        InvalidInputError: If nothing is labelled for the domain, or the split is impossible.
    """
    if name in {domain.name for domain in DomainRegistry.list()}:
        plan = plan_dataset(bench, name, seed=seed, val_share=val_share, test_share=test_share)
        return Subject(name, name, plan.split.splits, plan.split.groups)
    try:
        version = bench.catalog.datasets.get(name)
    except NotFoundError as error:
        raise NotFoundError(f"there is no domain {name!r}, and {error}") from error
    there = {video.id for video in bench.catalog.videos.list()}
    return Subject(
        version.name,
        version.domain,
        {video_id: split for video_id, split in version.video_splits.items() if video_id in there},
        {video_id: group for video_id, group in version.groups.items() if video_id in there},
    )


def compare_videos(
    bench: Workbench, subject: Subject, *, on_message: MessageHandler = ignore_message
) -> ChildOutcome:
    """Compare what was not compared yet in a child process and wait for its end.

    Raises:
        BusyError: If videos of this domain are being compared already.
        InvalidInputError: If the storage lives in memory, where no child can reach it.
    """
    return bench.jobs.run_job(_submit(bench, subject).id, on_message=on_message)


def start_comparison(bench: Workbench, subject: Subject) -> LiveJob:
    """Do the same in the background; `running_comparison` tells how far it is.

    Raises:
        BusyError: If videos of this domain are being compared already.
        InvalidInputError: If the storage lives in memory, where no child can reach it.
    """
    return bench.jobs.start(_submit(bench, subject))


def latest_comparison(bench: Workbench, domain_name: str) -> JobRecord | None:
    """Return the latest job that compares videos of a domain, whatever became of it."""
    jobs = bench.catalog.jobs.list(dedupe_key=_dedupe_key(domain_name), limit=1)
    return jobs[0] if jobs else None


def read_report(bench: Workbench, subject: Subject) -> DuplicateReport:
    """Return what the latest comparison says about these videos, as they are split and grouped."""
    kept = _Kept.of(bench, subject.domain)
    names = {video.id: video.name for video in bench.catalog.videos.list()}
    pairs = count_across(subject.groups)
    found = [
        NearDuplicate(
            names[item["first"]],
            names[item["second"]],
            (subject.splits[item["first"]], subject.splits[item["second"]]),
            TimeSpan(*item["first_us"]),
            TimeSpan(*item["second_us"]),
            item["similarity"],
        )
        for item in kept.found
        if is_across(subject.groups, item["first"], item["second"])
    ]
    found.sort(key=lambda item: (not item.leaks, -item.overlap_us, item.first, item.second))
    return DuplicateReport(
        subject,
        tuple(found),
        pairs,
        pairs - count_across(subject.groups, kept.compared),
        tuple(sorted(names[item] for item in kept.too_still if item in subject.splits)),
        {names[item]: why for item, why in kept.unreadable.items() if item in subject.splits},
    )


def assign_comparison(bench: Workbench, job: JobRecord) -> Assignment:
    """Return what an attempt at a comparison consists of: what was compared before is not again."""
    groups: dict[str, str] = job.params["groups"]
    videos = [video for video in bench.catalog.videos.list() if video.id in groups]
    kept = _Kept.of(bench, job.params["domain"])
    request = {
        "settings": bench.settings.to_request(),
        "videos": [
            {
                "id": video.id,
                "name": video.name,
                "group": groups[video.id],
                "sha256": video.sha256,
                "storage_key": video.storage_key,
                "timeline_key": video.timeline_key,
                "duration_us": video.duration_us,
            }
            for video in videos
        ],
        "known": kept.compared,
    }

    def on_success(result: dict[str, Any]) -> dict[str, Any]:
        return kept.joined(groups, result)

    # A pair of very long videos is compared in silence.
    limits = ChildLimits(stall_seconds=max(1800.0, bench.settings.stall_seconds))
    return Assignment(COMPARE_CHILD, request, limits, on_success=on_success)


@dataclass(frozen=True, slots=True)
class _Kept:
    """The result of a comparison, as it is kept with its job."""

    groups: Mapping[str, str]
    """Video id → its group at that time: pairs of one group were not compared."""
    found: tuple[dict[str, Any], ...]
    too_still: tuple[str, ...]
    """Ids."""
    unreadable: Mapping[str, str]
    """Video id → why; with these nothing was compared."""

    @classmethod
    def of(cls, bench: Workbench, domain_name: str) -> _Kept:
        """Return the latest one of a domain; an empty one if none counts today."""
        jobs = [
            job
            for job in bench.catalog.jobs.list(dedupe_key=_dedupe_key(domain_name))
            if job.state is JobState.SUCCEEDED
        ]
        result = jobs[0].result if jobs else None
        if not result or result["made_by"] != _MADE_BY:
            return cls({}, (), (), {})
        return cls(
            result["groups"],
            tuple(result["found"]),
            tuple(result["too_still"]),
            result["unreadable"],
        )

    @property
    def compared(self) -> dict[str, str]:
        """Id → group of those that were compared with all of other groups."""
        return {key: group for key, group in self.groups.items() if key not in self.unreadable}

    def joined(self, groups: Mapping[str, str], result: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is kept from now on: what is new, and what was known of these videos."""
        known = [item for item in self.found if is_across(groups, item["first"], item["second"])]
        still = {*(key for key in self.too_still if key in groups), *result["too_still"]}
        return {
            "made_by": _MADE_BY,
            "groups": dict(groups),
            "found": [*known, *result["found"]],
            "too_still": sorted(still),
            "unreadable": result["unreadable"],
        }


def is_across(groups: Mapping[str, str], first: str, second: str) -> bool:
    """Return whether a split could separate two videos, by id: both are there, in two groups."""
    return first in groups and second in groups and groups[first] != groups[second]


def count_across(*groupings: Mapping[str, str]) -> int:
    """Count the pairs of video ids that are of different groups in each of one or two groupings.

    Without looking at pairs, of which a thousand videos have half a million: all pairs of the
    videos that are in all of them, less those of one group in either, more those in both.
    """
    shared = set.intersection(*(set(groups) for groups in groupings))
    count = comb(len(shared), 2)
    for size in range(1, len(groupings) + 1):
        for some in combinations(groupings, size):
            together = Counter(tuple(groups[key] for groups in some) for key in shared)
            count += (-1) ** size * sum(comb(number, 2) for number in together.values())
    return count


def _submit(bench: Workbench, subject: Subject) -> JobRecord:
    bench.check_shared_storage("comparing")
    return bench.catalog.jobs.submit(
        "compare",
        {"domain": subject.domain, "subject": subject.name, "groups": dict(subject.groups)},
        author=bench.settings.author,
        dedupe_key=_dedupe_key(subject.domain),
        resource_class=ResourceClass.CPU,
        needs_mb=job_need_mb(bench, "compare", lambda _job: True, _DECLARED_MB),
    )


def _dedupe_key(domain_name: str) -> str:
    return f"compare:{domain_name}"
